import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { EINVAL, ENOMEM } from "./errno.ts";
import { exitMm } from "./exit.ts";
import { forkMm } from "./fork.ts";
import { ACTIVE, SWAPBACKED } from "./frames.ts";
import { drainLru } from "./lru-batches.ts";
import { type MadviseAdvice, madvise } from "./madvise.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, mmapRegion, munmapRange } from "./map.ts";
import type { Memory } from "./memory.ts";
import { mlockRange } from "./mlock.ts";
import type { Mm } from "./mm.ts";
import { PTE_DIRTY, PTE_YOUNG, TYPE_MARKER_GUARD, frameOfEntry, isNotPresent, typeOfEntry } from "./page-table.ts";
import { pmdEntryOf, pteOf } from "./table-walk.ts";
import { touchPages } from "./touch.ts";
import { VM_HUGEPAGE, VM_READ, VM_SEQ_READ, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;

function mapped(pageCount: number, order = 0, config: "page" | "nopage" = "page"): { memory: Memory; mm: Mm } {
  const memory = createTestMachine(config);
  if (order > 0) memory.thp.size[order] = "always";
  const mm = memory.createMm("P");
  map(memory, mm, BASE, pageCount);
  touch(memory, mm, BASE, pageCount);
  drainLru(memory);
  return { memory, mm };
}

function map(memory: Memory, mm: Mm, page: number, pageCount: number): void {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  expect(mmapRegion(memory, mm, page, pageCount, { prot: VM_READ | VM_WRITE, flags, pgoff: 0 })).toBe(page);
}

function touch(memory: Memory, mm: Mm, page: number, count: number): string {
  return touchPages(memory, mm, page * PAGE, count * PAGE, PAGE, () => 1n);
}

function advise(memory: Memory, mm: Mm, page: number, count: number, advice: MadviseAdvice): number {
  return madvise(memory, mm, page * PAGE, count * PAGE, advice);
}

test("the address must be aligned, the length is rounded up, nothing to do is no error", () => {
  const { memory, mm } = mapped(4);
  expect(madvise(memory, mm, BASE * PAGE + 1, PAGE, "dontneed")).toBe(-EINVAL);
  expect(madvise(memory, mm, BASE * PAGE, 0, "dontneed")).toBe(0);
  expect(madvise(memory, mm, BASE * PAGE, 1, "dontneed")).toBe(0);
  expect([pteOf(memory, mm, BASE), pteOf(memory, mm, BASE + 1) === 0]).toEqual([0, false]);
});

test("a hole is passed over and answered with ENOMEM in the end; an error ends the walk where it is", () => {
  const { memory, mm } = mapped(4);
  map(memory, mm, BASE + 8, 4);
  touch(memory, mm, BASE + 8, 4);
  expect(advise(memory, mm, BASE, 12, "dontneed")).toBe(-ENOMEM);
  expect([pteOf(memory, mm, BASE), pteOf(memory, mm, BASE + 8)]).toEqual([0, 0]);
  touch(memory, mm, BASE, 4);
  touch(memory, mm, BASE + 8, 4);
  expect(mlockRange(memory, mm, BASE + 8, 2, { onFault: false })).toBe(0);
  expect(advise(memory, mm, BASE, 12, "dontneed")).toBe(-EINVAL);
  expect([pteOf(memory, mm, BASE), pteOf(memory, mm, BASE + 10) === 0]).toEqual([0, false]);
});

test("kernels without CONFIG_MEMORY_FAILURE do not know poison", () => {
  const { memory, mm } = mapped(1);
  expect([advise(memory, mm, BASE, 1, "hwpoison"), advise(memory, mm, BASE, 1, "soft_offline")]).toEqual([
    -EINVAL,
    -EINVAL,
  ]);
});

test("advice about flags splits the VMA, and taking it back merges it again", () => {
  const { memory, mm } = mapped(8);
  expect(advise(memory, mm, BASE + 2, 2, "hugepage")).toBe(0);
  expect(mm.vmas.map((vma) => vma.has(VM_HUGEPAGE))).toEqual([false, true, false]);
  expect(advise(memory, mm, BASE, 8, "nohugepage")).toBe(0);
  expect(mm.vmas.length).toBe(1);
  expect(advise(memory, mm, BASE, 8, "sequential")).toBe(0);
  expect(mm.vmas[0].has(VM_SEQ_READ)).toBe(true);
});

test("MADV_COLD makes exclusive pages old and inactive and leaves shared ones alone", () => {
  const { memory, mm } = mapped(2);
  const frame = frameOfEntry(pteOf(memory, mm, BASE));
  memory.frames.set(frame, ACTIVE);
  const child = forkMm(memory, mm, "C");
  touch(memory, child, BASE + 1, 1);
  drainLru(memory);
  expect(advise(memory, mm, BASE, 2, "cold")).toBe(0);
  drainLru(memory);
  expect([pteOf(memory, mm, BASE) & PTE_YOUNG, pteOf(memory, mm, BASE + 1) & PTE_YOUNG]).toEqual([PTE_YOUNG, 0]);
  expect(memory.frames.has(frame, ACTIVE)).toBe(true);
  exitMm(memory, child);
  expect(advise(memory, mm, BASE, 1, "cold")).toBe(0);
  drainLru(memory);
  expect(memory.frames.has(frame, ACTIVE)).toBe(false);
});

test.each(["page", "nopage"] as const)("a part of a folio of 16 pages is freed lazily as 9.3 says (%s)", (config) => {
  const { memory, mm } = mapped(16, 4, config);
  const b = forkMm(memory, mm, "B");
  const c = forkMm(memory, mm, "C");
  exitMm(memory, mm);
  exitMm(memory, b);
  expect(advise(memory, c, BASE, 1, "free")).toBe(0);
  expect(memory.frames.order[frameOfEntry(pteOf(memory, c, BASE))]).toBe(4);
  munmapRange(memory, c, BASE + 1, 15);
  expect(advise(memory, c, BASE, 1, "free")).toBe(0);
  drainLru(memory);
  const entry = pteOf(memory, c, BASE);
  expect(memory.frames.order[frameOfEntry(entry)]).toBe(0);
  expect(memory.frames.has(frameOfEntry(entry), SWAPBACKED)).toBe(false);
  expect(entry & (PTE_DIRTY | PTE_YOUNG)).toBe(0);
});

test("MADV_FREE of small pages asks whether they are shared only if they are dirty", () => {
  const { memory, mm } = mapped(1);
  forkMm(memory, mm, "C");
  const frame = frameOfEntry(pteOf(memory, mm, BASE));
  expect(advise(memory, mm, BASE, 1, "free")).toBe(0);
  drainLru(memory);
  expect(memory.frames.has(frame, SWAPBACKED)).toBe(false);
});

test("guards replace what is there, are inherited, end every access, and can be taken away", () => {
  const { memory, mm } = mapped(512, 9);
  expect(advise(memory, mm, BASE + 8, 4, "guard_install")).toBe(0);
  const child = forkMm(memory, mm, "C");
  for (const each of [mm, child]) {
    const entry = pteOf(memory, each, BASE + 8);
    expect(isNotPresent(entry) && typeOfEntry(entry) === TYPE_MARKER_GUARD).toBe(true);
    expect(touch(memory, each, BASE + 8, 1)).toBe("sigsegv");
    expect(touch(memory, each, BASE + 7, 1)).toBe("ok");
  }
  expect(advise(memory, child, BASE, 512, "dontneed")).toBe(0);
  expect(typeOfEntry(pteOf(memory, child, BASE + 8))).toBe(TYPE_MARKER_GUARD);
  expect(advise(memory, child, BASE, 512, "guard_remove")).toBe(0);
  expect(touch(memory, child, BASE + 8, 1)).toBe("ok");
});

test("guards need no memory of their own: a whole empty range takes a table, locked memory is refused", () => {
  const { memory, mm } = mapped(1);
  map(memory, mm, BASE + 512, 512);
  expect(advise(memory, mm, BASE + 512, 512, "guard_install")).toBe(0);
  expect(pmdEntryOf(memory, mm, BASE + 512) === 0).toBe(false);
  expect(mlockRange(memory, mm, BASE, 1, { onFault: false })).toBe(0);
  expect(advise(memory, mm, BASE, 1, "guard_install")).toBe(-EINVAL);
  expect(advise(memory, mm, BASE, 1, "guard_remove")).toBe(0);
});

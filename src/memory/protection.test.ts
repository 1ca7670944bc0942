/**
 * mprotect and mlock: what they do to entries and to folios.
 */
import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { EACCES, ENOMEM } from "./errno.ts";
import { exitMm } from "./exit.ts";
import { forkMm } from "./fork.ts";
import { MLOCKED, UNEVICTABLE } from "./frames.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, mmapRegion, munmapRange } from "./map.ts";
import type { Memory } from "./memory.ts";
import { mlockRange, munlockRange } from "./mlock.ts";
import type { Mm } from "./mm.ts";
import { mprotectRange } from "./mprotect.ts";
import { PTE_WRITE, PTE_YOUNG, frameOfEntry, isPresent } from "./page-table.ts";
import { pteOf } from "./table-walk.ts";
import { touchPages } from "./touch.ts";
import { VM_MAYWRITE, VM_READ, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;
const BOTH = VM_READ | VM_WRITE;

function processWith(memory: Memory, order: number, count: number): Mm {
  if (order > 0) memory.thp.size[order] = "always";
  const mm = memory.createMm("A");
  mmapRegion(memory, mm, BASE, count, { prot: BOTH, flags: MAP_PRIVATE | MAP_ANONYMOUS, pgoff: 0 });
  touchPages(memory, mm, BASE * PAGE, count * PAGE, PAGE, () => 1n);
  return mm;
}

const isWritable = (memory: Memory, mm: Mm, page: number): boolean => (pteOf(memory, mm, page) & PTE_WRITE) !== 0;

test("pages that are exclusive may be written at once when the VMA may be again, shared ones fault", () => {
  const memory = createTestMachine("page");
  const mm = processWith(memory, 0, 16);
  const child = forkMm(memory, mm, "B");
  touchPages(memory, mm, BASE * PAGE, 8 * PAGE, PAGE, () => 2n);
  mprotectRange(memory, mm, BASE, 16, VM_READ);
  expect(isWritable(memory, mm, BASE)).toBe(false);
  mprotectRange(memory, mm, BASE, 16, BOTH);
  expect([isWritable(memory, mm, BASE), isWritable(memory, mm, BASE + 8)]).toEqual([true, false]);
  exitMm(memory, child);
});

test("mprotect makes the young bits of one batch equal", () => {
  const memory = createTestMachine("page");
  const parent = processWith(memory, 4, 16);
  const child = forkMm(memory, parent, "B");
  touchPages(memory, child, (BASE + 3) * PAGE, PAGE, PAGE, undefined);
  const young = (page: number): boolean => (pteOf(memory, child, page) & PTE_YOUNG) !== 0;
  expect([young(BASE), young(BASE + 3)]).toEqual([false, true]);
  mprotectRange(memory, child, BASE, 16, VM_READ);
  expect([young(BASE), young(BASE + 3)]).toEqual([true, true]);
});

test("mprotect changes what lies before the error", () => {
  const memory = createTestMachine("page");
  const mm = processWith(memory, 0, 48);
  munmapRange(memory, mm, BASE + 16, 8);
  expect(mprotectRange(memory, mm, BASE, 48, VM_READ)).toBe(-ENOMEM);
  expect(mm.vmas.map((vma) => vma.has(VM_WRITE))).toEqual([false, true]);
  mm.vmas[0].flags &= ~VM_MAYWRITE;
  expect(mprotectRange(memory, mm, BASE, 16, BOTH)).toBe(-EACCES);
});

test("mlock counts a large folio only if the range holds it whole", () => {
  const memory = createTestMachine("page");
  const mm = processWith(memory, 4, 48);
  mlockRange(memory, mm, BASE + 8, 32, { onFault: true });
  const isLocked = (page: number): boolean =>
    memory.frames.has(memory.frames.headOf(frameOfEntry(pteOf(memory, mm, page))), MLOCKED | UNEVICTABLE);
  expect([0, 16, 32].map((at) => isLocked(BASE + at))).toEqual([false, true, false]);
  munlockRange(memory, mm, BASE + 20, 1);
  expect(isLocked(BASE + 16)).toBe(false);
});

test("mlock faults in what is missing, on fault it does not, and a hole ends it", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  mmapRegion(memory, mm, BASE, 16, { prot: BOTH, flags: MAP_PRIVATE | MAP_ANONYMOUS, pgoff: 0 });
  expect(mlockRange(memory, mm, BASE, 8, { onFault: true })).toBe(0);
  expect(isPresent(pteOf(memory, mm, BASE))).toBe(false);
  expect(mlockRange(memory, mm, BASE + 8, 16, { onFault: false })).toBe(-ENOMEM);
  expect(mlockRange(memory, mm, BASE + 8, 8, { onFault: false })).toBe(0);
  expect(isPresent(pteOf(memory, mm, BASE + 15))).toBe(true);
});

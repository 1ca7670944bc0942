import { expect, test } from "vitest";
import { createTestCountedMachine, createTestMachine } from "../../test/memory/machine.ts";
import { exitMm } from "./exit.ts";
import { forkMm } from "./fork.ts";
import { changePins, refcount } from "./folio-references.ts";
import { OWNER_2 } from "./frames.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, mmapRegion, munmapRange } from "./map.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { PTE_DIRTY, PTE_WRITE, PTE_YOUNG, frameOfEntry, isPresent } from "./page-table.ts";
import { findPteTable, pmdEntryOf, pteOf } from "./table-walk.ts";
import { touchPages } from "./touch.ts";
import { changeVmaFlags } from "./vma-change.ts";
import { VM_DONTCOPY, VM_HUGEPAGE, VM_LOCKED, VM_READ, VM_WIPEONFORK, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;

/** A process that has written `count` pages in folios of `order`. */
function processWith(memory: Memory, order: number, count: number): Mm {
  if (order > 0) memory.thp.size[order] = "always";
  const mm = memory.createMm("A");
  mmapRegion(memory, mm, BASE, count, { prot: VM_READ | VM_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS, pgoff: 0 });
  touchPages(memory, mm, BASE * PAGE, count * PAGE, PAGE, () => 1n);
  memory.thp.size.fill("never");
  return mm;
}

const headOf = (memory: Memory, mm: Mm, page: number): number =>
  memory.frames.headOf(frameOfEntry(pteOf(memory, mm, page)));

test.each([0, 4, 9])("fork makes private entries read-only in both and old in the child (order %i)", (order) => {
  const memory = createTestMachine("page");
  const parent = processWith(memory, order, 512);
  const child = forkMm(memory, parent, "B");
  const [mine, its] = [parent, child].map((mm) =>
    order === 9 ? pmdEntryOf(memory, mm, BASE) : pteOf(memory, mm, BASE + 5),
  );
  expect(mine & (PTE_WRITE | PTE_YOUNG | PTE_DIRTY)).toBe(PTE_YOUNG | PTE_DIRTY);
  expect(its & (PTE_WRITE | PTE_YOUNG | PTE_DIRTY)).toBe(PTE_DIRTY);
  expect(frameOfEntry(its)).toBe(frameOfEntry(mine));
  expect(memory.frames.has(frameOfEntry(mine), OWNER_2)).toBe(false);
});

test("a third address space is not tracked, and leaves the folio shared when both owners are gone (kernel-facts 2.5)", () => {
  const machine = createTestCountedMachine("page");
  const { memory } = machine;
  const a = processWith(memory, 4, 16);
  const head = headOf(memory, a, BASE);
  const b = forkMm(memory, a, "B");
  const c = forkMm(memory, a, "C");
  expect(memory.counts.mapcount(head)).toBe(48);
  munmapRange(memory, a, BASE, 16);
  exitMm(memory, b);
  expect(memory.counts.mapcount(head)).toBe(16);
  expect(memory.counts.sharedBit(head)).toBe(true);
  munmapRange(memory, c, BASE, 15);
  expect(machine.kernel.counter.isMaybeMappedShared(head)).toBe(false);
});

test("page tables are copied only where there is an anon_vma, and empty ones too", () => {
  const memory = createTestMachine("page");
  const parent = memory.createMm("A");
  mmapRegion(memory, parent, BASE, 1024, { prot: VM_READ | VM_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS, pgoff: 0 });
  touchPages(memory, parent, BASE * PAGE, 16 * PAGE, PAGE, undefined);
  const unfaulted = forkMm(memory, parent, "B");
  expect(findPteTable(memory, unfaulted, BASE)).toBe(0);
  touchPages(memory, parent, (BASE + 512) * PAGE, PAGE, PAGE, () => 1n);
  munmapRange(memory, parent, BASE, 500);
  const child = forkMm(memory, parent, "C");
  const empty = findPteTable(memory, child, BASE);
  expect(empty).not.toBe(0);
  expect(memory.tables.usedEntries(empty)).toBe(0);
});

test("what may be pinned is copied for the child at once, the rest of the folio with it", () => {
  const memory = createTestMachine("page");
  const parent = processWith(memory, 4, 16);
  const head = headOf(memory, parent, BASE);
  parent.hasPinned = true;
  changePins(memory, head, 1);
  const child = forkMm(memory, parent, "B");
  for (let i = 0; i < 16; i++) {
    const copy = frameOfEntry(pteOf(memory, child, BASE + i));
    expect(copy).not.toBe(head + i);
    expect(memory.frames.has(copy, OWNER_2)).toBe(true);
    expect(pteOf(memory, child, BASE + i) & PTE_WRITE).toBe(PTE_WRITE);
    expect(pteOf(memory, parent, BASE + i) & PTE_WRITE).toBe(PTE_WRITE);
  }
  expect(refcount(memory, head)).toBe(17);
});

test("a pinned PMD is split and its pages are copied", () => {
  const memory = createTestMachine("nopage");
  const parent = processWith(memory, 9, 512);
  const head = frameOfEntry(pmdEntryOf(memory, parent, BASE));
  parent.hasPinned = true;
  changePins(memory, head, 1);
  const child = forkMm(memory, parent, "B");
  expect(isPresent(pmdEntryOf(memory, parent, BASE))).toBe(false);
  expect(memory.counts.mapcount(head)).toBe(512);
  expect(memory.frames.order[headOf(memory, child, BASE + 511)]).toBe(0);
});

test("DONTFORK, WIPEONFORK and mlock are between the process and itself", () => {
  const memory = createTestMachine("page");
  const parent = processWith(memory, 0, 48);
  changeVmaFlags(memory, parent, BASE, BASE + 16, (vma) => vma.flags | VM_DONTCOPY);
  changeVmaFlags(memory, parent, BASE + 16, BASE + 32, (vma) => vma.flags | VM_WIPEONFORK);
  changeVmaFlags(memory, parent, BASE + 32, BASE + 48, (vma) => vma.flags | VM_LOCKED | VM_HUGEPAGE);
  const child = forkMm(memory, parent, "B");
  expect(child.vmas.map(({ start }) => start - BASE)).toEqual([16, 32]);
  expect(pteOf(memory, child, BASE + 16)).toBe(0);
  expect(child.vmas[0].anonVma).toBeUndefined();
  expect(child.vmas[1].has(VM_LOCKED)).toBe(false);
  expect(child.vmas[1].has(VM_HUGEPAGE)).toBe(true);
  expect(isPresent(pteOf(memory, child, BASE + 32))).toBe(true);
});

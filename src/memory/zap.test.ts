import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { exitMm } from "./exit.ts";
import { forkMm } from "./fork.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, mmapRegion, munmapRange } from "./map.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { mprotectRange } from "./mprotect.ts";
import { isPresent, isTable } from "./page-table.ts";
import { findPteTable, pmdEntryOf } from "./table-walk.ts";
import { touchPages } from "./touch.ts";
import { VM_READ, VM_WRITE } from "./vma.ts";
import { zapVmaRange } from "./zap.ts";

const BASE = 0x200000;
const PAGE = 4096;

function processWith(memory: Memory, order: number, count: number): Mm {
  if (order > 0) memory.thp.size[order] = "always";
  const mm = memory.createMm("A");
  mmapRegion(memory, mm, BASE, count, { prot: VM_READ | VM_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS, pgoff: 0 });
  touchPages(memory, mm, BASE * PAGE, count * PAGE, PAGE, () => 1n);
  return mm;
}

const deferred = (memory: Memory, order: number): number => memory.statistics.mthp.splitDeferred[order];
const partial = (memory: Memory, order: number): number => memory.statistics.mthp.nrAnonPartiallyMapped[order];

test.each([4, 9])(
  "a page unmapped from a folio queues it once, and freeing takes it off (kernel-facts 9.3, order %i)",
  (order) => {
    const memory = createTestMachine("page");
    const mm = processWith(memory, order, 1 << order);
    munmapRange(memory, mm, BASE, 1);
    expect([deferred(memory, order), partial(memory, order)]).toEqual([1, 1]);
    munmapRange(memory, mm, BASE + 1, 1);
    expect([deferred(memory, order), partial(memory, order)]).toEqual([1, 1]);
    munmapRange(memory, mm, BASE, 1 << order);
    expect([deferred(memory, order), partial(memory, order)]).toEqual([1, 0]);
    expect(memory.statistics.mthp.nrAnon[order]).toBe(0);
  },
);

test("one munmap over a folio in two VMAs queues it between the batches, in one VMA it does not (kernel-facts 2.11)", () => {
  const memory = createTestMachine("page");
  const mm = processWith(memory, 4, 32);
  mprotectRange(memory, mm, BASE + 24, 8, VM_READ);
  munmapRange(memory, mm, BASE, 16);
  expect(deferred(memory, 4)).toBe(0);
  munmapRange(memory, mm, BASE + 16, 16);
  expect([deferred(memory, 4), partial(memory, 4)]).toEqual([1, 0]);
});

test("a child that unmaps what the parent maps by a PMD makes nothing partial; the parent leaving does", () => {
  const memory = createTestMachine("page");
  const parent = processWith(memory, 9, 512);
  const child = forkMm(memory, parent, "B");
  munmapRange(memory, child, BASE, 1);
  expect(deferred(memory, 9)).toBe(0);
  exitMm(memory, parent);
  expect(deferred(memory, 9)).toBe(1);
});

test("zapping leaves an empty page table behind, munmap does not", () => {
  const memory = createTestMachine("page");
  const mm = processWith(memory, 0, 1024);
  zapVmaRange(memory, mm.vmas[0], BASE, BASE + 512, {});
  const table = findPteTable(memory, mm, BASE);
  expect(table).not.toBe(0);
  expect(memory.tables.usedEntries(table)).toBe(0);
  munmapRange(memory, mm, BASE, 512);
  expect(findPteTable(memory, mm, BASE)).toBe(0);
});

test("a page table goes with the last VMA that can use it", () => {
  const memory = createTestMachine("page");
  const mm = processWith(memory, 0, 512);
  munmapRange(memory, mm, BASE + 128, 256);
  munmapRange(memory, mm, BASE, 128);
  expect(findPteTable(memory, mm, BASE)).not.toBe(0);
  munmapRange(memory, mm, BASE + 384, 128);
  expect(findPteTable(memory, mm, BASE)).toBe(0);
  expect(memory.tables.usedEntries(mm.pgd)).toBe(0);
});

test("part of a PMD splits it, the whole goes at once", () => {
  const memory = createTestMachine("page");
  const mm = processWith(memory, 9, 1024);
  zapVmaRange(memory, mm.vmas[0], BASE, BASE + 513, {});
  expect(pmdEntryOf(memory, mm, BASE)).toBe(0);
  expect(isTable(pmdEntryOf(memory, mm, BASE + 512))).toBe(true);
  expect(memory.statistics.events.get("thp_split_pmd")).toBe(1);
  expect(isPresent(pmdEntryOf(memory, mm, BASE + 512))).toBe(false);
});

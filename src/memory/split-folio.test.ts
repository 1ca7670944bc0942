import { expect, test } from "vitest";
import { createTestCountedMachine, createTestMachine } from "../../test/memory/machine.ts";
import { changeGets, changePins } from "./folio-references.ts";
import { forkMm } from "./fork.ts";
import { DIRTY, FREE, OWNER_2, PARTIALLY_MAPPED } from "./frames.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, mmapRegion, munmapRange } from "./map.ts";
import { type Memory, ZERO_FRAME } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { PTE_WRITE, frameOfEntry, isPresent } from "./page-table.ts";
import { splitFolio } from "./split-folio.ts";
import { splitRange } from "./split-range.ts";
import { pmdEntryOf, pteOf } from "./table-walk.ts";
import { touchPages } from "./touch.ts";
import { VM_READ, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;
const THP = 512;
const CONFIGS = ["page", "nopage"] as const;

/** A process with one exclusive folio of 2^order pages at BASE, of which so many are written. */
function processWithFolio(memory: Memory, order: number, written = 1 << order): Mm {
  memory.thp.size[order] = "always";
  const mm = memory.createMm("A");
  const request = { prot: VM_READ | VM_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, pgoff: 0 };
  expect(mmapRegion(memory, mm, BASE, THP, request)).toBe(BASE);
  expect(touchPages(memory, mm, BASE * PAGE, written * PAGE, PAGE, (at) => BigInt(at))).toBe("ok");
  memory.thp.size.fill("never");
  return mm;
}

function split(memory: Memory, mm: Mm, pages: number, order = 0): void {
  expect(splitRange(memory, mm, BASE * PAGE, (BASE + pages) * PAGE, order)).toBe(0);
}

test.each(CONFIGS)(
  "pages of zeros are mapped to the zero page after a split, the others stay exclusive (%s)",
  (config) => {
    const memory = createTestMachine(config);
    const mm = processWithFolio(memory, 9, 16);
    const head = frameOfEntry(pmdEntryOf(memory, mm, BASE));
    split(memory, mm, 1);
    for (let i = 0; i < THP; i++) {
      const entry = pteOf(memory, mm, BASE + i);
      expect(frameOfEntry(entry)).toBe(i < 16 ? head + i : ZERO_FRAME);
      expect((entry & PTE_WRITE) !== 0).toBe(i < 16);
      expect(memory.frames.kindOf(head + i) === FREE).toBe(i >= 16);
      expect(memory.frames.has(head + i, OWNER_2)).toBe(i < 16);
    }
    expect(memory.frames.has(head, DIRTY)).toBe(true);
    const { split: splits, nrAnon, splitDeferred } = memory.statistics.mthp;
    expect([splits[9], nrAnon[9], splitDeferred[9]]).toEqual([1, 0, 0]);
  },
);

test.each(CONFIGS)("a THP mapped by three PMD entries needs three attempts (%s)", (config) => {
  const { memory, kernel } = createTestCountedMachine(config);
  const a = processWithFolio(memory, 9);
  const mms = [a, forkMm(memory, a, "B"), forkMm(memory, a, "C")];
  const head = frameOfEntry(pmdEntryOf(memory, a, BASE));
  const ptesAfter = (): boolean[] => mms.map((mm) => !isPresent(pmdEntryOf(memory, mm, BASE)));
  split(memory, a, 1);
  expect(ptesAfter()).toEqual([true, false, false]);
  expect([memory.counts.mapcount(head), kernel.counter.entireMapcount(head)]).toEqual([514, 2]);
  split(memory, a, 1);
  expect(ptesAfter()).toEqual([true, true, false]);
  split(memory, a, 1);
  expect(memory.frames.order[head]).toBe(0);
  expect(memory.counts.mapcount(head)).toBe(3);
  expect(memory.statistics.events.get("thp_split_page_failed")).toBe(2);
});

test.each(CONFIGS)(
  "a split takes mappings page by page: the folio is deferred on the way, and counted once (%s)",
  (config) => {
    const memory = createTestMachine(config);
    const mm = processWithFolio(memory, 4);
    split(memory, mm, 16, 2);
    const { split: splits, nrAnon, nrAnonPartiallyMapped, splitDeferred } = memory.statistics.mthp;
    expect([splits[4], nrAnon[4], nrAnon[2], splitDeferred[4], nrAnonPartiallyMapped[4]]).toEqual([1, 0, 4, 1, 0]);
    expect(memory.counts.mapcount(frameOfEntry(pteOf(memory, mm, BASE)))).toBe(4);
  },
);

test.each(CONFIGS)("pins, references and the order 1 keep an anonymous folio whole (%s)", (config) => {
  const memory = createTestMachine(config);
  const mm = processWithFolio(memory, 4);
  const head = frameOfEntry(pteOf(memory, mm, BASE));
  changePins(memory, head, 1);
  split(memory, mm, 16);
  changePins(memory, head, -1);
  changeGets(memory, head, 1);
  split(memory, mm, 16);
  changeGets(memory, head, -1);
  split(memory, mm, 16, 1);
  split(memory, mm, 16, 4);
  expect(memory.frames.order[head]).toBe(4);
  expect(memory.statistics.mthp.splitDeferred[4]).toBe(0);
});

test.each(CONFIGS)("pages that nobody maps are freed with the split (%s)", (config) => {
  const memory = createTestMachine(config);
  const mm = processWithFolio(memory, 4);
  const head = frameOfEntry(pteOf(memory, mm, BASE));
  munmapRange(memory, mm, BASE, 4);
  expect(memory.frames.has(head, PARTIALLY_MAPPED)).toBe(true);
  const free = memory.allocator.freeFrames();
  expect(splitFolio(memory, head, 2)).toBe(0);
  expect(memory.allocator.freeFrames()).toBe(free + 4);
  expect(memory.statistics.mthp.nrAnon[2]).toBe(3);
  expect(memory.statistics.mthp.nrAnonPartiallyMapped[4]).toBe(0);
});

import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { EBUSY, EINVAL } from "./errno.ts";
import { exitMm } from "./exit.ts";
import { changeGets, freeIfUnused, refcount } from "./folio-references.ts";
import { forkMm } from "./fork.ts";
import { DIRTY, OWNER_2, RECLAIM, SWAPBACKED, SWAPCACHE } from "./frames.ts";
import { drainLru } from "./lru-batches.ts";
import { madvise } from "./madvise.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, mmapRegion, munmapRange } from "./map.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import {
  PTE_DIRTY,
  PTE_WRITE,
  SWP_EXCLUSIVE,
  frameOfEntry,
  isPresent,
  isSwapEntry,
  offsetOfEntry,
} from "./page-table.ts";
import { swapOn } from "./swap.ts";
import { swapOff } from "./swapoff.ts";
import { pmdEntryOf, pteOf } from "./table-walk.ts";
import { peekWord, touchPages } from "./touch.ts";
import { VM_READ, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;

/** A process that wrote `pageCount` pages, in folios of `order`, on a machine with swap. */
function written(pageCount: number, order = 0): { memory: Memory; mm: Mm } {
  const memory = createTestMachine("nopage");
  expect(swapOn(memory, "/dev/ram1")).toBe(0);
  if (order > 0) memory.thp.size[order] = "always";
  const mm = memory.createMm("P");
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  mmapRegion(memory, mm, BASE, pageCount, { prot: VM_READ | VM_WRITE, flags, pgoff: 0 });
  write(memory, mm, BASE, pageCount, 7n);
  drainLru(memory);
  return { memory, mm };
}

function write(memory: Memory, mm: Mm, page: number, count: number, value: bigint): void {
  expect(touchPages(memory, mm, page * PAGE, count * PAGE, PAGE, () => value)).toBe("ok");
}

function read(memory: Memory, mm: Mm, page: number, count: number): void {
  expect(touchPages(memory, mm, page * PAGE, count * PAGE, PAGE, undefined)).toBe("ok");
}

function pageout(memory: Memory, mm: Mm, page: number, count: number): void {
  expect(madvise(memory, mm, page * PAGE, count * PAGE, "pageout")).toBe(0);
}

function slots(memory: Memory, mm: Mm, page: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const entry = pteOf(memory, mm, page + i);
    return isSwapEntry(entry) ? offsetOfEntry(entry) : -1;
  });
}

test("pages go out to consecutive slots, come back exclusive and clean, and their slots are free then", () => {
  const { memory, mm } = written(4);
  const free = memory.allocator.freeFrames();
  pageout(memory, mm, BASE, 4);
  expect(slots(memory, mm, BASE, 4)).toEqual([1, 2, 3, 4]);
  expect(memory.allocator.freeFrames()).toBe(free + 4);
  read(memory, mm, BASE, 2);
  const entry = pteOf(memory, mm, BASE);
  expect(isPresent(entry) && (entry & PTE_WRITE) !== 0 && (entry & PTE_DIRTY) === 0).toBe(true);
  expect(memory.frames.has(frameOfEntry(entry), OWNER_2)).toBe(true);
  expect(memory.frames.has(frameOfEntry(entry), SWAPCACHE | DIRTY)).toBe(false);
  expect(peekWord(memory, mm, BASE * PAGE)).toBe(7n);
  expect(memory.swap.usedSlotCount).toBe(2);
  pageout(memory, mm, BASE, 4);
  expect(slots(memory, mm, BASE, 4)).toEqual([5, 6, 3, 4]);
});

test("without swap MADV_PAGEOUT leaves anonymous pages in place", () => {
  const { memory, mm } = written(4);
  expect(swapOff(memory, "/dev/ram1")).toBe(0);
  pageout(memory, mm, BASE, 4);
  expect(isPresent(pteOf(memory, mm, BASE))).toBe(true);
});

test("a device is switched on once, and off once", () => {
  const { memory } = written(1);
  expect([swapOn(memory, "/dev/ram1"), swapOn(memory, "/dev/ram0")]).toEqual([-EBUSY, -EBUSY]);
  expect([swapOff(memory, "/dev/ram1"), swapOff(memory, "/dev/ram1")]).toEqual([0, -EINVAL]);
});

test("a THP goes out whole to one cluster and comes back as single pages if no smaller size is allowed", () => {
  const { memory, mm } = written(512, 9);
  pageout(memory, mm, BASE, 512);
  expect(slots(memory, mm, BASE, 512)).toEqual(Array.from({ length: 512 }, (_, i) => 0x200 + i));
  expect(memory.statistics.events.get("thp_swpout")).toBe(1);
  read(memory, mm, BASE + 16, 1);
  expect(memory.frames.order[frameOfEntry(pteOf(memory, mm, BASE + 16))]).toBe(0);
  expect(slots(memory, mm, BASE + 15, 3)).toEqual([0x20f, -1, 0x211]);
});

test("a folio of 16 pages comes back as one if its size is still allowed", () => {
  const { memory, mm } = written(16, 4);
  pageout(memory, mm, BASE, 16);
  write(memory, mm, BASE + 3, 1, 9n);
  expect(memory.frames.order[frameOfEntry(pteOf(memory, mm, BASE))]).toBe(4);
  expect((pteOf(memory, mm, BASE) & PTE_DIRTY) !== 0).toBe(true);
  expect(memory.statistics.mthp.nrAnon[4]).toBe(1);
});

test("of a large folio that is meant in part only that part goes out", () => {
  const { memory, mm } = written(16, 4);
  pageout(memory, mm, BASE + 4, 4);
  expect(slots(memory, mm, BASE + 3, 6)).toEqual([-1, 1, 2, 3, 4, -1]);
  expect(memory.statistics.mthp.split[4]).toBe(1);
});

test("fork takes exclusivity from both swap entries; who comes second finds the page in the swap cache", () => {
  const { memory, mm } = written(16);
  pageout(memory, mm, BASE, 16);
  expect((pteOf(memory, mm, BASE) & SWP_EXCLUSIVE) !== 0).toBe(true);
  const child = forkMm(memory, mm, "C");
  for (const each of [mm, child]) expect(pteOf(memory, each, BASE) & SWP_EXCLUSIVE).toBe(0);
  expect(memory.swap.entries[1]).toBe(2);
  read(memory, mm, BASE, 1);
  const frame = frameOfEntry(pteOf(memory, mm, BASE));
  expect(memory.frames.has(frame, SWAPCACHE) && !memory.frames.has(frame, OWNER_2)).toBe(true);
  expect(memory.swap.cache.filter((cached) => cached !== 0).length).toBe(5);
  expect(memory.frames.has(memory.swap.cache[2], RECLAIM)).toBe(true);
  read(memory, child, BASE, 1);
  expect(frameOfEntry(pteOf(memory, child, BASE))).toBe(frame);
  write(memory, child, BASE + 1, 1, 9n);
  expect(peekWord(memory, mm, (BASE + 1) * PAGE)).toBe(7n);
  exitMm(memory, child);
  exitMm(memory, mm);
  expect(memory.swap.usedSlotCount).toBe(0);
});

test("the last sharer that writes gets the cached page for itself, dirty and off swap", () => {
  const { memory, mm } = written(1);
  pageout(memory, mm, BASE, 1);
  const child = forkMm(memory, mm, "C");
  read(memory, mm, BASE, 1);
  munmapRange(memory, mm, BASE, 1);
  const cached = memory.swap.cache[1];
  write(memory, child, BASE, 1, 9n);
  expect(frameOfEntry(pteOf(memory, child, BASE))).toBe(cached);
  expect(memory.frames.has(cached, OWNER_2 | DIRTY)).toBe(true);
  expect(memory.frames.has(cached, SWAPCACHE)).toBe(false);
  expect(memory.swap.usedSlotCount).toBe(0);
});

test("a page with a plain reference is unmapped and stays in the swap cache, unwritten", () => {
  const { memory, mm } = written(1);
  const frame = frameOfEntry(pteOf(memory, mm, BASE));
  changeGets(memory, frame, 1);
  pageout(memory, mm, BASE, 1);
  expect(slots(memory, mm, BASE, 1)).toEqual([1]);
  expect(memory.frames.has(frame, SWAPCACHE) && memory.frames.has(frame, DIRTY)).toBe(true);
  expect(memory.statistics.events.get("pswpout")).toBe(undefined);
  drainLru(memory);
  expect(refcount(memory, frame)).toBe(2);
  read(memory, mm, BASE, 1);
  expect(frameOfEntry(pteOf(memory, mm, BASE))).toBe(frame);
  exitMm(memory, mm);
  changeGets(memory, frame, -1);
  freeIfUnused(memory, frame);
  expect(memory.swap.usedSlotCount).toBe(0);
});

test("pages of zeros cost no I/O", () => {
  const { memory, mm } = written(2);
  write(memory, mm, BASE, 1, 0n);
  pageout(memory, mm, BASE, 2);
  expect(memory.statistics.events.get("pswpout")).toBe(1);
  read(memory, mm, BASE, 2);
  expect(memory.statistics.events.get("pswpin")).toBe(1);
  expect(peekWord(memory, mm, BASE * PAGE)).toBe(0n);
});

test("swapoff brings every page back, old and read-only, and leaves nothing on swap", () => {
  const { memory, mm } = written(32, 4);
  pageout(memory, mm, BASE, 32);
  const child = forkMm(memory, mm, "C");
  write(memory, child, BASE, 1, 9n);
  expect(swapOff(memory, "/dev/ram1")).toBe(0);
  for (const each of [mm, child]) expect(slots(memory, each, BASE, 32)).toEqual(Array.from({ length: 32 }, () => -1));
  expect(pteOf(memory, mm, BASE + 5)).toBe(pteOf(memory, child, BASE + 5));
  expect(pteOf(memory, mm, BASE + 5) & PTE_WRITE).toBe(0);
  expect(memory.frames.has(frameOfEntry(pteOf(memory, mm, BASE + 5)), SWAPCACHE)).toBe(false);
  expect([peekWord(memory, mm, BASE * PAGE), peekWord(memory, child, BASE * PAGE)]).toEqual([7n, 9n]);
});

test("lazily freed pages are dropped if they are clean and kept if they were written since", () => {
  const { memory, mm } = written(4);
  expect(madvise(memory, mm, BASE * PAGE, 4 * PAGE, "free")).toBe(0);
  write(memory, mm, BASE, 1, 9n);
  pageout(memory, mm, BASE, 4);
  expect(isPresent(pteOf(memory, mm, BASE))).toBe(true);
  expect(memory.frames.has(frameOfEntry(pteOf(memory, mm, BASE)), SWAPBACKED)).toBe(true);
  expect([1, 2, 3].map((page) => pteOf(memory, mm, BASE + page))).toEqual([0, 0, 0]);
});

test("a lazily freed THP is dropped with its PMD", () => {
  const { memory, mm } = written(512, 9);
  expect(madvise(memory, mm, BASE * PAGE, 512 * PAGE, "free")).toBe(0);
  pageout(memory, mm, BASE, 512);
  expect(pmdEntryOf(memory, mm, BASE)).toBe(0);
  expect(memory.statistics.events.get("thp_split_pmd")).toBe(undefined);
});

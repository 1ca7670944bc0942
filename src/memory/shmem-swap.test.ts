import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import type { FileMapping } from "./file-mapping.ts";
import { ACTIVE, DIRTY } from "./frames.ts";
import { drainLru } from "./lru-batches.ts";
import { madvise } from "./madvise.ts";
import { MAP_FIXED, MAP_SHARED, mmapRegion } from "./map.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { frameOfEntry } from "./page-table.ts";
import { swappedPagesIn } from "./shmem-swap.ts";
import { createShmem } from "./shmem.ts";
import { swapOn } from "./swap.ts";
import { swapOff } from "./swapoff.ts";
import { pteOf } from "./table-walk.ts";
import { peekWord, touchPages } from "./touch.ts";
import { ftruncateFile } from "./truncate.ts";
import { Unsupported } from "./unsupported.ts";
import { VM_READ, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;
const PAGES = 32;

/** Shared memory of 32 pages in folios of `order`, written by its one mapper, all of it on swap. */
function swappedOut(order: number): { memory: Memory; mm: Mm; file: FileMapping } {
  const memory = createTestMachine("page");
  swapOn(memory, "/dev/ram1");
  if (order > 0) memory.thp.shmemSize[order] = "always";
  const mm = memory.createMm("P");
  const file = createShmem(memory, "/memfd:test", PAGES * PAGE, "settings");
  const request = { prot: VM_READ | VM_WRITE, flags: MAP_SHARED | MAP_FIXED, file, pgoff: 0 };
  expect(mmapRegion(memory, mm, BASE, PAGES, request)).toBe(BASE);
  expect(touchPages(memory, mm, BASE * PAGE, PAGES * PAGE, PAGE, () => 7n)).toBe("ok");
  drainLru(memory);
  expect(madvise(memory, mm, BASE * PAGE, PAGES * PAGE, "pageout")).toBe(0);
  return { memory, mm, file };
}

function read(memory: Memory, mm: Mm, page: number): number {
  expect(touchPages(memory, mm, page * PAGE, 1, PAGE, undefined)).toBe("ok");
  return frameOfEntry(pteOf(memory, mm, page));
}

test("pages of shared memory on swap leave nothing in page tables; the file knows where they are", () => {
  const { memory, mm, file } = swappedOut(0);
  expect([pteOf(memory, mm, BASE), file.swappedPages, file.cachedPages]).toEqual([0, PAGES, 0]);
  expect(file.swapSlotAt(3)).toBe(4);
  const frame = read(memory, mm, BASE + 3);
  expect(memory.frames.has(frame, DIRTY) && memory.frames.has(frame, ACTIVE)).toBe(true);
  expect([file.frameAt(3), file.swappedPages, memory.swap.usedSlotCount]).toEqual([frame, PAGES - 1, PAGES - 1]);
  expect(peekWord(memory, mm, (BASE + 3) * PAGE)).toBe(7n);
});

test("a folio of 16 pages goes out and comes back whole", () => {
  const { memory, mm, file } = swappedOut(4);
  expect([file.swapSlotAt(0), file.swapSlotAt(31)]).toEqual([0x200, 0x21f]);
  const frame = read(memory, mm, BASE + 5);
  expect(memory.frames.order[frame]).toBe(4);
  expect([file.cachedPages, file.swappedPages]).toEqual([16, 16]);
});

test("a page that MADV_WILLNEED brought into the swap cache makes the entry of its folio fall apart", () => {
  const { memory, mm, file } = swappedOut(4);
  expect(madvise(memory, mm, BASE * PAGE, 16 * PAGE, "willneed")).toBe(0);
  const frame = read(memory, mm, BASE + 5);
  expect(memory.frames.order[frame]).toBe(0);
  expect([file.frameAt(4), file.frameAt(5)]).toEqual([0, frame]);
  expect(memory.swap.shmemOrder.slice(0x200, 0x210).every((order) => order === 0)).toBe(true);
});

test("smaps counts a large folio's entry with all of its pages", () => {
  const { memory, file } = swappedOut(4);
  expect(swappedPagesIn(memory, file, 5, 6)).toBe(16);
  expect(swappedPagesIn(memory, file, 5, 17)).toBe(32);
  expect(swappedPagesIn(memory, file, 0, PAGES)).toBe(PAGES);
});

test("swapoff brings shared memory back unmapped", () => {
  const { memory, mm, file } = swappedOut(4);
  expect(swapOff(memory, "/dev/ram1")).toBe(0);
  expect([file.swappedPages, file.cachedPages, pteOf(memory, mm, BASE)]).toEqual([0, PAGES, 0]);
  expect(peekWord(memory, mm, BASE * PAGE)).toBe(7n);
});

test("truncation frees what is on swap; within a large folio's entry Linux hangs and the model refuses", () => {
  const { memory, file } = swappedOut(4);
  expect(ftruncateFile(memory, file, 16 * PAGE)).toBe(0);
  expect([file.swappedPages, memory.swap.usedSlotCount]).toEqual([16, 16]);
  expect(() => ftruncateFile(memory, file, 5 * PAGE)).toThrow(Unsupported);
});

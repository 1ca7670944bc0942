import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { freeIfUnused, changeGets, refcount } from "./folio-references.ts";
import { ACTIVE, DIRTY, REFERENCED, SWAPBACKED, UPTODATE } from "./frames.ts";
import { pwriteFile, preadFile } from "./file-io.ts";
import type { FileMapping } from "./file-mapping.ts";
import { openFile, releaseFile } from "./inode.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, mmapRegion, munmapRange } from "./map.ts";
import { madvise } from "./madvise.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { cachedFolio } from "./page-cache.ts";
import { isPresent, isTable } from "./page-table.ts";
import { createShmem } from "./shmem.ts";
import { pmdEntryOf, pteOf } from "./table-walk.ts";
import { touchPages } from "./touch.ts";
import { fallocateFile, ftruncateFile } from "./truncate.ts";
import { VM_READ, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;

function map(
  memory: Memory,
  mm: Mm,
  page: number,
  count: number,
  file: FileMapping | undefined,
  flags = MAP_SHARED,
  pgoff = 0,
): void {
  const request = {
    prot: VM_READ | VM_WRITE,
    flags: flags | MAP_FIXED | (file === undefined ? MAP_ANONYMOUS : 0),
    file,
    pgoff,
  };
  expect(mmapRegion(memory, mm, page, count, request)).toBe(page);
}

function touch(memory: Memory, mm: Mm, page: number, count: number, isWrite: boolean): string {
  return touchPages(memory, mm, page * PAGE, count * PAGE, PAGE, isWrite ? () => 1n : undefined);
}

/** A memfd of so many pages, which a descriptor holds. */
function memfd(memory: Memory, pages: number): FileMapping {
  const file = createShmem(memory, "/memfd:test", pages * PAGE);
  file.holders++;
  return file;
}

const orderAt = (memory: Memory, file: FileMapping, index: number): number =>
  memory.frames.order[cachedFolio(memory, file, index)];
const flagsAt = (memory: Memory, file: FileMapping, index: number): number =>
  memory.frames.state[cachedFolio(memory, file, index)] & (ACTIVE | DIRTY | REFERENCED | SWAPBACKED | UPTODATE);
const mapped = (memory: Memory, mm: Mm, first: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => first + i).filter((page) => isPresent(pteOf(memory, mm, page)));

test("a fault of a memfd takes the largest size switched on that fits VMA and cache; a write takes single pages", () => {
  const memory = createTestMachine("page");
  memory.thp.shmemSize[4] = "always";
  memory.thp.shmemSize[2] = "always";
  const mm = memory.createMm("A");
  const file = memfd(memory, 64);
  map(memory, mm, BASE, 40, file);
  touch(memory, mm, BASE + 5, 1, true);
  expect(orderAt(memory, file, 0)).toBe(4);
  expect(flagsAt(memory, file, 0)).toBe(DIRTY | SWAPBACKED | UPTODATE);
  expect(mapped(memory, mm, BASE, 40)).toHaveLength(16);
  // Pages 32 to 39: the block of 16 does not fit the VMA, that of 4 does.
  touch(memory, mm, BASE + 33, 1, false);
  expect(orderAt(memory, file, 33)).toBe(2);
  pwriteFile(memory, file, 48 * PAGE, PAGE, PAGE, mm);
  expect(orderAt(memory, file, 48)).toBe(0);
  expect(flagsAt(memory, file, 48)).toBe(DIRTY | REFERENCED | SWAPBACKED | UPTODATE);
  // One page of the block is there: only a smaller folio has room beside it.
  map(memory, mm, BASE + 0x1000, 64, file);
  touch(memory, mm, BASE + 0x1000 + 52, 1, true);
  expect(orderAt(memory, file, 52)).toBe(2);
});

test("a tmpfs with huge=always gives a fault a whole PMD or single pages, and a write any size", () => {
  const memory = createTestMachine("nopage");
  const mm = memory.createMm("A");
  const small = openFile(memory, "/tmpfs/small");
  ftruncateFile(memory, small, 25 * PAGE);
  map(memory, mm, BASE, 25, small);
  touch(memory, mm, BASE + 8, 1, true);
  expect(orderAt(memory, small, 8)).toBe(0);
  pwriteFile(memory, small, 16 * PAGE, 9 * PAGE, PAGE, mm);
  expect(orderAt(memory, small, 16)).toBe(8 - 4);
  const large = openFile(memory, "/tmpfs/large");
  ftruncateFile(memory, large, 512 * PAGE);
  map(memory, mm, BASE + 0x1000, 512, large);
  touch(memory, mm, BASE + 0x1000, 1, false);
  expect(isPresent(pmdEntryOf(memory, mm, BASE + 0x1000))).toBe(true);
  expect(memory.statistics.events.get("thp_file_mapped")).toBe(1);
});

test("within_size counts the end of the file, and what a write is about to add", () => {
  const memory = createTestMachine("page");
  memory.thp.shmemSize[4] = "within_size";
  const mm = memory.createMm("A");
  const file = memfd(memory, 25);
  map(memory, mm, BASE, 25, file);
  touch(memory, mm, BASE, 1, true);
  touch(memory, mm, BASE + 16, 1, true);
  expect([orderAt(memory, file, 0), orderAt(memory, file, 16)]).toEqual([4, 0]);
});

test("a read fault maps 16 pages around, a write its own; holes stay holes (kernel-facts 2.9)", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  const file = memfd(memory, 64);
  pwriteFile(memory, file, 0, 40 * PAGE, PAGE, mm);
  map(memory, mm, BASE + 5, 40, file, MAP_SHARED, 5);
  touch(memory, mm, BASE + 10, 1, false);
  expect(mapped(memory, mm, BASE, 64)).toEqual(Array.from({ length: 16 }, (_, i) => BASE + 5 + i));
  touch(memory, mm, BASE + 24, 1, true);
  expect(mapped(memory, mm, BASE + 21, 20)).toEqual([BASE + 24]);
  touch(memory, mm, BASE + 38, 1, false);
  expect(mapped(memory, mm, BASE + 32, 13)).toEqual(Array.from({ length: 8 }, (_, i) => BASE + 32 + i));
});

test("a page that fallocate made is a hole to read(2), and filled by the first fault", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  const file = memfd(memory, 16);
  fallocateFile(memory, file, 0, 8 * PAGE, false);
  expect(flagsAt(memory, file, 0)).toBe(DIRTY | SWAPBACKED);
  preadFile(memory, file, 0, 8 * PAGE, mm);
  expect(flagsAt(memory, file, 0)).toBe(DIRTY | SWAPBACKED);
  map(memory, mm, BASE, 16, file);
  touch(memory, mm, BASE, 1, false);
  expect(mapped(memory, mm, BASE, 16)).toEqual([BASE]);
  expect(flagsAt(memory, file, 0)).toBe(DIRTY | SWAPBACKED | UPTODATE);
});

test("truncation splits a memfd's folio into pages; what is pinned stays whole and dirty", () => {
  const memory = createTestMachine("page");
  memory.thp.shmemSize[4] = "always";
  const mm = memory.createMm("A");
  const file = memfd(memory, 32);
  map(memory, mm, BASE, 32, file);
  touch(memory, mm, BASE, 32, true);
  const pinned = cachedFolio(memory, file, 16);
  changeGets(memory, pinned, 1);
  ftruncateFile(memory, file, 20 * PAGE);
  expect(orderAt(memory, file, 16)).toBe(4);
  expect(memory.frames.has(pinned, DIRTY)).toBe(true);
  expect(mapped(memory, mm, BASE + 16, 16)).toHaveLength(4);
  changeGets(memory, pinned, -1);
  ftruncateFile(memory, file, 4 * PAGE);
  expect(orderAt(memory, file, 0)).toBe(0);
  expect(file.cachedPages).toBe(4);
  expect(memory.statistics.mthp.split[4]).toBe(1);
  expect(touch(memory, mm, BASE + 4, 1, false)).toBe("sigbus");
});

test("a private copy survives a hole in the file, and goes with its end", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  const file = memfd(memory, 16);
  pwriteFile(memory, file, 0, 16 * PAGE, PAGE, mm);
  map(memory, mm, BASE, 16, file, MAP_PRIVATE);
  touch(memory, mm, BASE, 16, false);
  touch(memory, mm, BASE + 2, 2, true);
  fallocateFile(memory, file, 0, 8 * PAGE, true);
  expect(mapped(memory, mm, BASE, 8)).toEqual([BASE + 2, BASE + 3]);
  ftruncateFile(memory, file, 3 * PAGE);
  expect(mapped(memory, mm, BASE, 16)).toEqual([BASE + 2]);
});

test("MADV_DONTNEED of a part of a shared PMD drops all of it; the rest is faulted in again", () => {
  const memory = createTestMachine("nopage");
  memory.thp.shmemSize[9] = "always";
  const mm = memory.createMm("A");
  map(memory, mm, BASE, 512, undefined);
  touch(memory, mm, BASE, 1, true);
  expect(isPresent(pmdEntryOf(memory, mm, BASE))).toBe(true);
  madvise(memory, mm, BASE * PAGE, PAGE, "dontneed");
  expect(isPresent(pmdEntryOf(memory, mm, BASE))).toBe(false);
  expect(isTable(pmdEntryOf(memory, mm, BASE))).toBe(false);
  touch(memory, mm, BASE, 1, false);
  expect(isPresent(pmdEntryOf(memory, mm, BASE))).toBe(true);
});

test("a memfd lives as long as a descriptor or a VMA holds it, and its pages as long as a pin", () => {
  const memory = createTestMachine("page");
  const free = memory.allocator.freeFrames();
  const mm = memory.createMm("A");
  const file = memfd(memory, 16);
  map(memory, mm, BASE, 16, file);
  touch(memory, mm, BASE, 16, true);
  const head = cachedFolio(memory, file, 3);
  releaseFile(memory, file);
  expect(refcount(memory, head)).toBe(2);
  changeGets(memory, head, 1);
  munmapRange(memory, mm, BASE, 16);
  expect(file.cachedPages).toBe(0);
  expect(memory.allocator.freeFrames()).toBe(free - 1);
  changeGets(memory, head, -1);
  freeIfUnused(memory, head);
  expect(memory.allocator.freeFrames()).toBe(free);
});

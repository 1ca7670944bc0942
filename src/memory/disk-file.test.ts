import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { ACTIVE, DIRTY, OWNER_2, RECLAIM, REFERENCED, UPTODATE } from "./frames.ts";
import { fadviseFile, fsyncFile, preadFile, pwriteFile } from "./file-io.ts";
import type { FileMapping } from "./file-mapping.ts";
import { openFile } from "./inode.ts";
import { MAP_FIXED, MAP_PRIVATE, MAP_SHARED, mmapRegion } from "./map.ts";
import { madvise } from "./madvise.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { OpenFile } from "./open-file.ts";
import { cachedFolio, foliosBetween } from "./page-cache.ts";
import { PTE_DIRTY, PTE_WRITE, isPresent } from "./page-table.ts";
import { pteOf } from "./table-walk.ts";
import { peekWord, touchPages } from "./touch.ts";
import { fallocateFile, ftruncateFile } from "./truncate.ts";
import { VM_EXEC, VM_READ, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;

/** A file of so many pages, written in one piece, on disk and in the cache. */
function written(memory: Memory, mm: Mm, pages: number, chunkPages = 512): FileMapping {
  const file = openFile(memory, "/mnt/file");
  pwriteFile(memory, file, 0, pages * PAGE, chunkPages * PAGE, mm);
  return file;
}

function map(
  memory: Memory,
  mm: Mm,
  page: number,
  count: number,
  file: FileMapping,
  prot = VM_READ,
  flags = MAP_SHARED,
  pgoff = 0,
): void {
  const request = { prot, flags: flags | MAP_FIXED, file, openFile: new OpenFile(file, false), pgoff };
  expect(mmapRegion(memory, mm, page, count, request)).toBe(page);
}

function touch(memory: Memory, mm: Mm, page: number, count: number, isWrite = false): string {
  return touchPages(memory, mm, page * PAGE, count * PAGE, PAGE, isWrite ? () => 1n : undefined);
}

const orders = (memory: Memory, file: FileMapping, first = 0, end = 4096): number[] =>
  foliosBetween(memory, file, first, end).map((head) => memory.frames.order[head]);
const mapped = (memory: Memory, mm: Mm, first: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => first + i).filter((page) => isPresent(pteOf(memory, mm, page)));
const range = (first: number, end: number): number[] => Array.from({ length: end - first }, (_, i) => first + i);

test("a write makes folios as large as its pieces, aligned in the file", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  expect(orders(memory, written(memory, mm, 150, 16))).toEqual([4, 4, 4, 4, 4, 4, 4, 4, 4, 2, 1]);
  expect(orders(memory, written(memory, mm, 150))).toEqual([7, 4, 2, 1]);
  const file = written(memory, mm, 1, 1);
  pwriteFile(memory, file, PAGE, 15 * PAGE, 512 * PAGE, mm);
  expect(orders(memory, file)).toEqual([0, 0, 1, 2, 3]);
});

test("written folios are dirty and have buffers; fsync cleans them and write-protects who maps them", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  const file = written(memory, mm, 16);
  map(memory, mm, BASE, 16, file, VM_READ | VM_WRITE);
  expect(touch(memory, mm, BASE, 2, true)).toBe("ok");
  const head = cachedFolio(memory, file, 0);
  expect(memory.frames.has(head, DIRTY)).toBe(true);
  expect(memory.frames.extraOf(head)?.hasPrivate).toBe(true);
  expect(pteOf(memory, mm, BASE) & (PTE_DIRTY | PTE_WRITE)).toBe(PTE_DIRTY | PTE_WRITE);
  fsyncFile(memory, file);
  expect(memory.frames.has(head, DIRTY)).toBe(false);
  expect(memory.frames.has(head, OWNER_2)).toBe(false);
  expect(pteOf(memory, mm, BASE) & (PTE_DIRTY | PTE_WRITE)).toBe(0);
  touch(memory, mm, BASE, 1, true);
  expect(memory.frames.has(head, DIRTY)).toBe(true);
});

test("posix_fadvise drops what nobody maps; a fault reads around it, mapped to disk, but for the folio with the mark", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  const file = written(memory, mm, 256);
  map(memory, mm, BASE, 256, file);
  fadviseFile(memory, file);
  expect(file.cachedPages).toBe(0);
  touch(memory, mm, BASE + 128, 1);
  expect(orders(memory, file)).toEqual(Array(32).fill(0));
  // Read from page 112 on; the mark goes on page 136.
  expect(mapped(memory, mm, BASE, 256)).toEqual([...range(128, 136), ...range(137, 144)].map((at) => BASE + at));
  const marked = cachedFolio(memory, file, 136);
  expect(memory.frames.has(marked, RECLAIM)).toBe(true);
  expect(memory.frames.has(marked, OWNER_2)).toBe(true);
  touch(memory, mm, BASE + 136, 1);
  expect(memory.frames.has(marked, RECLAIM)).toBe(false);
  expect(orders(memory, file, 144)).toEqual(Array(8).fill(2));
  expect(peekWord(memory, mm, BASE * PAGE + 130 * PAGE)).toBe(0x5a5a5a5a5a5a5a5an);
});

test("text is read from the faulting page on, random mappings one page, sequential ones a window", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  const file = written(memory, mm, 256);
  fadviseFile(memory, file);
  map(memory, mm, BASE, 256, file, VM_READ | VM_EXEC, MAP_PRIVATE);
  touch(memory, mm, BASE + 50, 1);
  expect(mapped(memory, mm, BASE, 256)).toEqual(range(BASE + 50, BASE + 64));
  map(memory, mm, BASE + 0x1000, 256, file);
  madvise(memory, mm, (BASE + 0x1000) * PAGE, 256 * PAGE, "random");
  touch(memory, mm, BASE + 0x1000 + 200, 1);
  expect(file.frameAt(201)).toBe(0);
  madvise(memory, mm, (BASE + 0x1000) * PAGE, 256 * PAGE, "sequential");
  touch(memory, mm, BASE + 0x1000 + 100, 1);
  expect(range(100, 132).every((index) => file.frameAt(index) > 0)).toBe(true);
});

test("a stream of reads grows its folios with each window and marks what it touched", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  const file = written(memory, mm, 256);
  fadviseFile(memory, file);
  const open = new OpenFile(file, true);
  preadFile(memory, file, 0, 64 * PAGE, mm, open.readahead);
  expect(orders(memory, file, 0, 64)).toEqual([...Array<number>(32).fill(0), ...Array<number>(8).fill(2)]);
  const head = cachedFolio(memory, file, 3);
  expect(memory.frames.has(head, REFERENCED | ACTIVE)).toBe(true);
  preadFile(memory, file, 0, 16 * PAGE, mm, open.readahead);
  expect(memory.lruBatches.waiting.activate.includes(head) || memory.frames.has(head, ACTIVE)).toBe(true);
});

test("a large folio that ends the file is mapped by the window only, and without a page table not around at all", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  const file = written(memory, mm, 64);
  map(memory, mm, BASE + 5, 15, file, VM_READ, MAP_SHARED, 5);
  touch(memory, mm, BASE + 10, 1);
  expect(mapped(memory, mm, BASE, 64)).toEqual([BASE + 10]);
  touch(memory, mm, BASE + 6, 1);
  expect(mapped(memory, mm, BASE, 64)).toEqual(range(BASE + 5, BASE + 20));
});

test("a dirty folio cannot be split by truncation: it stays whole, and nobody maps it any more", () => {
  const memory = createTestMachine("nopage");
  const mm = memory.createMm("A");
  const file = written(memory, mm, 64);
  map(memory, mm, BASE, 64, file, VM_READ | VM_WRITE);
  touch(memory, mm, BASE, 64);
  ftruncateFile(memory, file, 25 * PAGE);
  expect(orders(memory, file)).toEqual([6]);
  expect(mapped(memory, mm, BASE, 64)).toEqual([]);
  fsyncFile(memory, file);
  ftruncateFile(memory, file, 20 * PAGE);
  expect(orders(memory, file)).toEqual([4, 2]);
  expect(file.cachedPages).toBe(20);
});

test("a hole in a clean folio splits it around the hole; what is left is clean and without buffers", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  const file = written(memory, mm, 64);
  fsyncFile(memory, file);
  fallocateFile(memory, file, 4 * PAGE, 4 * PAGE, true);
  expect(orders(memory, file)).toEqual([2, 0, 0, 1, 2, 4, 5]);
  expect(memory.frames.extraOf(cachedFolio(memory, file, 0))).toBeUndefined();
  map(memory, mm, BASE, 64, file);
  touch(memory, mm, BASE, 16);
  const hole = cachedFolio(memory, file, 4);
  expect(memory.frames.has(hole, UPTODATE)).toBe(true);
  expect(memory.frames.has(hole, OWNER_2)).toBe(false);
  expect(peekWord(memory, mm, (BASE + 4) * PAGE)).toBe(0n);
});

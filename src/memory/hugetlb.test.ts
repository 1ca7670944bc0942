import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { EINVAL, ENOMEM } from "./errno.ts";
import { exitMm } from "./exit.ts";
import { forkMm } from "./fork.ts";
import { createHugetlbFile } from "./hugetlb.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_HUGETLB, MAP_PRIVATE, MAP_SHARED, mmapRegion, munmapRange } from "./map.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { movePages } from "./move-pages.ts";
import { mremapRegion } from "./mremap.ts";
import { frameOfEntry } from "./page-table.ts";
import { pmdEntryOf } from "./table-walk.ts";
import { touchPages } from "./touch.ts";
import { fallocateFile } from "./truncate.ts";
import { VM_READ, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const HUGE = 512;
const HUGE_BYTES = HUGE * 4096;
const PROT = VM_READ | VM_WRITE;

/** mmap of huge pages [first, first + count) behind BASE. */
function map(memory: Memory, mm: Mm, first: number, count: number, flags: number): number {
  const request = { prot: PROT, flags: flags | MAP_ANONYMOUS | MAP_HUGETLB, pgoff: 0 };
  return mmapRegion(memory, mm, BASE + first * HUGE, count * HUGE, request);
}

/** Writes to huge pages [first, first + count). */
function write(memory: Memory, mm: Mm, first: number, count: number): string {
  return touchPages(memory, mm, (BASE + first * HUGE) * 4096, count * HUGE_BYTES, 4096, () => 1n);
}

function headAt(memory: Memory, mm: Mm, huge: number): number {
  return frameOfEntry(pmdEntryOf(memory, mm, BASE + huge * HUGE));
}

/** Pages of the pool: free, promised. */
const pool = ({ hugetlb }: Memory): [number, number] => [hugetlb.free, hugetlb.reserved];

test("mmap promises pages of the pool, and is refused when too few are left", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  expect(map(memory, mm, 0, 9, MAP_PRIVATE)).toBe(-ENOMEM);
  expect(map(memory, mm, 0, 8, MAP_PRIVATE)).toBe(BASE);
  expect(pool(memory)).toEqual([8, 8]);
  expect(map(memory, mm, 100, 1, MAP_SHARED)).toBe(-ENOMEM);
  write(memory, mm, 0, 3);
  expect(pool(memory)).toEqual([5, 5]);
  expect(munmapRange(memory, mm, BASE, 1)).toBe(-EINVAL);
  munmapRange(memory, mm, BASE, 8 * HUGE);
  expect(pool(memory)).toEqual([8, 0]);
});

test("a mapping that replaces a shared one finds its promises still taken, and those of a private one given back", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  map(memory, mm, 0, 5, MAP_SHARED);
  expect(map(memory, mm, 0, 5, MAP_SHARED | MAP_FIXED)).toBe(-ENOMEM);
  expect(pool(memory)).toEqual([8, 0]);
  map(memory, mm, 0, 5, MAP_PRIVATE);
  expect(map(memory, mm, 0, 4, MAP_PRIVATE | MAP_FIXED)).toBe(BASE);
});

test("a mapcount of one lets a write reuse the page whatever else refers to it (kernel-facts 4.1)", () => {
  const memory = createTestMachine("nopage");
  const parent = memory.createMm("A");
  map(memory, parent, 0, 1, MAP_PRIVATE);
  write(memory, parent, 0, 1);
  const child = forkMm(memory, parent, "B");
  const head = headAt(memory, parent, 0);
  memory.frames.changeExtra(head, (extra) => (extra.gets = 1));
  write(memory, child, 0, 1);
  expect(headAt(memory, child, 0)).not.toBe(head);
  write(memory, parent, 0, 1);
  expect(headAt(memory, parent, 0)).toBe(head);
});

test("an owner that finds the pool empty takes the page from its child, which dies if it wants it back", () => {
  const memory = createTestMachine("page");
  const parent = memory.createMm("A");
  map(memory, parent, 0, 8, MAP_PRIVATE);
  write(memory, parent, 0, 8);
  const child = forkMm(memory, parent, "B");
  expect(write(memory, child, 1, 1)).toBe("sigbus");
  expect(write(memory, parent, 0, 1)).toBe("ok");
  expect(pmdEntryOf(memory, child, BASE)).toBe(0);
  expect(write(memory, child, 0, 1)).toBe("sigbus");
});

test("an owner that unmaps a page its child keeps leaves one promise too few until the child is gone", () => {
  const memory = createTestMachine("page");
  const parent = memory.createMm("A");
  map(memory, parent, 0, 2, MAP_PRIVATE);
  write(memory, parent, 0, 2);
  const child = forkMm(memory, parent, "B");
  munmapRange(memory, parent, BASE, HUGE);
  expect(pool(memory)).toEqual([6, -1]);
  exitMm(memory, child);
  expect(pool(memory)).toEqual([7, 0]);
});

test("mremap of a part takes all promises along, and those of the rest are never given back", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  map(memory, mm, 0, 3, MAP_PRIVATE);
  mremapRegion(memory, mm, BASE, HUGE, HUGE, { newPage: BASE + 100 * HUGE, dontUnmap: false });
  munmapRange(memory, mm, BASE, 200 * HUGE);
  expect(pool(memory)).toEqual([8, 2]);
});

test("a hole gives back the promises of pages that were there, and keeps the others", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  const file = createHugetlbFile(memory, "/memfd:test", 4 * HUGE_BYTES);
  file.holders++;
  mmapRegion(memory, mm, BASE, 4 * HUGE, { prot: PROT, flags: MAP_SHARED, file, pgoff: 0 });
  write(memory, mm, 0, 1);
  expect(pool(memory)).toEqual([7, 3]);
  fallocateFile(memory, file, 0, 2 * HUGE_BYTES, true);
  expect(pool(memory)).toEqual([8, 3]);
  expect([...file.reserved]).toEqual([1, 2, 3]);
});

test("a huge page moves into the pool of the node, and leaves its own there", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  map(memory, mm, 0, 4, MAP_PRIVATE);
  write(memory, mm, 0, 4);
  expect(movePages(memory, mm, BASE * 4096, HUGE_BYTES, 1)).toBe(HUGE);
  expect(memory.allocator.nodeOf(headAt(memory, mm, 0))).toBe(1);
  expect(pool(memory)).toEqual([4, 0]);
  exitMm(memory, mm);
  expect(pool(memory)).toEqual([8, 0]);
});

test("nr_hugepages: new pages go to the nodes in turn, pages in use and promised cannot be taken away", () => {
  const memory = createTestMachine("page");
  const { hugetlb } = memory;
  const mm = memory.createMm("A");
  map(memory, mm, 0, 3, MAP_PRIVATE);
  write(memory, mm, 0, 1);
  expect(hugetlb.resize(2)).toBe(false);
  expect(hugetlb.resize(3)).toBe(true);
  expect(pool(memory)).toEqual([2, 2]);
  expect(hugetlb.resize(5)).toBe(true);
  expect(pool(memory)).toEqual([4, 2]);
});

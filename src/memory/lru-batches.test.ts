import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { exitMm } from "./exit.ts";
import { forkMm } from "./fork.ts";
import { refcount } from "./folio-references.ts";
import { drainLru } from "./lru-batches.ts";
import { madvise } from "./madvise.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_LOCKED, MAP_PRIVATE, mmapRegion, munmapRange } from "./map.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { frameOfEntry } from "./page-table.ts";
import { pteOf } from "./table-walk.ts";
import { touchPages } from "./touch.ts";
import { VM_READ, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;

function written(pageCount: number, extraFlags = 0): { memory: Memory; mm: Mm } {
  const memory = createTestMachine("nopage");
  const mm = memory.createMm("P");
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | extraFlags;
  mmapRegion(memory, mm, BASE, pageCount, { prot: VM_READ | VM_WRITE, flags, pgoff: 0 });
  write(memory, mm, BASE, pageCount);
  drainLru(memory);
  return { memory, mm };
}

function write(memory: Memory, mm: Mm, page: number, count: number): void {
  expect(touchPages(memory, mm, page * PAGE, count * PAGE, PAGE, () => 1n)).toBe("ok");
}

function frames(memory: Memory, mm: Mm, count: number): number[] {
  return Array.from({ length: count }, (_, i) => frameOfEntry(pteOf(memory, mm, BASE + i)));
}

test("pages that wait in a batch are copied although nobody else maps them; of 40 pages 31 were worked off", () => {
  const { memory, mm } = written(40);
  expect(madvise(memory, mm, BASE * PAGE, 40 * PAGE, "free")).toBe(0);
  exitMm(memory, forkMm(memory, mm, "C"));
  const before = frames(memory, mm, 40);
  expect(before.map((frame) => refcount(memory, frame))).toEqual(before.map((_, i) => (i < 31 ? 1 : 2)));
  write(memory, mm, BASE, 40);
  const kept = frames(memory, mm, 40).map((frame, i) => frame === before[i]);
  expect(kept).toEqual(kept.map((_, i) => i < 31));
  const free = memory.allocator.freeFrames();
  drainLru(memory);
  expect(memory.allocator.freeFrames()).toBe(free + 9);
});

test("a new page that is on no list yet has all batches drained first", () => {
  const { memory, mm } = written(4);
  mmapRegion(memory, mm, BASE + 64, 4, {
    prot: VM_READ | VM_WRITE,
    flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
    pgoff: 0,
  });
  madvise(memory, mm, BASE * PAGE, 4 * PAGE, "free");
  write(memory, mm, BASE + 64, 1);
  exitMm(memory, forkMm(memory, mm, "C"));
  write(memory, mm, BASE + 64, 1);
  const before = frames(memory, mm, 4);
  write(memory, mm, BASE, 4);
  expect(frames(memory, mm, 4)).toEqual(before);
});

test("pages taken from a locked VMA wait for being unlocked, and their other owner copies them", () => {
  const { memory, mm } = written(4, MAP_LOCKED);
  const child = forkMm(memory, mm, "C");
  munmapRange(memory, mm, BASE, 2);
  const before = frames(memory, child, 4);
  write(memory, child, BASE, 2);
  expect(frames(memory, child, 2).some((frame, i) => frame === before[i])).toBe(false);
  drainLru(memory);
  munmapRange(memory, mm, BASE + 2, 2);
  drainLru(memory);
  write(memory, child, BASE + 2, 2);
  expect(frames(memory, child, 4).slice(2)).toEqual(before.slice(2));
});

import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { forkMm } from "./fork.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, mmapRegion, munmapRange } from "./map.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { mprotectRange } from "./mprotect.ts";
import { mremapRegion } from "./mremap.ts";
import { isPresent } from "./page-table.ts";
import { pmdEntryOf, pteOf } from "./table-walk.ts";
import { touchPages } from "./touch.ts";
import { VM_ACCOUNT, VM_READ, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;
const BOTH = VM_READ | VM_WRITE;

function map(memory: Memory, mm: Mm, at: number, count: number, prot = BOTH, fixed = 0): void {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | fixed;
  expect(mmapRegion(memory, mm, BASE + at, count, { prot, flags, pgoff: 0 })).toBe(BASE + at);
}

function write(memory: Memory, mm: Mm, at: number): void {
  expect(touchPages(memory, mm, (BASE + at) * PAGE, PAGE, PAGE, () => 1n)).toBe("ok");
}

/** The VMAs as [first, behind the last] relative to BASE. */
const ranges = (mm: Mm): [number, number][] => mm.vmas.map(({ start, end }) => [start - BASE, end - BASE]);

test("neighbours that are alike are one VMA, whichever came first", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  map(memory, mm, 0, 16);
  map(memory, mm, 32, 16);
  map(memory, mm, 16, 16);
  expect(ranges(mm)).toEqual([[0, 48]]);
});

test("two VMAs with anon_vmas of their own stay apart, and what lies between joins the left one", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  map(memory, mm, 0, 16);
  map(memory, mm, 32, 16);
  write(memory, mm, 0);
  write(memory, mm, 32);
  map(memory, mm, 16, 16);
  expect(ranges(mm)).toEqual([
    [0, 32],
    [32, 48],
  ]);
});

test("a VMA that fork cloned takes nothing in that has no anon_vma", () => {
  const memory = createTestMachine("page");
  const parent = memory.createMm("A");
  map(memory, parent, 0, 16);
  write(memory, parent, 0);
  const child = forkMm(memory, parent, "B");
  map(memory, parent, 16, 16);
  map(memory, child, 16, 16);
  expect(ranges(parent)).toEqual([[0, 32]]);
  expect(ranges(child)).toEqual([
    [0, 16],
    [16, 32],
  ]);
});

test("mprotect splits a VMA and joins it again", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  map(memory, mm, 0, 64);
  write(memory, mm, 20);
  mprotectRange(memory, mm, BASE + 16, 16, VM_READ);
  expect(ranges(mm)).toEqual([
    [0, 16],
    [16, 32],
    [32, 64],
  ]);
  mprotectRange(memory, mm, BASE + 16, 8, BOTH);
  expect(ranges(mm)).toEqual([
    [0, 24],
    [24, 32],
    [32, 64],
  ]);
  mprotectRange(memory, mm, BASE + 24, 8, BOTH);
  expect(ranges(mm)).toEqual([[0, 64]]);
  expect(isPresent(pteOf(memory, mm, BASE + 20))).toBe(true);
});

test("an edge within a PMD splits it, an edge at its border does not", () => {
  const memory = createTestMachine("page");
  memory.thp.size[9] = "always";
  const mm = memory.createMm("A");
  map(memory, mm, 0, 1024);
  write(memory, mm, 0);
  write(memory, mm, 512);
  mprotectRange(memory, mm, BASE + 512, 512, VM_READ);
  expect(isPresent(pmdEntryOf(memory, mm, BASE)) && isPresent(pmdEntryOf(memory, mm, BASE + 512))).toBe(true);
  mprotectRange(memory, mm, BASE + 600, 8, BOTH);
  expect(isPresent(pmdEntryOf(memory, mm, BASE))).toBe(true);
  expect(isPresent(pmdEntryOf(memory, mm, BASE + 512))).toBe(false);
});

test("an unfaulted VMA fits its new neighbours after mremap, a faulted one only where its pages came from", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  map(memory, mm, 0, 16);
  map(memory, mm, 100, 16);
  mremapRegion(memory, mm, BASE + 100, 16, 16, { newPage: BASE + 16, dontUnmap: false });
  expect(ranges(mm)).toEqual([[0, 32]]);
  write(memory, mm, 20);
  mremapRegion(memory, mm, BASE + 16, 16, 16, { newPage: BASE + 200, dontUnmap: false });
  map(memory, mm, 184, 16);
  expect(ranges(mm)).toEqual([
    [0, 16],
    [184, 200],
    [200, 216],
  ]);
  mremapRegion(memory, mm, BASE + 200, 16, 16, { newPage: BASE + 16, dontUnmap: false });
  expect(ranges(mm)).toEqual([
    [0, 32],
    [184, 200],
  ]);
});

test("memory that may be written is accounted, and mprotect to read-only gives that back only before the first page", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  map(memory, mm, 0, 16);
  const isAccounted = (): boolean => mm.vmas[0].has(VM_ACCOUNT);
  expect(isAccounted()).toBe(true);
  mprotectRange(memory, mm, BASE, 16, VM_READ);
  expect(isAccounted()).toBe(false);
  mprotectRange(memory, mm, BASE, 16, BOTH);
  write(memory, mm, 0);
  mprotectRange(memory, mm, BASE, 16, VM_READ);
  expect(isAccounted()).toBe(true);
  map(memory, mm, 4, 4, VM_READ, MAP_FIXED);
  expect(ranges(mm)).toEqual([
    [0, 4],
    [4, 8],
    [8, 16],
  ]);
  munmapRange(memory, mm, BASE, 16);
  expect(mm.vmas).toEqual([]);
});

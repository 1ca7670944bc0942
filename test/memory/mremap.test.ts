import { expect, test } from "vitest";
import { createTestCountedMachine, createTestMachine } from "./machine.ts";
import { checkMachine } from "../../src/scenario/index.ts";
import { EFAULT, EINVAL, ENOMEM } from "../../src/memory/errno.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, mmapRegion } from "../../src/memory/map.ts";
import type { Memory } from "../../src/memory/memory.ts";
import { mlockRange } from "../../src/memory/mlock.ts";
import type { Mm } from "../../src/memory/mm.ts";
import { mremapRegion } from "../../src/memory/mremap.ts";
import { frameOfEntry, isPresent, isTable, tableOfEntry } from "../../src/memory/page-table.ts";
import { findPmdTable, findPteTable, pmdEntryOf, pteOf } from "../../src/memory/table-walk.ts";
import { touchPages } from "../../src/memory/touch.ts";
import { VM_LOCKED, VM_READ, VM_WRITE } from "../../src/memory/vma.ts";

const BASE = 0x200000;
const AWAY = 0x400000;
const PAGE = 4096;

function processWith(memory: Memory, order: number, count: number): Mm {
  if (order > 0) memory.thp.size[order] = "always";
  const mm = memory.createMm("A");
  mmapRegion(memory, mm, BASE, count, { prot: VM_READ | VM_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS, pgoff: 0 });
  touchPages(memory, mm, BASE * PAGE, count * PAGE, PAGE, () => 1n);
  return mm;
}

const move = (memory: Memory, mm: Mm, from: number, count: number, to: number, dontUnmap = false): number =>
  mremapRegion(memory, mm, from, count, count, { newPage: to, dontUnmap });

test("a whole PMD moves as it is, part of one is split", () => {
  const memory = createTestMachine("page");
  const mm = processWith(memory, 9, 1024);
  const entry = pmdEntryOf(memory, mm, BASE);
  expect(move(memory, mm, BASE, 512, AWAY)).toBe(AWAY);
  expect(frameOfEntry(pmdEntryOf(memory, mm, AWAY))).toBe(frameOfEntry(entry));
  expect(memory.statistics.events.get("thp_split_pmd")).toBeUndefined();
  move(memory, mm, BASE + 512, 512, AWAY + 512 + 16);
  expect(memory.statistics.events.get("thp_split_pmd")).toBe(1);
  expect(isTable(pmdEntryOf(memory, mm, AWAY + 512))).toBe(true);
});

test("page tables are hung elsewhere whole where the addresses agree, also when the VMA begins within one", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  const start = BASE + 100;
  mmapRegion(memory, mm, start, 1000, { prot: VM_READ | VM_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS, pgoff: 0 });
  touchPages(memory, mm, start * PAGE, 1000 * PAGE, PAGE, () => 1n);
  const tables = [start, BASE + 512].map((page) => findPteTable(memory, mm, page));
  move(memory, mm, start, 1000, AWAY + 100);
  expect([AWAY + 100, AWAY + 512].map((page) => findPteTable(memory, mm, page))).toEqual(tables);
  move(memory, mm, AWAY + 100, 1000, BASE + 101);
  expect(findPteTable(memory, mm, BASE + 101)).not.toBe(tables[0]);
});

test("1 GiB moves by one entry", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  const gib = 512 * 512;
  const from = 8 * gib;
  mmapRegion(memory, mm, from, gib, { prot: VM_READ | VM_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS, pgoff: 0 });
  touchPages(memory, mm, from * PAGE, PAGE, PAGE, () => 1n);
  const table = findPmdTable(memory, mm, from);
  move(memory, mm, from, gib, 12 * gib);
  expect(findPmdTable(memory, mm, 12 * gib)).toBe(table);
  expect(findPmdTable(memory, mm, from)).toBe(0);
});

test("entries may move within one page table", () => {
  const machine = createTestCountedMachine("page");
  const { memory } = machine;
  const mm = processWith(memory, 0, 16);
  const entry = pteOf(memory, mm, BASE + 15);
  move(memory, mm, BASE, 16, BASE + 16, true);
  checkMachine(machine);
  expect(frameOfEntry(pteOf(memory, mm, BASE + 31))).toBe(frameOfEntry(entry));
  expect(pteOf(memory, mm, BASE + 15)).toBe(0);
});

test("DONTUNMAP leaves the VMA, empty, without its anon_vma and no longer locked", () => {
  const memory = createTestMachine("page");
  const mm = processWith(memory, 0, 16);
  mlockRange(memory, mm, BASE, 16, { onFault: false });
  move(memory, mm, BASE, 16, AWAY, true);
  const [old, moved] = mm.vmas;
  expect([old.has(VM_LOCKED), old.anonVma]).toEqual([false, undefined]);
  expect([moved.has(VM_LOCKED), moved.pgoff]).toEqual([true, BASE]);
  expect(isPresent(pteOf(memory, mm, AWAY))).toBe(true);
  const table = pmdEntryOf(memory, mm, BASE);
  expect(isTable(table) && memory.tables.usedEntries(tableOfEntry(table))).toBe(0);
});

test("what the kernel refuses", () => {
  const memory = createTestMachine("page");
  const mm = processWith(memory, 0, 32);
  const remap = (start: number, oldCount: number, newCount: number, newPage?: number): number =>
    mremapRegion(memory, mm, start, oldCount, newCount, { newPage, dontUnmap: false });
  expect(remap(BASE, 16, 16, BASE + 8)).toBe(-EINVAL);
  expect(remap(BASE, 16, 0, AWAY)).toBe(-EINVAL);
  expect(remap(AWAY, 16, 16, AWAY + 100)).toBe(-EFAULT);
  expect(remap(BASE, 16, 32)).toBe(-ENOMEM);
  expect(remap(BASE + 16, 32, 48)).toBe(-EFAULT);
  expect(remap(BASE, 0, 16, AWAY)).toBe(-EINVAL);
  expect(remap(BASE + 16, 48, 24, AWAY)).toBe(-EFAULT);
  expect(remap(BASE + 16, 48, 8, AWAY)).toBe(AWAY);
  expect(remap(BASE, 16, 64)).toBe(BASE);
});

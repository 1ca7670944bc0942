import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, mmapRegion } from "./map.ts";
import { type Memory, ZERO_FRAME } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { PTE_DIRTY, PTE_WRITE, PTE_YOUNG, frameOfEntry } from "./page-table.ts";
import { findPteTable, pteIndex, pteOf } from "./table-walk.ts";
import { fillRange, peekWord, touchPages } from "./touch.ts";
import { VM_READ, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;

function machine(prot = VM_READ | VM_WRITE): { memory: Memory; mm: Mm } {
  const memory = createTestMachine("page");
  const mm = memory.createMm("P");
  mmapRegion(memory, mm, BASE, 1024, { prot, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, pgoff: 0 });
  return { memory, mm };
}

test("reading untouched anonymous memory maps the zero page, writing a page of its own", () => {
  const { memory, mm } = machine();
  expect(touchPages(memory, mm, BASE * PAGE, PAGE, PAGE, undefined)).toBe("ok");
  expect(frameOfEntry(pteOf(memory, mm, BASE))).toBe(ZERO_FRAME);
  expect(touchPages(memory, mm, BASE * PAGE, PAGE, PAGE, () => 5n)).toBe("ok");
  const entry = pteOf(memory, mm, BASE);
  expect(frameOfEntry(entry)).not.toBe(ZERO_FRAME);
  expect(entry & (PTE_WRITE | PTE_DIRTY | PTE_YOUNG)).toBe(PTE_WRITE | PTE_DIRTY | PTE_YOUNG);
});

test("an access faults at the first page that it may not have, and what came before stays", () => {
  const { memory, mm } = machine();
  expect(touchPages(memory, mm, (BASE + 1022) * PAGE, 4 * PAGE, PAGE, () => 1n)).toBe("sigsegv");
  expect(pteOf(memory, mm, BASE + 1023)).not.toBe(0);
  const readOnly = machine(VM_READ);
  expect(touchPages(readOnly.memory, readOnly.mm, BASE * PAGE, PAGE, PAGE, () => 1n)).toBe("sigsegv");
  expect(touchPages(readOnly.memory, readOnly.mm, BASE * PAGE, PAGE, PAGE, undefined)).toBe("ok");
  const none = machine(0);
  expect(touchPages(none.memory, none.mm, BASE * PAGE, PAGE, PAGE, undefined)).toBe("sigsegv");
  const writeOnly = machine(VM_WRITE);
  expect(touchPages(writeOnly.memory, writeOnly.mm, BASE * PAGE, PAGE, PAGE, undefined)).toBe("ok");
});

test("steps larger and smaller than a page touch the pages they hit", () => {
  const { memory, mm } = machine();
  touchPages(memory, mm, BASE * PAGE, 10 * PAGE, 3 * PAGE, () => 1n);
  const touched = Array.from({ length: 10 }, (_, i) => (pteOf(memory, mm, BASE + i) === 0 ? 0 : 1));
  expect(touched).toEqual([1, 0, 0, 1, 0, 0, 1, 0, 0, 1]);
  touchPages(memory, mm, (BASE + 512) * PAGE, 2 * PAGE, 1024, (address) => BigInt(address % PAGE));
  expect(peekWord(memory, mm, (BASE + 513) * PAGE + 3072)).toBe(3072n);
});

test("the processor sets dirty in an entry that may be written, in a run of 512 too", () => {
  const { memory, mm } = machine();
  touchPages(memory, mm, BASE * PAGE, 512 * PAGE, PAGE, () => 1n);
  const table = findPteTable(memory, mm, BASE);
  const first = memory.tables.get(table, pteIndex(BASE)) & ~(PTE_DIRTY | PTE_YOUNG);
  memory.tables.setRun(table, first);
  memory.contents.set(frameOfEntry(first), 0);
  touchPages(memory, mm, BASE * PAGE, 512 * PAGE, PAGE, undefined);
  expect(memory.tables.runOf(table)).toBe(first | PTE_YOUNG);
  touchPages(memory, mm, (BASE + 3) * PAGE, PAGE, PAGE, () => 1n);
  expect(memory.tables.get(table, 3) & PTE_DIRTY).not.toBe(0);
  expect(memory.tables.get(table, 2) & PTE_DIRTY).toBe(0);
});

test("filling changes exactly the bytes of the range", () => {
  const { memory, mm } = machine();
  const start = BASE * PAGE + 10;
  expect(fillRange(memory, mm, start, 2 * PAGE, 0x41)).toBe("ok");
  expect(peekWord(memory, mm, BASE * PAGE)).toBe(0n);
  expect(peekWord(memory, mm, BASE * PAGE + 8)).toBe(0x4141414141410000n);
  expect(peekWord(memory, mm, (BASE + 1) * PAGE)).toBe(0x4141414141414141n);
  expect(peekWord(memory, mm, (BASE + 2) * PAGE + 8)).toBe(0x4141n);
  expect(peekWord(memory, mm, (BASE + 2) * PAGE + 16)).toBe(0n);
});

import { expect, test, vi } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { EBADF, EFAULT, EINVAL } from "./errno.ts";
import { exitMm } from "./exit.ts";
import { forkMm } from "./fork.ts";
import { refcount } from "./folio-references.ts";
import { OWNER_2, REFERENCED } from "./frames.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, mmapRegion } from "./map.ts";
import { type Memory, ZERO_FRAME } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { PTE_WRITE, frameOfEntry, isPresent } from "./page-table.ts";
import {
  closeAllPins, closePipe, inheritPins, registerRingBuffer, splicePages, startGupTest, stopGupTest, unregisterRingBuffer,
} from "./pins.ts"; // prettier-ignore
import { pmdEntryOf, pteOf } from "./table-walk.ts";
import { touchPages } from "./touch.ts";
import { VM_READ, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;
const START = BASE * PAGE;

function machine(pageCount: number): { memory: Memory; mm: Mm } {
  const memory = createTestMachine("page");
  const mm = memory.createMm("P");
  const request = { prot: VM_READ | VM_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, pgoff: 0 };
  mmapRegion(memory, mm, BASE, pageCount, request);
  return { memory, mm };
}

function write(memory: Memory, mm: Mm, page: number, count: number): void {
  expect(touchPages(memory, mm, page * PAGE, count * PAGE, PAGE, () => 1n)).toBe("ok");
}

function fork(memory: Memory, parent: Mm, name: string): Mm {
  const child = forkMm(memory, parent, name);
  inheritPins(memory, parent, child);
  return child;
}

test("io_uring keeps one pin of each large folio that its buffer passes through", () => {
  const { memory, mm } = machine(1024);
  memory.thp.size[9] = "always";
  write(memory, mm, BASE, 1024);
  const head = frameOfEntry(pmdEntryOf(memory, mm, BASE));
  expect(registerRingBuffer(memory, mm, 0, START + 510 * PAGE, 4 * PAGE)).toBe(0);
  expect(memory.frames.extraOf(head)?.pins).toBe(1);
  expect(refcount(memory, head)).toBe(2);
  expect(memory.frames.has(head, REFERENCED)).toBe(true);
  expect(unregisterRingBuffer(memory, mm, 0)).toBe(0);
  expect(refcount(memory, head)).toBe(1);
  expect(unregisterRingBuffer(memory, mm, 0)).toBe(-EBADF);
});

test("a pin of a small page looks like 1,024 references, and the child gets a copy", () => {
  const { memory, mm } = machine(4);
  write(memory, mm, BASE, 4);
  expect(startGupTest(memory, mm, START, PAGE, true)).toBe(0);
  const frame = frameOfEntry(pteOf(memory, mm, BASE));
  expect(refcount(memory, frame)).toBe(1 + 1024);
  const child = fork(memory, mm, "C");
  expect(frameOfEntry(pteOf(memory, child, BASE))).not.toBe(frame);
  expect(memory.frames.has(frame, OWNER_2)).toBe(true);
  expect(frameOfEntry(pteOf(memory, child, BASE + 1))).toBe(frameOfEntry(pteOf(memory, mm, BASE + 1)));
});

test("a pin to read makes a shared page exclusive by copying it, read-only; a plain reference does not", () => {
  const { memory, mm } = machine(4);
  write(memory, mm, BASE, 4);
  const child = fork(memory, mm, "C");
  const shared = frameOfEntry(pteOf(memory, mm, BASE));
  expect(splicePages(memory, mm, 0, START, PAGE)).toBe(PAGE);
  expect(frameOfEntry(pteOf(memory, mm, BASE))).toBe(shared);
  expect(startGupTest(memory, mm, START, PAGE, false)).toBe(0);
  const entry = pteOf(memory, mm, BASE);
  expect(frameOfEntry(entry)).not.toBe(shared);
  expect(memory.frames.has(frameOfEntry(entry), OWNER_2)).toBe(true);
  expect(entry & PTE_WRITE).toBe(0);
  expect(refcount(memory, shared)).toBe(2);
  exitMm(memory, child);
});

test("a long pin to read replaces the zero page, and the huge zero folio", () => {
  const { memory, mm } = machine(1024);
  touchPages(memory, mm, START, PAGE, PAGE, undefined);
  expect(frameOfEntry(pteOf(memory, mm, BASE))).toBe(ZERO_FRAME);
  expect(startGupTest(memory, mm, START, PAGE, false)).toBe(0);
  expect(frameOfEntry(pteOf(memory, mm, BASE))).not.toBe(ZERO_FRAME);
  expect(stopGupTest(memory, mm)).toBe(0);
  memory.thp.size[9] = "always";
  expect(startGupTest(memory, mm, START + 512 * PAGE, PAGE, false)).toBe(0);
  const pmd = pmdEntryOf(memory, mm, BASE + 512);
  expect(isPresent(pmd) && frameOfEntry(pmd) !== memory.hugeZeroHead).toBe(true);
});

test("a child's copy of the pipe keeps its pages after the parent has closed it", () => {
  const { memory, mm } = machine(4);
  write(memory, mm, BASE, 4);
  const frame = frameOfEntry(pteOf(memory, mm, BASE));
  expect(splicePages(memory, mm, 0, START, 2 * PAGE)).toBe(2 * PAGE);
  const child = fork(memory, mm, "C");
  closePipe(memory, mm, 0);
  expect(memory.frames.extraOf(frame)?.gets).toBe(1);
  exitMm(memory, child);
  closeAllPins(memory, child);
  expect(memory.frames.extraOf(frame)).toBeUndefined();
});

test("a pipe of 1 MiB holds 256 pages, and a hole ends what is taken", () => {
  const { memory, mm } = machine(300);
  expect(splicePages(memory, mm, 0, START, 300 * PAGE)).toBe(256 * PAGE);
  expect(splicePages(memory, mm, 1, START + 298 * PAGE + 100, 8 * PAGE)).toBe(2 * PAGE - 100);
  expect(splicePages(memory, mm, 2, START + 300 * PAGE, PAGE)).toBe(-EFAULT);
});

test("gup_test pins one range on the machine at a time", () => {
  const { memory, mm } = machine(4);
  const other = fork(memory, mm, "C");
  expect(startGupTest(memory, mm, START, PAGE, true)).toBe(0);
  expect(startGupTest(memory, other, START, PAGE, true)).toBe(-EINVAL);
  expect(startGupTest(memory, other, START + 1, PAGE, true)).toBe(-EINVAL);
  exitMm(memory, other);
  closeAllPins(memory, other);
  expect(stopGupTest(memory, mm)).toBe(0);
  expect(stopGupTest(memory, mm)).toBe(-EBADF);
});

test("a page that no fault makes exclusive ends in a broken invariant, and not in faults without end", () => {
  const { memory, mm } = machine(1);
  write(memory, mm, BASE, 1);
  exitMm(memory, fork(memory, mm, "C"));
  const { frames } = memory;
  const set = frames.set.bind(frames);
  vi.spyOn(frames, "set").mockImplementation((frame, flags) => set(frame, flags & ~OWNER_2));
  expect(() => startGupTest(memory, mm, START, PAGE, false)).toThrow(
    /a fault that is resolved is not met again and again/,
  );
});

import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { exitMm } from "./exit.ts";
import { forkMm } from "./fork.ts";
import { freeIfUnused, changeGets } from "./folio-references.ts";
import { OWNER_2 } from "./frames.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, mmapRegion, munmapRange } from "./map.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { PTE_WRITE, frameOfEntry } from "./page-table.ts";
import { findPteTable, pmdEntryOf, pteOf } from "./table-walk.ts";
import { peekWord, touchPages } from "./touch.ts";
import { VM_READ, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;

/** A process with 16 pages (order 4) or 512 (order 9) in one exclusive anonymous folio, or with single pages (order 0). */
function processWithFolio(memory: Memory, order: number): Mm {
  if (order > 0) memory.thp.size[order] = "always";
  const mm = memory.createMm("A");
  const request = { prot: VM_READ | VM_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, pgoff: 0 };
  expect(mmapRegion(memory, mm, BASE, Math.max(16, 1 << order), request)).toBe(BASE);
  write(memory, mm, BASE, 1 << order);
  memory.thp.size.fill("never");
  return mm;
}

function write(memory: Memory, mm: Mm, page: number, count: number, value = 1n): void {
  expect(touchPages(memory, mm, page * PAGE, count * PAGE, PAGE, () => value)).toBe("ok");
}

function frameAt(memory: Memory, mm: Mm, page: number): number {
  return frameOfEntry(pteOf(memory, mm, page));
}

/** Does a write keep the frame? */
function isReused(memory: Memory, mm: Mm, page: number): boolean {
  const before = frameAt(memory, mm, page);
  write(memory, mm, page, 1);
  const after = frameAt(memory, mm, page);
  expect(memory.frames.has(after, OWNER_2)).toBe(true);
  return before === after;
}

test.each(["page", "nopage"] as const)(
  "who may write in place to a folio of 16 pages (kernel-facts 9.3, %s)",
  (config) => {
    const start = (): { memory: Memory; a: Mm; b: Mm; c: Mm } => {
      const memory = createTestMachine(config);
      const a = processWithFolio(memory, 4);
      return { memory, a, b: forkMm(memory, a, "B"), c: forkMm(memory, a, "C") };
    };
    const two = (): { memory: Memory; a: Mm; b: Mm } => {
      const { memory, a, b, c } = start();
      exitMm(memory, c);
      return { memory, a, b };
    };
    const t1 = two();
    munmapRange(t1.memory, t1.a, BASE, 16);
    expect(isReused(t1.memory, t1.b, BASE)).toBe(true);

    const t2 = start();
    munmapRange(t2.memory, t2.a, BASE, 16);
    exitMm(t2.memory, t2.b);
    expect(isReused(t2.memory, t2.c, BASE)).toBe(false);

    const t3 = start();
    exitMm(t3.memory, t3.c);
    exitMm(t3.memory, t3.b);
    expect(isReused(t3.memory, t3.a, BASE)).toBe(true);

    const t4 = start();
    munmapRange(t4.memory, t4.a, BASE, 16);
    exitMm(t4.memory, t4.c);
    expect(isReused(t4.memory, t4.b, BASE)).toBe(true);

    const t7 = two();
    munmapRange(t7.memory, t7.a, BASE, 16);
    munmapRange(t7.memory, t7.b, BASE + 1, 15);
    expect(isReused(t7.memory, t7.b, BASE)).toBe(false);

    const f6 = two();
    expect(isReused(f6.memory, f6.b, BASE)).toBe(false);
    exitMm(f6.memory, f6.b);
    expect(isReused(f6.memory, f6.a, BASE)).toBe(true);

    const f7 = two();
    expect(isReused(f7.memory, f7.b, BASE)).toBe(false);
    expect(isReused(f7.memory, f7.a, BASE)).toBe(false);
  },
);

test("a single page is written in place once it is the only reference", () => {
  const memory = createTestMachine("page");
  const a = processWithFolio(memory, 0);
  const b = forkMm(memory, a, "B");
  expect(isReused(memory, a, BASE)).toBe(false);
  expect(isReused(memory, b, BASE)).toBe(true);
});

test("a plain reference makes even the only owner copy, and keeps the page", () => {
  const memory = createTestMachine("nopage");
  const a = processWithFolio(memory, 0);
  const b = forkMm(memory, a, "B");
  const frame = frameAt(memory, a, BASE);
  changeGets(memory, frame, 1);
  exitMm(memory, b);
  expect(isReused(memory, a, BASE)).toBe(false);
  expect(memory.counts.mapcount(frame)).toBe(0);
  expect(memory.frames.extraReferences(frame)).toBe(1);
  changeGets(memory, frame, -1);
  freeIfUnused(memory, frame);
});

test("a copy takes the content with it, and only the writer sees the change", () => {
  const memory = createTestMachine("page");
  const a = processWithFolio(memory, 0);
  const b = forkMm(memory, a, "B");
  write(memory, b, BASE, 1, 7n);
  expect(peekWord(memory, a, BASE * PAGE)).toBe(1n);
  expect(peekWord(memory, b, BASE * PAGE)).toBe(7n);
});

test("a huge page that others map is split at the PMD and one page copied; left alone it is written whole", () => {
  const memory = createTestMachine("page");
  const a = processWithFolio(memory, 9);
  const head = frameOfEntry(pmdEntryOf(memory, a, BASE));
  const b = forkMm(memory, a, "B");
  write(memory, b, BASE + 1, 1);
  expect(findPteTable(memory, b, BASE)).not.toBe(0);
  expect(frameAt(memory, b, BASE)).toBe(head);
  expect(frameAt(memory, b, BASE + 1)).not.toBe(head + 1);
  exitMm(memory, b);
  expect(pmdEntryOf(memory, a, BASE) & PTE_WRITE).toBe(0);
  write(memory, a, BASE, 1);
  expect(frameOfEntry(pmdEntryOf(memory, a, BASE))).toBe(head);
  expect(pmdEntryOf(memory, a, BASE) & PTE_WRITE).not.toBe(0);
});

import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { EAGAIN, EBUSY, EINVAL } from "./errno.ts";
import { changeGets } from "./folio-references.ts";
import { forkMm } from "./fork.ts";
import { OWNER_2 } from "./frames.ts";
import { madvise } from "./madvise.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, mmapRegion } from "./map.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { frameOfEntry, isPresent } from "./page-table.ts";
import { pmdEntryOf, pteOf } from "./table-walk.ts";
import { peekWord, touchPages } from "./touch.ts";
import { userfaultWriteProtect } from "./uffd-wp.ts";
import { VM_READ, VM_UFFD_WP, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;
const CONFIGS = ["page", "nopage"] as const;

/** A process with 4 MiB, of which the first 16 pages of each half are written. */
function process(memory: Memory): Mm {
  const mm = memory.createMm("A");
  const request = { prot: VM_READ | VM_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, pgoff: 0 };
  expect(mmapRegion(memory, mm, BASE, 1024, request)).toBe(BASE);
  for (const page of [BASE, BASE + 512]) {
    expect(touchPages(memory, mm, page * PAGE, 16 * PAGE, PAGE, (at) => BigInt(at))).toBe("ok");
  }
  return mm;
}

function isHuge(memory: Memory, mm: Mm, page: number): boolean {
  return isPresent(pmdEntryOf(memory, mm, page));
}

test.each(CONFIGS)("small pages and holes become one exclusive folio with the same content (%s)", (config) => {
  const memory = createTestMachine(config);
  const mm = process(memory);
  const free = memory.allocator.freeFrames();
  expect(madvise(memory, mm, BASE * PAGE, 512 * PAGE, "collapse")).toBe(0);
  expect(isHuge(memory, mm, BASE)).toBe(true);
  const head = frameOfEntry(pmdEntryOf(memory, mm, BASE));
  expect(memory.frames.has(head, OWNER_2)).toBe(true);
  expect(memory.allocator.freeFrames()).toBe(free + 16 - 512);
  expect(peekWord(memory, mm, (BASE + 7) * PAGE)).toBe(BigInt((BASE + 7) * PAGE));
  expect(peekWord(memory, mm, (BASE + 100) * PAGE)).toBe(0n);
  expect(memory.statistics.mthp.nrAnon[9]).toBe(1);
});

test.each(CONFIGS)("shared pages are copied, and stay with who shares them (%s)", (config) => {
  const memory = createTestMachine(config);
  const mm = process(memory);
  const child = forkMm(memory, mm, "B");
  const frame = frameOfEntry(pteOf(memory, child, BASE));
  expect(madvise(memory, mm, BASE * PAGE, 1024 * PAGE, "collapse")).toBe(0);
  expect(frameOfEntry(pteOf(memory, child, BASE))).toBe(frame);
  expect(memory.counts.mapcount(frame)).toBe(1);
  expect(isHuge(memory, child, BASE)).toBe(false);
});

test("a page that is referred to stops only its own 2 MiB, and the call says EAGAIN", () => {
  const memory = createTestMachine("page");
  const mm = process(memory);
  const frame = frameOfEntry(pteOf(memory, mm, BASE));
  changeGets(memory, frame, 1);
  expect(madvise(memory, mm, BASE * PAGE, 1024 * PAGE, "collapse")).toBe(-EAGAIN);
  expect([isHuge(memory, mm, BASE), isHuge(memory, mm, BASE + 512)]).toEqual([false, true]);
});

test("nothing to collapse is an error, something huge already is not", () => {
  const memory = createTestMachine("page");
  const mm = process(memory);
  expect(madvise(memory, mm, BASE * PAGE, 512 * PAGE, "collapse")).toBe(0);
  expect(madvise(memory, mm, BASE * PAGE, 512 * PAGE, "collapse")).toBe(0);
  expect(madvise(memory, mm, (BASE + 1) * PAGE, 511 * PAGE, "collapse")).toBe(0);
  const other = memory.createMm("B");
  const request = { prot: VM_READ | VM_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, pgoff: 0 };
  mmapRegion(memory, other, BASE, 512, request);
  expect(madvise(memory, other, BASE * PAGE, 512 * PAGE, "collapse")).toBe(-EINVAL);
});

test("under userfaultfd a hole is no zero", () => {
  const memory = createTestMachine("page");
  const mm = process(memory);
  expect(userfaultWriteProtect(memory, mm, BASE * PAGE, 1024 * PAGE, true)).toBe(0);
  expect(madvise(memory, mm, BASE * PAGE, 512 * PAGE, "collapse")).toBe(-EINVAL);
  expect(userfaultWriteProtect(memory, mm, BASE * PAGE, 1024 * PAGE, false)).toBe(0);
  expect(madvise(memory, mm, BASE * PAGE, 512 * PAGE, "collapse")).toBe(-EBUSY);
  expect(mm.findVma(BASE)?.has(VM_UFFD_WP)).toBe(true);
});

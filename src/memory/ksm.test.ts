import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { exitMm } from "./exit.ts";
import { changeGets } from "./folio-references.ts";
import { forkMm } from "./fork.ts";
import { KSM, OWNER_2 } from "./frames.ts";
import { changeKsmSetting, ksmReport, ksmScan } from "./ksm.ts";
import { madvise } from "./madvise.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, mmapRegion } from "./map.ts";
import { type Memory, ZERO_FRAME } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { frameOfEntry } from "./page-table.ts";
import { pteOf } from "./table-walk.ts";
import { fillRange, touchPages } from "./touch.ts";
import { VM_READ, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;

/** A process with `count` mergeable pages of one byte at BASE; `order`: of the folio they lie in. */
function mergeable(memory: Memory, count: number, byte: number, order = 0): Mm {
  if (order > 0) memory.thp.size[order] = "always";
  const mm = memory.createMm("A");
  const request = { prot: VM_READ | VM_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, pgoff: 0 };
  expect(mmapRegion(memory, mm, BASE, Math.max(64, 1 << order), request)).toBe(BASE);
  expect(fillRange(memory, mm, BASE * PAGE, count * PAGE, byte)).toBe("ok");
  memory.thp.size.fill("never");
  expect(madvise(memory, mm, BASE * PAGE, count * PAGE, "mergeable")).toBe(0);
  return mm;
}

function framesOf(memory: Memory, mm: Mm, count: number): number[] {
  return Array.from({ length: count }, (_, i) => frameOfEntry(pteOf(memory, mm, BASE + i)));
}

test("equal pages need two scans to become one", () => {
  const memory = createTestMachine("page");
  const mm = mergeable(memory, 16, 0x41);
  expect(ksmScan(memory, 1)).toBe(1);
  expect(new Set(framesOf(memory, mm, 16)).size).toBe(16);
  expect(ksmScan(memory, 1)).toBe(1);
  const [frame] = framesOf(memory, mm, 16);
  expect(new Set(framesOf(memory, mm, 16))).toEqual(new Set([frame]));
  expect(memory.frames.kindOf(frame)).toBe(KSM);
  expect(memory.counts.mapcount(frame)).toBe(16);
  expect(memory.frames.has(frame, OWNER_2)).toBe(false);
  expect(ksmReport(memory)).toMatchObject({ pages_shared: 1, pages_sharing: 15, pages_unshared: 0 });
});

test("the counters learn of broken and unmapped places only when a scan comes by", () => {
  const memory = createTestMachine("page");
  const mm = mergeable(memory, 8, 0x41);
  ksmScan(memory, 2);
  const child = forkMm(memory, mm, "B");
  touchPages(memory, mm, BASE * PAGE, PAGE, PAGE, () => 1n);
  expect(ksmReport(memory)).toMatchObject({ pages_shared: 1, pages_sharing: 7 });
  ksmScan(memory, 1);
  expect(ksmReport(memory)).toMatchObject({ pages_shared: 1, pages_sharing: 14 });
  exitMm(memory, mm);
  expect(ksmReport(memory)).toMatchObject({ pages_shared: 1, pages_sharing: 14 });
  ksmScan(memory, 1);
  expect(ksmReport(memory)).toMatchObject({ pages_shared: 1, pages_sharing: 7 });
  exitMm(memory, child);
  expect(ksmScan(memory, 2)).toBe(1);
  expect(ksmReport(memory)).toMatchObject({ pages_shared: 0, pages_sharing: 0 });
});

test("two pages of one folio are not merged: it is split, and the next scan merges them", () => {
  const memory = createTestMachine("page");
  const mm = mergeable(memory, 512, 0x41, 9);
  ksmScan(memory, 2);
  const frames = framesOf(memory, mm, 512);
  expect(memory.statistics.events.get("thp_split_page_failed")).toBe(1);
  // The page after the first was the one whose folio could not be split; 256 places are the most that share a page.
  expect(new Set(frames).size).toBe(3);
  expect(frames[1]).not.toBe(frames[0]);
  expect(frames.filter((frame) => frame === frames[0]).length).toBe(256);
  ksmScan(memory, 1);
  expect(new Set(framesOf(memory, mm, 512)).size).toBe(2);
});

test("a page that is referred to is not merged, and breaks the pair each time", () => {
  const memory = createTestMachine("page");
  const mm = mergeable(memory, 4, 0x41);
  const [first] = framesOf(memory, mm, 1);
  changeGets(memory, first, 1);
  ksmScan(memory, 2);
  expect(new Set(framesOf(memory, mm, 4)).size).toBe(4);
  expect(memory.statistics.events.get("cow_ksm")).toBe(3);
  expect(ksmReport(memory)).toMatchObject({ pages_shared: 0, pages_unshared: 1 });
});

test("MADV_UNMERGEABLE gives each place a page of its own", () => {
  const memory = createTestMachine("page");
  const mm = mergeable(memory, 4, 0x41);
  ksmScan(memory, 2);
  expect(madvise(memory, mm, BASE * PAGE, 4 * PAGE, "unmergeable")).toBe(0);
  expect(new Set(framesOf(memory, mm, 4)).size).toBe(4);
  expect(memory.statistics.events.get("cow_ksm")).toBe(4);
});

test("with use_zero_pages a page of zeros is mapped to the zero page", () => {
  const memory = createTestMachine("page");
  expect(changeKsmSetting(memory, "use_zero_pages", 1)).toBe(0);
  const mm = mergeable(memory, 4, 0);
  ksmScan(memory, 2);
  expect(framesOf(memory, mm, 4)).toEqual([ZERO_FRAME, ZERO_FRAME, ZERO_FRAME, ZERO_FRAME]);
  expect(ksmReport(memory).ksm_zero_pages).toBe(4);
  touchPages(memory, mm, BASE * PAGE, PAGE, PAGE, () => 1n);
  expect(ksmReport(memory).ksm_zero_pages).toBe(3);
});

test("the smart scan skips a page that stayed alone for three scans", () => {
  const memory = createTestMachine("page");
  const mm = mergeable(memory, 1, 0x41);
  const unshared: number[] = [];
  for (let scan = 1; scan <= 7; scan++) {
    ksmScan(memory, 1);
    unshared.push(ksmReport(memory).pages_unshared);
  }
  expect(unshared).toEqual([0, 1, 1, 1, 0, 1, 0]);
  exitMm(memory, mm);
});

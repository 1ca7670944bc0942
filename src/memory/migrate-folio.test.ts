import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { ENODEV } from "./errno.ts";
import { exitMm } from "./exit.ts";
import { changeGets } from "./folio-references.ts";
import { forkMm } from "./fork.ts";
import { DIRTY, OWNER_2, PARTIALLY_MAPPED } from "./frames.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, mmapRegion, munmapRange } from "./map.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { movePages } from "./move-pages.ts";
import { frameOfEntry, isPresent } from "./page-table.ts";
import { pmdEntryOf, pteOf } from "./table-walk.ts";
import { peekWord, touchPages } from "./touch.ts";
import { VM_READ, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;
const CONFIGS = ["page", "nopage"] as const;

function processWithFolio(memory: Memory, order: number): Mm {
  if (order > 0) memory.thp.size[order] = "always";
  const mm = memory.createMm("A");
  const request = { prot: VM_READ | VM_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, pgoff: 0 };
  expect(mmapRegion(memory, mm, BASE, 512, request)).toBe(BASE);
  expect(touchPages(memory, mm, BASE * PAGE, PAGE << order, PAGE, (at) => BigInt(at))).toBe("ok");
  memory.thp.size.fill("never");
  return mm;
}

function move(memory: Memory, mm: Mm, pages: number, node = 1): number {
  return movePages(memory, mm, BASE * PAGE, pages * PAGE, node);
}

test.each(CONFIGS)("a THP moves whole: one PMD entry, exclusive as before, dirty from now on (%s)", (config) => {
  const memory = createTestMachine(config);
  const mm = processWithFolio(memory, 9);
  expect(move(memory, mm, 2)).toBe(2);
  const pmd = pmdEntryOf(memory, mm, BASE);
  expect(isPresent(pmd)).toBe(true);
  const head = frameOfEntry(pmd);
  expect(memory.allocator.nodeOf(head)).toBe(1);
  expect(memory.frames.has(head, OWNER_2) && memory.frames.has(head, DIRTY)).toBe(true);
  expect(peekWord(memory, mm, (BASE + 3) * PAGE)).toBe(BigInt((BASE + 3) * PAGE));
  expect(memory.statistics.mthp.nrAnon[9]).toBe(1);
  expect(memory.statistics.events.get("pgmigrate_success")).toBe(512);
});

test.each(CONFIGS)("what others map too stays, unless it is on the node already (%s)", (config) => {
  const memory = createTestMachine(config);
  const mm = processWithFolio(memory, 4);
  const child = forkMm(memory, mm, "B");
  expect(move(memory, mm, 16)).toBe(0);
  expect(move(memory, mm, 16, 0)).toBe(16);
  exitMm(memory, child);
  expect(move(memory, mm, 16)).toBe(16);
  expect(move(memory, mm, 17, 1)).toBe(16);
  expect(move(memory, mm, 1, 2)).toBe(-ENODEV);
});

test.each(CONFIGS)("a partially mapped folio is split, and its pages move (%s)", (config) => {
  const memory = createTestMachine(config);
  const mm = processWithFolio(memory, 4);
  munmapRange(memory, mm, BASE, 4);
  expect(movePages(memory, mm, (BASE + 4) * PAGE, 12 * PAGE, 1)).toBe(12);
  expect(memory.frames.order[frameOfEntry(pteOf(memory, mm, BASE + 4))]).toBe(0);
  expect(memory.statistics.mthp.split[4]).toBe(1);
  expect(memory.statistics.events.get("pgmigrate_success")).toBe(16);
});

test.each(CONFIGS)(
  "a reference keeps a folio where it is, and leaves it flagged as partially mapped (%s)",
  (config) => {
    const memory = createTestMachine(config);
    const mm = processWithFolio(memory, 4);
    const head = frameOfEntry(pteOf(memory, mm, BASE));
    changeGets(memory, head, 1);
    expect(move(memory, mm, 1)).toBe(0);
    expect(frameOfEntry(pteOf(memory, mm, BASE))).toBe(head);
    expect(memory.frames.has(head, PARTIALLY_MAPPED)).toBe(true);
    expect(memory.statistics.mthp.splitDeferred[4]).toBe(1);
    changeGets(memory, head, -1);
    expect(move(memory, mm, 1)).toBe(1);
  },
);

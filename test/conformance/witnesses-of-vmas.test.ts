/**
 * Histories from the mails that propose to count VMAs, pairs of VMAs and page tables, or nothing: where each loses count.
 */
import { describe, expect, test } from "vitest";
import {
  ENTRIES_EXAMINED,
  NO,
  PAGE_TABLE_LOCKS,
  REFERENCE_OPERATIONS,
  UNKNOWN,
  UNKNOWN_COUNT,
  VMAS_VISITED,
  YES,
  askRmap,
  askRmapForExtraReferences,
  askRmapForOtherVmas,
  askRmapForOthers,
  askRmapForPageMapcount,
  askRmapForPartial,
} from "../../src/schemes/index.ts";
import { VMAS } from "./table-shape.ts";
import { A, B, C, PAGES, Trial } from "./trial.ts";

describe("troll", () => {
  /** Three VMAs map the folio. */
  const many = (): Trial => {
    const trial = new Trial("troll", 4);
    for (const mm of [A, B, C]) trial.map(mm, 0, 16);
    return trial;
  };

  test("counts up to Two and back", () => {
    const trial = new Trial("troll", 4);
    trial.map(A, 0, 8);
    trial.map(A, 8, 8);
    expect(trial.counter.mappings(0)).toBe(1);
    trial.map(B, 0, 1);
    expect(trial.counter.mappings(0)).toBe(2);
    trial.unmap(A, 0, 15);
    expect(trial.counter.mappings(0)).toBe(2);
    trial.unmap(A, 15, 1);
    expect(trial.counter.mappings(0)).toBe(1);
    expect(trial.counter.others(0, B)).toBe(NO);
  });

  test("at Many has lost count: no removal leads back, not even the last", () => {
    const trial = many();
    for (const mm of [A, B, C]) trial.unmap(mm, 0, 16);
    expect(trial.machine.entries[0]).toBe(0);
    expect(trial.counter.mapped(0)).toBe(UNKNOWN);
    expect(trial.counter.mappings(0)).toBe(UNKNOWN_COUNT);
    expect(trial.counter.stopWalk(0, 3)).toBe(UNKNOWN);
    // Its three references keep the unmapped folio from being freed.
    expect(trial.counter.mappingReferences(0)).toBe(3);
  });

  test("at Many a full walk that finds fewer stores what it found; a stopped one teaches nothing", () => {
    const trial = many();
    trial.unmap(A, 0, 16);
    const question = { pageTables: trial.machine, meter: trial.meter, counter: trial.counter };
    expect(askRmapForOthers(0, B, question)).toBe(true);
    expect(trial.counter.mappings(0)).toBe(UNKNOWN_COUNT);
    expect(askRmap(0, question)).toMatchObject({ entries: 32, vmas: 2, addressSpaces: 2, isComplete: true });
    expect(trial.counter.mappings(0)).toBe(2);
    expect(trial.counter.mappingReferences(0)).toBe(2);
  });

  test("mapping holds three references at most, however many map the folio", () => {
    const trial = new Trial("troll", 9);
    for (let vma = 0; vma < VMAS; vma++) trial.machine.addPtes(0, vma, 0, PAGES);
    expect(trial.counter.mappingReferences(0)).toBe(3);
    expect(trial.meter.totals[REFERENCE_OPERATIONS]).toBe(3);
  });

  test("a VMA that is split in the middle of the folio counts twice, and Two does not pass through Many by mremap", () => {
    const trial = new Trial("troll", 4);
    trial.map(A, 0, 16);
    trial.machine.movePtes(0, 0, 1, 8, 8);
    expect(trial.counter.mappings(0)).toBe(2);
    expect(trial.counter.others(0, A)).toBe(YES);
    trial.machine.movePtes(0, 1, 2, 8, 8);
    expect(trial.counter.mappings(0)).toBe(2);
    trial.machine.movePtes(0, 2, 0, 8, 8);
    expect(trial.counter.mappings(0)).toBe(1);
  });
});

describe("three-state", () => {
  test("knows at one VMA, and no longer when a second has been and gone", () => {
    const trial = new Trial("three-state", 4);
    trial.map(A, 0, 8);
    trial.map(A, 8, 8);
    expect(trial.counter.others(0, A)).toBe(NO);
    trial.map(B, 0, 1);
    trial.unmap(B, 0, 1);
    expect(trial.counter.others(0, A)).toBe(UNKNOWN);
    trial.unmap(A, 0, 16);
    expect(trial.counter.mapped(0)).toBe(UNKNOWN);
    askRmap(0, { pageTables: trial.machine, counter: trial.counter });
    expect(trial.counter.mapped(0)).toBe(NO);
  });
});

describe("vma-table: at two we may be both, or somebody else is one (Wilcox, February 2023)", () => {
  test("one VMA over two page tables, and two VMAs of two address spaces", () => {
    const straddling = new Trial("vma-table", 4);
    straddling.machine.starts[0] = 512 - 8;
    straddling.map(A, 0, 8);
    straddling.map(A, 8, 8);
    const two = new Trial("vma-table", 4);
    two.map(A, 0, 16);
    two.map(B, 0, 16);
    for (const { counter } of [straddling, two]) {
      expect(counter.mappings(0)).toBe(2);
      expect(counter.others(0, A)).toBe(UNKNOWN);
    }
    expect(askRmapForOthers(0, A, { pageTables: straddling.machine })).toBe(false);
    expect(askRmapForOthers(0, A, { pageTables: two.machine })).toBe(true);
    expect(askRmapForOtherVmas(0, 0, { pageTables: straddling.machine })).toBe(false);
    expect(askRmapForOtherVmas(0, 0, { pageTables: two.machine })).toBe(true);
    two.map(C, 0, 1);
    expect(two.counter.others(0, A)).toBe(YES);
  });

  test("a PMD split leaves the count at one", () => {
    const trial = new Trial("vma-table", 9);
    trial.mapLeaf(A);
    trial.splitPmd(A);
    expect(trial.counter.mappings(0)).toBe(1);
  });
});

describe("vma", () => {
  test("two VMAs of one address space look like two: an mprotect in the middle of the folio makes it shared", () => {
    const trial = new Trial("vma", 4);
    trial.map(A, 0, 16);
    expect(trial.counter.others(0, A)).toBe(NO);
    trial.machine.movePtes(0, 0, 1, 8, 8);
    expect(trial.counter.others(0, A)).toBe(YES);
    expect(trial.counter.otherVmas(0, 0)).toBe(YES);
  });

  test("a batch of all pages needs no look; one page less looks at the rest, under another table's lock", () => {
    const trial = new Trial("vma", 4);
    trial.machine.starts[0] = 512 - 8;
    trial.map(A, 0, 8);
    expect(trial.meter.totals[VMAS_VISITED]).toBe(1);
    expect(trial.meter.totals[ENTRIES_EXAMINED]).toBe(8);
    expect(trial.meter.totals[PAGE_TABLE_LOCKS]).toBe(1);
    trial.map(B, 0, 16);
    expect(trial.meter.totals[VMAS_VISITED]).toBe(1);
  });
});

describe("none", () => {
  test("asks the rmap for everything, and is charged for it", () => {
    const trial = new Trial("none", 4);
    trial.map(A, 0, 16);
    trial.map(B, 0, 3);
    trial.machine.pinCounts[0] = 2;
    const question = { pageTables: trial.machine, meter: trial.meter };
    expect(trial.counter.mapped(0)).toBe(UNKNOWN);
    expect(askRmapForPageMapcount(0, 2, question)).toBe(2);
    expect(askRmapForPageMapcount(0, 3, question)).toBe(1);
    expect(askRmapForPartial(0, 16, question)).toBe(false);
    const refcount = trial.counter.mappingReferences(0) + trial.machine.references(0);
    expect(refcount).toBe(21);
    expect(askRmapForExtraReferences(0, { refcount, cacheReferences: 0 }, question)).toBe(2);
    expect(trial.meter.totals[VMAS_VISITED]).toBe(4 * 2);
    expect(trial.meter.totals[ENTRIES_EXAMINED]).toBe(4 * 19);
    // As many mappings as references: there can be no more. Pinned, it cannot say so.
    expect(trial.counter.stopWalk(0, 19)).toBe(NO);
    trial.machine.pinCounts[0] = 0;
    expect(trial.counter.stopWalk(0, 19)).toBe(YES);
  });
});

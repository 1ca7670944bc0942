/**
 * The truth against lists of page flags: nothing is stopped too early, nothing counted twice.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LEVEL_PMD, LEVEL_PTE, type Level } from "../kernel/index.ts";
import { NO, type PageTableView, type ReferenceView, UNKNOWN, YES } from "../schemes/index.ts";
import { ANON } from "../memory/index.ts";
import { surveyDecisions } from "./survey.ts";
import { TruthAnswers } from "./truth-answers.ts";

interface Batch {
  readonly first: number;
  readonly pageCount: number;
  readonly level: Level;
  readonly vma: number;
  readonly mm: number;
}

function tablesOf(batches: readonly Batch[]): PageTableView {
  return {
    entriesOfVma: () => 0,
    entriesOfTable: () => 0,
    walk: (_folio, visit) => {
      for (const { first, pageCount, level, vma, mm } of batches)
        if (!visit(first, pageCount, level, 0, vma, mm)) return;
    },
  };
}

const NOBODY: ReferenceView = { references: () => 0, cacheReferences: () => 0, pins: () => 0 };

function truthOf(batches: readonly Batch[], references = NOBODY, order = 9): TruthAnswers {
  return new TruthAnswers(tablesOf(batches), references, () => order);
}

const NR = 512;
const batch: fc.Arbitrary<Batch> = fc.oneof(
  fc
    .record({ first: fc.nat(NR - 1), pageCount: fc.integer({ min: 1, max: NR }), vma: fc.nat(5) })
    .map(({ first, pageCount, vma }): Batch => {
      return { first, pageCount: Math.min(pageCount, NR - first), level: LEVEL_PTE, vma, mm: vma >> 1 };
    }),
  fc.nat(5).map((vma): Batch => ({ first: 0, pageCount: NR, level: LEVEL_PMD, vma, mm: vma >> 1 })),
);

test("each answer is what flags of all pages of all batches say", () => {
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 6 }), fc.nat(NR - 1), fc.nat(1200), (batches, page, found) => {
      const truth = truthOf(batches);
      const mapcounts = Array.from(
        { length: NR },
        (_, at) => batches.filter(({ first, pageCount }) => at >= first && at < first + pageCount).length,
      );
      const entries = batches.reduce((sum, { level, pageCount }) => sum + (level === LEVEL_PTE ? pageCount : 1), 0);
      const yesIf = (holds: boolean): number => (holds ? YES : NO);
      expect(truth.mapped(0)).toBe(yesIf(batches.length > 0));
      expect(truth.mappings(0)).toBe(entries);
      expect(truth.pageMapcount(0, page)).toBe(mapcounts[page]);
      expect(truth.others(0, 1)).toBe(yesIf(batches.some(({ mm }) => mm !== 1)));
      expect(truth.otherVmas(0, 1)).toBe(yesIf(batches.some(({ vma }) => vma !== 1)));
      expect(truth.isMaybeMappedShared(0)).toBe(new Set(batches.map(({ mm }) => mm)).size > 1);
      expect(truth.partial(0)).toBe(yesIf(mapcounts.includes(0) && mapcounts.some((mapcount) => mapcount > 0)));
      expect(truth.canReuse(0, 1)).toBe(yesIf(batches.every(({ mm }) => mm === 1)));
      expect(truth.stopWalk(0, found)).toBe(yesIf(entries <= found));
      expect(truth.stopWalk(0, entries)).toBe(YES);
      if (entries > 0) expect(truth.stopWalk(0, entries - 1)).toBe(NO);
    }),
  );
});

test("a walk that has found as many entries as the first address space has must go on to the second", () => {
  const two: readonly Batch[] = [0, 1].map((mm) => ({ first: 0, pageCount: 16, level: LEVEL_PTE, vma: mm, mm }));
  expect(truthOf(two).stopWalk(0, 16)).toBe(NO);
  expect(truthOf(two).stopWalk(0, 32)).toBe(YES);
});

test("a single reference of somebody else keeps a page from being reused", () => {
  const held: ReferenceView = { ...NOBODY, references: () => 1 };
  const alone: Batch = { first: 0, pageCount: 1, level: LEVEL_PTE, vma: 0, mm: 0 };
  expect(truthOf([alone]).canReuse(0, 0)).toBe(YES);
  expect(truthOf([alone], held).canReuse(0, 0)).toBe(NO);
  expect(truthOf([alone], held).extraReferences(0)).toBe(1);
});

test("a survey asks for each address space with as many entries as it has", () => {
  const batches: readonly Batch[] = [
    { first: 0, pageCount: 16, level: LEVEL_PTE, vma: 0, mm: 4 },
    { first: 0, pageCount: 3, level: LEVEL_PTE, vma: 2, mm: 5 },
    { first: 8, pageCount: 2, level: LEVEL_PTE, vma: 3, mm: 5 },
  ];
  const asked = new Map<number, number>();
  const stops: [mm: number, truth: number][] = [];
  const machine = {
    studied: [],
    pageTables: tablesOf(batches),
    references: NOBODY,
    orderOf: () => 4,
    kindOf: (): typeof ANON => ANON,
  };
  surveyDecisions(machine, [0], ({ rule, situation, truth }) => {
    if (situation.mm >= 0) asked.set(situation.mm, situation.entries);
    if (rule.id === "referenced-countdown") stops.push([situation.mm, truth]);
    expect(truth).not.toBe(UNKNOWN);
  });
  expect(asked).toEqual(
    new Map([
      [4, 16],
      [5, 5],
    ]),
  );
  // Neither has all 21.
  expect(stops).toEqual([
    [4, NO],
    [5, NO],
  ]);
  const alone: [mm: number, truth: number][] = [];
  surveyDecisions({ ...machine, pageTables: tablesOf(batches.slice(1)) }, [0], (record) => {
    if (record.rule.id === "referenced-countdown") alone.push([record.situation.mm, record.truth]);
  });
  expect(alone).toEqual([[5, YES]]);
});

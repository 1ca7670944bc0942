import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type FolioKind,
  KIND_ANON,
  KIND_FILE,
  KIND_HUGETLB,
  KIND_KSM,
  KIND_SHMEM,
  KIND_UNCOUNTED,
} from "../kernel/index.ts";
import type { FrameClass } from "./frame-classes.ts";
import * as sums from "./mapping-sums.ts";
import { ENTRY_EXCLUSIVE, ENTRY_FILE, ENTRY_PMD, MappingSums } from "./mapping-sums.ts";
import type { PageAnswers } from "./page-answers.ts";
import { PSS_FULL_PAGE, pssOfPage } from "./proportional-share.ts";

const SCHEME_COUNT = 2;
const ROWS = 3;

function answersOf(mapcount: number, more: Partial<PageAnswers> = {}): PageAnswers {
  return { mapcount, privateLeast: false, privateMost: false, exclusiveLeast: false, exclusiveMost: false, ...more };
}

function classOf(kind: FolioKind, mapcount: number, answers: readonly PageAnswers[]): FrameClass {
  return { kind, mapcount, large: true, answers, frames: 0 };
}

const answers = fc.record({
  mapcount: fc.integer({ min: 1, max: 600 }),
  privateLeast: fc.boolean(),
  privateMost: fc.boolean(),
  exclusiveLeast: fc.boolean(),
  exclusiveMost: fc.boolean(),
});

const additions = fc.array(
  fc.record({
    row: fc.nat(ROWS - 1),
    frameClass: fc
      .record({
        kind: fc.constantFrom<FolioKind>(KIND_ANON, KIND_KSM, KIND_FILE, KIND_SHMEM, KIND_HUGETLB, KIND_UNCOUNTED),
        mapcount: fc.integer({ min: 1, max: 600 }),
        answers: fc.tuple(answers, answers),
      })
      .map(({ kind, mapcount, answers: of }) => classOf(kind, mapcount, kind === KIND_UNCOUNTED ? [] : of)),
    pages: fc.integer({ min: 1, max: 700 }),
    entry: fc.nat(7),
  }),
  { maxLength: 30 },
);

test("pages added many at a time are summed as one by one, in any order", () => {
  fc.assert(
    fc.property(additions, (all) => {
      const fast = new MappingSums(ROWS, SCHEME_COUNT);
      const slow = new MappingSums(ROWS, SCHEME_COUNT);
      for (const { row, frameClass, pages, entry } of all) fast.add(row, frameClass, pages, entry);
      for (const { row, frameClass, pages, entry } of all.toReversed()) {
        for (let page = 0; page < pages; page++) slow.add(row, frameClass, 1, entry);
      }
      expect([...fast.values]).toEqual([...slow.values]);
    }),
    { numRuns: 60 },
  );
});

test("every present page is in exactly one of Rss, hugetlb, uncounted and changed; Rss is its kinds, Pss its parts", () => {
  fc.assert(
    fc.property(additions, (all) => {
      const table = new MappingSums(ROWS, SCHEME_COUNT);
      for (const { row, frameClass, pages, entry } of all) table.add(row, frameClass, pages, entry);
      for (let row = 0; row < ROWS; row++) {
        const get = (column: number): number => table.get(row, column);
        const present = all.filter((of) => of.row === row).reduce((sum, { pages }) => sum + pages, 0);
        const places = [sums.SUM_RSS, sums.SUM_HUGETLB, sums.SUM_UNCOUNTED, sums.SUM_CHANGED];
        expect(places.reduce((sum, column) => sum + get(column), 0)).toBe(present);
        expect(get(sums.SUM_RSS)).toBe(get(sums.SUM_ANON) + get(sums.SUM_FILE) + get(sums.SUM_SHMEM));
        for (let scheme = 0; scheme < SCHEME_COUNT; scheme++) {
          const at = table.schemeAt(scheme);
          expect(get(at + sums.OF_PSS)).toBe(
            get(at + sums.OF_PSS_ANON) + get(at + sums.OF_PSS_FILE) + get(at + sums.OF_PSS_SHMEM),
          );
          expect(get(at + sums.OF_PSS)).toBeLessThanOrEqual(get(sums.SUM_RSS) * PSS_FULL_PAGE);
        }
      }
    }),
    { numRuns: 100 },
  );
});

test("rows combined are their sums, and of mapmax the largest", () => {
  fc.assert(
    fc.property(additions, (all) => {
      const table = new MappingSums(ROWS, SCHEME_COUNT);
      const one = new MappingSums(1, SCHEME_COUNT);
      for (const { row, frameClass, pages, entry } of all) {
        table.add(row, frameClass, pages, entry);
        if (row > 0) one.add(0, frameClass, pages, entry);
      }
      const total = new Float64Array(table.width);
      table.combine(1, ROWS, total);
      expect([...total]).toEqual([...one.values]);
    }),
    { numRuns: 60 },
  );
});

describe("one page", () => {
  const shared = [answersOf(3), answersOf(2, { privateMost: true, exclusiveMost: true })];

  test("a KSM page is anonymous, and its Pss is anonymous", () => {
    const table = new MappingSums(1, 2);
    table.add(0, classOf(KIND_KSM, 3, shared), 1, 0);
    expect([sums.SUM_RSS, sums.SUM_ANON, sums.SUM_KSM].map((column) => table.get(0, column))).toEqual([1, 1, 1]);
    expect(table.get(0, table.schemeAt(0) + sums.OF_PSS_ANON)).toBe(pssOfPage(3));
    expect(table.get(0, table.schemeAt(1) + sums.OF_PSS_ANON)).toBe(pssOfPage(2));
  });

  test("of a PMD entry counts in Rss and Pss, and its exclusive bit follows another class (kernel-facts 3.7)", () => {
    const table = new MappingSums(1, 2);
    const alone = answersOf(1, { privateLeast: true, privateMost: true, exclusiveLeast: true, exclusiveMost: true });
    const first = classOf(KIND_ANON, 1, [alone, alone]);
    table.add(0, first, 1, ENTRY_PMD | ENTRY_EXCLUSIVE);
    table.add(0, classOf(KIND_ANON, 2, shared), 511, ENTRY_PMD | ENTRY_EXCLUSIVE);
    table.addPmdExclusive(0, first, 512);
    const at = table.schemeAt(0);
    expect(table.get(0, sums.SUM_PMD_ANON)).toBe(512);
    expect(table.get(0, at + sums.OF_PSS)).toBe(pssOfPage(1) + 511 * pssOfPage(3));
    expect(table.get(0, at + sums.OF_PRIVATE_LEAST)).toBe(1);
    expect(table.get(0, at + sums.OF_EXCLUSIVE_LEAST)).toBe(512);
    expect(table.get(0, sums.SUM_EXCLUSIVE_MEASURED)).toBe(512);
    expect(table.get(0, at + sums.OF_MAPMAX)).toBe(1);
  });

  test("the exclusive bits of a hugetlb page are counted with its pages, not again with its PMD", () => {
    const table = new MappingSums(1, 2);
    const hugetlb = classOf(KIND_HUGETLB, 1, shared);
    table.add(0, hugetlb, 512, ENTRY_PMD | ENTRY_FILE);
    table.addPmdExclusive(0, hugetlb, 512);
    expect(table.get(0, table.schemeAt(0) + sums.OF_EXCLUSIVE_LEAST)).toBe(512);
    expect([sums.SUM_RSS, sums.SUM_HUGETLB, sums.SUM_HUGETLB_SHARED].map((column) => table.get(0, column))).toEqual([
      0, 512, 0,
    ]);
    table.add(0, classOf(KIND_HUGETLB, 2, shared), 512, ENTRY_PMD);
    expect(table.get(0, sums.SUM_HUGETLB_SHARED)).toBe(512);
    expect(table.get(0, table.schemeAt(1) + sums.OF_MAPMAX)).toBe(2);
  });

  test.each<[FolioKind, number]>([
    [KIND_ANON, ENTRY_FILE],
    [KIND_KSM, ENTRY_FILE],
    [KIND_FILE, 0],
    [KIND_SHMEM, ENTRY_EXCLUSIVE],
  ])("kind %d whose entry says otherwise (%d) has changed, and is in no other sum", (kind, entry) => {
    const table = new MappingSums(1, 2);
    table.add(0, classOf(kind, 3, shared), 5, entry);
    const nonZero = [...table.values.entries()].filter(([, value]) => value !== 0);
    const measured = entry === ENTRY_EXCLUSIVE ? [[sums.SUM_EXCLUSIVE_MEASURED, 5]] : [];
    expect(nonZero).toEqual([[sums.SUM_CHANGED, 5], ...measured]);
  });

  test("a huge zero page says FILE and is uncounted", () => {
    const table = new MappingSums(1, 2);
    table.add(0, classOf(KIND_UNCOUNTED, 0, []), 512, ENTRY_FILE | ENTRY_PMD);
    expect([...table.values.entries()].filter(([, value]) => value !== 0)).toEqual([[sums.SUM_UNCOUNTED, 512]]);
  });

  test.each([
    [0, sums.SUM_ANON, sums.OF_PSS_ANON],
    [ENTRY_FILE, sums.SUM_FILE, sums.OF_PSS_FILE],
  ])("in motion (%d) it is in Rss with full Pss and never private", (entry, sum, pss) => {
    const table = new MappingSums(1, 2);
    table.addNotPresent(0, 3, entry);
    expect([table.get(0, sums.SUM_RSS), table.get(0, sum)]).toEqual([3, 3]);
    for (const at of [table.schemeAt(0), table.schemeAt(1)]) {
      expect([table.get(0, at + sums.OF_PSS), table.get(0, at + pss)]).toEqual([3 * PSS_FULL_PAGE, 3 * PSS_FULL_PAGE]);
      expect(table.get(0, at + sums.OF_PRIVATE_MOST)).toBe(0);
    }
  });
});

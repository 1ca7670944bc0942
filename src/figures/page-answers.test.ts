import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Answer, EITHER, type FigureRules, NO, UNKNOWN, YES } from "../schemes/index.ts";
import { pageAnswers, statisticsPages } from "./page-answers.ts";

const BY_PAGE: FigureRules = { privateBy: "page-mapcount", statistics: "pages-mapped" };
const BY_FOLIO: FigureRules = { privateBy: "folio-sharing", statistics: "whole-folio" };

/** Private and exclusive as at least / at most. */
function letters(rules: FigureRules, mapcount: number, shared: Answer): string {
  const { privateLeast, privateMost, exclusiveLeast, exclusiveMost } = pageAnswers(rules, mapcount, shared);
  return [privateLeast, privateMost, exclusiveLeast, exclusiveMost].map((is) => (is ? "y" : "-")).join("");
}

test("with a mapcount in every page, private is fewer than two mappings and exclusive exactly one", () => {
  const answers: Answer[] = [NO, YES, EITHER, UNKNOWN];
  for (const shared of answers) {
    expect([0, 1, 2, 7].map((mapcount) => letters(BY_PAGE, mapcount, shared))).toEqual([
      "yy--",
      "yyyy",
      "----",
      "----",
    ]);
  }
});

test("without, both follow the folio's sharing, whatever the divisor is", () => {
  for (const mapcount of [1, 2, 512]) {
    expect(letters(BY_FOLIO, mapcount, NO)).toBe("yyyy");
    expect(letters(BY_FOLIO, mapcount, YES)).toBe("----");
    expect(letters(BY_FOLIO, mapcount, EITHER)).toBe("-y-y");
    expect(letters(BY_FOLIO, mapcount, UNKNOWN)).toBe("----");
  }
});

test("at least never exceeds at most, and the mapcount is passed on", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(BY_PAGE, BY_FOLIO),
      fc.nat(),
      fc.constantFrom<Answer>(NO, YES, EITHER, UNKNOWN),
      (rules, mapcount, shared) => {
        const answers = pageAnswers(rules, mapcount, shared);
        expect(answers.mapcount).toBe(mapcount);
        expect(!answers.privateLeast || answers.privateMost).toBe(true);
        expect(!answers.exclusiveLeast || answers.exclusiveMost).toBe(true);
      },
    ),
  );
});

test.each([
  ["unmapped", { order: 4, pmdEntries: 0, pagesMapped: 0 }, 0, 0],
  ["one page of sixteen", { order: 4, pmdEntries: 0, pagesMapped: 1 }, 1, 16],
  ["all pages", { order: 4, pmdEntries: 0, pagesMapped: 16 }, 16, 16],
  ["a huge page by a PMD", { order: 9, pmdEntries: 1, pagesMapped: 512 }, 512, 512],
  ["a huge page by a PMD and by some PTEs", { order: 9, pmdEntries: 2, pagesMapped: 512 }, 512, 512],
  ["a huge page by PTEs, in part", { order: 9, pmdEntries: 0, pagesMapped: 511 }, 511, 512],
])("AnonPages and Mapped of a folio: %s (kernel-facts 2.6)", (_, folio, byPage, byFolio) => {
  expect(statisticsPages(BY_PAGE, folio)).toBe(byPage);
  expect(statisticsPages(BY_FOLIO, folio)).toBe(byFolio);
});

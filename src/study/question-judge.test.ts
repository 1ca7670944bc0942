import { describe, expect, test } from "vitest";
import { EITHER, NO, SCHEMES, UNKNOWN, UNKNOWN_COUNT, YES, findScheme } from "../schemes/index.ts";
import {
  ALLOWED,
  EXACT,
  NO_ANSWER,
  QUESTIONS,
  WRONG,
  guaranteeOf,
  judgeAnswer,
  judgeCount,
  judgePageMapcount,
} from "./question-judge.ts";

describe("a yes or no", () => {
  test("that is the truth is exact under every guarantee", () => {
    for (const guarantee of ["exact", "exact-or-unknown", "probable", "one-sided", "estimate", "unknown"] as const) {
      expect(judgeAnswer("others", guarantee, YES, true)).toBe(EXACT);
      expect(judgeAnswer("partial", guarantee, NO, false)).toBe(EXACT);
    }
  });

  test("may be withheld unless it is declared exact", () => {
    expect(judgeAnswer("mapped", "exact", UNKNOWN, true)).toBe(WRONG);
    for (const guarantee of ["exact-or-unknown", "probable", "one-sided", "estimate", "unknown"] as const) {
      expect(judgeAnswer("mapped", guarantee, UNKNOWN, true)).toBe(NO_ANSWER);
    }
  });

  test("is never EITHER after a history", () => {
    expect(judgeAnswer("others", "one-sided", EITHER, true)).toBe(WRONG);
  });

  test("that is one-sided is wrong in the harmless direction only", () => {
    expect(judgeAnswer("others", "one-sided", YES, false)).toBe(ALLOWED);
    expect(judgeAnswer("others", "one-sided", NO, true)).toBe(WRONG);
    expect(judgeAnswer("pinned", "one-sided", YES, false)).toBe(ALLOWED);
    expect(judgeAnswer("pinned", "one-sided", NO, true)).toBe(WRONG);
    expect(judgeAnswer("stopWalk", "one-sided", NO, true)).toBe(ALLOWED);
    expect(judgeAnswer("stopWalk", "one-sided", YES, false)).toBe(WRONG);
    expect(judgeAnswer("others", "exact-or-unknown", YES, false)).toBe(WRONG);
    expect(judgeAnswer("others", "probable", YES, false)).toBe(WRONG);
    expect(judgeAnswer("others", "estimate", NO, true)).toBe(ALLOWED);
  });

  test("about a partial mapping that is not seen is UNKNOWN, never NO", () => {
    expect(judgeAnswer("partial", "one-sided", UNKNOWN, true)).toBe(NO_ANSWER);
    expect(judgeAnswer("partial", "one-sided", NO, true)).toBe(WRONG);
    expect(judgeAnswer("partial", "one-sided", YES, false)).toBe(WRONG);
  });

  test("may refuse reuse at any time, and never grant it wrongly", () => {
    for (const guarantee of ["exact", "probable", "one-sided", "estimate"] as const) {
      expect(judgeAnswer("canReuse", guarantee, NO, true)).toBe(ALLOWED);
      expect(judgeAnswer("canReuse", guarantee, YES, false)).toBe(WRONG);
    }
  });
});

describe("a count", () => {
  test("is right, withheld where that is allowed, or wrong", () => {
    expect(judgeCount("exact", 3, 3)).toBe(EXACT);
    expect(judgeCount("exact", UNKNOWN_COUNT, 3)).toBe(WRONG);
    expect(judgeCount("exact-or-unknown", UNKNOWN_COUNT, 3)).toBe(NO_ANSWER);
    expect(judgeCount("exact-or-unknown", 4, 3)).toBe(WRONG);
  });

  test("of a page may be the folio's average, rounded either way, and at least one of a mapped folio", () => {
    const folio = { truth: 0, mappedPages: 1, nrPages: 512 };
    expect(judgePageMapcount("estimate", 1, folio)).toBe(ALLOWED);
    expect(judgePageMapcount("estimate", 0, folio)).toBe(WRONG);
    expect(judgePageMapcount("estimate", 2, folio)).toBe(WRONG);
    expect(judgePageMapcount("estimate", 1, { ...folio, truth: 1 })).toBe(EXACT);
    expect(judgePageMapcount("exact", 1, folio)).toBe(WRONG);
    expect(judgePageMapcount("estimate", 1, { truth: 0, mappedPages: 0, nrPages: 4 })).toBe(WRONG);
  });
});

test("what is probable of a large folio is one-sided of a small one and of hugetlb", () => {
  const sums = findScheme("sums");
  if (sums === undefined) throw new Error("sums is a scheme");
  expect(guaranteeOf(sums, "others", { order: 4, isHugetlb: false })).toBe("probable");
  expect(guaranteeOf(sums, "others", { order: 0, isHugetlb: false })).toBe("one-sided");
  expect(guaranteeOf(sums, "others", { order: 9, isHugetlb: true })).toBe("one-sided");
});

test("all questions are judged", () => {
  for (const { guarantees } of SCHEMES) expect(Object.keys(guarantees).sort()).toEqual([...QUESTIONS].sort());
});

import { expect, test } from "vitest";
import type { CowOutcome } from "../scenario/index.ts";
import { formatCowPlan } from "./cow-plan-text.ts";

function outcome(title: string, rest: Omit<CowOutcome, "test">): CowOutcome {
  const one: CowOutcome["test"] = {
    number: 9,
    case: { id: "A3", title: "a case", steps: () => [] },
    backing: { kind: "base", title, lengthBytes: 4096, steps: [] },
    title: `a case ... with ${title}`,
    steps: [],
  };
  return { test: one, ...rest };
}

test("the plan is printed as TAP: what is known to fail is ok, what is news is not, and totals give the reasons", () => {
  const outcomes = [
    outcome("base page", { verdict: "passed" }),
    outcome("THP", { verdict: "failed-as-expected", knownFailure: "CVE-2020-29374", reason: "the pipe sees 0xff" }),
    outcome("hugetlb", { verdict: "not-covered", reason: "no such memory" }),
    outcome("memfd", { verdict: "failed", reason: "the pipe sees 0xff" }),
    outcome("tmpfile", { verdict: "passed-unexpectedly", knownFailure: "it should not have" }),
  ];
  expect(formatCowPlan({ title: "mapcount", outcomes }).split("\n")).toEqual([
    "TAP version 13",
    "# mapcount",
    "1..5",
    "ok 1 a case ... with base page",
    "ok 2 a case ... with THP # XFAIL CVE-2020-29374",
    "ok 3 a case ... with hugetlb # SKIP no such memory",
    "not ok 4 a case ... with memfd",
    "#   the pipe sees 0xff",
    "not ok 5 a case ... with tmpfile",
    "#   it passed, and was expected to fail: it should not have",
    "# Totals: 5 tests: 1 passed, 1 failed as expected, 1 not covered, 1 failed, 1 passed unexpectedly",
    "#   1 failed as expected: CVE-2020-29374",
    "#   1 not covered: no such memory",
    "",
  ]);
});

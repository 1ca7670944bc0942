import { expect, test } from "vitest";
import { COW_ERAS, type CowRule } from "../memory/index.ts";
import { COW_THP_SIZES_KB } from "./cow-plan-backings.ts";
import { expectedFailure } from "./cow-plan-expected.ts";
import { type CowPlanOptions, isUnexpected, runCowTest } from "./cow-plan-run.ts";
import { type CowTest, cowPlan, nameOfCowTest, scenarioOfCowTest } from "./cow-plan.ts";
import { runScenario } from "./model-runner.ts";
import { scenarioOf } from "./parse-scenario.ts";
import { THP_SIZES_KB } from "./command.ts";

const RULES = Object.keys(COW_ERAS) as CowRule[];
const PLAN = cowPlan();

function namesOf(tests: readonly CowTest[]): string[] {
  return tests.map(nameOfCowTest);
}

test("the plan is as large as the kernel's own, for 8 THP sizes and 2 hugetlb sizes", () => {
  const thpSizes = COW_THP_SIZES_KB.length;
  const anonymous = 2 + 6 * thpSizes + 2 + 2;
  expect(PLAN).toHaveLength(14 * anonymous + 4 + 3 * (3 + 1 + 2));
  expect(PLAN).toHaveLength(778);
  expect(new Set(namesOf(PLAN)).size).toBe(PLAN.length);
  expect(PLAN.map(({ number }) => number)).toEqual(PLAN.map((_, index) => index + 1));
  for (const sizeKb of THP_SIZES_KB) expect(COW_THP_SIZES_KB).toContain(sizeKb);
});

test("only gigantic pages are not covered", () => {
  expect(PLAN.filter(({ backing }) => backing.missing !== undefined)).toHaveLength(14 + 3);
});

/** Sizes between the smallest and the largest behave as both do. */
const FEW_SIZES = PLAN.filter(({ backing: { title } }) => !/\((?:32|64|128|256|512|1024) kB\)/.test(title));

function unexpected(tests: readonly CowTest[], options: CowPlanOptions): string[] {
  const outcomes = tests.map((one) => runCowTest(one, options));
  const skipped = outcomes.filter(
    ({ verdict, test: { backing } }) => verdict === "not-covered" && backing.missing === undefined,
  );
  return [...outcomes.filter(isUnexpected), ...skipped].map(
    ({ test: one, reason }) => `${nameOfCowTest(one)}: ${reason}`,
  );
}

test("today's kernel fails A3 to A6 on hugetlb, and nothing else of the whole plan", () => {
  expect(unexpected(PLAN, { config: "page", rule: "large-reuse" })).toEqual([]);
});

test.each([
  ["exclusive", "page"],
  ["page-count", "page"],
  ["mapcount", "page"],
  ["large-reuse", "nopage"],
  ["exclusive", "nopage"],
  ["page-count", "nopage"],
] as const)("under rule %s a %s kernel fails what is known to fail, and nothing else", (rule, config) => {
  expect(unexpected(FEW_SIZES, { config, rule })).toEqual([]);
});

test("the rule of mapcount needs exact page mapcounts: with averages it leaks what no kernel ever leaked", () => {
  const few = FEW_SIZES.filter(({ case: { id } }) => id === "A1" || id === "A3");
  const found = unexpected(few, { config: "nopage", rule: "mapcount" });
  const names = found.map((text) => text.split(":")[0]);
  expect(names).toContain("A1 THP (2048 kB)");
  expect(names).toContain("A3 partially mremap()'ed THP (16 kB)");
  expect(unexpected(few, { config: "page", rule: "mapcount" })).toEqual([]);
});

test("CVE-2020-29374 is found by the rules of its time, on base pages and on huge ones, and closed by those of today", () => {
  const a3 = (title: string): CowTest => {
    const found = PLAN.find((one) => nameOfCowTest(one) === `A3 ${title}`);
    if (found === undefined) throw new Error(`no A3 on ${title}`);
    return found;
  };
  const resultsOf = (title: string): string[] =>
    (["mapcount", "page-count", "exclusive", "large-reuse"] as const).map(
      (rule) => runCowTest(a3(title), { config: "page", rule }).verdict,
    );
  expect(resultsOf("base page")).toEqual(["failed-as-expected", "passed", "passed", "passed"]);
  expect(resultsOf("THP (2048 kB)")).toEqual(["failed-as-expected", "failed-as-expected", "passed", "passed"]);
  expect(resultsOf("hugetlb (2048 kB)")).toEqual(Array.from({ length: 4 }, () => "failed-as-expected"));
  expect(runCowTest(a3("base page"), { config: "page", rule: "mapcount" }).reason).toContain(
    "C's pipe 0 sees 0xffffffffffffffff in page 0 instead of 0x101010101010101",
  );
});

test("known failures: 4 today and in 5.19; more under page_count, and under mapcount", () => {
  const countOf = (rule: CowRule): number =>
    PLAN.filter((one) => one.backing.missing === undefined && expectedFailure(one, rule) !== undefined).length;
  expect(RULES.map((rule) => [rule, countOf(rule)])).toEqual([
    ["mapcount", 4 * 45 + 53 + 2 * 53 + 2 * 5],
    ["page-count", 4 * 2 + 51 + 2 * 53 + 4 * 51 + 2 * 5],
    ["exclusive", 4],
    ["large-reuse", 4],
  ]);
});

test("every test is printed as a scenario that parses and runs from its first line to its dump", () => {
  for (const one of PLAN) {
    if (one.backing.missing !== undefined) continue;
    const text = scenarioOfCowTest(one);
    const scenario = scenarioOf(text, "plan.scn");
    expect(scenario.commands.at(-1)?.kind).toBe("dump");
    if (one.number % 97 === 0)
      expect(runScenario(scenario, { config: "page", schemes: [] }).record.steps).toHaveLength(1);
  }
});

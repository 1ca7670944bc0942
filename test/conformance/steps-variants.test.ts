/**
 * As steps.test.ts, for the constants by which the texts are checked in other forms than the one that counts.
 */
import { expect, test } from "vitest";
import { StepsError } from "../../src/checker/syntax.ts";
import { type Scheme, UNKNOWN, findScheme } from "../../src/schemes/index.ts";
import { ProcedureRunner } from "./run-procedure.ts";
import { SideBySide } from "./side-by-side.ts";
import type { Shape } from "./small-tables.ts";
import { HUGE, JOINT_STATES, PAIRS, STRADDLING, pairOf } from "./step-pairs.ts";

/** Constants that change the order or the safety of steps, not what they come to if nobody is in between. */
const VARIANTS: readonly (readonly [id: string, shape: Shape, constants: Readonly<Record<string, number>>])[] = [
  ["doublemap", HUGE, { FLAG_FIRST: 0 }],
  ["subpages", HUGE, { COMPOUND_MAPPED: 0 }],
  ["mm-owner", STRADDLING, { RECHECK: 0 }],
  ["subpages", HUGE, { CLAMPED: 0 }],
  ["sums", HUGE, { RECHECK: 0 }],
  ["rmap-id", HUGE, { RECHECK: 0, RETRY: 0 }],
  ["rmap-id", HUGE, { VALUES: 2 }],
  ["vma", STRADDLING, { REMEDY: 2 }],
  ["vma", STRADDLING, { REMEDY: 3 }],
  ["vma", STRADDLING, { REMEDY: 1, PEEK: 1 }],
  ["troll", STRADDLING, { REMEDY: 1 }],
  ["three-state", STRADDLING, { REMEDY: 1 }],
];

for (const [id, shape, constants] of VARIANTS) {
  test(`${id} agrees with ${JSON.stringify(constants)} too`, () => {
    const { words, ...pair } = PAIRS[id];
    // Their words differ from the counter's: what is compared are the answers.
    const differ = "COMPOUND_MAPPED" in constants || "VALUES" in constants;
    const options = { scheme: schemeOf(id), shape, ...pair, ...(differ || words === undefined ? {} : { words }) };
    const result = new SideBySide({ ...options, constants: { ...pair.constants, ...constants } }).search();
    expect(result.states).toBe(JOINT_STATES[id][shape === HUGE ? 0 : 1]);
  });
}

test("vma: the plain walk waits for the lock that its caller holds, in the first batch that is not the whole folio", () => {
  const plain = pairOf("vma", STRADDLING, { REMEDY: 0 });
  expect(() => plain.search()).toThrow(StepsError);
  expect(() => pairOf("vma", STRADDLING, { REMEDY: 0 }).search()).toThrow("waits for ever for ptl[0][0][0]");
});

test("total: where PMD entries can be among them, fewer entries than pages mean nothing", () => {
  const runner = new ProcedureRunner(schemeOf("total"), { PAGES: 4 });
  const added = runner.run("add_ptes", { n: 1 }, runner.initial()).variables;
  expect(runner.run("partial", {}, added).given).toBe(UNKNOWN);
});

function schemeOf(id: string): Scheme {
  const scheme = findScheme(id);
  if (scheme === undefined) throw new Error(`there is no scheme ${id}`);
  return scheme;
}

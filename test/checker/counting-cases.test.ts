/** The cases about counting give what the catalogue says; those with few states also without reductions, state by state. */
import { expect, test } from "vitest";
import { COUNTING_CASES } from "../../src/checker/counting-cases.ts";
import { outcomeOf, rowsOf, sorted, verdictsOf } from "./case-outcome.ts";

/** Cases of files of their own (three-....test.ts). */
const OWN_FILES = ["three", "three-anonymous"];
const MOST_STATES = 60_000;
const ROWS = rowsOf(COUNTING_CASES.filter(({ id }) => !OWN_FILES.includes(id)));

test.each(ROWS)("$id, $scheme: with reductions the verdicts of the catalogue", ({ checkCase, scheme }) => {
  expect(sorted(outcomeOf(checkCase, scheme, { reductions: true }))).toEqual(sorted(verdictsOf(checkCase, scheme)));
});

const COUNTED = ROWS.filter(({ checkCase, scheme }) => (checkCase.outcomes[scheme].states ?? Infinity) <= MOST_STATES);

test.each(COUNTED)("$id, $scheme: without, also the number of states", ({ checkCase, scheme }) => {
  expect(sorted(outcomeOf(checkCase, scheme, { reductions: false }))).toEqual(sorted(checkCase.outcomes[scheme]));
});

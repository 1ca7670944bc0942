/** The cases about locks give what the catalogue says, with and without reductions. */
import { expect, test } from "vitest";
import { LOCK_CASES } from "../../src/checker/lock-cases.ts";
import { outcomeOf, rowsOf, sorted, verdictsOf } from "./case-outcome.ts";

test.each(rowsOf(LOCK_CASES))(
  "$id, $scheme: with reductions the verdicts of the catalogue",
  ({ checkCase, scheme }) => {
    expect(sorted(outcomeOf(checkCase, scheme, { reductions: true }))).toEqual(sorted(verdictsOf(checkCase, scheme)));
  },
);

const COUNTED = rowsOf(LOCK_CASES).filter(({ checkCase, scheme }) => checkCase.outcomes[scheme].states !== undefined);

test.each(COUNTED)("$id, $scheme: without, also the number of states", ({ checkCase, scheme }) => {
  expect(sorted(outcomeOf(checkCase, scheme, { reductions: false }))).toEqual(sorted(checkCase.outcomes[scheme]));
});

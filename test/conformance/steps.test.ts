/**
 * One definition serves the model and the checker: the fast form of every scheme is equal to its stepwise form.
 *
 * Equal means: over all small states (joint states of both, every event that page tables allow from each), every answer,
 * every word that both have, the pages in the statistics, and the text's own `quiet counts`. Numbers of states are exact:
 * an event that one side no longer reaches changes them.
 */
import { expect, test } from "vitest";
import { SCHEMES } from "../../src/schemes/index.ts";
import { squares } from "./example-scheme.ts";
import { SideBySide } from "./side-by-side.ts";
import { HUGE, PAIRS, STRADDLING, TWO_AREAS, expectAgreement } from "./step-pairs.ts";

test("every scheme has a pair", () => {
  expect(Object.keys(PAIRS)).toEqual(SCHEMES.map(({ id }) => id));
});

for (const { id } of SCHEMES) {
  test(`${id}: steps and counter agree in all states of three address spaces with PTEs and PMD entries`, () => {
    expectAgreement(id, HUGE, 0);
  });
}

test("the worked example agrees", () => {
  for (const shape of [HUGE, STRADDLING, TWO_AREAS]) {
    const words = { entry_count: "entries", id_sum: "sumOfIds.low", square_sum: "sumOfSquares.low" };
    expect(new SideBySide({ scheme: squares, shape, words }).search().isComplete).toBe(true);
  }
});

/**
 * Each reduction, and all together, give the verdicts of the search without any, on random systems.
 *
 * A system without a meaning (a value out of its range) or with too many states says nothing; the tests hold that enough are
 * left, and that the reductions do reduce.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { MemoryOrder } from "../../src/checker/check.ts";
import { elaborate } from "../../src/checker/elaborate.ts";
import { exploreReference } from "../../src/checker/reference-explore.ts";
import { observedVariables, safeSteps } from "../../src/checker/safe-steps.ts";
import { StepsError } from "../../src/checker/syntax.ts";
import { symmetries } from "../../src/checker/symmetries.ts";
import { randomSystems, textOf } from "./random-texts.ts";
import { exploreReduced } from "./slow-reductions.ts";

const STATE_LIMIT = 300;
const RUNS = 100;
const SEED = 5;

interface Count {
  compared: number;
  states: number;
  reduced: number;
}

interface Reductions {
  readonly steps: boolean;
  readonly symmetry: boolean;
}

/** Compares the verdicts for one system; counts it if there was something to compare. */
function compareOne(text: string, memory: MemoryOrder, reductions: Reductions, count: Count): void {
  const machine = elaborate({ name: "random", texts: [{ name: "random", text }] });
  const options = { memory, bufferEntries: 2, stateLimit: STATE_LIMIT };
  const whole = exploreReference(machine, options);
  if (whole.coverage !== "complete") return;
  const expected = whole.findings.filter(({ outcome }) => outcome === "broken" || outcome === "seen");
  const reduced = exploreReduced(machine, {
    ...options,
    ...(reductions.steps
      ? { safe: safeSteps(machine, observedVariables(machine), { memory, bufferEntries: 2, endsBelowZero: false }) }
      : {}),
    ...(reductions.symmetry ? { permutations: symmetries(machine).permutations } : {}),
  });
  expect(reduced.decided).toEqual(expected.map(({ name }) => name).sort());
  expect(reduced.states).toBeLessThanOrEqual(whole.states);
  count.compared++;
  count.states += whole.states;
  count.reduced += reduced.states;
}

function compareMany(memory: MemoryOrder, reductions: Reductions, seed: number, runs: number): Count {
  const count: Count = { compared: 0, states: 0, reduced: 0 };
  fc.assert(
    fc.property(randomSystems.map(textOf), (text) => {
      try {
        compareOne(text, memory, reductions, count);
      } catch (error) {
        if (!(error instanceof StepsError)) throw error;
      }
    }),
    { seed, numRuns: runs },
  );
  return count;
}

test("safe steps taken at once change no verdict", () => {
  const { compared, states, reduced } = compareMany("sc", { steps: true, symmetry: false }, SEED, RUNS);
  expect(compared).toBeGreaterThan(RUNS / 2);
  expect(reduced).toBeLessThan(0.9 * states);
});

test("safe steps taken at once change no verdict under TSO", () => {
  const { compared, states, reduced } = compareMany("tso", { steps: true, symmetry: false }, SEED + 1, RUNS);
  expect(compared).toBeGreaterThan(RUNS / 2);
  expect(reduced).toBeLessThan(0.9 * states);
});

test("one state kept of those that are permutations of each other changes no verdict", () => {
  const { compared, states, reduced } = compareMany("sc", { steps: false, symmetry: true }, SEED + 2, RUNS);
  expect(compared).toBeGreaterThan(RUNS / 2);
  expect(reduced).toBeLessThan(0.7 * states);
});

test("all reductions together change no verdict, under SC and under TSO", () => {
  for (const memory of ["sc", "tso"] as const) {
    const { compared, states, reduced } = compareMany(memory, { steps: true, symmetry: true }, SEED + 3, RUNS);
    expect(compared).toBeGreaterThan(RUNS / 2);
    expect(reduced).toBeLessThan(0.7 * states);
  }
});

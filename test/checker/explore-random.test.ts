/**
 * The fast explorer against the slow one, on random systems: the same states, transitions, depth and verdicts.
 *
 * Without reductions every number must be the same, whatever order it searches in and however memory is ordered; with each
 * reduction every verdict. A text without a meaning must be refused by both. The tests hold that enough systems are left to
 * say something.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { CheckOptions, CheckResult } from "../../src/checker/check.ts";
import { elaborate } from "../../src/checker/elaborate.ts";
import { checkMachine } from "../../src/checker/explore.ts";
import { findLivelock } from "../../src/checker/livelock.ts";
import { interpretStates } from "./interpreted-graph.ts";
import { exploreReference, type ReferenceResult } from "../../src/checker/reference-explore.ts";
import type { StepMachine } from "../../src/checker/step-machine.ts";
import { StepsError } from "../../src/checker/syntax.ts";
import { symmetries } from "../../src/checker/symmetries.ts";
import { randomSystems, textOf } from "./random-texts.ts";
import { exploreReduced } from "./slow-reductions.ts";

const STATE_LIMIT = 400;
const RUNS = Number(process.env["RUNS"] ?? 40);
const SEED = Number(process.env["SEED"] ?? 11);
const WITHOUT: CheckOptions = { partialOrderReduction: false, symmetry: false, allProperties: true };

/** The verdicts, in the order of the properties. */
function verdictsOf({ properties }: CheckResult): string[] {
  return properties.map(({ name, outcome }) => `${name}: ${outcome}`);
}

function expectedVerdicts({ findings }: ReferenceResult): string[] {
  return findings.map(({ name, outcome }) => `${name}: ${outcome}`);
}

/** Runs `compare` for random systems that have a meaning and few states; how many there were. */
function compareMany(
  memory: "sc" | "tso",
  seed: number,
  compare: (machine: StepMachine, whole: ReferenceResult) => void,
): number {
  let compared = 0;
  fc.assert(
    fc.property(randomSystems.map(textOf), (text) => {
      let machine: StepMachine;
      try {
        machine = elaborate({ name: "random", texts: [{ name: "random", text }] });
      } catch (error) {
        if (error instanceof StepsError) return;
        throw error;
      }
      let whole: ReferenceResult;
      try {
        whole = exploreReference(machine, { memory, bufferEntries: 2, stateLimit: STATE_LIMIT });
      } catch (error) {
        if (!(error instanceof StepsError)) throw error;
        expect(() => checkMachine(machine, { ...WITHOUT, memory })).toThrow(StepsError);
        return;
      }
      if (whole.coverage !== "complete") return;
      compared++;
      compare(machine, whole);
    }),
    { seed, numRuns: RUNS },
  );
  return compared;
}

for (const memory of ["sc", "tso"] as const) {
  test(`breadth first finds the states, transitions and depth of the slow search under ${memory}`, () => {
    const compared = compareMany(memory, SEED, (machine, whole) => {
      const result = checkMachine(machine, { ...WITHOUT, memory });
      const { states, transitions, depth } = result.figures;
      expect({ states, transitions, depth }).toEqual({
        states: whole.states,
        transitions: whole.transitions,
        depth: whole.depth,
      });
      expect(verdictsOf(result)).toEqual(expectedVerdicts(whole));
      for (const property of result.properties) {
        if (property.outcome === "broken") expect(property.story.ending).not.toBe("");
      }
    });
    expect(compared).toBeGreaterThan(RUNS / 3);
  });

  test(`depth first finds as many states and transitions under ${memory}`, () => {
    const compared = compareMany(memory, SEED + 1, (machine, whole) => {
      const result = checkMachine(machine, { ...WITHOUT, memory, search: "depth-first" });
      expect([result.figures.states, result.figures.transitions]).toEqual([whole.states, whole.transitions]);
      expect(verdictsOf(result)).toEqual(expectedVerdicts(whole));
    });
    expect(compared).toBeGreaterThan(RUNS / 3);
  });

  test(`each reduction, and both, leave the verdicts under ${memory}`, () => {
    const compared = compareMany(memory, SEED + 2, (machine, whole) => {
      for (const partialOrderReduction of [true, false]) {
        for (const symmetry of [true, false]) {
          const result = checkMachine(machine, { allProperties: true, memory, partialOrderReduction, symmetry });
          expect(verdictsOf(result)).toEqual(expectedVerdicts(whole));
          expect(result.figures.states).toBeLessThanOrEqual(whole.states);
        }
      }
    });
    expect(compared).toBeGreaterThan(RUNS / 3);
  });
}

test("symmetry leaves exactly one state for all that are alike, as the slow reduction does", () => {
  for (const memory of ["sc", "tso"] as const) {
    let less = 0;
    compareMany(memory, SEED + 5, (machine, whole) => {
      const { permutations } = symmetries(machine);
      const slow = exploreReduced(machine, { memory, permutations, stateLimit: STATE_LIMIT });
      const { figures } = checkMachine(machine, { memory, partialOrderReduction: false, allProperties: true });
      expect(figures.states).toBe(slow.states);
      if (figures.states < whole.states) less++;
    });
    expect(less).toBeGreaterThan(RUNS / 10);
  }
});

test("threads and elements that stand in store buffers are exchanged like all others", () => {
  const text = `
set mm 3
word each[mm]: bool
word last: mm?
lock own[mm]
thread t * 2 { pick m in mm
  lock own[m]
  store each[m] = 1
  store last = m
  unlock own[m]
  let x = load last }`;
  const machine = elaborate({ name: "test", texts: [{ name: "test", text }] });
  const { permutations } = symmetries(machine);
  expect(permutations).toHaveLength(12);
  const slow = exploreReduced(machine, { memory: "tso", permutations, stateLimit: 20_000 });
  const { states } = checkMachine(machine, { memory: "tso", partialOrderReduction: false }).figures;
  const whole = checkMachine(machine, { memory: "tso", ...WITHOUT }).figures.states;
  expect(states).toBe(slow.states);
  expect([states, whole]).toEqual([123, 1195]);
});

test("a search that ends with the first broken property has seen what the slow one has by then", () => {
  let broken = 0;
  compareMany("sc", SEED + 3, (machine) => {
    const whole = exploreReference(machine, { stopAtBroken: true });
    const result = checkMachine(machine, { partialOrderReduction: false, symmetry: false });
    expect(result.coverage).toBe(whole.coverage);
    const { states, transitions } = result.figures;
    expect([states, transitions]).toEqual([whole.states, whole.transitions]);
    const isDecided = (outcome: string): boolean => outcome === "broken" || outcome === "seen";
    expect(result.properties.map(({ name, outcome }) => [name, isDecided(outcome)])).toEqual(
      whole.findings.map(({ name, outcome }) => [name, isDecided(outcome)]),
    );
    if (result.coverage === "stopped-at-broken") broken++;
    for (const [number, property] of result.properties.entries()) {
      const { path, breaking } = whole.findings[number];
      if (property.outcome !== "broken" || property.name === "deadlock") continue;
      expect(property.story.steps.length).toBe((path?.length ?? 0) - 1 + (breaking === undefined ? 0 : 1));
    }
  });
  expect(broken).toBeGreaterThan(3);
});

test("livelocks are found exactly where the interpreter's graph has them", () => {
  let livelocks = 0;
  for (const memory of ["sc", "tso"] as const) {
    const compared = compareMany(memory, SEED + 4, (machine) => {
      const states = interpretStates(machine, { memory }, STATE_LIMIT);
      if (states === undefined) throw new Error("the slow search had fewer states");
      const expected = findLivelock(states) !== undefined;
      const result = checkMachine(machine, { memory, properties: ["livelock"] });
      const verdict = result.properties.find(({ name }) => name === "livelock");
      expect(verdict?.outcome).toBe(expected ? "broken" : "holds");
      if (verdict?.outcome !== "broken") return;
      livelocks++;
      expect(verdict.story.repeatsFrom).toBeLessThan(verdict.story.steps.length);
    });
    expect(compared).toBeGreaterThan(RUNS / 3);
  }
  expect(livelocks).toBeGreaterThan(0);
});

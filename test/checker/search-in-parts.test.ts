/**
 * A search in parts against the search in one thread: the same figures, verdicts and shortest stories.
 *
 * The parts are here in one thread; what goes between them goes through a structured clone, as between workers.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { twoSlots } from "../../bench/checker/two-slots.ts";
import type { CheckOptions, CheckResult } from "../../src/checker/check.ts";
import { elaborate } from "../../src/checker/elaborate.ts";
import { checkMachine } from "../../src/checker/explore.ts";
import { checkInParts, type WorkerPart } from "../../src/checker/search-in-parts.ts";
import { createSearchPart } from "../../src/checker/search-part.ts";
import type { StepMachine } from "../../src/checker/step-machine.ts";
import { StepsError } from "../../src/checker/syntax.ts";
import { randomSystems, textOf } from "./random-texts.ts";

function partsOf(machine: StepMachine, options: CheckOptions, parts: number): WorkerPart[] {
  return Array.from({ length: parts }, (_, part) => {
    const own = createSearchPart(machine, options, { part, parts });
    return {
      round: (request) => Promise.resolve(structuredClone(own.round(structuredClone(request)))),
      stateOnWay: (number) => Promise.resolve(structuredClone(own.stateOnWay(number))),
    };
  });
}

function checkApart(machine: StepMachine, options: CheckOptions, parts: number): Promise<CheckResult> {
  return checkInParts(machine, options, partsOf(machine, options, parts));
}

/** Verdicts, and how long the stories are. */
function verdictsOf({ properties }: CheckResult): string[] {
  return properties.map((one) =>
    one.outcome === "broken" ? `${one.name}: ${one.story.steps.length} steps` : `${one.name}: ${one.outcome}`,
  );
}

test.each([1, 2, 3, 7])("%i parts find the states, transitions and depth of one, and its verdicts", async (parts) => {
  const machine = elaborate(twoSlots(4, 2));
  for (const options of [{ symmetry: false }, {}]) {
    const whole = checkMachine(machine, options);
    const apart = await checkApart(machine, options, parts);
    expect(apart.coverage).toBe("complete");
    const { states, transitions, depth, stateWords } = whole.figures;
    expect(apart.figures).toMatchObject({ states, transitions, depth, stateWords });
    expect(verdictsOf(apart)).toEqual(verdictsOf(whole));
  }
});

test("random systems have the same figures and verdicts in three parts, and stories as short", async () => {
  let compared = 0;
  let broken = 0;
  await fc.assert(
    fc.asyncProperty(
      randomSystems.map(textOf),
      fc.constantFrom("sc" as const, "tso" as const),
      async (text, memory) => {
        let machine: StepMachine;
        let whole: CheckResult;
        const options: CheckOptions = { memory, allProperties: true, partialOrderReduction: false, stateLimit: 600 };
        try {
          machine = elaborate({ name: "random", texts: [{ name: "random", text }] });
          whole = checkMachine(machine, options);
        } catch (error) {
          if (error instanceof StepsError) return;
          throw error;
        }
        if (whole.coverage !== "complete") return;
        const apart = await checkApart(machine, { ...options, stateLimit: 10_000 }, 3);
        const { states, transitions, depth } = whole.figures;
        expect(apart.figures).toMatchObject({ states, transitions, depth });
        const lengths = verdictsOf(whole).map((verdict) => verdict.replace(/deadlock: \d+/, "deadlock"));
        expect(verdictsOf(apart).map((verdict) => verdict.replace(/deadlock: \d+/, "deadlock"))).toEqual(lengths);
        compared++;
        if (whole.properties.some(({ outcome }) => outcome === "broken")) broken++;
      },
    ),
    { seed: 21, numRuns: 50 },
  );
  expect(compared).toBeGreaterThan(20);
  expect(broken).toBeGreaterThan(5);
});

test("the first broken property ends a search in parts too", async () => {
  const machine = elaborate({ ...twoSlots(2, 2), withoutLocks: ["large"] });
  const options: CheckOptions = { properties: ["exclusive"] };
  const whole = checkMachine(machine, options);
  const apart = await checkApart(machine, options, 2);
  expect([whole.coverage, apart.coverage]).toEqual(["stopped-at-broken", "stopped-at-broken"]);
  expect(verdictsOf(apart)).toEqual(verdictsOf(whole));
});

test("each part has its share of the limits, and a full one ends the search", async () => {
  const machine = elaborate(twoSlots(4, 3));
  const result = await checkApart(machine, { symmetry: false, stateLimit: 1000 }, 2);
  expect(result.coverage).toBe("state-limit");
  expect(result.figures.states).toBeLessThanOrEqual(1000);
  expect(result.figures.states).toBeGreaterThan(500);
  expect(result.properties.every(({ outcome }) => outcome === "holds-so-far")).toBe(true);
});

test("a watch may end a search in parts", async () => {
  const machine = elaborate(twoSlots(4, 3));
  let clock = 0;
  let told = 0;
  const watch = { now: () => (clock += 1000), progress: () => ++told < 3 };
  const result = await checkInParts(machine, {}, partsOf(machine, {}, 2), watch);
  expect([result.coverage, told]).toEqual(["interrupted", 3]);
});

test("what parts cannot do is refused: another order, livelocks, no parts at all", async () => {
  const machine = elaborate(twoSlots(2, 1));
  await expect(checkApart(machine, { search: "depth-first" }, 2)).rejects.toThrow("breadth first");
  await expect(checkApart(machine, { liveness: true }, 2)).rejects.toThrow("livelocks");
  await expect(checkInParts(machine, {}, [])).rejects.toThrow("1 to 64 workers");
});

/**
 * What holds for every workload, whatever it is about. What each one shows is in claims.test.ts.
 */
import { describe, expect, test } from "vitest";
import { EntryMachine, LIMITS, formatScenario, parseScenario, runScenario } from "../scenario/index.ts";
import { SCHEMES } from "../schemes/index.ts";
import {
  BadWorkload,
  type EntryWorkload,
  WORKLOADS,
  type Workload,
  type WorkloadParameter,
  findWorkload,
  leastValues,
  parseAssignment,
  scenarioOfWorkload,
  seededRandom,
  valuesOf,
} from "./index.ts";

const SCENARIOS = WORKLOADS.filter((workload) => workload.kind === "scenario");
const ENTRIES = WORKLOADS.filter((workload) => workload.kind === "entries");

/** Frames that are enough for every workload at its least: looking at all of them after every command takes time. */
const SMALL_MACHINE = 16_384;

/** Another value that the parameter may have. */
function otherValue({ default: standard, min, max, choices }: WorkloadParameter): number {
  if (choices !== undefined) return choices[choices[0] === standard ? 1 : 0];
  return standard === min ? Math.min(min + 1, max) : Math.max(min, Math.floor(standard / 2));
}

/** The history as text, whatever kind of workload it is. */
function textOf(workload: Workload, asked: Readonly<Record<string, number>>, seed: number): string {
  if (workload.kind === "entries") return stepsOf(workload, asked, seed).join("\n");
  return [...workload.lines(valuesOf(workload, asked), seededRandom(seed))].join("\n");
}

function stepsOf(workload: EntryWorkload, asked: Readonly<Record<string, number>>, seed: number): string[] {
  const machine = new EntryMachine({ schemes: [], ...workload.machine });
  return Array.from(workload.steps(machine, valuesOf(workload, asked), seededRandom(seed)), ({ text }) => text);
}

test("there are fifteen, each with an id of its own that finds it", () => {
  expect(new Set(WORKLOADS.map(({ id }) => id)).size).toBe(15);
  for (const workload of WORKLOADS) expect(findWorkload(workload.id)).toBe(workload);
  expect(findWorkload("idle")).toBeUndefined();
});

describe.each(WORKLOADS.map((workload) => [workload.id, workload] as const))("%s", (_, workload) => {
  test("says what it is, where it comes from and what is guessed", () => {
    expect(workload.about).toMatch(/guess/);
    expect(workload.source).toMatch(/literature|kernel-facts|PyTorch/);
    expect(workload.title).not.toMatch(/\.$/);
  });

  test("has defaults within their ranges", () => {
    for (const { default: standard, min, max, choices } of Object.values(workload.parameters)) {
      expect(standard).toBeGreaterThanOrEqual(min);
      expect(standard).toBeLessThanOrEqual(max);
      if (choices === undefined) continue;
      expect(choices).toContain(standard);
      expect([choices[0], choices.at(-1)]).toEqual([min, max]);
      expect(choices).toEqual([...choices].sort((one, other) => one - other));
    }
  });

  test("is the same for the same seed, and another for another", () => {
    expect(textOf(workload, {}, 7)).toBe(textOf(workload, {}, 7));
    expect(textOf(workload, {}, 8)).not.toBe(textOf(workload, {}, 7));
  });

  test("changes with each of its parameters", () => {
    const usual = textOf(workload, {}, 1);
    for (const [name, parameter] of Object.entries(workload.parameters)) {
      expect(textOf(workload, { [name]: otherValue(parameter) }, 1), name).not.toBe(usual);
    }
  });
});

describe.each(SCENARIOS.map((workload) => [workload.id, workload] as const))("the scenario %s", (_, workload) => {
  test("at its least is short, and one that the driver of the kernel lab can run", () => {
    for (const seed of [1, 2, 3]) {
      const { text } = scenarioOfWorkload(workload, leastValues(workload), seed);
      expect(text.split("\n").length).toBeLessThan(50);
      expect(parseScenario(text, "least.scn", "driver")).toMatchObject({ ok: true });
    }
  });

  test.each(["page", "nopage"] as const)("at its least keeps all invariants, built with %s", (config) => {
    for (const seed of [1, 2]) {
      const { scenario } = scenarioOfWorkload(workload, leastValues(workload), seed);
      const options = { config, schemes: SCHEMES, checkInvariants: true, frameCount: SMALL_MACHINE };
      expect(() => runScenario(scenario, options)).not.toThrow();
    }
  });

  test("is written as the language's own formatter writes it, sizes and addresses apart", () => {
    const { scenario } = scenarioOfWorkload(workload, leastValues(workload), 1);
    const again = parseScenario(formatScenario(scenario.commands), "again.scn");
    expect(again.ok && again.scenario.commands.map(({ kind }) => kind)).toEqual(
      scenario.commands.map(({ kind }) => kind),
    );
  });
});

describe.each(ENTRIES.map((workload) => [workload.id, workload] as const))("the entries of %s", (_, workload) => {
  test("at its least and at its usual size it comes to its end", () => {
    expect(stepsOf(workload, leastValues(workload), 1).length).toBeGreaterThan(5);
    expect(stepsOf(workload, {}, 1).length).toBeGreaterThan(100);
  });
});

const [FORK_SERVER] = SCENARIOS;

test("a value that is out of range, not whole or of no parameter is refused in one sentence, and nothing is clipped", () => {
  expect(() => scenarioOfWorkload(FORK_SERVER, { folios: 0 }, 1)).toThrow(
    new BadWorkload("folios of fork-server cannot be 0: it is a whole number, 1 to 65536."),
  );
  expect(() => valuesOf(FORK_SERVER, { folioKb: 32 })).toThrow(/one of 16, 64, 128, 256, 512, 1024, 2048/);
  expect(() => valuesOf(FORK_SERVER, { folios: 1.5 })).toThrow(BadWorkload);
  expect(() => valuesOf(FORK_SERVER, { toString: 1 })).toThrow(/has no parameter "toString"; it has folioKb, folios/);
  expect(valuesOf(FORK_SERVER, { folios: 3 })).toEqual({ ...valuesOf(FORK_SERVER, {}), folios: 3 });
  for (const seed of [-1, 0.5, 2 ** 53]) {
    expect(() => scenarioOfWorkload(FORK_SERVER, {}, seed)).toThrow(/A seed is a whole number/);
  }
});

test("the text of a scenario begins with what makes it again", () => {
  const { text } = scenarioOfWorkload(FORK_SERVER, leastValues(FORK_SERVER), 42);
  expect(text.split("\n").slice(0, 2)).toEqual([
    "# fork-server: a server that forks a child for each request",
    "# folioKb=16 folios=1 children=1 atOnce=1 writePercent=1 seed=42",
  ]);
});

test("name=value is read, and refused where it is none", () => {
  expect(parseAssignment(FORK_SERVER, "folios=12")).toEqual({ folios: 12 });
  for (const bad of ["folios", "folios=", "folios=x", "folios=-1", "folios=1.5", "=1", "folios=1 "]) {
    expect(() => parseAssignment(FORK_SERVER, bad), bad).toThrow(/not of the form name=value/);
  }
  expect(() => parseAssignment(FORK_SERVER, "pages=1")).toThrow(/has no parameter "pages"/);
});

test("what the model cannot hold is refused before it is built, memory and text alike", () => {
  expect(() => scenarioOfWorkload(FORK_SERVER, { folios: 65_536, folioKb: 2048 }, 1)).toThrow(
    /needs a machine of [0-9.]+ GiB, and the model can have 16\.0 GiB/,
  );
  expect(() => scenarioOfWorkload(FORK_SERVER, { children: 4096, folios: 8192, writePercent: 100 }, 1)).toThrow(
    new RegExp(`no scenario that the model runs: more than ${LIMITS.model.scenarioBytes} bytes of text`),
  );
});

test("seeds of more than 32 bits are different seeds", () => {
  const first = (seed: number): number[] => Array.from({ length: 4 }, seededRandom(seed));
  expect(first(1)).not.toEqual(first(1 + 2 ** 32));
  const random = seededRandom(3);
  const drawn = Array.from({ length: 20_000 }, random);
  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...drawn)).toBeLessThan(1);
  // Ten classes of 2,000 expected draws each; five standard deviations are 212.
  for (let tenth = 0; tenth < 10; tenth++) {
    const count = drawn.filter((value) => Math.floor(value * 10) === tenth).length;
    expect(Math.abs(count - 2000)).toBeLessThan(212);
  }
});

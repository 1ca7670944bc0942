/**
 * Every workload runs to its end on the model, whatever its size, and every command does what it is to do.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { runScenario } from "../scenario/index.ts";
import {
  type ScenarioWorkload,
  WORKLOADS,
  type Workload,
  findWorkload,
  leastValues,
  scenarioOfWorkload,
  valuesOf,
} from "./index.ts";

const SCENARIOS = WORKLOADS.filter((workload) => workload.kind === "scenario");

/** Values near the least; of shares and folio sizes any. */
function smallValues({ parameters }: Workload): fc.Arbitrary<Record<string, number>> {
  const values = Object.entries(parameters).map(([name, { min, max, choices }]) => {
    if (choices !== undefined) return [name, fc.constantFrom(...choices)] as const;
    return [name, fc.integer({ min, max: max <= 100 ? max : min + 4 })] as const;
  });
  return fc.record(Object.fromEntries(values));
}

/** Commands that did not do what they were to do: a system call that failed, a process that died or was not there. */
function complaintsOf(workload: ScenarioWorkload, asked: Readonly<Record<string, number>>, seed: number): string[] {
  const { scenario } = scenarioOfWorkload(workload, asked, seed);
  const frameCount = 4096 + 2 * Math.ceil((workload.memoryBytes(valuesOf(workload, asked)) * 1.25) / 8192);
  const { record } = runScenario(
    { ...scenario, commands: withOneDump(scenario.commands) },
    { config: "page", schemes: [], frameCount },
  );
  return record.steps.flatMap(({ commands }) => commands).filter((text) => / = (?:0xffff|-)| !! /.test(text));
}

/** The commands with a dump of nobody at the end instead of their own: dumps of large machines take their time. */
function withOneDump(
  commands: ReturnType<typeof scenarioOfWorkload>["scenario"]["commands"],
): ReturnType<typeof scenarioOfWorkload>["scenario"]["commands"] {
  const end = { kind: "dump", label: "end", processes: ["nobody"], line: 0, column: 1, source: "", echo: "" } as const;
  return [...commands.filter(({ kind }) => kind !== "dump"), end];
}

describe.each(SCENARIOS.map((workload) => [workload.id, workload] as const))("%s", (_, workload) => {
  test("runs to its end at its usual size in the memory that it says, and every command does what it is to do", () => {
    expect(complaintsOf(workload, {}, 1)).toEqual([]);
    expect(complaintsOf(workload, leastValues(workload), 5)).toEqual([]);
  });

  test("does so at whatever size", () => {
    fc.assert(
      fc.property(smallValues(workload), fc.nat(), (values, seed) => {
        expect(complaintsOf(workload, values, seed), JSON.stringify({ values, seed })).toEqual([]);
      }),
      { numRuns: 5, seed: 4 },
    );
  });
});

test("a workload of more than a gibibyte runs on a machine that is as large as it says", () => {
  const forkServer = findWorkload("fork-server");
  if (forkServer?.kind !== "scenario") throw new Error("fork-server is a scenario");
  const { scenario, frameCount } = scenarioOfWorkload(
    forkServer,
    { folioKb: 2048, folios: 640, children: 1, writePercent: 1 },
    1,
  );
  expect(frameCount).toBeGreaterThan(640 * 512);
  const commands = withOneDump(scenario.commands);
  const run = (frames: number): unknown =>
    runScenario({ ...scenario, commands }, { config: "page", schemes: [], frameCount: frames });
  expect(() => run(frameCount)).not.toThrow();
  expect(() => run(262_144)).toThrow(/memory of 1024 MiB has no free folio of order \d+ .*--memory 2048M/);
});

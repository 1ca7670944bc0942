/**
 * Random schedules as a check: the same question and the same kind of answer as a search of all states.
 */
import type { CheckOptions, CheckResult, PropertyOutcome } from "./check.ts";
import { type RandomFinding, type RandomResult, type RandomWatch, exploreRandomly } from "./random-schedules.ts";
import type { StepMachine } from "./step-machine.ts";
import { tellWay } from "./story.ts";

export interface ScheduleOptions {
  readonly seed: number;
  /** Schedules to run. */
  readonly count: number;
  /** Changes of priority in each: bugs that need one ordering constraint more than this are found by chance only. */
  readonly changes: number;
}

/**
 * Runs schedules up to the first broken property. Of `options` the memory order, its buffer and the properties count:
 * nothing is kept, so there is nothing to reduce and no limit to meet.
 *
 * @throws {StepsError} for a property that there is not, or livelock, which needs all states.
 */
export function checkRandomly(
  machine: StepMachine,
  options: CheckOptions,
  { seed, count, changes }: ScheduleOptions,
  watch?: RandomWatch,
): CheckResult {
  const { memory = "sc", bufferEntries = 2, properties } = options;
  const found = exploreRandomly(
    machine,
    {
      memory,
      bufferEntries,
      seed,
      schedules: count,
      depth: changes + 1,
      ...(properties === undefined ? {} : { properties }),
    },
    watch,
  );
  return {
    configuration: machine.name,
    options,
    coverage: found.coverage === "schedules-done" ? "schedules" : found.coverage,
    schedules: { seed, count: found.schedules, cutShort: found.cutShort },
    figures: { states: found.distinctStates, transitions: found.steps, depth: found.longest, bytes: 0, stateWords: 0 },
    properties: found.findings.map((finding) => outcomeOf(machine, options, finding, found)),
  };
}

function outcomeOf(
  machine: StepMachine,
  options: CheckOptions,
  finding: RandomFinding,
  found: RandomResult,
): PropertyOutcome {
  const { name, when, outcome } = finding;
  if (outcome !== "broken" || found.broken === undefined) {
    return { name, when, outcome: outcome === "broken" ? "holds-so-far" : outcome };
  }
  return { name, when, outcome, story: tellWay(machine, options, { name, when }, found.broken) };
}

/**
 * A scenario on the model, under any number of schemes.
 */
import type { Scenario } from "./command.ts";
import type { RunScenarioOptions, ScenarioRun } from "./scenario-run.ts";

/** Runs all commands of a scenario on a new machine. */
export function runScenario(_scenario: Scenario, _options: RunScenarioOptions): ScenarioRun {
  throw new Error("the model is not connected");
}

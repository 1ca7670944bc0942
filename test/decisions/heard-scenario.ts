/**
 * Runs scenarios on a machine whose decisions are heard.
 */
import type { DecisionListener } from "../../src/decisions/index.ts";
import type { Scenario } from "../../src/scenario/index.ts";
import { type CountedMachine, type MachineOptions, createCountedMachine } from "../../src/scenario/counted-machine.ts";
import { runCommand } from "../../src/scenario/model-commands.ts";
import { ModelRun } from "../../src/scenario/model-run.ts";
import { scenarioOf } from "../../src/scenario/index.ts";

/** Runs all commands but dumps; `between` is called after each. The machine as it is at the end. */
export function runHeard(
  scenario: Scenario | string,
  options: MachineOptions,
  listener: (machine: CountedMachine) => DecisionListener,
  between?: (machine: CountedMachine) => void,
): CountedMachine {
  const machine = createCountedMachine(options);
  const run = new ModelRun(machine);
  machine.listenToDecisions(listener(machine));
  const { commands } = typeof scenario === "string" ? scenarioOf(scenario, "test.scn") : scenario;
  for (const command of commands) {
    if (command.kind === "dump" || command.kind === "baseline") continue;
    runCommand(run, command);
    between?.(machine);
  }
  return machine;
}

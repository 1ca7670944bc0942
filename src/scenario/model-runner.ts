/**
 * A scenario on the model, under any number of schemes.
 */
import { drainLru } from "../memory/index.ts";
import { FolioLabels } from "./dump-model-pagemap.ts";
import type { Scenario, ScenarioCommand } from "./command.ts";
import { consumersAt } from "./consumer-figures.ts";
import { ContentsOracle } from "./contents-oracle.ts";
import { type CountedMachine, createCountedMachine } from "./counted-machine.ts";
import type { RecordedStep } from "./dump.ts";
import { dumpModel } from "./dump-model.ts";
import { checkMachine } from "./machine-invariants.ts";
import { runCommand } from "./model-commands.ts";
import { ModelRun } from "./model-run.ts";
import { viewOfModel } from "./model-view.ts";
import type { RunScenarioOptions, ScenarioRun, ScenarioView } from "./scenario-run.ts";

/** A command that the model cannot follow: where it stands and why. */
export class ScenarioStopped extends Error {
  readonly command: ScenarioCommand;

  constructor(command: ScenarioCommand, cause: Error) {
    super(`line ${command.line}: ${command.source}: ${cause.message}`, { cause });
    this.name = "ScenarioStopped";
    this.command = command;
  }
}

/**
 * Runs all commands of a scenario on a new machine. Throws ScenarioStopped where the model does not cover a command, and
 * UnsafeContents where contents are checked and somebody sees what it must not.
 */
export function runScenario(scenario: Scenario, options: RunScenarioOptions): ScenarioRun {
  const machine = createCountedMachine(options);
  const run = new ModelRun(machine);
  const oracle = options.checkContents === true ? new ContentsOracle(run) : undefined;
  const steps: RecordedStep[] = [];
  const views: ScenarioView[] = [];
  let commands: string[] = [];
  for (const command of scenario.commands) {
    if (command.kind === "dump") {
      const { step, view } = dumpAt(run, command, { commands, hasConsumers: options.consumers === true });
      steps.push(step);
      views.push(view);
      commands = [];
      continue;
    }
    if (command.kind === "baseline") continue;
    const before = oracle?.before(command);
    const result = runOne(run, command);
    commands.push(`${command.echo}${result}`);
    if (before !== undefined) oracle?.after(command, before, result);
    if (options.checkInvariants === true) checkAfter(machine, command);
  }
  return { config: options.config, schemes: options.schemes.map(({ id }) => id), record: { steps }, views };
}

function runOne(run: ModelRun, command: ScenarioCommand): string {
  try {
    return runCommand(run, command);
  } catch (error) {
    if (error instanceof Error) throw new ScenarioStopped(command, error);
    throw error;
  }
}

function checkAfter(machine: CountedMachine, command: ScenarioCommand): void {
  try {
    checkMachine(machine);
  } catch (error) {
    if (error instanceof Error) throw new ScenarioStopped(command, error);
    throw error;
  }
}

function dumpAt(
  run: ModelRun,
  command: Extract<ScenarioCommand, { kind: "dump" }>,
  { commands, hasConsumers }: { readonly commands: readonly string[]; readonly hasConsumers: boolean },
): { readonly step: RecordedStep; readonly view: ScenarioView } {
  const { machine, table } = run;
  drainLru(machine.memory);
  const chosen = table.processes.filter(
    ({ alive, name }) => alive && (command.processes.length === 0 || command.processes.includes(name)),
  );
  const labels = new FolioLabels(machine.memory);
  const dump = dumpModel(machine, table, command.label, chosen, labels);
  const view = viewOfModel(machine, table, dump, labels, { line: command.line, commands });
  const consumers = hasConsumers ? { consumers: consumersAt(machine, chosen) } : {};
  return { step: { commands, dump }, view: { ...view, ...consumers } };
}

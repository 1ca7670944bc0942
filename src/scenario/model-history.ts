/**
 * A scenario on the model as a history under study: command by command, each named after what it does.
 *
 * A command that asks one thing of the kernel has that thing's name. What a load or store asks is not in the command: a
 * `touch` is named after what most of it turned out to be, by the work that was counted. Commands that touch no memory
 * (dumps, sleeps) are no steps.
 */
import type { WorkName } from "../kernel/index.ts";
import type { Scenario, ScenarioCommand } from "./command.ts";
import { type CountedMachine, type MachineOptions, createCountedMachine } from "./counted-machine.ts";
import { runCommand } from "./model-commands.ts";
import { ModelRun } from "./model-run.ts";
import { ScenarioStopped } from "./model-runner.ts";
import type { HistoryStep, StudiedHistory } from "./studied-history.ts";

/** A history over the model, whose machine is open to whoever wants to look. */
export interface ModelHistory extends StudiedHistory {
  readonly machine: CountedMachine;
}

/**
 * The history of a scenario on a new machine. `next` throws ScenarioStopped where the model does not cover a command, and
 * then there is no next step.
 */
export function createModelHistory(scenario: Scenario, options: MachineOptions): ModelHistory {
  const machine = createCountedMachine(options);
  const run = new ModelRun(machine);
  const steps = stepsOf(run, scenario.commands);
  return {
    machine,
    next(): HistoryStep | undefined {
      const result = steps.next();
      return result.done === true ? undefined : result.value;
    },
  };
}

function* stepsOf(run: ModelRun, commands: readonly ScenarioCommand[]): Generator<HistoryStep, undefined> {
  for (const command of commands) {
    if (command.kind === "dump" || command.kind === "baseline" || command.kind === "sleep") continue;
    const { machine } = run;
    const before = lookAt(machine);
    try {
      runCommand(run, command);
    } catch (error) {
      if (error instanceof Error) throw new ScenarioStopped(command, error);
      throw error;
    }
    yield { operation: operationOf(command, before, lookAt(machine)), text: command.source, line: command.line };
  }
  return undefined;
}

/** What is counted of the machine, to be compared with what it is later. */
interface Look {
  readonly work: Readonly<Record<WorkName, number>>;
  /** Pages that came from swap. */
  readonly swappedIn: number;
}

function lookAt({ memory, work }: CountedMachine): Look {
  return { work: { ...work }, swappedIn: memory.statistics.events.get("pswpin") ?? 0 };
}

const NAMES: Readonly<Partial<Record<ScenarioCommand["kind"], string>>> = {
  thp: "setting",
  shmthp: "setting",
  sys: "setting",
  swapon: "setting",
  node: "setting",
  prctl: "setting",
  ksmscan: "ksm scan",
  uring: "pin",
  guppin: "pin",
  unuring: "unpin",
  gupunpin: "unpin",
};

/** What kind of operation the command was. */
function operationOf(command: ScenarioCommand, before: Look, after: Look): string {
  switch (command.kind) {
    case "madvise":
      return `madvise ${command.advice}`;
    case "mmap":
      return command.flags.includes("pop") || command.flags.includes("locked") ? "mmap populate" : "mmap";
    case "touch":
      return accessOf(command.write, before, after);
    case "fill":
      return accessOf(true, before, after);
    case "peek":
      return accessOf(false, before, after);
    default:
      return NAMES[command.kind] ?? command.kind;
  }
}

/** Loads or stores: what most of their pages needed, faults with a new page before those without. */
function accessOf(isWrite: boolean, before: Look, after: Look): string {
  const done = (name: WorkName): number => after.work[name] - before.work[name];
  const copied = done("page-copied");
  const zeroed = done("page-zeroed");
  const swappedIn = after.swappedIn - before.swappedIn;
  const kinds: readonly (readonly [name: string, pages: number])[] = [
    ["copy", copied],
    ["first touch", zeroed],
    ["swap-in", swappedIn],
    // Pages that a disk's file is read into, those of readahead among them.
    ["read in", done("page-allocated") - copied - zeroed - swappedIn],
  ];
  const [name, pages] = kinds.reduce((most, kind) => (kind[1] > most[1] ? kind : most));
  if (pages > 0) return name;
  if (done("fault") === 0) return isWrite ? "write" : "read";
  // Entries without new pages: those of pages that a file's cache has. Neither: what was read-only is writable now.
  if (done("entry-set") > 0) return "map cached";
  return isWrite ? "reuse" : "read";
}

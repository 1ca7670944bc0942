/**
 * A scenario at work on the model: the machine, its processes, and the files that have names.
 */
import type { FileMapping } from "../memory/index.ts";
import type { CountedMachine } from "./counted-machine.ts";
import { type ModelProcess, ProcessTable } from "./model-process.ts";

export class ModelRun {
  readonly machine: CountedMachine;
  readonly table = new ProcessTable();
  /** Files of /tmpfs and /mnt by path; they live until the run ends. */
  readonly namedFiles = new Map<string, FileMapping>();

  constructor(machine: CountedMachine) {
    this.machine = machine;
  }

  /** The process, which the language has made sure was started; it may have died since of a bad access. */
  find(name: string): ModelProcess | undefined {
    return this.table.find(name);
  }
}

/** What a command answers: the value that the system call returned, or the negative errno. */
export type CommandResult = number;

/** A process ended by a signal in the middle of a command. */
export const PROCESS_DIED = "died";

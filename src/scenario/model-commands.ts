/**
 * From a command of the language to the model's operation, and from its result to the text that a recording shows.
 *
 * System calls check here what they check before they look at memory: alignment and lengths (as bytes); everything behind
 * is in pages. A bad access kills the process as its missing signal handler would, and the scenario goes on without it.
 */
import { ERRNO_TEXT } from "../memory/index.ts";
import type { CommandBody, ScenarioCommand } from "./command.ts";
import { runFileCommand } from "./model-file-commands.ts";
import { exitProcess, forkProcess, runMachineCommand, spawnProcess } from "./model-machine-commands.ts";
import { runMemoryCommand } from "./model-memory-commands.ts";
import type { ModelProcess } from "./model-process.ts";
import { type ModelRun, PROCESS_DIED } from "./model-run.ts";

/** Runs one command that is no dump; the result as it stands behind the `=`. */
export function runCommand(run: ModelRun, command: ScenarioCommand): string {
  switch (command.kind) {
    case "spawn":
      return ` = ${spawnProcess(run, command.process)}`;
    case "sleep":
    case "baseline":
    case "dump":
      return "";
    case "ksmscan":
      return ` = full_scans +${runMachineCommand(run, command)}`;
    case "thp":
    case "shmthp":
      return ` = ${runMachineCommand(run, command)}`;
    case "sys":
    case "swapon":
    case "swapoff":
    case "split":
      return ` = ${statusText(runMachineCommand(run, command))}`;
    default: {
      const process = run.find(command.process);
      // The lab's driver finds nobody to give the command to.
      return process === undefined ? " !! no process" : runProcessCommand(run, process, command);
    }
  }
}

type ProcessCommand = Exclude<
  CommandBody,
  {
    kind:
      | "spawn"
      | "dump"
      | "thp"
      | "shmthp"
      | "sys"
      | "sleep"
      | "baseline"
      | "ksmscan"
      | "swapon"
      | "swapoff"
      | "split";
  }
>;

function runProcessCommand(run: ModelRun, process: ModelProcess, command: ProcessCommand): string {
  switch (command.kind) {
    case "fork":
      return ` = ${forkProcess(run, process, command.child)}`;
    case "exit":
      exitProcess(run, process);
      return " = 0";
    case "memfd":
    case "open":
    case "close":
    case "fsync":
    case "fadvise":
    case "ftruncate":
    case "fallocate":
    case "pwrite":
    case "pread":
      return ` = ${callText(runFileCommand(run, process, command))}`;
    default: {
      const result = runMemoryCommand(run, process, command);
      if (result !== PROCESS_DIED) return ` = ${callText(result)}`;
      exitProcess(run, process);
      return ` !! ${command.process} died`;
    }
  }
}

/** The value of a system call: hex, or all ones and the error's text. */
function callText(result: number | bigint): string {
  if (result < 0) return `0xffffffffffffffff ${ERRNO_TEXT[-Number(result)] ?? `Unknown error ${-Number(result)}`}`;
  return Number(result) === 0 ? "0" : `0x${result.toString(16)}`;
}

/** The result of writing a setting. */
function statusText(result: number): string {
  return result < 0 ? `-1 ${ERRNO_TEXT[-result] ?? `Unknown error ${-result}`}` : `${result} `;
}

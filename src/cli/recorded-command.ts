/**
 * The command that is run while it is recorded: its start, its signals, and how it ended, as a shell would put it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { UsageError } from "./exit-codes.ts";

/** A command that runs. */
export interface RunningCommand {
  readonly pid: number;
  /** Its exit code, or 128 and the number of the signal that ended it. */
  readonly ended: Promise<number>;
  /** Hands on a signal that this program got and the command may not have got. */
  signal(signal: NodeJS.Signals): void;
}

/** Starts a command with this program's input and output. Throws UsageError where it cannot be started. */
export async function startCommand([program, ...commandArguments]: readonly string[]): Promise<RunningCommand> {
  const child = spawn(program, commandArguments, { stdio: "inherit" });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error: NodeJS.ErrnoException) => {
      reject(new UsageError(`Cannot run ${program} (${error.code ?? error.message}).`));
    });
  });
  const { pid } = child;
  if (pid === undefined) throw new Error("a process that was started has no pid");
  return {
    pid,
    ended: exitOf(child),
    signal(signal) {
      // The terminal sends Ctrl-C to all that run in its foreground, the command among them; twice may mean more.
      if (signal !== "SIGINT" || !isInForeground()) child.kill(signal);
    },
  };
}

/** Whether this process is in the foreground of its terminal, wherever its input comes from. */
function isInForeground(): boolean {
  const stat = readFileSync("/proc/self/stat", "latin1");
  // Behind the name, which may hold anything: state, parent, group, session, terminal, the terminal's foreground group.
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return group === foreground;
}

async function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? "SIGKILL"]));
  });
}

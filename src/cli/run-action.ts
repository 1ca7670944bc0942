/**
 * What all commands share while they run: signals, a reader that goes away, and errors that end in one sentence.
 *
 * Everything that must be undone hangs on the process's `exit` event (temporary directories, frozen processes), so that
 * a signal has to do no more than exit, from wherever the command is.
 */
import { constants } from "node:os";
import { escapeControls } from "../report/index.ts";
import { EXIT_BROKEN_PIPE, codeOfError } from "./exit-codes.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Prints one sentence of ours on stderr, whatever names it quotes. */
export function tell(sentence: string): void {
  process.stderr.write(`foliometer: ${escapeControls(sentence)}\n`);
}

function exitBySignal(signal: NodeJS.Signals): void {
  process.exit(128 + constants.signals[signal]);
}

/** From now on a signal does what the action says instead of ending the process: for actions that end in order. */
export function takeSignals(act: (signal: NodeJS.Signals) => void): void {
  for (const signal of SIGNALS) {
    process.off(signal, exitBySignal);
    process.on(signal, act);
  }
}

/** Runs a command's action; its result becomes the exit code. */
export async function runAction(action: () => Promise<number>): Promise<void> {
  for (const signal of SIGNALS) process.once(signal, exitBySignal);
  exitWithReader(process.stdout);
  exitWithReader(process.stderr);
  try {
    process.exitCode = await action();
  } catch (error) {
    const code = codeOfError(error);
    if (code === undefined) throw error;
    tell((error as Error).message);
    process.exitCode = code;
  }
}

/** `foliometer | head` is no error. */
function exitWithReader(stream: NodeJS.WriteStream): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT_BROKEN_PIPE);
    throw error;
  });
}

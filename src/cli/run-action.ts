/**
 * What all commands share while they run: signals, a reader that goes away, and errors that end in one sentence.
 *
 * Everything that must be undone hangs on the process's `exit` event (temporary directories, frozen processes), so that
 * a signal has to do no more than exit, from wherever the command is.
 */
import { closeSync, lstatSync, openSync } from "node:fs";
import { constants } from "node:os";
import { isatty } from "node:tty";
import { escapeControls } from "../report/index.ts";
import { EXIT_BROKEN_PIPE, codeOfError } from "./exit-codes.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const STANDARD_FDS = [0, 1, 2] as const;

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
  const terminals = STANDARD_FDS.filter((fd) => isatty(fd));
  if (terminals.length > 0) process.once("exit", () => replaceLost(terminals));
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

/** `foliometer | head` is no error, and neither is a terminal that was closed (EIO). */
function exitWithReader(stream: NodeJS.WriteStream): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE" || (error.code === "EIO" && stream.isTTY)) process.exit(EXIT_BROKEN_PIPE);
    throw error;
  });
}

/**
 * Puts /dev/null in the place of those terminals that are gone. At its end Node sets every terminal as it found it, and
 * aborts with a native stack trace where one refuses (node::ResetStdio); files that are others by then it leaves alone.
 */
function replaceLost(terminals: readonly number[]): void {
  for (const fd of terminals) {
    const isOpen = lstatSync(`/proc/self/fd/${fd}`, { throwIfNoEntry: false }) !== undefined;
    if (!isOpen || isatty(fd)) continue;
    closeSync(fd);
    // It gets the lowest free number, which is the one just closed.
    openSync("/dev/null", "r+");
  }
}

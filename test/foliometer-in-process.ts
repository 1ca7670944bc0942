/**
 * A command line in this process: what it prints and ends with, without the price of starting Node.
 *
 * A program listens to signals and to broken pipes until it ends; here it does not end, so its listeners are taken away.
 */
import type { EventEmitter } from "node:events";
import { vi } from "vitest";
import { runProgram } from "../src/cli/program.ts";

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code. */
  readonly code: number | string;
}

const STREAMS = ["stdout", "stderr"] as const;
const EMITTERS: readonly (readonly [EventEmitter, string])[] = [
  ...["SIGINT", "SIGTERM", "SIGHUP"].map((signal) => [process, signal] as const),
  ...STREAMS.map((name) => [process[name], "error"] as const),
];

type Listener = (...args: unknown[]) => void;

/** Runs `foliometer ARGS` and leaves streams, listeners and exit code as they were. Not for two at once. */
export async function foliometer(...args: readonly string[]): Promise<CommandResult> {
  const written = { stdout: "", stderr: "" };
  const mocks = STREAMS.map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      written[name] += String(text);
      return true;
    }),
  );
  const codeBefore = process.exitCode;
  const listenersBefore = EMITTERS.map(([emitter, event]) => new Set(emitter.rawListeners(event)));
  process.exitCode = 0;
  try {
    await runProgram(["node", "foliometer", ...args]);
    return { ...written, code: process.exitCode };
  } finally {
    for (const [index, [emitter, event]] of EMITTERS.entries()) {
      const added = emitter.rawListeners(event).filter((listener) => !listenersBefore[index].has(listener));
      for (const listener of added) emitter.off(event, listener as Listener);
    }
    for (const mock of mocks) mock.mockRestore();
    process.exitCode = codeBefore;
  }
}

/**
 * One test file at a time changes the machine's memory settings.
 *
 * Files run side by side, and a size of folios that one switches on another switches off. The lock is the name of a
 * socket (unix(7), abstract): one process has it, and a run that is killed gives it back with everything else it had.
 * It is not reentrant: who asks twice is told so, instead of waiting for itself.
 */
import { type Server, createServer } from "node:net";
import { setTimeout } from "node:timers/promises";

const NAME = "\0foliometer-test-settings";
const PAUSE_MS = 50;

let held: Server | undefined;

/** The socket of that name; undefined while another process has it. */
async function tryLock(): Promise<Server | undefined> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(NAME, () => resolve(server.unref()));
  });
}

/** Waits until nobody else changes settings. For beforeAll. Throws if this file changes them already. */
export async function lockSettings(): Promise<void> {
  if (held !== undefined) throw new Error("this file holds the machine's settings already: the lock is not reentrant");
  for (held = await tryLock(); held === undefined; held = await tryLock()) await setTimeout(PAUSE_MS);
}

/** For afterAll. */
export async function unlockSettings(): Promise<void> {
  const server = held;
  held = undefined;
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
}

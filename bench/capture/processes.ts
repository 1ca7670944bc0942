/**
 * Processes that the bench starts and ends. Each is ended by its own pid and
 * waited for until the kernel has forgotten it; nothing is ever ended by name.
 * Children get a session of their own, so a Ctrl-C in the terminal reaches only
 * the bench, which then ends them in the right order.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export interface User {
  readonly uid: number;
  readonly gid: number;
}

export interface StartOptions {
  readonly cwd?: string;
  readonly user?: User | undefined;
  readonly stdin?: string;
}

const STDERR_LIMIT_BYTES = 4096;

function spawnOptions(options: StartOptions): { cwd?: string; uid?: number; gid?: number; detached: boolean } {
  return {
    detached: true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.user === undefined ? {} : { uid: options.user.uid, gid: options.user.gid }),
  };
}

/** The directory that holds package.json: build/ and dist/ lie at different depths below it. */
export function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, "package.json"))) {
    const parent = dirname(directory);
    if (parent === directory) throw new Error("no package.json above the bench");
    directory = parent;
  }
  return directory;
}

/** The pid of a child that did start; a missing program is an error that names it. */
export async function startedPid(child: ChildProcess, program: string): Promise<number> {
  if (child.pid !== undefined) return child.pid;
  return await new Promise((_resolve, reject) => {
    child.once("error", (error) => reject(new Error(`cannot start ${program}: ${error.message}`)));
  });
}

/** Starts a long-lived child whose output is dropped. */
export function startDaemon(program: string, args: readonly string[], options: StartOptions = {}): ChildProcess {
  const child = spawn(program, args, { ...spawnOptions(options), stdio: ["ignore", "ignore", "ignore"] });
  child.on("error", () => undefined);
  return child;
}

/** Runs a program to its end and returns its stdout; a failure carries the tail of stderr. */
export async function runToEnd(program: string, args: readonly string[], options: StartOptions = {}): Promise<string> {
  const child = spawn(program, args, { ...spawnOptions(options), stdio: ["pipe", "pipe", "pipe"] });
  const out: string[] = [];
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => out.push(text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err = (err + text).slice(-STDERR_LIMIT_BYTES);
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.stdin ?? "");
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once("error", (error) => reject(new Error(`cannot start ${program}: ${error.message}`)));
    child.once("close", (status, signal) => resolve(status ?? signal ?? "?"));
  });
  if (code !== 0)
    throw new Error(`${program} ${args.join(" ")} ended with ${code}: ${err || out.join("").slice(-400)}`);
  return out.join("");
}

/** True until the process has ended; a zombie counts as ended. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.charAt(stat.lastIndexOf(")") + 2) !== "Z";
  } catch {
    return false;
  }
}

/** Waits until all pids have ended; returns those that have not by then. */
export async function waitUntilGone(pids: readonly number[], limitMs: number): Promise<readonly number[]> {
  const deadline = Date.now() + limitMs;
  let left = pids.filter(isAlive);
  while (left.length > 0 && Date.now() < deadline) {
    await sleep(25);
    left = left.filter(isAlive);
  }
  return left;
}

function signalPid(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // ESRCH only says that it ended by itself in the meantime.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Asks with `signal`, then insists with SIGKILL; throws when a process outlives that. */
export async function endProcesses(pids: readonly number[], signal: NodeJS.Signals, graceMs: number): Promise<void> {
  for (const pid of pids.filter(isAlive)) signalPid(pid, signal);
  const stubborn = await waitUntilGone(pids, graceMs);
  for (const pid of stubborn) signalPid(pid, "SIGKILL");
  const left = await waitUntilGone(stubborn, 10_000);
  if (left.length > 0) throw new Error(`still running after SIGKILL: ${left.join(", ")}`);
}

/** True while a child of ours runs: until then nobody else can have its pid. */
export function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

/** As `endProcesses`, for our own children: one that has already been waited for has given its pid back. */
export async function endChildren(
  children: readonly ChildProcess[],
  signal: NodeJS.Signals,
  graceMs: number,
): Promise<void> {
  const pids = children.flatMap((child) => (isRunning(child) && child.pid !== undefined ? [child.pid] : []));
  await endProcesses(pids, signal, graceMs);
}

/** The pids whose parent is `parentPid`, from /proc/PID/stat (the `children` file is optional in the kernel). */
export function readChildPids(parentPid: number): number[] {
  const children: number[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      const ppid = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
      if (Number(ppid) === parentPid) children.push(Number(name));
    } catch {
      // It ended between readdir and read.
    }
  }
  return children.sort((a, b) => a - b);
}

/** Calls `probe` until it returns a value; the limit makes a hang an error that says what was awaited. */
export async function waitFor<T>(
  what: string,
  limitMs: number,
  probe: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`waited ${limitMs} ms for ${what}`);
    await sleep(50);
  }
}

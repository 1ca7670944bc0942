/**
 * Stops processes while they are captured, and lets them run again whatever happens.
 *
 * A control group is frozen by the kernel's freezer where it has one; single processes get SIGSTOP. Invariants: whoever
 * was stopped before stays stopped afterwards; neither this process nor one of its ancestors is ever stopped, so there
 * is always somebody to end the stop; the end of this process thaws too, and thawing twice does nothing the second time.
 * A pid is continued only while it means the process that was stopped (its start time says).
 */
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { memoryCgroupPath, parseCgroupText } from "../kernel/index.ts";

/** Why processes cannot be frozen, in one sentence. */
export class CannotFreeze extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CannotFreeze";
  }
}

/** Processes that stand still until `thaw`. */
export interface FrozenProcesses {
  /** How: the kernel's freezer or signals. */
  readonly by: "cgroup" | "signals";
  /** Processes that did not come to a stop in time, in an uninterruptible wait for example. */
  readonly stillRunning: readonly number[];
  /** Lets those run again that this call stopped. */
  thaw(): void;
}

export interface FreezeOptions {
  /** How long to wait until all stand still; the default is two seconds. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 2_000;
const POLL_MS = 5;
/** Stopped, stopped by a debugger, zombie, dead. */
const STANDS_STILL = new Set(["T", "t", "Z", "X"]);
/** A flag of a task (PF_KTHREAD). */
const IS_KERNEL_THREAD = 0x200000;
const CGROUP_ROOT = "/sys/fs/cgroup";

/** Pids of processes, kernel threads included, that a filter wants; ascending. */
export function findPids(wanted: (candidate: { readonly pid: number; readonly cgroup: string }) => boolean): number[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const text = readText(`/proc/${pid}/cgroup`);
      return text !== undefined && wanted({ pid, cgroup: memoryCgroupPath(parseCgroupText(text)) ?? "" });
    })
    .toSorted((a, b) => a - b);
}

/** This process and its ancestors. */
export function lineage(): ReadonlySet<number> {
  const pids = new Set<number>();
  for (let pid = process.pid; pid > 0 && !pids.has(pid); pid = readStat(pid)?.ppid ?? 0) pids.add(pid);
  return pids;
}

/** Stops processes with signals. Throws CannotFreeze, with all running again, if one may not be stopped. */
export async function freezeProcesses(pids: readonly number[], options: FreezeOptions = {}): Promise<FrozenProcesses> {
  const own = lineage();
  const unstoppable = pids.find((pid) => own.has(pid));
  if (unstoppable !== undefined) {
    throw new CannotFreeze(`Cannot freeze process ${unstoppable}: it is this program or one that waits for it.`);
  }
  const stopped = new Map<number, string>();
  const frozen = { thaw: thawAtExit(() => continueAll(stopped)) };
  try {
    for (const pid of pids) stop(pid, stopped);
    const stillRunning = await waitUntil(
      () => [...stopped.keys()].filter((pid) => !isStopped(pid)),
      options.timeoutMs ?? TIMEOUT_MS,
    );
    return { by: "signals", stillRunning, ...frozen };
  } catch (error) {
    frozen.thaw();
    throw error;
  }
}

/**
 * Freezes a control group by the kernel's freezer. undefined where that would not freeze exactly these processes: there
 * is no freezer for the path, it holds others (in version 1 every controller has a tree of its own), or it holds us.
 */
export async function freezeCgroup(
  path: string,
  pids: readonly number[],
  options: FreezeOptions = {},
): Promise<FrozenProcesses | undefined> {
  const freezer = findFreezer(path);
  if (freezer === undefined || !holdsExactly(freezer, pids)) return undefined;
  if (freezer.isFrozen()) return { by: "cgroup", stillRunning: [], thaw: () => undefined };
  const thaw = thawAtExit(() => freezer.write(false));
  try {
    freezer.write(true);
    const late = await waitUntil(
      () => (freezer.isFrozen() ? [] : [freezer.directory]),
      options.timeoutMs ?? TIMEOUT_MS,
    );
    return { by: "cgroup", stillRunning: late.length === 0 ? [] : pidsBelow(freezer.directory), thaw };
  } catch (error) {
    thaw();
    throw error;
  }
}

/** Makes sure that something is done once: when asked for, or when this process exits. */
function thawAtExit(thawAll: () => void): () => void {
  const thaw = (): void => {
    process.off("exit", thaw);
    thawAll();
    thawAll = () => undefined;
  };
  process.once("exit", thaw);
  return thaw;
}

interface Freezer {
  readonly directory: string;
  isFrozen(): boolean;
  write(frozen: boolean): void;
}

/** cgroup.freeze of version 2, or freezer.state of version 1. */
function findFreezer(path: string): Freezer | undefined {
  const two = [CGROUP_ROOT, `${CGROUP_ROOT}/unified`]
    .map((root) => join(root, path))
    .find((directory) => readText(join(directory, "cgroup.freeze")) !== undefined);
  if (two !== undefined) {
    return {
      directory: two,
      isFrozen: () => /^frozen 1$/m.test(readText(join(two, "cgroup.events")) ?? ""),
      write: (frozen) => writeFreezer(join(two, "cgroup.freeze"), frozen ? "1" : "0"),
    };
  }
  const one = join(CGROUP_ROOT, "freezer", path);
  if (readText(join(one, "freezer.state")) === undefined) return undefined;
  return {
    directory: one,
    isFrozen: () => readText(join(one, "freezer.state"))?.trim() === "FROZEN",
    write: (frozen) => writeFreezer(join(one, "freezer.state"), frozen ? "FROZEN" : "THAWED"),
  };
}

function writeFreezer(path: string, value: string): void {
  try {
    writeFileSync(path, value);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CannotFreeze(`Cannot write ${path} (${code ?? "unknown error"}), so the control group is not frozen.`);
  }
}

function holdsExactly({ directory }: Freezer, pids: readonly number[]): boolean {
  const own = lineage();
  const held = new Set(pidsBelow(directory));
  return held.size === pids.length && pids.every((pid) => held.has(pid) && !own.has(pid));
}

/** Processes of a control group and the groups below it; none of one that is gone. */
function pidsBelow(directory: string): number[] {
  const text = readText(join(directory, "cgroup.procs"));
  if (text === undefined) return [];
  const here = text.split("\n").filter((line) => line !== "");
  const below = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...here.map(Number), ...below.flatMap(({ name }) => pidsBelow(join(directory, name)))];
}

function stop(pid: number, stopped: Map<number, string>): void {
  const stat = readStat(pid);
  // Gone, the kernel's own, a corpse, or stopped by somebody else: nothing to do and nothing to undo.
  if (stat === undefined || stat.isKernelThread || STANDS_STILL.has(stat.state)) return;
  try {
    process.kill(pid, "SIGSTOP");
    stopped.set(pid, stat.startTime);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ESRCH") return;
    throw new CannotFreeze(`Cannot stop process ${pid} (${code ?? "unknown error"}).`);
  }
}

function continueAll(stopped: Map<number, string>): void {
  for (const [pid, startTime] of stopped) {
    if (readStat(pid)?.startTime !== startTime) continue;
    try {
      process.kill(pid, "SIGCONT");
    } catch (error) {
      // It ended in this moment.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
  stopped.clear();
}

/** Asks until nothing is left or the time is over; what was left then. */
async function waitUntil<T>(left: () => T[], timeoutMs: number): Promise<T[]> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const remaining = left();
    if (remaining.length === 0 || performance.now() >= end) return remaining;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Whether all threads of a process stand still; one that is gone does. */
function isStopped(pid: number): boolean {
  let threads: string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return true;
  }
  return threads.every((thread) => {
    const text = readText(`/proc/${pid}/task/${thread}/stat`);
    return text === undefined || STANDS_STILL.has(parseStat(text).state);
  });
}

interface Stat {
  readonly state: string;
  readonly ppid: number;
  readonly isKernelThread: boolean;
  /** In clock ticks since boot; with the pid it names one process for good. */
  readonly startTime: string;
}

/** What /proc/PID/stat says of a process; undefined if there is none. */
export function readStat(pid: number): Stat | undefined {
  const text = readText(`/proc/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text);
}

/** The name in parentheses may hold anything, so fields are counted from the last parenthesis (proc_pid_stat(5)). */
function parseStat(text: string): Stat {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const isKernelThread = (Number(fields[6]) & IS_KERNEL_THREAD) !== 0;
  return { state: fields[0], ppid: Number(fields[1]), isKernelThread, startTime: fields[19] };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

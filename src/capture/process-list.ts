/**
 * Lists the processes and opens what will be read of them.
 *
 * A process is looked at in one go: status, command line, control group, maps, and an open pagemap. The open file is tied
 * to the address space, not to the pid: after exec, exit or reuse of the pid it reads as ended instead of as somebody
 * else (kernel-facts 3.7). Whoever vanished before that is not listed; whoever may not be read is listed as refused.
 */
import { openSync, readFileSync, readdirSync } from "node:fs";
import {
  type MapsVma,
  PAGE_SIZE_BYTES,
  type ProcRefusal,
  type ProcessStatus,
  ProcTextError,
  memoryCgroupPath,
  parseCgroupText,
  parseMapsText,
  parseStatusText,
  procRefusal,
} from "../kernel/index.ts";
import type { CapturedProcess } from "./capture.ts";

/** A process with its open pagemap. */
export interface OpenedProcess {
  readonly pid: number;
  readonly status: ProcessStatus;
  readonly command: string;
  readonly cgroup: string;
  readonly vmas: readonly MapsVma[];
  /** Open /proc/PID/pagemap, or -1 when refused. */
  readonly pagemapFd: number;
  readonly refusal: ProcRefusal | null;
}

/** The gate page of x86-64 is in maps but belongs to no process's page tables. */
const GATE_VMA = "[vsyscall]";

/** Pids of the machine, ascending. */
export function listPids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .toSorted((a, b) => a - b);
}

/** Opens a process; undefined if it has no memory of its own, is gone, or is not wanted. */
export function openProcess(
  pid: number,
  wanted?: (candidate: { readonly pid: number; readonly cgroup: string; readonly uid: number }) => boolean,
): OpenedProcess | undefined {
  const directory = `/proc/${pid}`;
  const status = readStatus(directory);
  if (status === undefined || status.kthread === true || status.vmSizeKb === undefined) return undefined;
  const cgroup = readCgroup(directory);
  if (wanted !== undefined && !wanted({ pid, cgroup, uid: status.uid })) return undefined;
  const identity = { pid, status, command: readCommand(directory) || `[${status.name}]`, cgroup };
  try {
    // In this order: what executes between the two fails isStillIn, which knows the VMAs.
    const vmas = parseMapsText(readFileSync(`${directory}/maps`, "latin1")).filter(({ name }) => name !== GATE_VMA);
    return { ...identity, vmas, pagemapFd: openSync(`${directory}/pagemap`, "r"), refusal: null };
  } catch (error) {
    if (error instanceof ProcTextError)
      return { ...identity, vmas: [], pagemapFd: -1, refusal: unreadable(error, directory) };
    const { code, path } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    return { ...identity, vmas: [], pagemapFd: -1, refusal: procRefusal(code ?? "EIO", path ?? directory) };
  }
}

/** Text that is not what any known kernel prints refuses one process; the others are read. */
function unreadable(error: ProcTextError, directory: string): ProcRefusal {
  return procRefusal(error.message, directory);
}

/**
 * Whether the process is still in the address space whose VMAs were read; false also when it has ended or is about to
 * execute. A child of vfork is in its parent's until it executes, and that one lives on: read as the child's own, it
 * would count twice. The stack's start, which lies in the VMA [stack] and is random for every execution, tells them
 * apart. undefined where nothing tells: the kernel does not show it, or no VMA is the stack.
 */
export function isStillIn({ pid, vmas }: OpenedProcess): boolean | undefined {
  // An address space without a VMA is one whose end has begun.
  const stat = vmas.length === 0 ? undefined : readStat(pid);
  if (stat === undefined || stat.vsize === 0) return false;
  if (stat.startCode === START_CODE_NOT_SHOWN) return undefined;
  // In the middle of execve the stack has no start yet.
  if (stat.startStack === 0) return false;
  const stack = vmas.find(({ name }) => name === "[stack]");
  const page = Math.floor(stat.startStack / PAGE_SIZE_BYTES);
  return stack === undefined ? undefined : stack.startPage <= page && page <= stack.endPage;
}

/** What /proc/PID/stat prints for the code's start to those who may not see addresses; the others are 0 then. */
const START_CODE_NOT_SHOWN = 1;

/** Fields 23, 26 and 28 of /proc/PID/stat; undefined for a process that is gone. */
function readStat(
  pid: number,
): { readonly vsize: number; readonly startCode: number; readonly startStack: number } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The name may hold anything, spaces and parentheses too; behind its last one stands field 3.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  return { vsize: field(23), startCode: field(26), startStack: field(28) };
}

function readStatus(directory: string): ProcessStatus | undefined {
  try {
    return parseStatusText(readFileSync(`${directory}/status`, "utf8"));
  } catch (error) {
    if (error instanceof ProcTextError) throw error;
    return undefined;
  }
}

function readCommand(directory: string): string {
  try {
    return readFileSync(`${directory}/cmdline`, "utf8").replace(/\0+$/, "").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

function readCgroup(directory: string): string {
  try {
    return memoryCgroupPath(parseCgroupText(readFileSync(`${directory}/cgroup`, "utf8"))) ?? "";
  } catch (error) {
    if (error instanceof ProcTextError) throw error;
    return "";
  }
}

/** User names by uid, from /etc/passwd; a number stands for itself where it has no name. */
export function readUserNames(): (uid: number) => string {
  const names = new Map<number, string>();
  try {
    for (const line of readFileSync("/etc/passwd", "utf8").split("\n")) {
      const [name, , uid] = line.split(":");
      if (name !== undefined && uid !== undefined && !names.has(Number(uid))) names.set(Number(uid), name);
    }
  } catch {
    // No passwd file: uids stand for themselves.
  }
  return (uid) => names.get(uid) ?? String(uid);
}

/** The record of an opened process. */
export function describeProcess(
  process: OpenedProcess,
  place: { state: CapturedProcess["state"]; mm: number; firstVma: number; endVma: number },
  userNameOf: (uid: number) => string,
): CapturedProcess {
  const { status } = process;
  const bytes = (kb: number | undefined): number | undefined => (kb === undefined ? undefined : kb * 1024);
  return {
    pid: process.pid,
    ppid: status.ppid,
    uid: status.uid,
    userName: userNameOf(status.uid),
    name: status.name,
    command: process.command,
    cgroup: process.cgroup,
    refusal: process.refusal,
    ...place,
    status: {
      vmSizeBytes: bytes(status.vmSizeKb),
      vmRssBytes: bytes(status.vmRssKb),
      vmSwapBytes: bytes(status.vmSwapKb),
      vmPteBytes: bytes(status.vmPteKb),
      hugetlbBytes: bytes(status.hugetlbPagesKb),
    },
  };
}

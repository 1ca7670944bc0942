/**
 * What /proc/PID/stat says in one short read, and what of it tells that page tables have probably changed.
 *
 * A page table changes by a fault (minflt, majflt: all threads together, and those that have ended), by unmapping or
 * reclaim (rss), by a new mapping (vsize) or another program (the addresses of code and stack). Where none of these
 * changed, the entries are taken to be as they were. That is not certain: mremap, a remap of the same size, migration,
 * KSM, a debugger's write (the fault is the debugger's) and a split of a huge mapping by others leave them alone, so
 * whoever relies on this reads again from time to time.
 */
import { closeSync, openSync, readSync } from "node:fs";

/** Flag of task_struct: a kernel thread, which has no memory of its own. */
const PF_KTHREAD = 0x0020_0000;
/** A line of stat with the longest name and the largest numbers is below 1 KiB. */
const STAT_BYTES = 4096;

/** The fields that matter here. */
export interface ProcessStat {
  /** Clock ticks since boot; with the pid it names a process for as long as the machine runs. */
  readonly startTime: string;
  /** Equal as long as nothing says that page tables changed. */
  readonly fingerprint: string;
  /** Where code and stack begin: one for all who share an address space, and another after executing a program. */
  readonly image: string;
}

const buffer = Buffer.allocUnsafeSlow(STAT_BYTES);

/** Reads the process's stat; undefined if it is gone, a kernel thread, or without an address space (a zombie). */
export function readProcessStat(pid: number): ProcessStat | undefined {
  let fd: number;
  try {
    fd = openSync(`/proc/${pid}/stat`, "r");
  } catch {
    // Ended, or hidden (hidepid): then it is not listed anyway.
    return undefined;
  }
  try {
    return parseProcessStat(buffer.toString("latin1", 0, readSync(fd, buffer, 0, STAT_BYTES, 0)));
  } catch {
    // ESRCH: it ended between opening and reading.
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** Parses a line of stat; undefined for a kernel thread and for a process without an address space. */
export function parseProcessStat(text: string): ProcessStat | undefined {
  // The name may hold anything, spaces and parentheses too; behind its last one stands field 3.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): string => fields[number - 3] ?? "";
  if ((Number(field(9)) & PF_KTHREAD) !== 0 || field(23) === "0" || field(23) === "") return undefined;
  const image = `${field(26)} ${field(28)}`;
  return { startTime: field(22), fingerprint: [...[10, 12, 23, 24].map(field), image].join(" "), image };
}

/**
 * /proc/PID/cgroup: which control groups a process is in, and which of them owns its memory.
 *
 *     4:memory:/user.slice/app        v1: hierarchy number, its controllers, path in that hierarchy
 *     9:name=systemd:/                v1 without a controller
 *     0::/user.slice/app              v2: always number 0, no controllers
 *
 * Invariant: only the first two colons separate; a path may hold more. Paths stay as printed, " (deleted)" included: the
 * kernel refuses a newline in the name of a control group, so nothing is escaped and nothing needs decoding.
 * Kernel: cgroups(7), /proc/PID/cgroup; a controller bound to a v1 hierarchy is not in v2.
 */

import { ProcTextError, quoteUntrusted } from "./proc-error.ts";

/** One line of /proc/PID/cgroup. */
export interface CgroupMembership {
  /** 0 is the v2 hierarchy. */
  readonly hierarchy: number;
  /** Controllers of a v1 hierarchy, or one "name=..."; empty for v2. */
  readonly controllers: readonly string[];
  /** The path below the hierarchy's mount point, as printed. */
  readonly path: string;
}

const FILE = "cgroup";

function parseLine(line: string, lineNumber: number): CgroupMembership {
  const first = line.indexOf(":");
  const second = first < 0 ? -1 : line.indexOf(":", first + 1);
  const number = line.slice(0, Math.max(0, first));
  if (second < 0 || !/^[0-9]{1,10}$/.test(number)) {
    throw new ProcTextError({ file: FILE, lineNumber }, `not number:controllers:path in ${quoteUntrusted(line)}`);
  }
  const names = line.slice(first + 1, second);
  return {
    hierarchy: Number(number),
    controllers: names === "" ? [] : names.split(","),
    path: line.slice(second + 1),
  };
}

/** Parses /proc/PID/cgroup, one membership a line in the kernel's order; throws `ProcTextError`. */
export function parseCgroupText(text: string): CgroupMembership[] {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line, index) => parseLine(line, index + 1));
}

/** The membership that owns the memory: v1's memory hierarchy, else v2, else none (a kernel without either). */
export function memoryCgroup(memberships: readonly CgroupMembership[]): CgroupMembership | undefined {
  return (
    memberships.find(({ hierarchy, controllers }) => hierarchy !== 0 && controllers.includes("memory")) ??
    memberships.find(({ hierarchy }) => hierarchy === 0)
  );
}

/** The path of the control group that owns the memory; undefined if the process is in none. */
export function memoryCgroupPath(memberships: readonly CgroupMembership[]): string | undefined {
  return memoryCgroup(memberships)?.path;
}

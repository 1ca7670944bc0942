/**
 * Address spaces by whose they are: one by one, or by program, control group or user.
 *
 * An mm belongs to the process that it was read with; processes that share it (CLONE_VM) are named beside that one. What
 * two processes of one group share is the group's own.
 */
import type { Capture, CapturedProcess } from "../capture/index.ts";

/** What makes processes one. */
export const GROUP_KEYS = ["process", "program", "cgroup", "user"] as const;
export type GroupKey = (typeof GROUP_KEYS)[number];

/** Who a process is. */
export interface ProcessName {
  readonly pid: number;
  readonly name: string;
  readonly command: string;
  readonly user: string;
  readonly cgroup: string;
}

/** Processes taken together. */
export interface MmGroup {
  /** The pid and name of a process; otherwise the program's, control group's or user's name. */
  readonly name: string;
  /** One an address space, by pid. */
  readonly processes: readonly ProcessName[];
}

/** Groups, and the group of each mm; -1: the mm was not read to its end. */
export interface MmGroups {
  readonly groups: readonly MmGroup[];
  readonly groupOfMm: Int32Array;
}

/** Who a captured process is. */
export function nameOf({ pid, name, command, userName, cgroup }: CapturedProcess): ProcessName {
  return { pid, name, command, user: userName, cgroup };
}

/** The process that each mm was read with, by row; undefined: not read to its end. */
export function processOfMm({ processes, mmAlive }: Capture): (CapturedProcess | undefined)[] {
  const found: (CapturedProcess | undefined)[] = Array.from({ length: mmAlive.length });
  for (const process of processes) if (process.state === "complete") found[process.mm] = process;
  return found;
}

/** Groups the address spaces of a capture, in the order of their first pid. */
export function groupMms(capture: Capture, by: GroupKey): MmGroups {
  const owners = processOfMm(capture);
  const groupOfMm = new Int32Array(owners.length).fill(-1);
  const rows = [...owners.keys()].toSorted((a, b) => (owners[a]?.pid ?? 0) - (owners[b]?.pid ?? 0));
  const known = new Map<string, number>();
  const groups: { name: string; processes: ProcessName[] }[] = [];
  for (const mm of rows) {
    const owner = owners[mm];
    if (owner === undefined) continue;
    const name = groupName(owner, by);
    let group = known.get(name);
    if (group === undefined) {
      group = groups.push({ name, processes: [] }) - 1;
      known.set(name, group);
    }
    groups[group].processes.push(nameOf(owner));
    groupOfMm[mm] = group;
  }
  return { groups, groupOfMm };
}

/** The name of the group that a process is in. */
export function groupName({ pid, name, cgroup, userName }: CapturedProcess, by: GroupKey): string {
  switch (by) {
    case "process":
      return `${pid} ${name}`;
    case "program":
      return name;
    case "cgroup":
      return cgroup;
    case "user":
      return userName;
  }
}

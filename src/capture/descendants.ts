/**
 * A process and all that descend from it, asked again and again while they come and go.
 *
 * The kernel names only the present parent, and an orphan gets another one. So whoever was seen once stays known, by pid
 * and start time, and with its own children, until it ends. What is born and orphaned between two questions is missed.
 */
import { readStat } from "./freeze.ts";
import { listPids } from "./process-list.ts";

/** The descendants of one process. */
export class Descendants {
  /** Start time by pid of all that are known and were alive when last asked. */
  private known = new Map<number, string>();

  /** `pid` is the process that all descend from; it belongs to them. */
  constructor(pid: number) {
    const stat = readStat(pid);
    if (stat !== undefined) this.known.set(pid, stat.startTime);
  }

  /** Those alive now, ascending. O(processes of the machine). */
  pids(): number[] {
    const alive = new Map<number, string>();
    const children = new Map<number, number[]>();
    const startTimes = new Map<number, string>();
    for (const pid of listPids()) {
      const stat = readStat(pid);
      if (stat === undefined || stat.isKernelThread) continue;
      startTimes.set(pid, stat.startTime);
      const siblings = children.get(stat.ppid);
      if (siblings === undefined) children.set(stat.ppid, [pid]);
      else siblings.push(pid);
      if (this.known.get(pid) === stat.startTime) alive.set(pid, stat.startTime);
    }
    // A map grows while it is walked: children of children are reached too.
    for (const pid of alive.keys()) {
      for (const child of children.get(pid) ?? []) alive.set(child, startTimes.get(child) ?? "");
    }
    this.known = alive;
    return [...alive.keys()].toSorted((a, b) => a - b);
  }
}

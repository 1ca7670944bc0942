/**
 * Which processes a report shows, in which order, and how many.
 *
 * Nothing disappears: what a filter or the limit leaves out is handed back too, so that its sum can be printed and the
 * column still adds up to the machine.
 */
import type { CaptureReport, ProcessReport } from "../study/index.ts";
import { changeOf, countedProcesses, farthest, lineOf } from "./process-lines.ts";

export const SORT_KEYS = ["pid", "user", "name", "swap", "uss", "pss", "rss", "dpss", "duss"] as const;
/** What to sort by; dpss and duss: the change under the first other scheme, without its sign. */
export type SortKey = (typeof SORT_KEYS)[number];

/** The choice; absent fields choose nothing. */
export interface ProcessSelection {
  /** The default is pss. */
  readonly sort?: SortKey;
  /** Turns the order: numbers come largest first, pids and texts smallest first. */
  readonly reverse?: boolean;
  /** At most so many; all if absent. */
  readonly limit?: number;
  /** Names or uids. */
  readonly users?: readonly string[];
  /** On the name or the command line. */
  readonly program?: RegExp;
  /** This control group and those below it. */
  readonly cgroup?: string;
  readonly pids?: ReadonlySet<number>;
}

/** Every counted process is in exactly one of the lists. */
export interface SelectedProcesses {
  readonly shown: readonly ProcessReport[];
  /** Beyond the limit. */
  readonly others: readonly ProcessReport[];
  /** Left out by a filter. */
  readonly filtered: readonly ProcessReport[];
}

/** Applies a selection. */
export function selectProcesses(report: CaptureReport, selection: ProcessSelection): SelectedProcesses {
  const wanted = matcherOf(selection);
  const counted = countedProcesses(report);
  const sorted = sortProcesses(counted.filter(wanted), report.schemes, selection);
  const limit = selection.limit ?? sorted.length;
  return {
    shown: sorted.slice(0, limit),
    others: sorted.slice(limit),
    filtered: counted.filter((process) => !wanted(process)),
  };
}

/** The report with the chosen processes only; everything else in it stays the machine's. */
export function selectReport(report: CaptureReport, selection: ProcessSelection): CaptureReport {
  if (Object.values(selection).every((value) => value === undefined)) return report;
  const wanted = matcherOf(selection);
  const uncounted = report.processes.filter((process) => process.state !== "complete" && wanted(process));
  return { ...report, processes: [...selectProcesses(report, selection).shown, ...uncounted] };
}

/** Whether a control group is the one given or below it. */
export function isInCgroup(cgroup: string, group: string): boolean {
  const path = group.replace(/\/+$/, "");
  return cgroup === path || cgroup.startsWith(`${path}/`);
}

function matcherOf({ users, program, cgroup, pids }: ProcessSelection): (process: ProcessReport) => boolean {
  return (process) =>
    (users === undefined || users.includes(process.user) || users.includes(String(process.uid))) &&
    (program === undefined || program.test(process.name) || program.test(process.command)) &&
    (cgroup === undefined || isInCgroup(process.cgroup, cgroup)) &&
    (pids === undefined || pids.has(process.pid));
}

function sortProcesses(
  processes: readonly ProcessReport[],
  schemes: readonly string[],
  { sort = "pss", reverse = false }: ProcessSelection,
): ProcessReport[] {
  const turn = reverse ? -1 : 1;
  const compare = sort === "user" || sort === "name" ? compareTexts(sort) : compareNumbers(sort, schemes, processes);
  return processes.toSorted((a, b) => turn * compare(a, b) || a.pid - b.pid);
}

type Compare = (a: ProcessReport, b: ProcessReport) => number;

function compareTexts(key: "user" | "name"): Compare {
  return (a, b) => (a[key] < b[key] ? -1 : Number(a[key] > b[key]));
}

function compareNumbers(
  key: Exclude<SortKey, "user" | "name">,
  schemes: readonly string[],
  processes: readonly ProcessReport[],
): Compare {
  if (key === "pid") return (a, b) => a.pid - b.pid;
  const values = new Map(processes.map((process) => [process, valueOf(key, process, schemes)]));
  return (a, b) => (values.get(b) ?? 0) - (values.get(a) ?? 0);
}

function valueOf(key: Exclude<SortKey, "user" | "name" | "pid">, process: ProcessReport, schemes: readonly string[]) {
  const { swap, rss, schemes: figures } = lineOf(process, schemes);
  const [own, other = own] = figures;
  switch (key) {
    case "swap":
      return swap;
    case "rss":
      return rss;
    case "pss":
      return own.pss;
    case "uss":
      return own.uss.most;
    case "dpss":
      return Math.abs(other.pss - own.pss);
    case "duss":
      return Math.abs(farthest(changeOf(own.uss, other.uss)));
  }
}

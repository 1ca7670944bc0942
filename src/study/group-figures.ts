/**
 * The figures of a report summed by whose they are, with the small groups folded into one: what a time series can bear.
 *
 * Sums are over address spaces: one that several processes share (CLONE_VM) counts once. Pss adds up; Rss counts a page
 * once for each address space that maps it, and Uss leaves out what two processes of one group share, as it does when a
 * monitor adds up smaps. Invariant: the groups and the rest together hold every process of the report that was read, so
 * the sums do not depend on how they are taken together or on how many are kept.
 */
import type { CaptureReport, ProcessFigures, ProcessReport } from "./capture-report.ts";

/** What processes are taken together by; "process" takes none together. */
export const FIGURE_GROUPS = ["cgroup+program", "cgroup", "program", "user", "process"] as const;
export type FigureGrouping = (typeof FIGURE_GROUPS)[number];

/** The name of the rest. A group that has it by itself is part of the rest. */
export const REST = "other";

/** Bytes that add up. */
export type SummableFigures = Pick<
  ProcessReport,
  | "rssBytes"
  | "rssAnonBytes"
  | "rssFileBytes"
  | "rssShmemBytes"
  | "swapBytes"
  | "hugetlbBytes"
  | "pageTablesBytes"
  | "schemes"
>;

/** A group: who it is, and what its processes have together. */
export interface FigureGroup {
  readonly labels: Readonly<Record<string, string>>;
  readonly figures: SummableFigures;
  /** Address spaces in the sum. */
  readonly addressSpaces: number;
  /** Of those, how many changed since they were read. */
  readonly stale: number;
}

/** Groups by their Pss under the kernel's own scheme, the largest first, and what all others have. */
export interface GroupedFigures {
  readonly by: FigureGrouping;
  readonly groups: readonly FigureGroup[];
  /** undefined: nothing was folded. */
  readonly rest: FigureGroup | undefined;
  /** Groups in the rest. */
  readonly folded: number;
}

/** Groups a report; `top` groups are kept at most (Infinity: all). O(processes * schemes). */
export function groupFigures(
  { processes, schemes }: Pick<CaptureReport, "processes" | "schemes">,
  options: {
    readonly by: FigureGrouping;
    readonly top: number;
    /** Processes whose figures are of an earlier reading. */
    readonly stalePids?: ReadonlySet<number>;
  },
): GroupedFigures {
  const { by, top, stalePids } = options;
  const byKey = new Map<string, Sum>();
  for (const process of processes) {
    if (process.state !== "complete") continue;
    const labels = labelsOf(process, by);
    const key = JSON.stringify(Object.values(labels));
    const sum = byKey.get(key) ?? new Sum(labels, schemes);
    byKey.set(key, sum);
    sum.add(process, stalePids?.has(process.pid) === true);
  }
  const own = schemes[0] ?? "";
  const sorted = [...byKey.values()].toSorted((a, b) => b.pssBytes(own) - a.pssBytes(own));
  const named = sorted.filter(({ labels }) => !isRest(labels));
  const kept = named.slice(0, top);
  const folded = [...named.slice(top), ...sorted.filter(({ labels }) => isRest(labels))];
  const rest = new Sum(Object.fromEntries(LABELS[by].map((name) => [name, REST])), schemes);
  for (const sum of folded) rest.addSum(sum);
  return {
    by,
    groups: kept.map((sum) => sum.finish()),
    rest: folded.length === 0 ? undefined : rest.finish(),
    folded: folded.length,
  };
}

const LABELS: Readonly<Record<FigureGrouping, readonly ("cgroup" | "program" | "user" | "pid" | "name")[]>> = {
  "cgroup+program": ["cgroup", "program"],
  cgroup: ["cgroup"],
  program: ["program"],
  user: ["user"],
  process: ["pid", "name", "user", "cgroup"],
};

function labelsOf(process: ProcessReport, by: FigureGrouping): Record<string, string> {
  const { pid, name, user, cgroup } = process;
  const all = { pid: String(pid), name: plain(name), program: plain(name), user: plain(user), cgroup: plain(cgroup) };
  return Object.fromEntries(LABELS[by].map((label) => [label, all[label]]));
}

/**
 * Who may name a process may put anything into the name. Characters that a reader cannot show become one, here and not
 * when the text is written: two series of the same name make a whole scrape unreadable.
 */
function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cs}\u2028\u2029]/gu, "\u{FFFD}");
}

function isRest(labels: Readonly<Record<string, string>>): boolean {
  return Object.values(labels).every((value) => value === REST);
}

const PLAIN_FIELDS = [
  "rssBytes",
  "rssAnonBytes",
  "rssFileBytes",
  "rssShmemBytes",
  "swapBytes",
  "hugetlbBytes",
  "pageTablesBytes",
] as const;

interface SchemeSum {
  pssBytes: number;
  pssAnonBytes: number;
  pssFileBytes: number;
  pssShmemBytes: number;
  ussBytes: { least: number; most: number };
  exclusiveEntries: { least: number; most: number };
}

/** A group while it grows. */
class Sum {
  readonly labels: Readonly<Record<string, string>>;
  private readonly plainSums = {
    rssBytes: 0,
    rssAnonBytes: 0,
    rssFileBytes: 0,
    rssShmemBytes: 0,
    swapBytes: 0,
    hugetlbBytes: 0,
    pageTablesBytes: 0,
  };
  private readonly schemeSums: Record<string, SchemeSum>;
  private addressSpaces = 0;
  private stale = 0;

  constructor(labels: Readonly<Record<string, string>>, schemes: readonly string[]) {
    this.labels = labels;
    this.schemeSums = Object.fromEntries(
      schemes.map((id) => [
        id,
        {
          pssBytes: 0,
          pssAnonBytes: 0,
          pssFileBytes: 0,
          pssShmemBytes: 0,
          ussBytes: { least: 0, most: 0 },
          exclusiveEntries: { least: 0, most: 0 },
        },
      ]),
    );
  }

  add(figures: SummableFigures, isStale: boolean): void {
    this.addressSpaces++;
    if (isStale) this.stale++;
    this.addFigures(figures);
  }

  addSum(other: Sum): void {
    this.addressSpaces += other.addressSpaces;
    this.stale += other.stale;
    this.addFigures({ ...other.plainSums, schemes: other.schemeSums });
  }

  pssBytes(scheme: string): number {
    return this.schemeSums[scheme]?.pssBytes ?? 0;
  }

  finish(): FigureGroup {
    const { labels, plainSums, schemeSums, addressSpaces, stale } = this;
    return { labels, figures: { ...plainSums, schemes: schemeSums }, addressSpaces, stale };
  }

  private addFigures(figures: SummableFigures): void {
    for (const field of PLAIN_FIELDS) this.plainSums[field] += figures[field];
    for (const [id, sum] of Object.entries(this.schemeSums)) addScheme(sum, figures.schemes[id]);
  }
}

function addScheme(sum: SchemeSum, figures: ProcessFigures): void {
  sum.pssBytes += figures.pssBytes;
  sum.pssAnonBytes += figures.pssAnonBytes;
  sum.pssFileBytes += figures.pssFileBytes;
  sum.pssShmemBytes += figures.pssShmemBytes;
  sum.ussBytes.least += figures.ussBytes.least;
  sum.ussBytes.most += figures.ussBytes.most;
  sum.exclusiveEntries.least += figures.exclusiveEntries.least;
  sum.exclusiveEntries.most += figures.exclusiveEntries.most;
}

/**
 * What the watcher looks at: which list, in which order, through which filter, and which row is chosen. Keys change it
 * (cli/), the screen draws it; it knows neither terminal nor clock.
 *
 * A row is chosen by what it is (a pid, a start page), not by where it stands: rows move with every moment.
 */
import type { VmaContents, WatchedMoment, WatchedProcess, WatchedVma } from "../study/index.ts";
import { changeOf, farthest } from "./process-lines.ts";

/** Orders of processes, in the order in which < and > go through them. */
export const WATCH_SORTS = ["pid", "user", "name", "swap", "rss", "change", "pss", "uss", "dpss", "duss"] as const;
export type WatchSort = (typeof WATCH_SORTS)[number];

/** The view. */
export interface WatchView {
  readonly level: "processes" | "vmas" | "vma";
  /** Whose VMAs; which of them. */
  readonly pid?: number;
  readonly startPage?: number;
  readonly sort: WatchSort;
  readonly reverse: boolean;
  /** Part of a name, command line, user, pid or path; any case. */
  readonly filter: string;
  /** The filter is being typed. */
  readonly typing: boolean;
  readonly frozen: boolean;
  readonly help: boolean;
  /** The chosen row of each list: a pid, a start page. */
  readonly chosenPid?: number;
  readonly chosenPage?: number;
}

/** What there is to look at. */
export interface WatchData {
  readonly moment: WatchedMoment;
  /** Of `view.pid`; undefined: that process is gone, or the list is not asked for. */
  readonly vmas?: readonly WatchedVma[];
  readonly contents?: VmaContents;
  /** Processes shown at all, by pid, if not all are (--pid, --cgroup, ...). */
  readonly shown?: ReadonlySet<number>;
}

/** The view at the start. */
export function initialView(sort: WatchSort): WatchView {
  return { level: "processes", sort, reverse: false, filter: "", typing: false, frozen: false, help: false };
}

/** Processes as the view lists them. */
export function listedProcesses({ moment, shown }: WatchData, view: WatchView): WatchedProcess[] {
  const wanted = view.filter.toLowerCase();
  const listed = moment.processes.filter(
    (process) =>
      process.state === "complete" && (shown === undefined || shown.has(process.pid)) && matches(process, wanted),
  );
  const turn = view.reverse ? -1 : 1;
  const compare = compareBy(view.sort, moment.schemes);
  return listed.toSorted((a, b) => turn * compare(a, b) || a.pid - b.pid);
}

function matches({ pid, user, name, command }: WatchedProcess, wanted: string): boolean {
  return wanted === "" || [String(pid), user, name, command].some((text) => text.toLowerCase().includes(wanted));
}

type Compare = (a: WatchedProcess, b: WatchedProcess) => number;

/** Numbers largest first, pids and texts smallest first. */
function compareBy(sort: WatchSort, [own, other = own]: readonly string[]): Compare {
  const largestFirst =
    (value: (process: WatchedProcess) => number): Compare =>
    (a, b) =>
      value(b) - value(a);
  switch (sort) {
    case "pid":
      return (a, b) => a.pid - b.pid;
    case "user":
    case "name":
      return (a, b) => (a[sort] < b[sort] ? -1 : Number(a[sort] > b[sort]));
    case "swap":
      return largestFirst(({ swapBytes }) => swapBytes);
    case "rss":
      return largestFirst(({ rssBytes }) => rssBytes);
    case "change":
      return largestFirst(({ pssChangeBytes }) => Math.abs(pssChangeBytes ?? 0));
    case "pss":
      return largestFirst(({ schemes }) => schemes[own].pssBytes);
    case "uss":
      return largestFirst(({ schemes }) => schemes[own].ussBytes.most);
    case "dpss":
      return largestFirst(({ schemes }) => Math.abs(schemes[other].pssBytes - schemes[own].pssBytes));
    case "duss":
      return largestFirst(({ schemes }) =>
        Math.abs(farthest(changeOf(schemes[own].ussBytes, schemes[other].ussBytes))),
      );
  }
}

/** VMAs as the view lists them: by address, or by the figure that processes are sorted by. */
export function listedVmas({ moment, vmas }: WatchData, view: WatchView): WatchedVma[] {
  const wanted = view.filter.toLowerCase();
  const listed = (vmas ?? []).filter(({ name }) => wanted === "" || name.toLowerCase().includes(wanted));
  const value = valueOfVma(view.sort, moment.schemes);
  const turn = view.reverse ? -1 : 1;
  return listed.toSorted((a, b) => turn * (value(b) - value(a)) || a.startPage - b.startPage);
}

function valueOfVma(sort: WatchSort, [own, other = own]: readonly string[]): (vma: WatchedVma) => number {
  switch (sort) {
    case "swap":
      return ({ swapBytes }) => swapBytes;
    case "rss":
      return ({ rssBytes }) => rssBytes;
    case "pss":
      return ({ schemes }) => schemes[own].pssBytes;
    case "uss":
      return ({ schemes }) => schemes[own].ussBytes.most;
    case "dpss":
      return ({ schemes }) => Math.abs(schemes[other].pssBytes - schemes[own].pssBytes);
    case "duss":
      return ({ schemes }) => Math.abs(farthest(changeOf(schemes[own].ussBytes, schemes[other].ussBytes)));
    default:
      return ({ startPage }) => -startPage;
  }
}

/** The keys of the rows of the list in view, in their order; none where the view has no list to choose from. */
export function listedKeys(data: WatchData, view: WatchView): number[] {
  switch (view.level) {
    case "processes":
      return listedProcesses(data, view).map(({ pid }) => pid);
    case "vmas":
      return listedVmas(data, view).map(({ startPage }) => startPage);
    case "vma":
      return [];
  }
}

/** The index of the chosen row; the first where what was chosen is not in the list. */
export function chosenIndex(keys: readonly number[], view: WatchView): number {
  const chosen = view.level === "processes" ? view.chosenPid : view.chosenPage;
  return Math.max(0, chosen === undefined ? 0 : keys.indexOf(chosen));
}

/**
 * A recording over time: Rss, Pss and Uss of every process, capture by capture, under one scheme.
 *
 * Captures are opened one after the other, in their order, and only their figures stay. A process is its pid for as long
 * as it is in every capture: one that was away and is back is another process, because the kernel gives pids anew; and
 * after a reboot everybody is. A capture that cannot be read, or a process that ended while it was read, is a gap with a
 * reason and never a zero.
 */
import { BadCapture, type Capture } from "../capture/index.ts";
import type { Scheme } from "../schemes/index.ts";
import type { ProcessReport, Range } from "./capture-report.ts";
import { reportOnCapture } from "./report-on-capture.ts";

/** Raised when a field changes its meaning or goes away; new fields do not raise it. */
export const TIMELINE_VERSION = 1;

/** Sizes in bytes; Uss is a range where a folio's history decides. */
export interface TimelineFigures {
  readonly rssBytes: number;
  readonly pssBytes: number;
  readonly ussBytes: Range;
  readonly swapBytes: number;
}

/** One capture: its time and the sums over the chosen processes. */
export interface TimelinePoint extends TimelineFigures {
  readonly number: number;
  /** Milliseconds since 1970. A capture is no moment: it was read from the one to the other. */
  readonly beganAtMs: number;
  readonly endedAtMs: number;
  readonly missedIntervals: number;
  /** Chosen processes with figures. */
  readonly processes: number;
  /** Processes of the machine that refused to be read, or ended meanwhile. */
  readonly processesRefused: number;
  readonly processesEnded: number;
}

/** One process over time. */
export interface TimelineProcess {
  readonly pid: number;
  readonly user: string;
  /** As in the last capture that it is in. */
  readonly name: string;
  readonly command: string;
  readonly cgroup: string;
  /** One a point of the timeline; null where the process was not, or was not read. */
  readonly figures: readonly (TimelineFigures | null)[];
}

/** The whole answer. */
export interface TimelineReport {
  readonly schema: "foliometer-timeline";
  readonly version: typeof TIMELINE_VERSION;
  /** The scheme's id, and whether it is how the recorded kernel counts. */
  readonly scheme: string;
  readonly isKernelsOwn: boolean;
  readonly kernelRelease: string;
  readonly architecture: string;
  readonly intervalMs: number;
  readonly points: readonly TimelinePoint[];
  readonly processes: readonly TimelineProcess[];
  /** Captures that could not be read, and why. */
  readonly unread: readonly { readonly number: number; readonly reason: string }[];
}

/** A capture of a recording, not yet opened. */
export interface TimelineCapture {
  readonly number: number;
  readonly intervalMs: number;
  readonly missedIntervals: number;
  /** May throw BadCapture. */
  open(): Promise<Capture>;
}

export interface TimelineOptions {
  /** The scheme to count by, given how the captured kernel counts. */
  readonly schemeOf: (config: Capture["machine"]["mapcountConfig"]) => Scheme;
  /** Which processes; all if absent. */
  readonly wanted?: (process: ProcessReport) => boolean;
  /** Called before each capture is opened. */
  readonly onCapture?: (number: number) => void;
}

/** Follows the captures, which are given in their order. O(captures * what a report costs). */
export async function studyTimeline(
  captures: readonly TimelineCapture[],
  { schemeOf, wanted = () => true, onCapture }: TimelineOptions,
): Promise<TimelineReport> {
  const points: TimelinePoint[] = [];
  const unread: { number: number; reason: string }[] = [];
  const followed = new FollowedProcesses();
  let about = { scheme: "", isKernelsOwn: true, kernelRelease: "", architecture: "" };
  for (const listed of captures) {
    const { number, missedIntervals } = listed;
    onCapture?.(number);
    const capture = await opened(listed);
    if (capture instanceof BadCapture) {
      unread.push({ number, reason: capture.message });
      continue;
    }
    try {
      const { mapcountConfig, kernelRelease, architecture } = capture.machine;
      const scheme = schemeOf(mapcountConfig);
      const { processes, machine, coverage } = await reportOnCapture(capture, [scheme]);
      const chosen = processes.filter((process) => process.state === "complete" && wanted(process));
      followed.add(points.length, machine.bootId, chosen, scheme.id);
      const isKernelsOwn = scheme.kernelConfig === (mapcountConfig === "nopage" ? "nopage" : "page");
      about = { scheme: scheme.id, isKernelsOwn, kernelRelease, architecture };
      points.push({
        number,
        beganAtMs: machine.beganAtMs,
        endedAtMs: machine.endedAtMs,
        missedIntervals,
        processes: chosen.length,
        processesRefused: coverage.processesRefused,
        processesEnded: coverage.processesEnded,
        ...sumOf(chosen.map((process) => figuresOf(process, scheme.id))),
      });
    } finally {
      await capture.close();
    }
  }
  return {
    schema: "foliometer-timeline",
    version: TIMELINE_VERSION,
    ...about,
    intervalMs: captures.findLast(({ intervalMs }) => intervalMs > 0)?.intervalMs ?? 0,
    points,
    processes: followed.finish(points.length),
    unread,
  };
}

async function opened(listed: TimelineCapture): Promise<Capture | BadCapture> {
  try {
    return await listed.open();
  } catch (error) {
    if (error instanceof BadCapture) return error;
    throw error;
  }
}

function figuresOf({ rssBytes, swapBytes, schemes }: ProcessReport, scheme: string): TimelineFigures {
  const { pssBytes, ussBytes } = schemes[scheme];
  return { rssBytes, pssBytes, ussBytes, swapBytes };
}

function sumOf(figures: readonly TimelineFigures[]): TimelineFigures {
  const sum = (pick: (each: TimelineFigures) => number): number => figures.reduce((all, each) => all + pick(each), 0);
  return {
    rssBytes: sum(({ rssBytes }) => rssBytes),
    pssBytes: sum(({ pssBytes }) => pssBytes),
    ussBytes: { least: sum(({ ussBytes }) => ussBytes.least), most: sum(({ ussBytes }) => ussBytes.most) },
    swapBytes: sum(({ swapBytes }) => swapBytes),
  };
}

interface Followed {
  last: ProcessReport;
  readonly figures: (TimelineFigures | null)[];
}

/** Processes by pid while they are in every capture. */
class FollowedProcesses {
  private readonly all: Followed[] = [];
  private present = new Map<number, Followed>();
  private bootId = "";

  /** Takes over the processes of the point with this index. */
  add(point: number, bootId: string, processes: readonly ProcessReport[], scheme: string): void {
    if (bootId !== this.bootId) this.present.clear();
    this.bootId = bootId;
    const now = new Map<number, Followed>();
    for (const process of processes) {
      const followed = this.present.get(process.pid) ?? this.begin(process, point);
      followed.last = process;
      followed.figures.push(figuresOf(process, scheme));
      now.set(process.pid, followed);
    }
    this.present = now;
  }

  private begin(process: ProcessReport, point: number): Followed {
    const followed: Followed = { last: process, figures: Array.from({ length: point }, () => null) };
    this.all.push(followed);
    return followed;
  }

  finish(points: number): TimelineProcess[] {
    return this.all.map(({ last, figures }) => {
      while (figures.length < points) figures.push(null);
      const { pid, user, name, command, cgroup } = last;
      return { pid, user, name, command, cgroup, figures };
    });
  }
}

/**
 * What watching a machine shows of one moment: its processes under two schemes. Plain data, ready for JSON.
 *
 * It rests on an incremental capture, whose parts are of different ages; the moment says how old they are, how many
 * processes wait to be read again and how far a sample of the counts is off. A change is against the moment before and
 * only for whoever has kept its name and pid.
 */
import type { IncrementalCapture } from "../capture/index.ts";
import type { Scheme } from "../schemes/index.ts";
import type { ProcessReport, Range } from "./capture-report.ts";
import { type CaptureSums, orderSchemes, reportProcess, sumCapture } from "./report-on-capture.ts";

/** Raised when a field changes its meaning or goes away; new fields do not raise it. */
export const WATCH_VERSION = 1;

/** A process now, and since the moment before. */
export interface WatchedProcess extends ProcessReport {
  /** Of Pss as this kernel counts, and of Rss; null where it was not seen before. */
  readonly pssChangeBytes: number | null;
  readonly rssChangeBytes: number | null;
}

/** One moment. */
export interface WatchedMoment {
  readonly schema: "foliometer-watch";
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly takenAtMs: number;
  readonly machine: {
    readonly kernelRelease: string;
    readonly architecture: string;
    readonly mapcountConfig: "page" | "nopage" | "unknown";
    readonly memTotalBytes: number;
    readonly memAvailableBytes: number;
  };
  /** The kernel's own first. */
  readonly schemes: readonly string[];
  readonly processes: readonly WatchedProcess[];
  /** Of all processes; a shared address space counts once. */
  readonly totals: {
    readonly rssBytes: number;
    readonly swapBytes: number;
    readonly schemes: Readonly<Record<string, { readonly pssBytes: number; readonly ussBytes: Range }>>;
  };
  readonly reading: {
    readonly processesRead: number;
    readonly processesChanged: number;
    /** Changed, and not read again for want of budget. */
    readonly processesWaiting: number;
    readonly oldestReadAtMs: number;
    readonly pagemapBytes: number;
    readonly kpageflagsBytes: number;
    readonly kpagecountBytes: number;
    /** The longest call of each kind; a target's mmap lock was held for at most as long. */
    readonly longestScanMs: number;
    readonly longestReadMs: number;
    /** A sample of the counts against /proc/kpagecount now. */
    readonly framesChecked: number;
    readonly framesDiffer: number;
  };
  readonly notes: readonly string[];
}

/** A moment with what it was made of: details can be asked until the reader's next refresh. */
export interface WatchStudy {
  readonly moment: WatchedMoment;
  readonly capture: IncrementalCapture;
  readonly sums: CaptureSums;
  readonly table: Int32Array<SharedArrayBuffer>;
}

/** What the study of one moment leaves to that of the next. */
export interface StudiedBefore {
  /** The moment that changes are against. */
  readonly moment: WatchedMoment;
  /** Room for the class of every frame (sumCapture). */
  readonly table: Int32Array<SharedArrayBuffer>;
}

/** Studies a capture. O(runs + frames). */
export async function studyMoment(
  capture: IncrementalCapture,
  wanted: readonly Scheme[],
  before?: StudiedBefore,
): Promise<WatchStudy> {
  const table = before?.table ?? new Int32Array(new SharedArrayBuffer(Math.max(4, capture.frames.frameCount * 4)));
  const sums = await sumCapture(capture, orderSchemes(capture, wanted), table);
  const schemes = sums.schemes.map(({ id }) => id);
  const known = new Map(before?.moment.processes.map((process) => [process.pid, process]));
  const processes = capture.processes.map((process) =>
    withChanges(reportProcess(process, sums), schemes[0], known.get(process.pid)),
  );
  const { machine, reading, cost, agreement } = capture;
  const moment: WatchedMoment = {
    schema: "foliometer-watch",
    version: WATCH_VERSION,
    takenAtMs: reading.atMs,
    machine: {
      kernelRelease: machine.kernelRelease,
      architecture: machine.architecture,
      mapcountConfig: machine.mapcountConfig,
      memTotalBytes: machine.meminfo["MemTotal"] ?? 0,
      memAvailableBytes: machine.meminfo["MemAvailable"] ?? 0,
    },
    schemes,
    processes,
    totals: totalsOf(processes, schemes),
    reading: {
      processesRead: reading.readProcesses,
      processesChanged: reading.changedProcesses,
      processesWaiting: reading.waitingProcesses,
      oldestReadAtMs: capture.oldestReadAtMs,
      pagemapBytes: cost.pagemapBytes,
      kpageflagsBytes: cost.kpageflagsBytes,
      kpagecountBytes: cost.kpagecountBytes,
      longestScanMs: reading.longestScanMs,
      longestReadMs: reading.longestReadMs,
      framesChecked: agreement.framesChecked,
      framesDiffer: agreement.differAfter,
    },
    notes: capture.notes,
  };
  return { moment, capture, sums, table };
}

function withChanges(process: ProcessReport, own: string, before: WatchedProcess | undefined): WatchedProcess {
  const isKnown = before !== undefined && before.name === process.name && before.state === process.state;
  if (!isKnown) return { ...process, pssChangeBytes: null, rssChangeBytes: null };
  return {
    ...process,
    pssChangeBytes: process.schemes[own].pssBytes - before.schemes[own].pssBytes,
    rssChangeBytes: process.rssBytes - before.rssBytes,
  };
}

function totalsOf(processes: readonly WatchedProcess[], schemes: readonly string[]): WatchedMoment["totals"] {
  // A shared address space counts once.
  const counted = processes.filter(({ state }) => state === "complete");
  const total = (pick: (process: WatchedProcess) => number): number => counted.reduce((all, p) => all + pick(p), 0);
  return {
    rssBytes: total(({ rssBytes }) => rssBytes),
    swapBytes: total(({ swapBytes }) => swapBytes),
    schemes: Object.fromEntries(
      schemes.map((id) => [
        id,
        {
          pssBytes: total((process) => process.schemes[id].pssBytes),
          ussBytes: {
            least: total((process) => process.schemes[id].ussBytes.least),
            most: total((process) => process.schemes[id].ussBytes.most),
          },
        },
      ]),
    ),
  };
}

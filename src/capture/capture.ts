/**
 * What a capture is, wherever it comes from: the machine, its processes and VMAs, its mapped frames and large folios,
 * and the runs, which stay with their threads and answer by histogram.
 */
import type { FolioColumns, MapsVma, ProcRefusal } from "../kernel/index.ts";
import type { FrameTable } from "./frame-table.ts";
import type { PresentRuns, PresentRunsChoice } from "./present-runs.ts";
import type { Histograms } from "./run-passes.ts";
import type { PageSelection, SelectedRun } from "./selected-runs.ts";
import type { SwappedRuns } from "./swapped-runs.ts";

/** One size's THP settings in sysfs, as printed: "madvise", "inherit", ... */
export interface ThpSizeSettings {
  readonly sizeKb: number;
  readonly enabled: string | null;
  readonly shmemEnabled: string | null;
}

/** The machine when the capture was taken. All that later depends on how this kernel counts is in here. */
export interface Machine {
  readonly kernelRelease: string;
  readonly architecture: string;
  readonly pageSizeBytes: number;
  /** How this kernel counts; "unknown" where neither its options nor its release say. */
  readonly mapcountConfig: "page" | "nopage" | "unknown";
  readonly bootId: string;
  readonly hostPseudonym: string | null;
  /** Milliseconds since 1970, when reading began and ended. */
  readonly beganAtMs: number;
  readonly endedAtMs: number;
  /** Seconds since boot when reading began. */
  readonly uptimeSeconds: number;
  readonly processorCount: number;
  /** Frames covered by /proc/kpageflags. */
  readonly frameCount: number;
  readonly thpEnabled: string | null;
  readonly thpShmemEnabled: string | null;
  readonly thpSizes: readonly ThpSizeSettings[];
  /** KSM pages in use; 0 means that kpageflags' KSM bit is not to be believed. */
  readonly ksmPagesShared: number;
  /** CONFIG_... options that a reader of entries needs, where known. */
  readonly options: Readonly<Record<string, string>>;
  /** /proc/meminfo, in bytes by label. */
  readonly meminfo: Readonly<Record<string, number>>;
}

/** How far the reading of a process went. */
export type ProcessState =
  /** Read to the end. */
  | "complete"
  /** It ended while it was read; its mappings do not count. */
  | "ended"
  /** The kernel refused; see `refusal`. */
  | "refused"
  /** It shares the address space of another process, which is read once (CLONE_VM). */
  | "shares-mm";

/** A process with memory of its own. Kernel threads have none and are not listed. */
export interface CapturedProcess {
  readonly pid: number;
  readonly ppid: number;
  readonly uid: number;
  readonly userName: string;
  /** The task's comm. */
  readonly name: string;
  /** The command line, arguments joined by spaces; the comm in brackets if there is none. */
  readonly command: string;
  /** Path of the control group that owns its memory. */
  readonly cgroup: string;
  state: ProcessState;
  readonly refusal: ProcRefusal | null;
  /** Row of its address space, -1 if it was refused. */
  readonly mm: number;
  readonly firstVma: number;
  readonly endVma: number;
  /** From /proc/PID/status, bytes; undefined where not printed. */
  readonly status: {
    readonly vmSizeBytes: number | undefined;
    readonly vmRssBytes: number | undefined;
    readonly vmSwapBytes: number | undefined;
    readonly vmPteBytes: number | undefined;
    readonly hugetlbBytes: number | undefined;
  };
}

/** How well the mappings found agree with the kernel's own counts. */
export interface Agreement {
  /** Frames compared with /proc/kpagecount; every mapped frame or a sample. */
  readonly framesChecked: number;
  readonly everyFrame: boolean;
  /** Frames that differed at the first look. */
  readonly differedFirst: number;
  /** Frames that still differed after both sides were read again. */
  readonly differAfter: number;
  /** Of those, frames that the kernel counts more often: mapped by someone not read. */
  readonly kernelCountsMore: number;
  /** null: /proc/kpagecount could not be read, and why. */
  readonly refusal: string | null;
}

/** What the reading cost. */
export interface ReadingCost {
  readonly pagemapBytes: number;
  readonly kpageflagsBytes: number;
  readonly kpagecountBytes: number;
  readonly pagemapReads: number;
  readonly scans: number;
  /** The longest PAGEMAP_SCAN call: the target's mmap lock was held for about as long. */
  readonly longestScanMs: number;
  readonly entriesPresent: number;
  readonly entriesNotPresent: number;
  /** Entries whose frame lies outside kpageflags (device memory): without a mapcount, in no figure. */
  readonly entriesBeyondFrames: number;
  readonly foliosTorn: number;
  /** Milliseconds by phase of the reading, in their order. */
  readonly phasesMs: Readonly<Record<string, number>>;
  readonly elapsedMs: number;
  readonly threads: number;
}

/** An entry of /proc/kpageflags as two words (kernel/kpageflags-bits.ts). */
export interface FrameFlags {
  readonly low: number;
  readonly high: number;
}

/** A capture in memory; its runs are with the reader threads. Close it when done. */
export interface Capture {
  readonly machine: Machine;
  readonly processes: readonly CapturedProcess[];
  readonly vmas: readonly MapsVma[];
  /** Row of the mm of each VMA. */
  readonly mmOfVma: Int32Array;
  /** 1 where the mm was read to its end. */
  readonly mmAlive: Uint8Array;
  readonly frames: FrameTable;
  readonly folios: FolioColumns;
  /** Memory control group of partially mapped folios, by row, where known. */
  readonly folioCgroups: ReadonlyMap<number, string>;
  readonly agreement: Agreement;
  readonly cost: ReadingCost;
  /** Sentences about what this capture lacks and why. */
  readonly notes: readonly string[];
  /** Whether every process of the machine was meant to be read (no --pid, no --cgroup). */
  readonly wholeMachine: boolean;
  /** Counts the pages of every VMA by the class of their frame. The table may be changed between calls. */
  countClasses(classOfFrame: Int32Array<SharedArrayBuffer>, classCount: number): Promise<Histograms[]>;
  /**
   * Every present entry, in pieces. The runs of a VMA may be divided among pieces and, within a piece, among places;
   * they do not overlap. O(runs) of memory: for those who need the entries themselves.
   */
  presentRuns(choice?: PresentRunsChoice): Promise<PresentRuns[]>;
  /** Slots of swap that entries hold, in pieces; `isWanted` has 1 at the types of swap entries that are asked for. */
  swappedRuns(isWanted: Uint8Array): Promise<SwappedRuns[]>;
  /** Present entries on the frames of ascending intervals (selected-runs.ts), cut to them. */
  runsOfFrames(intervals: Float64Array): Promise<SelectedRun[]>;
  /** Entries at some pages, present or not. */
  runsOfPages(selection: PageSelection): Promise<SelectedRun[]>;
  /** kpageflags of a mapped frame, low and high word; of a large folio's page the head's. undefined: not known. */
  flagsOfFrame(pfn: number): FrameFlags | undefined;
  close(): Promise<void>;
}

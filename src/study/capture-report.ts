/**
 * What a report on a capture says: every figure now and under other schemes. Plain data, ready for JSON.
 *
 * Sizes are bytes as integers, counts are integers. A figure that follows from the capture alone is one number; one that
 * depends on a history the capture cannot know is a range (docs/history.md). The version of this shape is REPORT_VERSION.
 */

/** Raised when a field changes its meaning or goes away; new fields do not raise it. */
export const REPORT_VERSION = 1;

/** A figure that some histories leave at `least` and others at `most`; equal where history does not matter. */
export interface Range {
  readonly least: number;
  readonly most: number;
}

/** A process's figures under one scheme. */
export interface ProcessFigures {
  readonly pssBytes: number;
  readonly pssAnonBytes: number;
  readonly pssFileBytes: number;
  readonly pssShmemBytes: number;
  readonly ussBytes: Range;
  /** pagemap entries with PM_MMAP_EXCLUSIVE. */
  readonly exclusiveEntries: Range;
}

/** One process. */
export interface ProcessReport {
  readonly pid: number;
  readonly ppid: number;
  readonly uid: number;
  readonly user: string;
  readonly name: string;
  readonly command: string;
  readonly cgroup: string;
  readonly state: "complete" | "ended" | "refused" | "shares-mm";
  /** Why there are no figures, in one sentence; null where there are. */
  readonly refusal: string | null;
  readonly rssBytes: number;
  readonly rssAnonBytes: number;
  readonly rssFileBytes: number;
  readonly rssShmemBytes: number;
  readonly swapBytes: number;
  readonly hugetlbBytes: number;
  readonly pageTablesBytes: number;
  /** Pages that changed while they were read; in no other figure. */
  readonly changedBytes: number;
  /** Entries with PM_MMAP_EXCLUSIVE as pagemap printed them. */
  readonly exclusiveEntriesMeasured: number;
  /** By scheme id. */
  readonly schemes: Readonly<Record<string, ProcessFigures>>;
}

/** Machine-wide figures under one scheme. */
export interface MachineFigures {
  readonly pssBytes: number;
  readonly ussBytes: Range;
  readonly anonPagesBytes: number;
  readonly mappedBytes: number;
  readonly exclusiveEntries: Range;
  /** Frames whose kpagecount differs from the true mapcount, of all mapped frames; and the sum of |difference|. */
  readonly kpagecountChangedFrames: number;
  readonly kpagecountDifference: number;
  /** VMAs whose numa_maps mapmax differs from the largest true mapcount. */
  readonly mapmaxChangedVmas: number;
  /** Partially mapped anonymous folios that the scheme's counters show. */
  readonly partialNoticed: number;
  /** Partially mapped anonymous folios that they do not show, and the unmapped bytes in them. */
  readonly partialMissed: number;
  readonly partialMissedBytes: number;
  /** Of those not shown, folios that were noticed if pages were unmapped before others came to map them (partial-folios.ts). */
  readonly partialPastDecides: number;
  readonly partialPastDecidesBytes: number;
}

/** What the machine's memory is used for; the bytes add up to MemTotal. */
export interface MemoryAccount {
  readonly label: string;
  readonly bytes: number;
  /** "measured": the kernel printed it; "derived": computed from the capture; "rest": what is left. */
  readonly origin: "measured" | "derived" | "rest";
}

/** Large folios of one order and kind. */
export interface FolioOrderReport {
  readonly order: number;
  readonly kind: string;
  readonly folios: number;
  readonly bytes: number;
  readonly mappedBytes: number;
  readonly mappedByOne: number;
  readonly mappedByTwo: number;
  readonly mappedByMore: number;
  readonly partiallyMapped: number;
}

/** AnonPages and Mapped of one memory control group, where whole folios count more than pages. */
export interface CgroupReport {
  readonly cgroup: string;
  /** By scheme id: bytes that memory.stat shows more than under page counting. */
  readonly anonExtraBytes: Readonly<Record<string, number>>;
  readonly fileExtraBytes: Readonly<Record<string, number>>;
}

/** The whole report. */
export interface CaptureReport {
  readonly schema: "foliometer-report";
  readonly version: typeof REPORT_VERSION;
  readonly machine: {
    readonly kernelRelease: string;
    readonly architecture: string;
    readonly mapcountConfig: "page" | "nopage" | "unknown";
    readonly pageSizeBytes: number;
    readonly beganAtMs: number;
    readonly endedAtMs: number;
    readonly bootId: string;
    readonly memTotalBytes: number;
    readonly thpEnabled: string | null;
  };
  /** Scheme ids in their order; the first is the running kernel's own. */
  readonly schemes: readonly string[];
  readonly wholeMachine: boolean;
  readonly processes: readonly ProcessReport[];
  readonly totals: { readonly rssBytes: number; readonly swapBytes: number; readonly hugetlbBytes: number };
  readonly figures: Readonly<Record<string, MachineFigures>>;
  /** What the kernel printed itself: AnonPages, Mapped, Shmem, AnonHugePages; and the exclusive bits counted. */
  readonly measured: {
    readonly anonPagesBytes: number | null;
    readonly mappedBytes: number | null;
    readonly shmemBytes: number | null;
    readonly anonHugePagesBytes: number | null;
    readonly exclusiveEntries: number;
  };
  readonly memory: readonly MemoryAccount[];
  readonly folios: readonly FolioOrderReport[];
  /** Partially mapped anonymous large folios, as the page tables show them. */
  readonly partial: { readonly folios: number; readonly unmappedBytes: number };
  readonly cgroups: readonly CgroupReport[];
  readonly coverage: {
    readonly processesRead: number;
    readonly processesRefused: number;
    readonly processesEnded: number;
    readonly framesChecked: number;
    readonly everyFrameChecked: boolean;
    readonly framesDiffered: number;
    readonly framesDifferAfterSecondLook: number;
    readonly framesCountedMoreByKernel: number;
    readonly checkRefusal: string | null;
    readonly changedBytes: number;
  };
  readonly cost: {
    readonly elapsedMs: number;
    readonly threads: number;
    readonly pagemapBytes: number;
    readonly kpageflagsBytes: number;
    readonly kpagecountBytes: number;
    readonly entriesPresent: number;
    readonly longestScanMs: number;
    readonly phasesMs: Readonly<Record<string, number>>;
  };
  readonly notes: readonly string[];
}

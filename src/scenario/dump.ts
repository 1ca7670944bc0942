/**
 * What a run of a scenario records: the JSON schema of answers recorded from real kernels, keys and order included.
 *
 *     { "steps": [ { "commands": ["spawn P = pid 53 mm_id 5", ...],         what ran since the last dump
 *                    "dump": { "label", "processes", "folios", "meminfo_kB", "test_kB", "vmstat_delta", "mthp", "ksm" } } ] }
 *
 * The keys are the kernel's and the recording's, not this program's, so that JSON.stringify writes the schema and nothing
 * has to be renamed. Folios are labelled F1, F2, ... in the order in which a dump comes across them: the same folio has
 * other labels in other dumps.
 */

/** A whole recording. */
export interface ScenarioRecord {
  readonly steps: readonly RecordedStep[];
}

/** Commands with their results, and the dump behind them. Commands behind the last dump are not recorded. */
export interface RecordedStep {
  readonly commands: readonly string[];
  readonly dump: Dump;
}

/** The state of the machine at one point. */
export interface Dump {
  readonly label: string;
  readonly processes: Readonly<Record<string, ProcessDump>>;
  readonly folios: Readonly<Record<string, FolioDump>>;
  readonly meminfo_kB: Readonly<Record<string, number>>;
  /** The tests' own part of two figures of /proc/meminfo. Absent where other programs would not let it be told apart. */
  readonly test_kB?: TestMemory;
  /** Counters of /proc/vmstat that have changed since the baseline. */
  readonly vmstat_delta: Readonly<Record<string, number>>;
  /** Per size ("64kB") that has changed since the baseline: by how much. Absent if none has. */
  readonly mthp?: Readonly<Record<string, MthpCounters>>;
  readonly ksm: KsmCounters;
}

export interface TestMemory {
  readonly AnonPages: number;
  readonly Mapped: number;
}

export interface MthpCounters {
  readonly nr_anon: number;
  readonly nr_anon_partially_mapped: number;
  readonly split: number;
  readonly split_deferred: number;
}

export interface KsmCounters {
  readonly pages_shared: number;
  readonly pages_sharing: number;
  readonly pages_unshared: number;
  readonly ksm_zero_pages: number;
}

export interface ProcessDump {
  readonly vmas: readonly VmaDump[];
  readonly pagemap: readonly PagemapRun[];
}

export interface VmaDump {
  /** 0x... */
  readonly start: string;
  readonly end: string;
  /** "rw-p" */
  readonly perm: string;
  /** "/memfd:kref (deleted)"; "" for anonymous memory. */
  readonly name: string;
  /** Every line of smaps that is a number, in the kernel's order; kB but for THPeligible. */
  readonly smaps: Readonly<Record<string, number>>;
  readonly vmflags: readonly string[];
  /** The line of numa_maps behind the address. Absent if the kernel has no NUMA. */
  readonly numa_maps?: string;
}

/** Consecutive entries of pagemap that say the same; entries that are zero are in no run. */
export interface PagemapRun {
  /** Start of the VMA, 0x... */
  readonly base: string;
  /** The first entry, in pages from the base. */
  readonly page: number;
  readonly n: number;
  /** Present Swap File eXclusive soft-dirty uffd-wp guard, and H where a PMD maps it: `P--Xd--H`. */
  readonly flags: string;
  /** `F1[0-511]`, `F2..F9` (small folios), `F1[0-0]*16` (one page 16 times), `ZERO`, `swap type=0 off=0x1` or "". */
  readonly where: string;
}

/** Pages [first, last] of a folio and their value. */
export type ValueRun = readonly [first: number, last: number, value: number];
/** Pages [first, last] of a folio and their flags, with commas. */
export type FlagRun = readonly [first: number, last: number, flags: string];

/** A folio of two pages or more. */
export interface LargeFolioDump {
  readonly pages: number;
  /** 0x... */
  readonly pfn: string;
  readonly kpagecount: readonly ValueRun[];
  readonly kpageflags: readonly FlagRun[];
  /** The words of struct folio. Absent where the kernel's memory cannot be read. */
  readonly raw?: RawFolio;
  readonly raw_page_mapcount?: readonly ValueRun[];
  /** Of anonymous folios. */
  readonly raw_anon_exclusive?: readonly ValueRun[];
}

/** struct folio as it is. */
export interface RawFolio {
  readonly order: number;
  readonly refcount: number;
  readonly large_mapcount: number;
  readonly entire_mapcount: number;
  /** -1: the kernel has none (CONFIG_NO_PAGE_MAPCOUNT). */
  readonly nr_pages_mapped: number;
  readonly pincount: number;
  readonly partially_mapped: number;
  /** The raw bit. */
  readonly maybe_mapped_shared: number;
  /** ENTIRELY_MAPPED is set in _nr_pages_mapped. */
  readonly entirely: boolean;
  /** The two owner slots as `process:count`. */
  readonly mm: readonly string[];
}

/** A small folio, or several in a row that say the same: then the key is `F2..F9`. */
export interface SmallFolioDump {
  readonly kpagecount: number;
  /** Absent where the kernel's memory cannot be read, as the next two. */
  readonly refcount?: number;
  readonly mapcount?: number;
  /** -1: not anonymous. */
  readonly anon_exclusive?: number;
  readonly kpageflags: string;
  readonly pages: number;
}

export type FolioDump = LargeFolioDump | SmallFolioDump;

/** A small folio's count is one number, a large one's are runs. */
export function isSmallFolio(folio: FolioDump): folio is SmallFolioDump {
  return typeof folio.kpagecount === "number";
}

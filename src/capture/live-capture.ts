/**
 * Captures the running machine: lists, reads, counts, finds folios, checks against the kernel's own counts.
 *
 * The order matters. Processes are listed and opened first; page tables are read by all threads at once; only then are
 * the flags of the frames found mapped read, so that no frame is looked at in vain; last, kpagecount is compared and what
 * differs is read again. The capture carries when each of this began and ended: it is not a snapshot.
 */
import { closeSync, openSync } from "node:fs";
import os from "node:os";
import { FolioColumns, type FolioKind, HPAGE_PMD_NR, type MapsVma } from "../kernel/index.ts";
import type { Agreement, Capture, CapturedProcess, Machine, ReadingCost } from "./capture.ts";
import type { FoundFolios, SmallFrameRuns } from "./folio-scan.ts";
import { type FrameTable, createDifference, createFrameTable, indexFolios, sumDifferences } from "./frame-table.ts";
import { loadSystemCalls } from "./ioctl.ts";
import { findFrameCount, readMachine, readMeminfo } from "./machine.ts";
import { checkMapcounts } from "./mapcount-check.ts";
import {
  type OpenedProcess,
  describeProcess,
  findSharedAddressSpaces,
  listPids,
  openProcess,
  readUserNames,
} from "./process-list.ts";
import type { ReaderTotals } from "./pagemap-reader.ts";
import { type CaptureProgress, watchProgress } from "./progress.ts";
import { ReaderThreads } from "./reader-threads.ts";
import { ITEM_DONE, ITEM_ENDED, type ReadPlan, type VmaRanges, createVmaRanges, planReading } from "./read-plan.ts";
import { addEvents, countMappedPages } from "./folio-events.ts";
import type { PassTables } from "./run-passes.ts";

/** Why a capture of the machine cannot be taken at all, in one sentence. */
export class CannotCapture extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CannotCapture";
  }
}

/** What to capture, and how. */
export interface LiveCaptureOptions {
  /** Which processes; all if absent. */
  readonly select?: (process: OpenedProcess) => boolean;
  /** Compare every mapped frame with kpagecount instead of a sample. */
  readonly checkEveryFrame?: boolean;
  /** Reader threads; the default is one a processor, at most 4. */
  readonly threads?: number;
  /** Where each thread's runs go when they do not fit into memory, or are wanted as files. */
  readonly mappingsPath: (thread: number) => string;
  /** The runs are the product: every block is written. */
  readonly keepMappings: boolean;
  readonly createdBy: string;
  readonly onProgress?: (progress: CaptureProgress) => void;
  /** Called after processes are chosen and before they are read, and again after (--freeze). */
  readonly freeze?: (pids: readonly number[]) => () => void;
  readonly signal?: AbortSignal;
}

/** A live capture also knows the flags of small frames, for the capture file. */
export interface LiveCapture extends Capture {
  readonly smallFrames: SmallFrameRuns;
  readonly folioFlags: { readonly low: Int32Array; readonly high: Int32Array };
  /** Ends the mappings files; returns rows by thread. */
  finishMappings(): Promise<number[]>;
}

interface Listed {
  readonly opened: readonly OpenedProcess[];
  readonly processes: CapturedProcess[];
  readonly vmas: MapsVma[];
  readonly ranges: VmaRanges;
  readonly mmOfVma: Int32Array;
  readonly plan: ReadPlan;
  /** Open pagemap of each mm. */
  readonly fdOfMm: Int32Array;
}

/** Takes a capture. Throws CannotCapture where the machine cannot be read at all. */
export async function captureLive(options: LiveCaptureOptions): Promise<LiveCapture> {
  const started = performance.now();
  const flagsFd = openKpageflags();
  const threadCount = options.threads ?? Math.max(1, Math.min(4, os.availableParallelism()));
  const threads = new ReaderThreads(threadCount);
  try {
    const frameCount = findFrameCount(flagsFd);
    const machine = readMachine(frameCount);
    const notes: string[] = [];
    const loaded = loadSystemCalls();
    const calls = "calls" in loaded ? loaded.calls : undefined;
    if ("missing" in loaded) notes.push(withoutSystemCalls(loaded.missing));
    const listed = listProcesses(options, calls);
    const thaw = options.freeze?.(listed.processes.filter(({ state }) => state === "complete").map(({ pid }) => pid));
    try {
      return await readAll({ options, started, flagsFd, threads, machine, notes, listed, hasCalls: calls !== undefined });
    } finally {
      thaw?.();
    }
  } catch (error) {
    closeSync(flagsFd);
    await threads.stop();
    throw error;
  }
}

function withoutSystemCalls(missing: string): string {
  return (
    `Holes were read through and huge mappings not told apart, because ${missing}; ` +
    "processes that share one address space count once each."
  );
}

function openKpageflags(): number {
  if (process.platform !== "linux") {
    throw new CannotCapture(`Page tables can be read on Linux only; this is ${process.platform}.`);
  }
  try {
    return openSync("/proc/kpageflags", "r");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new CannotCapture(
      code === "ENOENT"
        ? "This kernel has no /proc/kpageflags (CONFIG_PROC_PAGE_MONITOR), so folios cannot be told apart."
        : `Cannot read /proc/kpageflags and the page frame numbers in /proc/PID/pagemap (${code}): that needs root.`,
    );
  }
}

function listProcesses(options: LiveCaptureOptions, calls: Parameters<typeof findSharedAddressSpaces>[1]): Listed {
  const opened: OpenedProcess[] = [];
  for (const pid of listPids()) {
    if (pid === process.pid) continue;
    const candidate = openProcess(pid);
    if (candidate === undefined) continue;
    if (options.select?.(candidate) ?? true) opened.push(candidate);
    else if (candidate.pagemapFd >= 0) closeSync(candidate.pagemapFd);
  }
  const own = openProcess(process.pid);
  if (own !== undefined && (options.select?.(own) ?? true)) opened.push(own);
  return arrange(opened, findSharedAddressSpaces(opened, calls));
}

/** Gives every address space a row, its VMAs consecutive rows, and plans the reading. */
function arrange(opened: readonly OpenedProcess[], sharesWith: Int32Array): Listed {
  const userNameOf = readUserNames();
  const vmas: MapsVma[] = [];
  const mmOfVma: number[] = [];
  const fds: number[] = [];
  const processes: CapturedProcess[] = [];
  const rowOf: { mm: number; firstVma: number; endVma: number }[] = [];
  for (const [index, process] of opened.entries()) {
    const owner = sharesWith[index]!;
    const refused = process.refusal !== null;
    if (owner !== index) rowOf.push(rowOf[owner]!);
    else if (refused) rowOf.push({ mm: -1, firstVma: 0, endVma: 0 });
    else {
      rowOf.push({ mm: fds.length, firstVma: vmas.length, endVma: vmas.length + process.vmas.length });
      for (const vma of process.vmas) {
        vmas.push(vma);
        mmOfVma.push(fds.length);
      }
      fds.push(process.pagemapFd);
    }
    const state = refused ? "refused" : owner === index ? "complete" : "shares-mm";
    processes.push(describeProcess(process, { state, ...rowOf[index]! }, userNameOf));
  }
  const ranges = createVmaRanges(vmas.length);
  for (const [row, vma] of vmas.entries()) {
    ranges.startPage[row] = vma.startPage;
    ranges.endPage[row] = vma.endPage;
  }
  const planned = rowOf
    .filter(({ mm }, index) => mm >= 0 && sharesWith[index] === index)
    .map(({ mm, firstVma, endVma }) => ({ mm, fd: fds[mm]!, firstVma, endVma }));
  return {
    opened,
    processes,
    vmas,
    ranges,
    mmOfVma: Int32Array.from(mmOfVma),
    plan: planReading(planned, ranges),
    fdOfMm: Int32Array.from(fds),
  };
}

interface Reading {
  readonly options: LiveCaptureOptions;
  readonly started: number;
  readonly flagsFd: number;
  readonly threads: ReaderThreads;
  readonly machine: Machine;
  readonly notes: string[];
  readonly listed: Listed;
  readonly hasCalls: boolean;
}

async function readAll(reading: Reading): Promise<LiveCapture> {
  const { options, threads, machine, listed, flagsFd } = reading;
  const { frameCount } = machine;
  const stopWatching = watchProgress(listed.plan, options.onProgress);
  const differences = Array.from({ length: threads.count }, () => createDifference(frameCount));
  await threads.askAll(
    (index) => ({
      type: "open",
      part: { path: options.mappingsPath(index), createdBy: options.createdBy },
      keepPart: options.keepMappings,
    }),
    "opened",
  );
  const totals = await threads.askAll(
    (index) => ({
      type: "read",
      plan: listed.plan,
      vmas: listed.ranges,
      difference: differences[index]!,
      useSystemCalls: reading.hasCalls,
    }),
    "read",
  );
  stopWatching();
  options.signal?.throwIfAborted();
  const mmAlive = await settleProcesses(threads, listed, differences);
  const blockMapped = sumDifferences(differences, frameCount);
  const frames = createFrameTable(frameCount, differences[0]!);
  const scanned = await scanFolios(threads, frames, blockMapped, {
    flagsFd,
    ksmBitMeansKsm: machine.ksmPagesShared > 0,
    wantSmall: options.keepMappings,
  });
  const folios = collectFolios(scanned);
  indexFolios(frames, folios.columns);
  const tables = passTables(listed, mmAlive, frames, folios.columns);
  await addEvents(threads, tables, folios.columns);
  const checked = await checkMapcounts({
    threads,
    frames,
    blockMapped,
    mmOfVma: listed.mmOfVma,
    fdOfMm: listed.fdOfMm,
    mmAlive,
    machine,
    folios: folios.columns,
    everyFrame: options.checkEveryFrame === true || options.select !== undefined,
  });
  countMappedPages(frames, folios.columns);
  options.signal?.throwIfAborted();
  for (const fd of listed.fdOfMm) closeSync(fd);
  for (const { pagemapFd } of listed.opened.filter((_, i) => listed.processes[i]!.state === "shares-mm")) closeSync(pagemapFd);
  return finishCapture(reading, { totals, scanned, folios, frames, mmAlive, checked, tables });
}

/** Decides which address spaces were read to the end; takes back the counts of the others. */
async function settleProcesses(
  threads: ReaderThreads,
  listed: Listed,
  differences: readonly Int32Array<SharedArrayBuffer>[],
): Promise<Uint8Array> {
  const { plan, processes, fdOfMm } = listed;
  const mmAlive = new Uint8Array(fdOfMm.length).fill(1);
  for (let item = 0; item < plan.itemCount; item++) {
    if (plan.status[item] !== ITEM_DONE) mmAlive[plan.mm[item]!] = 0;
  }
  const mmEnded = mmAlive.map((alive) => (alive === 1 ? 0 : 1));
  if (mmEnded.includes(1)) {
    for (const process of processes) {
      if (process.mm >= 0 && mmAlive[process.mm] === 0) process.state = "ended";
    }
    await threads.askAll(
      (index) => ({ type: "countEnded", difference: differences[index]!, mmOfVma: listed.mmOfVma, mmEnded }),
      "countedEnded",
    );
  }
  return mmAlive;
}

async function scanFolios(
  threads: ReaderThreads,
  frames: FrameTable,
  blockMapped: Uint8Array,
  how: { flagsFd: number; ksmBitMeansKsm: boolean; wantSmall: boolean },
): Promise<FoundFolios[]> {
  const shares = windowsOf(blockMapped, frames.frameCount, threads.count);
  const replies = await threads.askAll(
    (index) => ({
      type: "scanFolios",
      fd: how.flagsFd,
      windows: shares[index]!,
      mapcount: frames.mapcount,
      kind: frames.kind,
      ksmBitMeansKsm: how.ksmBitMeansKsm,
      wantSmall: how.wantSmall,
    }),
    "folios",
  );
  return replies.map(({ found }) => found);
}

/** Stretches of mapped blocks as (first frame, frames), in as many equal ascending shares as there are threads. */
export function windowsOf(blockMapped: Uint8Array, frameCount: number, shares: number): Float64Array[] {
  const mapped = blockMapped.reduce((sum, is) => sum + is, 0);
  const target = Math.max(1, Math.ceil(mapped / shares));
  const windows: number[][] = Array.from({ length: shares }, () => []);
  let share = 0;
  let taken = 0;
  for (let block = 0; block < blockMapped.length; block++) {
    if (blockMapped[block] === 0) continue;
    if (taken >= target && share < shares - 1) {
      share++;
      taken = 0;
    }
    const list = windows[share]!;
    const start = block * HPAGE_PMD_NR;
    const count = Math.min(HPAGE_PMD_NR, frameCount - start);
    if (list.length > 0 && list.at(-2)! + list.at(-1)! === start) list[list.length - 1]! += count;
    else list.push(start, count);
    taken++;
  }
  return windows.map((list) => Float64Array.from(list));
}

interface CollectedFolios {
  readonly columns: FolioColumns;
  readonly flagsLow: Int32Array;
  readonly flagsHigh: Int32Array;
}

/** Folios of all threads in ascending order; a gigantic folio seen by two threads counts once. */
function collectFolios(scanned: readonly FoundFolios[]): CollectedFolios {
  const total = scanned.reduce((sum, { headPfn }) => sum + headPfn.length, 0);
  const columns = new FolioColumns(Math.max(1, total));
  const flagsLow = new Int32Array(total);
  const flagsHigh = new Int32Array(total);
  let behind = -1;
  for (const found of scanned) {
    for (const [i, head] of found.headPfn.entries()) {
      if (head <= behind) continue;
      const row = columns.append(head, found.order[i]!, found.kind[i] as FolioKind, found.headExclusive[i] === 1);
      flagsLow[row] = found.flagsLow[i]!;
      flagsHigh[row] = found.flagsHigh[i]!;
      behind = head + 2 ** found.order[i]! - 1;
    }
  }
  return { columns, flagsLow, flagsHigh };
}

function passTables(listed: Listed, mmAlive: Uint8Array, frames: FrameTable, folios: FolioColumns): PassTables {
  return {
    mmOfVma: listed.mmOfVma,
    mmAlive,
    frameCount: frames.frameCount,
    kind: frames.kind,
    blockFirstFolio: frames.blockFirstFolio,
    headPfn: folios.headPfn.slice(0, folios.count),
    folioCount: folios.count,
  };
}

interface Read {
  readonly totals: readonly { readonly totals: ReaderTotals }[];
  readonly scanned: readonly FoundFolios[];
  readonly folios: CollectedFolios;
  readonly frames: FrameTable;
  readonly mmAlive: Uint8Array;
  readonly checked: { readonly agreement: Agreement; readonly bytesRead: number };
  readonly tables: PassTables;
}

function finishCapture(reading: Reading, read: Read): LiveCapture {
  const { threads, listed, options, flagsFd } = reading;
  const ended = listed.plan.status.subarray(0, listed.plan.itemCount).filter((status) => status === ITEM_ENDED).length;
  if (ended > 0) reading.notes.push("Some processes ended while they were read; they are listed without figures.");
  const machine: Machine = { ...reading.machine, endedAtMs: Date.now(), meminfo: readMeminfo() };
  return {
    machine,
    processes: listed.processes,
    vmas: listed.vmas,
    ranges: listed.ranges,
    mmOfVma: listed.mmOfVma,
    mmAlive: read.mmAlive,
    frames: read.frames,
    folios: read.folios.columns,
    agreement: read.checked.agreement,
    cost: costOf(reading, read),
    notes: reading.notes,
    wholeMachine: options.select === undefined,
    smallFrames: mergeSmall(read.scanned),
    folioFlags: { low: read.folios.flagsLow, high: read.folios.flagsHigh },
    async countClasses(classOfFrame, classCount) {
      const replies = await threads.askAll(
        () => ({ type: "histograms", tables: read.tables, classOfFrame, classCount }),
        "histograms",
      );
      return replies.map(({ histograms }) => histograms);
    },
    async finishMappings() {
      return (await threads.askAll(() => ({ type: "finish" }), "finished")).map(({ rows }) => rows);
    },
    async close() {
      closeSync(flagsFd);
      await threads.stop();
    },
  };
}

function costOf(reading: Reading, read: Read): ReadingCost {
  const { listed, started, threads } = reading;
  const sum = (pick: (totals: ReaderTotals) => number): number =>
    read.totals.reduce((total, { totals }) => total + pick(totals), 0);
  return {
    pagemapBytes: listed.plan.bytesRead.reduce((total, bytes) => total + bytes, 0),
    kpageflagsBytes: read.scanned.reduce((total, { bytesRead }) => total + bytesRead, 0),
    kpagecountBytes: read.checked.bytesRead,
    pagemapReads: sum((totals) => totals.reads),
    scans: sum((totals) => totals.scans),
    longestScanMs: Math.max(...read.totals.map(({ totals }) => totals.longestScanMs)),
    entriesPresent: sum((totals) => totals.entriesPresent),
    entriesNotPresent: sum((totals) => totals.entriesSwap),
    entriesBeyondFrames: sum((totals) => totals.entriesBeyondFrames),
    foliosTorn: read.scanned.reduce((total, { torn }) => total + torn, 0),
    elapsedMs: performance.now() - started,
    threads: threads.count,
  };
}

function mergeSmall(scanned: readonly FoundFolios[]): SmallFrameRuns {
  return {
    pfn: scanned.flatMap(({ small }) => small.pfn),
    frames: scanned.flatMap(({ small }) => small.frames),
    flagsLow: scanned.flatMap(({ small }) => small.flagsLow),
    flagsHigh: scanned.flatMap(({ small }) => small.flagsHigh),
  };
}

/**
 * Captures the running machine: lists, reads, counts, finds folios, checks against the kernel's own counts.
 *
 * The order matters. Page tables are read by all threads while processes are still being listed; only then are the flags
 * of the frames found mapped read, so that no frame is looked at in vain; last, kpagecount is compared and what differs
 * is read again. The capture carries when this began and ended: it is not a snapshot.
 */
import { closeSync, openSync } from "node:fs";
import os from "node:os";
import { FolioColumns, type FolioKind, PAGE_SIZE_BYTES } from "../kernel/index.ts";
import type { Agreement, Capture, Machine, ReadingCost } from "./capture.ts";
import { readFolioCgroups } from "./folio-cgroups.ts";
import { findOutCounting } from "./counting-evidence.ts";
import { addEvents, countMappedPages } from "./folio-events.ts";
import type { FoundFolios, SmallFrameRuns } from "./folio-scan.ts";
import { type FrameDifference, type FrameTable, createDifference, indexFolios, sumDifferences } from "./frame-table.ts";
import { windowsOf } from "./frame-windows.ts";
import { type SystemCalls, loadSystemCalls } from "./ioctl.ts";
import { readFlagsOf } from "./folio-around.ts";
import { findFrameCount, readMachine, readMeminfo } from "./machine.ts";
import { checkMapcounts } from "./mapcount-check.ts";
import type { StoredGroup } from "./mapping-part.ts";
import type { ReaderTotals } from "./pagemap-reader.ts";
import { type CaptureProgress, watchProgress } from "./progress.ts";
import { ITEM_DONE, type ReadPlan, closePlan, createReadPlan, publishedItems } from "./read-plan.ts";
import { Readers } from "./readers.ts";
import { type ProcessFilter, Roster } from "./roster.ts";
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
  /** These processes only; all if absent. */
  readonly pids?: readonly number[];
  /** Of those, the ones that pass; all if absent. */
  readonly select?: ProcessFilter;
  /** Compare every mapped frame with kpagecount instead of a sample. Always done when not all processes are read. */
  readonly checkEveryFrame?: boolean;
  /** Reader threads; the default is one a processor, at most 4. */
  readonly threads?: number;
  /** Where each thread's runs go when they do not fit into memory, or are wanted as files. */
  readonly mappingsPath: (thread: number) => string;
  /** The runs are the product: every block is written. */
  readonly keepMappings: boolean;
  readonly onProgress?: (progress: CaptureProgress) => void;
  readonly signal?: AbortSignal;
}

/** A live capture also knows the flags of folios and small frames, for the capture file. */
export interface LiveCapture extends Capture {
  readonly smallFrames: SmallFrameRuns;
  readonly folioFlags: { readonly low: Int32Array; readonly high: Int32Array };
  /** Ends the writing of runs; returns each thread's row groups. */
  finishMappings(): Promise<(readonly StoredGroup[])[]>;
}

/** What one capture has in hand while it is taken. */
interface Reading {
  readonly options: LiveCaptureOptions;
  readonly started: number;
  readonly flagsFd: number;
  readonly threads: Readers;
  readonly plan: ReadPlan;
  readonly calls: SystemCalls | undefined;
  readonly notes: string[];
  readonly phasesMs: Record<string, number>;
  /** Names the phase that just ended. */
  readonly phase: (name: string) => void;
}

/** Takes a capture. Throws CannotCapture where the machine cannot be read at all. */
export async function captureLive(options: LiveCaptureOptions): Promise<LiveCapture> {
  const started = performance.now();
  const flagsFd = openKpageflags();
  const threads = new Readers(options.threads ?? Math.max(1, Math.min(4, os.availableParallelism())));
  const notes: string[] = [];
  const loaded = loadSystemCalls();
  if ("missing" in loaded) notes.push(withoutSystemCalls(loaded.missing));
  const phasesMs: Record<string, number> = {};
  let phaseBegan = started;
  try {
    return await readAll({
      options,
      started,
      flagsFd,
      threads,
      notes,
      phasesMs,
      plan: createReadPlan(),
      calls: "calls" in loaded ? loaded.calls : undefined,
      phase(name) {
        const now = performance.now();
        phasesMs[name] = now - phaseBegan;
        phaseBegan = now;
      },
    });
  } catch (error) {
    closeSync(flagsFd);
    await threads.stop();
    throw error;
  }
}

function isWholeMachine(options: LiveCaptureOptions): boolean {
  return options.pids === undefined && options.select === undefined;
}

function withoutSystemCalls(missing: string): string {
  return (
    `Holes were read through and huge mappings not told apart, because ${missing}; ` +
    "processes that share one address space count once each."
  );
}

/** Opens /proc/kpageflags. Throws CannotCapture where that cannot be. */
export function openKpageflags(): number {
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

async function readAll(reading: Reading): Promise<LiveCapture> {
  const { options, threads, flagsFd, plan } = reading;
  const frameCount = findFrameCount(flagsFd);
  const differences = Array.from({ length: threads.count }, () => createDifference(frameCount));
  const roster = new Roster(plan, { pids: options.pids, wanted: options.select }, reading.calls);
  const stopWatching = watchProgress(plan, options.onProgress);
  const listed = listMachine(reading, roster, frameCount);
  const totals = await readPlan(
    reading,
    differences,
    listed.then(() => undefined),
  );
  const listedMachine = await listed;
  stopWatching();
  reading.phase("read");
  options.signal?.throwIfAborted();
  const mmOfVma = Int32Array.from(roster.mmOfVma);
  const mmAlive = await settleProcesses(reading, roster, mmOfVma, differences);
  const frames = sumDifferences(differences, frameCount);
  refuseHiddenFrames(totals, frames);
  reading.phase("sum");
  const scanned = await scanFolios(reading, frames, listedMachine.ksmPagesShared > 0);
  const folios = collectFolios(scanned);
  indexFolios(frames, folios.columns);
  reading.phase("scan");
  const machine = withCounting(reading, listedMachine, frames, folios.columns);
  const tables = passTables(mmOfVma, mmAlive, frames, folios.columns);
  await addEvents(threads, tables, folios.columns, machine.mapcountConfig === "nopage");
  reading.phase("events");
  const checked = await checkMapcounts({
    threads,
    frames,
    mmOfVma,
    fdOfMm: Int32Array.from(roster.fdOfMm),
    mmAlive,
    machine,
    folios: folios.columns,
    everyFrame: options.checkEveryFrame === true || !isWholeMachine(options),
  });
  countMappedPages(frames, folios.columns);
  reading.phase("check");
  options.signal?.throwIfAborted();
  roster.close();
  return finishCapture(reading, {
    roster,
    machine,
    totals,
    scanned,
    folios,
    frames,
    mmOfVma,
    mmAlive,
    checked,
    tables,
  });
}

/** The machine, with its way of counting found out from its counts if nothing else says it. */
function withCounting(
  { options, notes }: Reading,
  machine: Machine,
  frames: FrameTable,
  folios: FolioColumns,
): Machine {
  if (machine.mapcountConfig !== "unknown") return machine;
  const mapcountConfig = findOutCounting(frames, folios, { complete: isWholeMachine(options) });
  if (mapcountConfig === "unknown") {
    notes.push(
      "How this kernel counts is not known: its configuration cannot be read, and no folio shows it. " +
        "Figures are those of a kernel with a mapcount in every page.",
    );
  } else {
    const how = mapcountConfig === "page" ? "with" : "without";
    notes.push(`This kernel's configuration cannot be read; it counts like one ${how} a mapcount in every page.`);
  }
  return { ...machine, mapcountConfig };
}

/**
 * The kernel shows every frame number as 0 to an opener without CAP_SYS_ADMIN, root in a container for instance
 * (kernel-facts 3.11): entries without frames would make a report of zeros.
 */
export function refuseHiddenFrames(
  totals: readonly Pick<ReaderTotals, "entriesPresent">[],
  { mapcount }: Pick<FrameTable, "mapcount">,
): void {
  const present = totals.reduce((sum, { entriesPresent }) => sum + entriesPresent, 0);
  if (present === 0 || mapcount[0] < present) return;
  throw new CannotCapture(
    "The kernel hides the page frame numbers in /proc/PID/pagemap: that needs CAP_SYS_ADMIN, which root in a container may lack.",
  );
}

/** Refuses a machine whose base pages are not of 4 KiB. */
export function refuseOtherPageSizes({ pageSizeBytes }: Machine): void {
  if (pageSizeBytes === PAGE_SIZE_BYTES) return;
  throw new CannotCapture(
    `This machine's base pages are ${pageSizeBytes} bytes; Foliometer reads page tables of ${PAGE_SIZE_BYTES}-byte pages only.`,
  );
}

/** Lists the processes, twice, and closes the plan. The readers are at work from the first process on. */
async function listMachine(reading: Reading, roster: Roster, frameCount: number): Promise<Machine> {
  // The request to the other readers goes out first.
  await Promise.resolve();
  try {
    roster.list();
    const machine = readMachine(frameCount);
    refuseOtherPageSizes(machine);
    roster.list();
    reading.phase("list");
    return machine;
  } finally {
    closePlan(reading.plan);
  }
}

/** Lets all readers read the plan as it grows, this thread from when it is complete. */
async function readPlan(
  { threads, options, plan, calls }: Reading,
  differences: readonly FrameDifference[],
  listed: Promise<void>,
): Promise<ReaderTotals[]> {
  const replies = await threads.askAll(
    (index) => ({
      type: "read",
      plan,
      difference: differences[index],
      useSystemCalls: calls !== undefined,
      partPath: options.mappingsPath(index),
      keepPart: options.keepMappings,
    }),
    "read",
    listed,
  );
  return replies.map(({ totals }) => totals);
}

/** Decides which address spaces were read to the end; takes back the counts of the others. */
async function settleProcesses(
  { threads, plan }: Reading,
  roster: Roster,
  mmOfVma: Int32Array,
  differences: readonly FrameDifference[],
): Promise<Uint8Array> {
  const mmAlive = new Uint8Array(roster.fdOfMm.length).fill(1);
  const items = publishedItems(plan);
  for (let item = 0; item < items; item++) if (plan.status[item] !== ITEM_DONE) mmAlive[plan.mm[item]] = 0;
  const mmEnded = mmAlive.map((alive) => 1 - alive);
  if (!mmEnded.includes(1)) return mmAlive;
  for (const process of roster.processes) {
    if (process.mm >= 0 && mmAlive[process.mm] === 0) process.state = "ended";
  }
  await threads.askAll(
    (index) => ({ type: "countEnded", difference: differences[index], mmOfVma, mmEnded }),
    "countedEnded",
  );
  return mmAlive;
}

async function scanFolios(
  { threads, options, flagsFd }: Reading,
  frames: FrameTable,
  ksmBitMeansKsm: boolean,
): Promise<FoundFolios[]> {
  const shares = windowsOf(frames.blockMapped, frames.frameCount, threads.count);
  const replies = await threads.askAll(
    (index) => ({
      type: "scanFolios",
      fd: flagsFd,
      windows: shares[index],
      mapcount: frames.mapcount,
      kind: frames.kind,
      ksmBitMeansKsm,
      wantSmall: options.keepMappings,
    }),
    "folios",
  );
  return replies.map(({ found }) => found);
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
      const row = columns.append(head, found.order[i], found.kind[i] as FolioKind, found.headExclusive[i] === 1);
      flagsLow[row] = found.flagsLow[i];
      flagsHigh[row] = found.flagsHigh[i];
      behind = head + 2 ** found.order[i] - 1;
    }
  }
  return { columns, flagsLow, flagsHigh };
}

function passTables(mmOfVma: Int32Array, mmAlive: Uint8Array, frames: FrameTable, folios: FolioColumns): PassTables {
  return {
    mmOfVma,
    mmAlive,
    frameCount: frames.frameCount,
    kind: frames.kind,
    blockFirstFolio: frames.blockFirstFolio,
    headPfn: folios.headPfn.slice(0, folios.count),
    order: folios.order.slice(0, folios.count),
    folioCount: folios.count,
  };
}

interface Read {
  readonly roster: Roster;
  readonly machine: Machine;
  readonly totals: readonly ReaderTotals[];
  readonly scanned: readonly FoundFolios[];
  readonly folios: CollectedFolios;
  readonly frames: FrameTable;
  readonly mmOfVma: Int32Array;
  readonly mmAlive: Uint8Array;
  readonly checked: { readonly agreement: Agreement; readonly bytesRead: number };
  readonly tables: PassTables;
}

function finishCapture(reading: Reading, read: Read): LiveCapture {
  const { threads, options, flagsFd } = reading;
  return {
    machine: { ...read.machine, endedAtMs: Date.now(), meminfo: readMeminfo() },
    processes: read.roster.processes,
    vmas: read.roster.vmas,
    mmOfVma: read.mmOfVma,
    mmAlive: read.mmAlive,
    frames: read.frames,
    folios: read.folios.columns,
    folioCgroups: readFolioCgroups(read.folios.columns),
    agreement: read.checked.agreement,
    cost: costOf(reading, read),
    notes: reading.notes,
    wholeMachine: isWholeMachine(options),
    smallFrames: mergeSmall(read.scanned),
    folioFlags: { low: read.folios.flagsLow, high: read.folios.flagsHigh },
    async countClasses(classOfFrame, classCount) {
      const replies = await threads.askAll(
        () => ({ type: "histograms", tables: read.tables, classOfFrame, classCount }),
        "histograms",
      );
      return replies.map(({ histograms }) => histograms);
    },
    async presentRuns(choice = {}) {
      const { tables } = read;
      const replies = await threads.askAll(() => ({ type: "presentRuns", tables, choice }), "presentRuns");
      return replies.flatMap(({ runs }) => runs);
    },
    async swappedRuns(isWanted) {
      const tables = { mmOfVma: read.mmOfVma, mmAlive: read.mmAlive };
      const replies = await threads.askAll(() => ({ type: "swappedRuns", tables, isWanted }), "swappedRuns");
      return replies.flatMap(({ runs }) => runs);
    },
    async runsOfFrames(intervals) {
      const tables = { mmOfVma: read.mmOfVma, mmAlive: read.mmAlive };
      const replies = await threads.askAll(() => ({ type: "selectFrames", tables, intervals }), "selected");
      return replies.flatMap(({ runs }) => runs);
    },
    async runsOfPages(selection) {
      const tables = { mmOfVma: read.mmOfVma, mmAlive: read.mmAlive };
      const replies = await threads.askAll(() => ({ type: "selectPages", tables, selection }), "selected");
      return replies.flatMap(({ runs }) => runs);
    },
    flagsOfFrame: (pfn) => readFlagsOf(flagsFd, pfn),
    async finishMappings() {
      return (await threads.askAll(() => ({ type: "finish" }), "finished")).map(({ groups }) => groups);
    },
    async close() {
      closeSync(flagsFd);
      await threads.stop();
    },
  };
}

function costOf({ plan, started, threads, phasesMs }: Reading, read: Read): ReadingCost {
  const sum = (pick: (totals: ReaderTotals) => number): number =>
    read.totals.reduce((total, totals) => total + pick(totals), 0);
  const items = publishedItems(plan);
  return {
    pagemapBytes: plan.bytesRead.subarray(0, items).reduce((total, bytes) => total + bytes, 0),
    kpageflagsBytes: read.scanned.reduce((total, { bytesRead }) => total + bytesRead, 0),
    kpagecountBytes: read.checked.bytesRead,
    pagemapReads: sum((totals) => totals.reads),
    scans: sum((totals) => totals.scans),
    longestScanMs: Math.max(...read.totals.map(({ longestScanMs }) => longestScanMs)),
    entriesPresent: sum((totals) => totals.entriesPresent),
    entriesNotPresent: sum((totals) => totals.entriesNotPresent),
    entriesBeyondFrames: sum((totals) => totals.entriesBeyondFrames),
    foliosTorn: read.scanned.reduce((total, { torn }) => total + torn, 0),
    phasesMs,
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

/**
 * What an incremental reading has come to, as a capture like any other: the same questions, the same passes.
 *
 * The differences are two. Its parts are of different ages, and it says which; and its counts are held against
 * /proc/kpagecount in a sample without a second look, which shows how far the old parts are off by now. The tables are the
 * reader's own, so a capture is good until the next refresh.
 */
import type { FolioColumns, MapsVma } from "../kernel/index.ts";
import type { Agreement, Capture, CapturedProcess, Machine, ReadingCost } from "./capture.ts";
import { findOutCounting } from "./counting-evidence.ts";
import { readFlagsOf } from "./folio-around.ts";
import { countMappedPages, fillFromEvents } from "./folio-events.ts";
import type { FrameLedger, LedgerState } from "./frame-ledger.ts";
import type { FrameTable } from "./frame-table.ts";
import { windowsOf } from "./frame-windows.ts";
import { readMeminfo, readTextOrNull } from "./machine.ts";
import { compareWindows } from "./mapcount-compare.ts";
import { sampleBlocks } from "./mapcount-check.ts";
import { type PackedRuns, type PlacedRuns, RunsOfSpaces } from "./packed-runs.ts";
import { collectPresentRuns } from "./present-runs.ts";
import { collectSwappedRuns } from "./swapped-runs.ts";
import { type OpenedProcess, describeProcess } from "./process-list.ts";
import { type PassTables, collectEvents, collectHistograms } from "./run-passes.ts";
import type { RunTemplates } from "./run-templates.ts";
import { selectFrames, selectPages } from "./selected-runs.ts";

/** What one refresh did; times are CPU milliseconds of this process unless said otherwise. */
export interface ReadingNow {
  /** Milliseconds since 1970 when it began. */
  readonly atMs: number;
  readonly cpuBeganMs: number;
  /** For looking at all processes, and for reading some of them. */
  listedMs: number;
  readMs: number;
  /** By the clock, from its beginning to the end of the reading: who waits for the processor waits, too. */
  readClockMs: number;
  readProcesses: number;
  /** Processes that had changed or were wanted first. */
  changedProcesses: number;
  /** Of those, how many the budget did not suffice for. */
  waitingProcesses: number;
  entriesPresent: number;
  pagemapBytes: number;
  pagemapReads: number;
  scans: number;
  longestScanMs: number;
  longestReadMs: number;
}

/** A process's last reading. */
export interface ReadSpace {
  readonly pid: number;
  readonly opened: OpenedProcess;
  readonly runs: PackedRuns;
  readonly sharesWith: number | undefined;
  readonly readAtMs: number;
}

/** A process that appeared or changed and that no reading has caught up with. */
export interface WaitingProcess {
  readonly pid: number;
  /** False where the budget was used up before its turn; true where it ended or became another while it was read. */
  readonly reached: boolean;
  /** When the reading was made that stands in for a new one, milliseconds since 1970; undefined: there is none. */
  readonly readAtMs: number | undefined;
}

/** A capture of parts of different ages. It is good until the reader's next refresh. */
export interface IncrementalCapture extends Capture {
  readonly reading: Readonly<ReadingNow>;
  /** When the oldest part was read, milliseconds since 1970. */
  readonly oldestReadAtMs: number;
  readonly waiting: readonly WaitingProcess[];
}

/** What the reader has in hand. */
export interface Assembly {
  readonly machine: Machine;
  readonly ledger: FrameLedger;
  readonly flagsFd: number;
  /** Open /proc/kpagecount, or -1. */
  readonly countsFd: number;
  /** By pid. */
  readonly spaces: readonly ReadSpace[];
  readonly waiting: readonly WaitingProcess[];
  readonly scratch: Int32Array;
  readonly userNameOf: (uid: number) => string;
  readonly notes: readonly string[];
  readonly now: ReadingNow;
}

/** Puts the capture together. O(runs + frames of touched blocks). */
export function assembleCapture(assembly: Assembly): IncrementalCapture {
  const { ledger, flagsFd, now } = assembly;
  const ksmPagesShared = Number(readTextOrNull("/sys/kernel/mm/ksm/pages_shared") ?? "0");
  const state = ledger.update(flagsFd, ksmPagesShared > 0);
  const { frames, folios } = state;
  const placed = placeProcesses(assembly);
  const mmAlive = new Uint8Array(placed.mmCount).fill(1);
  const tables = tablesOf(placed, mmAlive, frames, folios);
  const machine = {
    ...assembly.machine,
    mapcountConfig: countingOf(assembly.machine, frames, folios),
    ksmPagesShared,
    beganAtMs: now.atMs,
    endedAtMs: Date.now(),
    meminfo: readMeminfo(),
  };
  const { sources } = placed;
  const events = sources.map((runs) => collectEvents(runs, tables));
  fillFromEvents(events, folios, machine.mapcountConfig === "nopage");
  countMappedPages(frames, folios);
  const agreement = sampleAgreement(assembly, frames, folios, machine.mapcountConfig === "nopage");
  return {
    machine,
    processes: placed.processes,
    vmas: placed.vmas,
    mmOfVma: placed.mmOfVma,
    mmAlive,
    frames,
    folios,
    folioCgroups: new Map(),
    agreement: agreement.agreement,
    cost: costOf(now, state, agreement.bytesRead),
    notes: assembly.notes,
    wholeMachine: true,
    reading: now,
    waiting: assembly.waiting,
    oldestReadAtMs: assembly.spaces.reduce((oldest, { readAtMs }) => Math.min(oldest, readAtMs), now.atMs),
    countClasses: async (classOfFrame, classCount) =>
      Promise.resolve(sources.map((runs) => collectHistograms(runs, tables, classOfFrame, classCount))),
    presentRuns: async (choice) => Promise.resolve(sources.flatMap((runs) => collectPresentRuns(runs, tables, choice))),
    swappedRuns: async (isWanted) =>
      Promise.resolve(sources.flatMap((runs) => collectSwappedRuns(runs, tables, isWanted))),
    runsOfFrames: async (intervals) =>
      Promise.resolve(sources.flatMap((runs) => selectFrames(runs, tables, intervals))),
    runsOfPages: async (selection) => Promise.resolve(sources.flatMap((runs) => selectPages(runs, tables, selection))),
    flagsOfFrame: (pfn) => readFlagsOf(flagsFd, pfn),
    // The reader's files are the reader's to close.
    async close() {},
  };
}

interface Placed {
  readonly processes: readonly CapturedProcess[];
  readonly vmas: readonly MapsVma[];
  readonly mmOfVma: Int32Array;
  readonly mmCount: number;
  /** Runs by generation of templates, each ascending by mm. */
  readonly sources: readonly RunsOfSpaces[];
}

/** Gives every address space a row and its VMAs consecutive rows, by pid; whoever shares one follows it. */
function placeProcesses({ spaces, userNameOf, scratch }: Assembly): Placed {
  const processes: CapturedProcess[] = [];
  const vmas: MapsVma[] = [];
  const vmaCounts: number[] = [];
  const byTemplates = new Map<RunTemplates, PlacedRuns[]>();
  const placeOfPid = new Map<number, { readonly mm: number; readonly firstVma: number; readonly endVma: number }>();
  for (const { pid, opened, runs, sharesWith } of spaces) {
    if (opened.refusal !== null) {
      processes.push(describeProcess(opened, { state: "refused", mm: -1, firstVma: 0, endVma: 0 }, userNameOf));
      continue;
    }
    if (sharesWith !== undefined) continue;
    const place = { mm: vmaCounts.length, firstVma: vmas.length, endVma: vmas.length + opened.vmas.length };
    for (const vma of opened.vmas) vmas.push(vma);
    vmaCounts.push(opened.vmas.length);
    placeOfPid.set(pid, place);
    processes.push(describeProcess(opened, { state: "complete", ...place }, userNameOf));
    const list = byTemplates.get(runs.templates) ?? [];
    list.push({ runs, firstVma: place.firstVma });
    byTemplates.set(runs.templates, list);
  }
  for (const { opened, sharesWith } of spaces) {
    const place = sharesWith === undefined ? undefined : placeOfPid.get(sharesWith);
    if (place !== undefined) processes.push(describeProcess(opened, { state: "shares-mm", ...place }, userNameOf));
  }
  const mmOfVma = new Int32Array(vmas.length);
  let row = 0;
  for (const [mm, count] of vmaCounts.entries()) {
    mmOfVma.fill(mm, row, row + count);
    row += count;
  }
  const sources = [...byTemplates].map(([templates, list]) => new RunsOfSpaces(templates, list, scratch));
  return { processes, vmas, mmOfVma, mmCount: vmaCounts.length, sources };
}

function tablesOf(placed: Placed, mmAlive: Uint8Array, frames: FrameTable, folios: FolioColumns): PassTables {
  return {
    mmOfVma: placed.mmOfVma,
    mmAlive,
    frameCount: frames.frameCount,
    kind: frames.kind,
    blockFirstFolio: frames.blockFirstFolio,
    headPfn: folios.headPfn,
    order: folios.order,
    folioCount: folios.count,
  };
}

function countingOf(machine: Machine, frames: FrameTable, folios: FolioColumns): Machine["mapcountConfig"] {
  if (machine.mapcountConfig !== "unknown") return machine.mapcountConfig;
  return findOutCounting(frames, folios, { complete: false });
}

/** Holds the counts of some frames against the kernel's, as they are now. */
function sampleAgreement(
  { countsFd }: Assembly,
  frames: FrameTable,
  folios: FolioColumns,
  averages: boolean,
): { readonly agreement: Agreement; readonly bytesRead: number } {
  const nothing = { framesChecked: 0, everyFrame: false, differedFirst: 0, differAfter: 0, kernelCountsMore: 0 };
  if (countsFd < 0) {
    return {
      agreement: { ...nothing, refusal: "Cannot open /proc/kpagecount: counts were not compared." },
      bytesRead: 0,
    };
  }
  const { frameCount, mapcount, kind, blockFirstFolio } = frames;
  const { headPfn, order, mappedPages, count: folioCount } = folios;
  const [windows] = windowsOf(sampleBlocks(frames.blockMapped), frameCount, 1);
  const { checked, differing, bytesRead } = compareWindows({
    fd: countsFd,
    windows,
    found: {
      frameCount,
      mapcount,
      kind,
      averages: averages ? { blockFirstFolio, headPfn, order, mappedPages, folioCount } : undefined,
    },
  });
  const differ = { differedFirst: differing.length, differAfter: differing.length };
  return { agreement: { ...nothing, ...differ, framesChecked: checked, refusal: null }, bytesRead };
}

function costOf(now: ReadingNow, state: LedgerState, kpagecountBytes: number): ReadingCost {
  return {
    pagemapBytes: now.pagemapBytes,
    kpageflagsBytes: state.kpageflagsBytes,
    kpagecountBytes,
    pagemapReads: now.pagemapReads,
    scans: now.scans,
    longestScanMs: now.longestScanMs,
    entriesPresent: now.entriesPresent,
    entriesNotPresent: 0,
    entriesBeyondFrames: 0,
    foliosTorn: state.foliosTorn,
    phasesMs: { list: now.listedMs, read: now.readMs },
    elapsedMs: Date.now() - now.atMs,
    threads: 1,
  };
}

/**
 * A capture of a small machine by the real readers, passes and tables, step by step as captureLive takes its own.
 *
 * What is not real: /proc (fake-proc.ts), the roster, and the threads, whose work is done one after the other: `threads`
 * readers share the items, each with runs of its own.
 */
import type { Capture, CapturedProcess } from "../../src/capture/capture.ts";
import { addEvents, countMappedPages } from "../../src/capture/folio-events.ts";
import { readFlagsOf } from "../../src/capture/folio-around.ts";
import { FolioScanner, type FoundFolios } from "../../src/capture/folio-scan.ts";
import { createDifference, type FrameTable, indexFolios, sumDifferences } from "../../src/capture/frame-table.ts";
import { windowsOf } from "../../src/capture/frame-windows.ts";
import { PagemapReader } from "../../src/capture/pagemap-reader.ts";
import { collectPresentRuns } from "../../src/capture/present-runs.ts";
import { ITEM_DONE, publishedItems, publishProcess, type ReadPlan } from "../../src/capture/read-plan.ts";
import type { Readers } from "../../src/capture/readers.ts";
import { RunBlocks } from "../../src/capture/run-blocks.ts";
import { collectEvents, collectHistograms, countRuns, type PassTables } from "../../src/capture/run-passes.ts";
import { selectFrames, selectPages } from "../../src/capture/selected-runs.ts";
import { collectSwappedRuns } from "../../src/capture/swapped-runs.ts";
import { FolioColumns, type FolioKind, type MapsVma } from "../../src/kernel/index.ts";
import { FakeSystemCalls, rawEntries, type WordFiles, writeKpageflags, writePagemap } from "./fake-proc.ts";
import type { SmallMachine, SmallProcess } from "./small-machine.ts";

/** How the capture is taken. Nothing of this may change a figure. */
export interface FakeCaptureOptions {
  readonly threads: number;
  /** Which reader takes item i: `shuffle[i % length]`, modulo the readers. */
  readonly shuffle: readonly number[];
  readonly templates: boolean;
  /** Without the scan holes are read through and the level of huge entries is unknown. */
  readonly withoutScan?: boolean;
}

/** An empty plan with room for `rows` VMAs and items; the default is what a small machine has. */
export function smallPlan(rows = 512): ReadPlan {
  const int32 = (length = rows): Int32Array<SharedArrayBuffer> => new Int32Array(new SharedArrayBuffer(length * 4));
  const float64 = (): Float64Array<SharedArrayBuffer> => new Float64Array(new SharedArrayBuffer(rows * 8));
  return {
    control: int32(4),
    vmas: { startPage: float64(), endPage: float64(), shared: new Uint8Array(new SharedArrayBuffer(rows)) },
    mm: int32(),
    fd: int32(),
    startPage: float64(),
    endPage: float64(),
    firstVma: int32(),
    endVma: int32(),
    status: int32(),
    bytesRead: float64(),
  };
}

/** Writes the processes' pagemaps and publishes them, process i as mm i. */
export function publishMachine(
  plan: ReadPlan,
  processes: readonly SmallProcess[],
  files: WordFiles,
  calls: FakeSystemCalls,
): { mmOfVma: Int32Array; fds: number[] } {
  const mmOfVma: number[] = [];
  const fds: number[] = [];
  for (const [mm, process] of processes.entries()) {
    const fd = files.take();
    const entries = process.vmas.flatMap(rawEntries);
    writePagemap(fd, entries, process.vmas.at(-1)?.endPage ?? 0);
    calls.add(fd, entries);
    const firstVma = mmOfVma.length;
    for (const vma of process.vmas) {
      plan.vmas.startPage[mmOfVma.length] = vma.startPage;
      plan.vmas.endPage[mmOfVma.length] = vma.endPage;
      plan.vmas.shared[mmOfVma.length] = vma.shared ? 1 : 0;
      mmOfVma.push(mm);
    }
    if (!publishProcess(plan, { mm, fd, firstVma, endVma: mmOfVma.length })) throw new Error("the plan is full");
    fds.push(fd);
  }
  return { mmOfVma: Int32Array.from(mmOfVma), fds };
}

/** Takes the capture. */
export async function captureSmallMachine(
  machine: SmallMachine,
  files: WordFiles,
  options: FakeCaptureOptions,
): Promise<Capture> {
  const { processes, frameCount } = machine;
  const plan = smallPlan();
  const calls = new FakeSystemCalls();
  const { mmOfVma } = publishMachine(plan, processes, files, calls);
  const mmAlive = Uint8Array.from(processes, ({ ended }) => (ended ? 0 : 1));
  const { runs, frames } = readMachine(plan, options, { calls, mmOfVma, mmAlive, frameCount });
  const flagsFd = files.take();
  writeKpageflags(flagsFd, machine);
  const folios = collectFolios(scanFolios(flagsFd, frames, options.threads));
  indexFolios(frames, folios);
  const tables: PassTables = {
    mmOfVma,
    mmAlive,
    frameCount,
    kind: frames.kind,
    blockFirstFolio: frames.blockFirstFolio,
    headPfn: folios.headPfn.slice(0, folios.count),
    order: folios.order.slice(0, folios.count),
    folioCount: folios.count,
  };
  await addEvents(fakeReaders(runs, tables), tables, folios, machine.config === "nopage");
  countMappedPages(frames, folios);
  return {
    ...factsOf(machine),
    mmOfVma,
    mmAlive,
    frames,
    folios,
    countClasses: (classOfFrame, classCount) =>
      Promise.resolve(runs.map((of) => collectHistograms(of, tables, classOfFrame, classCount))),
    presentRuns: (choice) => Promise.resolve(runs.flatMap((of) => collectPresentRuns(of, tables, choice))),
    swappedRuns: (isWanted) => Promise.resolve(runs.flatMap((of) => collectSwappedRuns(of, tables, isWanted))),
    runsOfFrames: (intervals) => Promise.resolve(runs.flatMap((of) => selectFrames(of, tables, intervals))),
    runsOfPages: (selection) => Promise.resolve(runs.flatMap((of) => selectPages(of, tables, selection))),
    flagsOfFrame: (pfn) => readFlagsOf(flagsFd, pfn),
  };
}

/** Reads all items by the readers in turn and sums what they counted. */
function readMachine(
  plan: ReadPlan,
  { threads, shuffle, templates, withoutScan }: FakeCaptureOptions,
  known: { calls: FakeSystemCalls; mmOfVma: Int32Array; mmAlive: Uint8Array; frameCount: number },
): { runs: RunBlocks[]; frames: FrameTable } {
  const differences = Array.from({ length: threads }, () => createDifference(known.frameCount));
  const how = { memoryBlocks: 1, saveEveryBlock: false, useTemplates: templates };
  const runs = differences.map(() => new RunBlocks(undefined, how));
  const calls = withoutScan === true ? undefined : known.calls;
  const readers = runs.map((of, index) => new PagemapReader(plan.vmas, of, differences[index], calls));
  for (let item = 0; item < publishedItems(plan); item++) {
    const reader = readers[shuffle[item % shuffle.length] % threads];
    if (reader.readItem(plan, item) !== ITEM_DONE) throw new Error(`item ${item} could not be read`);
  }
  const mmEnded = known.mmAlive.map((alive) => 1 - alive);
  for (const [index, of] of runs.entries()) {
    of.finish();
    readers[index].countTemplates();
    countRuns(of, known.mmOfVma, mmEnded, differences[index], -1);
  }
  return { runs, frames: sumDifferences(differences, known.frameCount) };
}

/** The folios that `threads` scanners find in the mapped blocks. */
export function scanFolios(fd: number, frames: FrameTable, threads: number): FoundFolios[] {
  return windowsOf(frames.blockMapped, frames.frameCount, threads).map((windows) => {
    const { mapcount, kind } = frames;
    const scanner = new FolioScanner({ fd, mapcount, kind, ksmBitMeansKsm: true, wantSmall: false });
    for (let i = 0; i < windows.length; i += 2) scanner.scan(windows[i], windows[i + 1]);
    return scanner.found;
  });
}

/** The scanners' folios in one table; a gigantic one that two of them saw counts once. */
export function collectFolios(scanned: readonly FoundFolios[]): FolioColumns {
  const columns = new FolioColumns(1);
  for (const found of scanned) {
    for (const [i, head] of found.headPfn.entries()) {
      if (columns.count > 0 && columns.headPfn[columns.count - 1] === head) continue;
      columns.append(head, found.order[i], found.kind[i] as FolioKind, found.headExclusive[i] === 1);
    }
  }
  return columns;
}

/** Readers that only know the events of their runs. */
export function fakeReaders(runs: readonly RunBlocks[], tables: PassTables): Readers {
  const askAll = (): Promise<unknown> =>
    Promise.resolve(runs.map((of) => ({ type: "events", events: collectEvents(of, tables) })));
  return { askAll } as unknown as Readers;
}

/** What a capture says beside its tables. */
function factsOf(
  machine: SmallMachine,
): Omit<
  Capture,
  | "mmOfVma"
  | "mmAlive"
  | "frames"
  | "folios"
  | "countClasses"
  | "presentRuns"
  | "swappedRuns"
  | "runsOfFrames"
  | "runsOfPages"
  | "flagsOfFrame"
> {
  const vmas = machine.processes.flatMap((process) => process.vmas);
  let row = 0;
  return {
    machine: {
      kernelRelease: "6.18.0",
      architecture: "x64",
      pageSizeBytes: 4096,
      mapcountConfig: machine.config,
      bootId: "",
      hostPseudonym: null,
      beganAtMs: 0,
      endedAtMs: 0,
      uptimeSeconds: 0,
      processorCount: 1,
      frameCount: machine.frameCount,
      thpEnabled: null,
      thpShmemEnabled: null,
      thpSizes: [],
      ksmPagesShared: 1,
      options: { CONFIG_MIGRATION: "y", CONFIG_MEMORY_FAILURE: "y" },
      meminfo: { MemTotal: machine.frameCount * 4096, MemFree: 4096 },
    },
    processes: machine.processes.map(({ ended, vmas: own }, mm): CapturedProcess => {
      const firstVma = row;
      row += own.length;
      return describeProcess(mm, { state: ended ? "ended" : "complete", firstVma, endVma: row });
    }),
    vmas: vmas.map(({ startPage, endPage, shared }): MapsVma => describeVma(startPage, endPage, shared)),
    folioCgroups: new Map(),
    agreement: {
      framesChecked: 0,
      everyFrame: false,
      differedFirst: 0,
      differAfter: 0,
      kernelCountsMore: 0,
      refusal: null,
    },
    cost: {
      pagemapBytes: 0,
      kpageflagsBytes: 0,
      kpagecountBytes: 0,
      pagemapReads: 0,
      scans: 0,
      longestScanMs: 0,
      entriesPresent: 0,
      entriesNotPresent: 0,
      entriesBeyondFrames: 0,
      foliosTorn: 0,
      phasesMs: {},
      elapsedMs: 0,
      threads: 1,
    },
    notes: [],
    wholeMachine: true,
    close: () => Promise.resolve(),
  };
}

function describeProcess(mm: number, at: Pick<CapturedProcess, "state" | "firstVma" | "endVma">): CapturedProcess {
  return {
    pid: 100 + mm,
    ppid: 1,
    uid: 0,
    userName: "root",
    name: `p${mm}`,
    command: `p${mm}`,
    cgroup: "/",
    refusal: null,
    mm,
    status: {
      vmSizeBytes: undefined,
      vmRssBytes: undefined,
      vmSwapBytes: undefined,
      vmPteBytes: 8192,
      hugetlbBytes: undefined,
    },
    ...at,
  };
}

function describeVma(startPage: number, endPage: number, shared: boolean): MapsVma {
  return {
    startPage,
    endPage,
    read: true,
    write: true,
    exec: false,
    shared,
    offset: 0,
    offsetHex: "00000000",
    device: "00:00",
    inode: 0,
    name: "",
  };
}

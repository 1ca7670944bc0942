/**
 * One capture under several schemes: every process's figures and the machine's, now and otherwise.
 *
 * The steps: each scheme answers about the large folios at rest; frames fall into classes; the readers count each VMA's
 * pages by class; sums over classes are the figures. A scheme costs its answers and one addition a class, not a page.
 */
import type { Capture, CapturedProcess, Histograms } from "../capture/index.ts";
import {
  ATTRIBUTES,
  ATTRIBUTE_EXCLUSIVE,
  ATTRIBUTE_FILE,
  ATTRIBUTE_PMD,
  ATTRIBUTE_PMD_HEAD,
  RUN_FILE,
} from "../capture/index.ts";
import {
  ENTRY_EXCLUSIVE,
  ENTRY_FILE,
  ENTRY_PMD,
  FrameClasses,
  MappingSums,
  OF_EXCLUSIVE_LEAST,
  OF_EXCLUSIVE_MOST,
  OF_PRIVATE_LEAST,
  OF_PRIVATE_MOST,
  OF_PSS,
  OF_PSS_ANON,
  OF_PSS_FILE,
  OF_PSS_SHMEM,
  SUM_ANON,
  SUM_CHANGED,
  SUM_EXCLUSIVE_MEASURED,
  SUM_FILE,
  SUM_HUGETLB,
  SUM_RSS,
  SUM_SHMEM,
  bytesOfPss,
} from "../figures/index.ts";
import {
  PAGE_SIZE_BYTES,
  SWAP_KIND_MARKER,
  SWAP_KIND_SWAP,
  SWAP_TYPE_MASK,
  formatProcRefusal,
  swapTypeTable,
} from "../kernel/index.ts";
import { type AnswersAtRest, type Scheme, createAnswersAtRest } from "../schemes/index.ts";
import type { CaptureReport, ProcessFigures, ProcessReport } from "./capture-report.ts";
import { REPORT_VERSION } from "./capture-report.ts";
import { reportCgroups } from "./cgroup-figures.ts";
import { machineFigures, partialFolios, reportFolios } from "./machine-figures.ts";
import { memoryAccounts } from "./memory-accounts.ts";
import { swapLayoutOf } from "./swap-layout.ts";

/** What the classes of a capture's frames and its VMAs' sums say; the middle of every study of a capture. */
export interface CaptureSums {
  readonly schemes: readonly Scheme[];
  readonly answers: readonly AnswersAtRest[];
  readonly classes: FrameClasses;
  /** One row a VMA. */
  readonly vmas: MappingSums;
  /** Swap entries by VMA row, in pages. */
  readonly swapPages: Float64Array;
  /** Entries that are not present and hold a page (migration, hwpoison), by VMA row; they are in `vmas` too. */
  readonly movingPages: Float64Array;
  readonly histograms: readonly Histograms[];
}

/** The schemes in the order of a report: the kernel's own first. */
export function orderSchemes(capture: Capture, schemes: readonly Scheme[]): Scheme[] {
  const config = capture.machine.mapcountConfig === "nopage" ? "nopage" : "page";
  return schemes.toSorted((a, b) => Number(b.kernelConfig === config) - Number(a.kernelConfig === config));
}

/**
 * Sums every VMA under the schemes. O(pages mapped + schemes * folios). `table`: room for the class of every frame, which
 * whoever sums captures of one machine again and again may keep; what is left in it of frames mapped by nobody is not read.
 */
export async function sumCapture(
  capture: Capture,
  schemes: readonly Scheme[],
  table?: Int32Array<SharedArrayBuffer>,
): Promise<CaptureSums> {
  const { frames, folios } = capture;
  const answers = schemes.map((scheme) => {
    const answered = createAnswersAtRest(folios.count);
    scheme.answerAtRest(folios, answered);
    return answered;
  });
  const classes = new FrameClasses(schemes, folios, answers);
  const classOfFrame = table ?? new Int32Array(new SharedArrayBuffer(Math.max(4, frames.frameCount * 4)));
  classes.assign(frames, folios, classOfFrame);
  const histograms = await capture.countClasses(classOfFrame, classes.classes.length);
  const vmas = new MappingSums(capture.vmas.length, schemes.length);
  const swapPages = new Float64Array(capture.vmas.length);
  const movingPages = new Float64Array(capture.vmas.length);
  for (const histogram of histograms) {
    const { triples } = histogram;
    for (let at = 0; at < triples.length; at += 3) {
      addTriple(vmas, classes, { row: triples[at], index: triples[at + 1], pages: triples[at + 2] });
    }
    addNotPresent(capture, histogram, vmas, { swapPages, movingPages, rowOf: (vma) => vma });
  }
  return { schemes, answers, classes, vmas, swapPages, movingPages, histograms };
}

/** Adds so many pages of a class and with attributes (`index`, as in a histogram) to a row. */
export function addTriple(
  sums: MappingSums,
  { classes }: Pick<FrameClasses, "classes">,
  { row, index, pages }: { readonly row: number; readonly index: number; readonly pages: number },
): void {
  const frameClass = classes[Math.floor(index / ATTRIBUTES)];
  const attributes = index % ATTRIBUTES;
  if ((attributes & ATTRIBUTE_PMD_HEAD) !== 0) {
    sums.addPmdExclusive(row, frameClass, pages);
    return;
  }
  const entry =
    ((attributes & ATTRIBUTE_FILE) !== 0 ? ENTRY_FILE : 0) |
    ((attributes & ATTRIBUTE_EXCLUSIVE) !== 0 ? ENTRY_EXCLUSIVE : 0) |
    ((attributes & ATTRIBUTE_PMD) !== 0 ? ENTRY_PMD : 0);
  sums.add(row, frameClass, pages, entry);
}

/**
 * Adds the entries of a histogram that are not present: those that hold a page (migration, hwpoison) to the row that
 * `rowOf` gives for their VMA; swap and moving pages by VMA, where asked for.
 */
export function addNotPresent(
  capture: Capture,
  { swap }: Histograms,
  sums: MappingSums,
  to: {
    readonly rowOf: (vma: number) => number;
    readonly swapPages?: Float64Array;
    readonly movingPages?: Float64Array;
  },
): void {
  const swapKinds = swapTypeTable(swapLayoutOf(capture.machine));
  const { swapPages, movingPages, rowOf } = to;
  for (let at = 0; at < swap.length; at += 4) {
    const kind = swapKinds[swap[at + 1] & SWAP_TYPE_MASK];
    const pages = swap[at + 2];
    if (kind === SWAP_KIND_SWAP) {
      if (swapPages !== undefined) swapPages[swap[at]] += pages;
    } else if (kind !== SWAP_KIND_MARKER) {
      sums.addNotPresent(rowOf(swap[at]), pages, entryOfPagemapBits(swap[at + 3]));
      if (movingPages !== undefined) movingPages[swap[at]] += pages;
    }
  }
}

function entryOfPagemapBits(bits: number): number {
  return (bits & RUN_FILE) !== 0 ? ENTRY_FILE : 0;
}

/** The report. The capture stays open. */
export async function reportOnCapture(capture: Capture, wanted: readonly Scheme[]): Promise<CaptureReport> {
  return reportOnSums(capture, await sumCapture(capture, orderSchemes(capture, wanted)));
}

/** The report that sums give, whose schemes are in the order of `orderSchemes`. */
export function reportOnSums(capture: Capture, sums: CaptureSums): CaptureReport {
  const { schemes } = sums;
  const processes = capture.processes.map((process) => reportProcess(process, sums));
  // A shared address space counts once in totals.
  const counted = processes.filter(({ state }) => state === "complete");
  const total = (pick: (process: ProcessReport) => number): number => counted.reduce((all, p) => all + pick(p), 0);
  const { machine, agreement, cost } = capture;
  const figures = machineFigures(capture, sums, counted);
  return {
    schema: "foliometer-report",
    version: REPORT_VERSION,
    machine: {
      kernelRelease: machine.kernelRelease,
      architecture: machine.architecture,
      mapcountConfig: machine.mapcountConfig,
      pageSizeBytes: machine.pageSizeBytes,
      beganAtMs: machine.beganAtMs,
      endedAtMs: machine.endedAtMs,
      bootId: machine.bootId,
      memTotalBytes: machine.meminfo["MemTotal"] ?? 0,
      thpEnabled: machine.thpEnabled,
    },
    schemes: schemes.map(({ id }) => id),
    wholeMachine: capture.wholeMachine,
    processes,
    totals: {
      rssBytes: total(({ rssBytes }) => rssBytes),
      swapBytes: total(({ swapBytes }) => swapBytes),
      hugetlbBytes: total(({ hugetlbBytes }) => hugetlbBytes),
    },
    figures,
    measured: {
      anonPagesBytes: machine.meminfo["AnonPages"] ?? null,
      mappedBytes: machine.meminfo["Mapped"] ?? null,
      shmemBytes: machine.meminfo["Shmem"] ?? null,
      anonHugePagesBytes: machine.meminfo["AnonHugePages"] ?? null,
      exclusiveEntries: total(({ exclusiveEntriesMeasured }) => exclusiveEntriesMeasured),
    },
    memory: memoryAccounts(capture, sums, figures[schemes[0]?.id ?? ""]?.pssBytes ?? 0),
    folios: reportFolios(capture),
    partial: partialFolios(capture),
    cgroups: reportCgroups(capture, schemes),
    coverage: {
      processesRead: counted.length,
      processesRefused: processes.filter(({ state }) => state === "refused").length,
      processesEnded: processes.filter(({ state }) => state === "ended").length,
      framesChecked: agreement.framesChecked,
      everyFrameChecked: agreement.everyFrame,
      framesDiffered: agreement.differedFirst,
      framesDifferAfterSecondLook: agreement.differAfter,
      framesCountedMoreByKernel: agreement.kernelCountsMore,
      checkRefusal: agreement.refusal,
      changedBytes: total(({ changedBytes }) => changedBytes),
    },
    cost: {
      elapsedMs: cost.elapsedMs,
      threads: cost.threads,
      pagemapBytes: cost.pagemapBytes,
      kpageflagsBytes: cost.kpageflagsBytes,
      kpagecountBytes: cost.kpagecountBytes,
      entriesPresent: cost.entriesPresent,
      longestScanMs: cost.longestScanMs,
      phasesMs: cost.phasesMs,
    },
    notes: capture.notes,
  };
}

/** A process under every scheme of the sums. */
export function reportProcess(process: CapturedProcess, sums: CaptureSums): ProcessReport {
  const { vmas, schemes, swapPages } = sums;
  const total = new Float64Array(vmas.width);
  let swap = 0;
  if (process.state === "complete" || process.state === "shares-mm") {
    vmas.combine(process.firstVma, process.endVma, total);
    for (let row = process.firstVma; row < process.endVma; row++) swap += swapPages[row];
  }
  const bytes = (column: number): number => total[column] * PAGE_SIZE_BYTES;
  return {
    pid: process.pid,
    ppid: process.ppid,
    uid: process.uid,
    user: process.userName,
    name: process.name,
    command: process.command,
    cgroup: process.cgroup,
    state: process.state,
    refusal: refusalOf(process),
    rssBytes: bytes(SUM_RSS),
    rssAnonBytes: bytes(SUM_ANON),
    rssFileBytes: bytes(SUM_FILE),
    rssShmemBytes: bytes(SUM_SHMEM),
    swapBytes: swap * PAGE_SIZE_BYTES,
    hugetlbBytes: bytes(SUM_HUGETLB),
    pageTablesBytes: process.status.vmPteBytes ?? 0,
    changedBytes: bytes(SUM_CHANGED),
    exclusiveEntriesMeasured: total[SUM_EXCLUSIVE_MEASURED],
    schemes: Object.fromEntries(schemes.map(({ id }, index) => [id, processFigures(total, vmas.schemeAt(index))])),
  };
}

/**
 * The figures of a row of sums, in which a scheme's columns begin at `at`. Units are truncated once for the whole row, as
 * smaps_rollup does for a process (kernel-facts 3.6).
 */
export function processFigures(total: Float64Array, at: number): ProcessFigures {
  return {
    pssBytes: bytesOfPss(total[at + OF_PSS]),
    pssAnonBytes: bytesOfPss(total[at + OF_PSS_ANON]),
    pssFileBytes: bytesOfPss(total[at + OF_PSS_FILE]),
    pssShmemBytes: bytesOfPss(total[at + OF_PSS_SHMEM]),
    ussBytes: {
      least: total[at + OF_PRIVATE_LEAST] * PAGE_SIZE_BYTES,
      most: total[at + OF_PRIVATE_MOST] * PAGE_SIZE_BYTES,
    },
    exclusiveEntries: { least: total[at + OF_EXCLUSIVE_LEAST], most: total[at + OF_EXCLUSIVE_MOST] },
  };
}

function refusalOf(process: CapturedProcess): string | null {
  if (process.refusal !== null) return formatProcRefusal(process.refusal);
  return process.state === "ended" ? "The process ended while it was read." : null;
}

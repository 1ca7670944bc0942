/**
 * Which entries map some frames, as found in one of three ways: among the candidates that the running machine's maps
 * suggest (narrow-read.ts), among all of its page tables, or in a stored capture.
 *
 * Whether candidates were enough is decided by the kernel's own count and by nothing else: /proc/kpagecount says how many
 * mappings each page has (kernel-facts 3.9). If as many were found, nobody is missing. On a kernel without mapcounts in
 * pages it prints a large folio's average, which a few mappings more or less may leave as it is: that proves nothing.
 */
import {
  FRAME_KIND_MASK,
  FRAME_LARGE,
  KIND_HUGETLB,
  KIND_NONE,
  KIND_UNCOUNTED,
  type MapsVma,
  OBSERVED_EXCLUSIVE,
  OBSERVED_SHARED,
  OBSERVED_UNKNOWN,
  averageOfMappedPages,
} from "../kernel/index.ts";
import type { Capture, CapturedProcess, Machine } from "./capture.ts";
import type { FolioAround } from "./folio-around.ts";
import { folioOfFrame } from "./frame-table.ts";
import { ENTRY_EXCLUSIVE, type SelectedRun } from "./selected-runs.ts";

/** How the mappings were looked for, and at what cost. */
export interface MappingSearch {
  readonly how: "candidates" | "every-page-table" | "capture";
  /** Processes of which page tables were looked at, and those that could not be. */
  readonly processesRead: number;
  readonly processesRefused: number;
  /** Bytes of /proc/PID/pagemap read for the answer; 0 of a stored capture. */
  readonly pagemapBytes: number;
  readonly elapsedMs: number;
}

/** The frames asked about and every entry found on them. */
export interface FoundMappings {
  readonly machine: Machine;
  /** The folio, where a question was about one; its frames then are `intervals`. */
  readonly folio: FolioAround | undefined;
  /** The frame that was asked about in `folio`; -1 where none was. */
  readonly askedFrame: number;
  /** Ascending pairs: first frame, frame behind the last. */
  readonly intervals: Float64Array;
  /** Kinds by frame, in the order of the intervals: KIND_... and FRAME_LARGE. */
  readonly kinds: Uint8Array;
  readonly processes: readonly CapturedProcess[];
  readonly vmas: readonly MapsVma[];
  /** Row of the address space by VMA. */
  readonly mmOfVma: ArrayLike<number>;
  readonly runs: readonly SelectedRun[];
  /** What the kernel counts of each frame, in the order of the intervals; undefined: not asked, or refused. */
  readonly kernelCounts: Int32Array | undefined;
  /** Mappings by those who were not read, as a capture knows them of the folio. */
  readonly mappedOutside: number;
  readonly search: MappingSearch;
}

/** How the mappings found compare with the kernel's counts. */
export type CountVerdict =
  /** Every page has as many mappings as the kernel counts. */
  | "explained"
  /** The kernel counts more mappings of some page: someone who maps it was not found. */
  | "kernel-counts-more"
  /** The kernel counts fewer: mappings went away meanwhile, or an address space was read twice. */
  | "kernel-counts-fewer"
  /** The folio's average is as it should be, which does not prove that everybody was found. */
  | "average-agrees"
  /** The kernel does not count mappings of it: the zero page, device memory. */
  | "uncounted"
  /** No counts to compare with. */
  | "unchecked";

/** Frames in the intervals. */
export function framesIn(intervals: Float64Array): number {
  let sum = 0;
  for (let at = 0; at < intervals.length; at += 2) sum += intervals[at + 1] - intervals[at];
  return sum;
}

/** From a frame in the intervals to its place in their order. O(log intervals) a call. */
export function placesOf(intervals: Float64Array): (frame: number) => number {
  const before = new Float64Array(intervals.length / 2 + 1);
  for (let at = 0; at < intervals.length / 2; at++) {
    before[at + 1] = before[at] + intervals[2 * at + 1] - intervals[2 * at];
  }
  return (frame) => {
    let low = 0;
    let high = intervals.length / 2 - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (intervals[2 * middle] <= frame) low = middle;
      else high = middle - 1;
    }
    return before[low] + frame - intervals[2 * low];
  };
}

/** Entries found on each frame, in the order of the intervals. O(pages mapped + runs * log intervals). */
export function countFound({ intervals, runs }: Pick<FoundMappings, "intervals" | "runs">): Int32Array {
  const counts = new Int32Array(framesIn(intervals));
  const placeOf = placesOf(intervals);
  for (const { frame, pages, step } of runs) {
    const place = placeOf(step < 0 ? frame - pages + 1 : frame);
    if (step === 0) counts[place] += pages;
    else for (let at = 0; at < pages; at++) counts[place + at] += 1;
  }
  return counts;
}

/** Holds what was found against the kernel's counts. */
export function judgeCounts(found: FoundMappings): CountVerdict {
  const { kernelCounts, kinds, folio, machine } = found;
  if (kinds.every(isUncounted)) return "uncounted";
  if (kernelCounts === undefined) return "unchecked";
  const counts = countFound(found);
  const averages = machine.mapcountConfig === "nopage";
  if (averages && folio !== undefined && folio.order > 0 && folio.kind !== KIND_HUGETLB) {
    const sum = counts.reduce((all, count) => all + count, 0);
    const expected = averageOfMappedPages(sum, folio.order);
    if (kernelCounts[0] === expected) return "average-agrees";
    return kernelCounts[0] > expected ? "kernel-counts-more" : "kernel-counts-fewer";
  }
  let fewer = false;
  let unproved = false;
  for (let at = 0; at < counts.length; at++) {
    if (isUncounted(kinds[at])) continue;
    // Of a large folio of which only some frames are asked for, an average says nothing.
    if (averages && isAveraged(kinds[at])) unproved = true;
    else if (kernelCounts[at] > counts[at]) return "kernel-counts-more";
    else if (kernelCounts[at] < counts[at]) fewer = true;
  }
  if (fewer) return "kernel-counts-fewer";
  return unproved ? "average-agrees" : "explained";
}

/** True where a kernel without mapcounts in pages prints an average: hugetlb shows its entire mapcount (kernel-facts 3.9). */
function isAveraged(kindByte: number): boolean {
  return (kindByte & FRAME_LARGE) !== 0 && (kindByte & FRAME_KIND_MASK) !== KIND_HUGETLB;
}

function isUncounted(kindByte: number): boolean {
  const kind = kindByte & FRAME_KIND_MASK;
  return kind === KIND_UNCOUNTED || kind === KIND_NONE;
}

/** How this kernel itself sees the sharing of a folio, where it counts without mapcounts in pages (kernel-facts 3.7). */
export function observedSharing({ folio, machine, runs }: FoundMappings): 0 | 1 | 2 {
  if (machine.mapcountConfig !== "nopage" || folio === undefined || runs.length === 0) return OBSERVED_UNKNOWN;
  return (runs[0].bits & ENTRY_EXCLUSIVE) !== 0 ? OBSERVED_EXCLUSIVE : OBSERVED_SHARED;
}

/** The folio of a frame in a capture; undefined where nobody was seen to map it or its flags are not known. */
export function folioInCapture(capture: Capture, pfn: number): FolioAround | undefined {
  const { frames, folios } = capture;
  if (pfn >= frames.frameCount) return undefined;
  const kindByte = frames.kind[pfn];
  if ((kindByte & FRAME_LARGE) !== 0) {
    const row = folioOfFrame(frames.blockFirstFolio, folios.headPfn, folios.count, pfn);
    if (row < 0) return undefined;
    const head = folios.headPfn[row];
    return {
      head,
      order: folios.order[row],
      kind: folios.kind[row] as FolioAround["kind"],
      flags: capture.flagsOfFrame(head) ?? { low: 0, high: 0 },
      headExclusive: folios.headExclusive[row] === 1,
    };
  }
  if (frames.mapcount[pfn] <= 0) return undefined;
  const flags = capture.flagsOfFrame(pfn) ?? { low: 0, high: 0 };
  const kind = (kindByte & FRAME_KIND_MASK) as FolioAround["kind"];
  return { head: pfn, order: 0, kind, flags, headExclusive: false };
}

/** Everything in a capture that maps a folio. */
export async function findFolioInCapture(
  capture: Capture,
  folio: FolioAround,
  options: { readonly askedFrame: number; readonly how: "every-page-table" | "capture" },
): Promise<FoundMappings> {
  const intervals = Float64Array.of(folio.head, folio.head + 2 ** folio.order);
  const found = await findFrames(capture, intervals, options.how);
  const { frames, folios } = capture;
  const row = folio.order === 0 ? -1 : folioOfFrame(frames.blockFirstFolio, folios.headPfn, folios.count, folio.head);
  const mappedOutside = row < 0 ? 0 : folios.mappedOutside[row];
  return { ...found, folio, askedFrame: options.askedFrame, mappedOutside };
}

async function findFrames(
  capture: Capture,
  intervals: Float64Array,
  how: "every-page-table" | "capture",
): Promise<FoundMappings> {
  const started = performance.now();
  const runs = await capture.runsOfFrames(intervals);
  const { frames, agreement, machine } = capture;
  const kinds = new Uint8Array(framesIn(intervals));
  const counts = new Int32Array(kinds.length);
  let place = 0;
  for (let at = 0; at < intervals.length; at += 2) {
    kinds.set(frames.kind.subarray(intervals[at], intervals[at + 1]), place);
    counts.set(frames.mapcount.subarray(intervals[at], Math.min(intervals[at + 1], frames.frameCount)), place);
    place += intervals[at + 1] - intervals[at];
  }
  // Where every frame was held against the kernel's count, the capture's counts are the kernel's.
  const areKernels = agreement.everyFrame && agreement.refusal === null && machine.mapcountConfig !== "nopage";
  const refused = capture.processes.filter(({ state }) => state === "refused").length;
  return {
    machine,
    folio: undefined,
    askedFrame: -1,
    intervals,
    kinds,
    processes: capture.processes,
    vmas: capture.vmas,
    mmOfVma: capture.mmOfVma,
    runs,
    kernelCounts: areKernels ? counts : undefined,
    mappedOutside: 0,
    search: {
      how,
      processesRead: capture.processes.length - refused,
      processesRefused: refused,
      pagemapBytes: how === "capture" ? 0 : capture.cost.pagemapBytes,
      elapsedMs: how === "capture" ? performance.now() - started : capture.cost.elapsedMs,
    },
  };
}

/**
 * Everything that a capture holds beside its runs, as values: what the tables store and what redaction rewrites.
 *
 * Frames are described by ranges: large folios, runs of small mapped frames, and two lists of single frames (counts
 * that the kernel corrected, frames on which it disagrees). With the runs they give back every table over frames.
 */
import { FRAME_DISAGREES, FRAME_KIND_MASK, type FolioColumns, HPAGE_PMD_NR, type MapsVma } from "../kernel/index.ts";
import type { CapturedProcess, Machine } from "./capture.ts";
import type { FrameTable } from "./frame-table.ts";
import type { LiveCapture } from "./live-capture.ts";
import type { SmapsColumns } from "./smaps-columns.ts";

/** Runs of small mapped frames with equal flags, ascending. */
export interface SmallFrames {
  readonly pfn: readonly number[];
  readonly frames: readonly number[];
  readonly kind: readonly number[];
  readonly flagsLow: readonly number[];
  readonly flagsHigh: readonly number[];
}

/** All of a capture but its runs and what the manifest says. */
export interface CaptureFacts {
  readonly machine: Machine;
  readonly processes: readonly CapturedProcess[];
  readonly vmas: readonly MapsVma[];
  /** Row of the mm of each VMA; ascending. */
  readonly mmOfVma: Int32Array;
  /** Ascending by head. */
  readonly folios: FolioColumns;
  readonly folioFlags: { readonly low: Int32Array; readonly high: Int32Array };
  readonly folioCgroups: ReadonlyMap<number, string>;
  readonly small: SmallFrames;
  /** Mapcounts that differ from what the runs add up to, by ascending frame. */
  readonly corrections: { readonly pfn: readonly number[]; readonly mapcount: readonly number[] };
  /** Frames, ascending, that kpagecount counted differently, twice. */
  readonly disagreements: readonly number[];
  /** What smaps printed, by row of the VMA, where it was asked for and the VMA was still the same. */
  readonly smaps: SmapsColumns;
}

/** The facts of a capture just taken. */
export function factsOf(capture: LiveCapture, smaps: SmapsColumns): CaptureFacts {
  const { machine, processes, vmas, mmOfVma, folios, folioFlags, folioCgroups, frames } = capture;
  return {
    machine,
    processes,
    vmas,
    mmOfVma,
    folios,
    folioFlags,
    folioCgroups,
    smaps,
    small: describeSmall(capture),
    corrections: { pfn: frames.corrected, mapcount: frames.corrected.map((pfn) => frames.mapcount[pfn]) },
    disagreements: findDisagreements(frames),
  };
}

function describeSmall({ smallFrames, frames }: LiveCapture): SmallFrames {
  const { pfn, frames: lengths, flagsLow, flagsHigh } = smallFrames;
  const kind = pfn.map((first) => frames.kind[first] & FRAME_KIND_MASK);
  return sortSmall({ pfn, frames: lengths, kind, flagsLow, flagsHigh });
}

/** The same runs in ascending order. */
export function sortSmall(small: SmallFrames): SmallFrames {
  const order = small.pfn.map((_, index) => index).sort((a, b) => small.pfn[a] - small.pfn[b]);
  const pick = (values: readonly number[]): number[] => order.map((index) => values[index]);
  return {
    pfn: pick(small.pfn),
    frames: pick(small.frames),
    kind: pick(small.kind),
    flagsLow: pick(small.flagsLow),
    flagsHigh: pick(small.flagsHigh),
  };
}

function findDisagreements({ kind, blockMapped, frameCount }: FrameTable): number[] {
  const found: number[] = [];
  for (let block = 0; block < blockMapped.length; block++) {
    if (blockMapped[block] === 0) continue;
    const end = Math.min(frameCount, (block + 1) * HPAGE_PMD_NR);
    for (let pfn = block * HPAGE_PMD_NR; pfn < end; pfn++) if ((kind[pfn] & FRAME_DISAGREES) !== 0) found.push(pfn);
  }
  return found;
}

/** 1 for every mm that was read to its end: those of which a process is not marked as ended. */
export function aliveMms(processes: readonly CapturedProcess[]): Uint8Array {
  const alive = new Uint8Array(processes.reduce((count, { mm }) => Math.max(count, mm + 1), 0));
  for (const { mm, state } of processes) if (mm >= 0 && state !== "ended") alive[mm] = 1;
  return alive;
}

/**
 * The second look at frames on which the first count and kpagecount disagree.
 *
 * A capture is not atomic: between reading a page table and reading kpagecount a page may be mapped, unmapped or freed.
 * For the frames in question every run that claims to map them is read again, entry by entry, and counted anew. What
 * disagrees then is either mapped by someone who could not be read, or still moving; it is reported as coverage.
 */
import { readSync } from "node:fs";
import { PM_FRAME_HIGH } from "../kernel/index.ts";
import { ADDRESS_AT, BITS_AT, FRAME_AT, PAGES_AT, RUN_PRESENT, type RunBlocks, STEP_AT } from "./run-blocks.ts";

export interface RereadRequest {
  /** Frames in question, ascending. */
  readonly frames: Float64Array;
  readonly mmOfVma: Int32Array;
  readonly mmAlive: Uint8Array;
  /** Open pagemap of each mm, -1 if there is none. */
  readonly fdOfMm: Int32Array;
}

export interface RereadResult {
  /** For each frame asked about: entries of this thread's runs that mapped it at the first look. */
  readonly before: Int32Array;
  /** And those that still map it. */
  readonly after: Int32Array;
}

/** Reads the entries of the frames again. O(runs * log frames + entries read). */
export function rereadFrames(runs: RunBlocks, request: RereadRequest): RereadResult {
  const { frames, mmOfVma, mmAlive, fdOfMm } = request;
  const before = new Int32Array(frames.length);
  const after = new Int32Array(frames.length);
  const entry = Buffer.allocUnsafeSlow(8);
  runs.forEachRun((block, at, vma) => {
    if ((block[BITS_AT + at] & RUN_PRESENT) === 0 || block[FRAME_AT + 2 * at + 1] !== 0) return;
    const mm = mmOfVma[vma];
    if (mmAlive[mm] === 0) return;
    const pages = block[PAGES_AT + at];
    const step = block[STEP_AT + at];
    const frame = block[FRAME_AT + 2 * at] >>> 0;
    const lowest = step < 0 ? frame - pages + 1 : frame;
    const end = step === 0 ? frame + 1 : lowest + pages;
    const page = (block[ADDRESS_AT + 2 * at] >>> 12) + block[ADDRESS_AT + 2 * at + 1] * 1_048_576;
    for (let i = lowerBound(frames, lowest); i < frames.length && frames[i] < end; i++) {
      const repeat = step === 0 ? pages : 1;
      before[i] += repeat;
      for (let k = 0; k < repeat; k++) {
        const pageIndex = step === 0 ? k : Math.abs(frames[i] - frame);
        if (stillMaps(fdOfMm[mm], page + pageIndex, frames[i], entry)) after[i] += 1;
      }
    }
  });
  return { before, after };
}

function stillMaps(fd: number, page: number, frame: number, entry: Buffer): boolean {
  if (fd < 0) return false;
  try {
    if (readSync(fd, entry, 0, 8, page * 8) < 8) return false;
  } catch {
    // The target may refuse now what it allowed before; then the entry is not confirmed.
    return false;
  }
  const high = entry.readInt32LE(4);
  return high < 0 && (high & PM_FRAME_HIGH) === 0 && entry.readUInt32LE(0) === frame;
}

function lowerBound(values: Float64Array, wanted: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Compares counts found with /proc/kpagecount, window by window; each reader has its share of the windows.
 */
import { readSync } from "node:fs";
import { FRAME_KIND_MASK, FRAME_LARGE, KIND_HUGETLB, KIND_UNCOUNTED, averageOfMappedPages } from "../kernel/index.ts";
import { folioOfFrame } from "./frame-table.ts";

const BUFFER_FRAMES = 16_384;
/** Mapped frames closer than this are read in one piece. */
const GAP_FRAMES = 128;

/** The counts found, as far as comparing needs them; all of it may be sent to another thread. */
export interface FoundCounts {
  readonly frameCount: number;
  readonly mapcount: Int32Array;
  readonly kind: Uint8Array;
  /** On a kernel without mapcounts in pages: what the averages of large folios follow from. */
  readonly averages:
    | undefined
    | {
        readonly blockFirstFolio: Int32Array;
        readonly headPfn: Float64Array;
        readonly order: Uint8Array;
        readonly mappedPages: Float64Array;
        readonly folioCount: number;
      };
}

/** What one reader compares. */
export interface CompareRequest {
  /** Open /proc/kpagecount. */
  readonly fd: number;
  readonly found: FoundCounts;
  /** Pairs: first frame, frames. */
  readonly windows: Float64Array;
}

/** What it found. */
export interface CompareResult {
  readonly checked: number;
  /** Frames that differ, ascending. */
  readonly differing: number[];
  readonly bytesRead: number;
}

/** Reads kpagecount in pieces. */
export class KernelCounts {
  readonly words = new Int32Array(BUFFER_FRAMES * 2);
  private readonly bytes = new Uint8Array(this.words.buffer);
  private readonly fd: number;
  bytesRead = 0;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Low words of counts of frames [pfn, pfn + count) at even indexes of `words`; returns how many were read. */
  read(pfn: number, count: number): number {
    const got = readSync(this.fd, this.bytes, 0, count * 8, pfn * 8);
    this.bytesRead += got;
    return got >>> 3;
  }

  one(pfn: number): number {
    return this.read(pfn, 1) === 1 ? this.words[0] : 0;
  }
}

/** What the kernel should print for a frame, from what was found. */
export function expectedCount({ mapcount, kind, averages }: FoundCounts, pfn: number): number {
  if (averages === undefined || (kind[pfn] & FRAME_LARGE) === 0 || (kind[pfn] & FRAME_KIND_MASK) === KIND_HUGETLB) {
    return mapcount[pfn];
  }
  const { blockFirstFolio, headPfn, folioCount, mappedPages, order } = averages;
  const row = folioOfFrame(blockFirstFolio, headPfn, folioCount, pfn);
  return row < 0 ? mapcount[pfn] : averageOfMappedPages(mappedPages[row], order[row]);
}

/** Whether a frame is compared. Pages of a large folio that only others map matter too: its sharing is asked as a whole. */
function isCompared({ mapcount, kind }: FoundCounts, pfn: number): boolean {
  const byte = kind[pfn];
  return (mapcount[pfn] !== 0 || (byte & FRAME_LARGE) !== 0) && (byte & FRAME_KIND_MASK) !== KIND_UNCOUNTED;
}

/** Compares the windows' frames once. */
export function compareWindows({ fd, found, windows }: CompareRequest): CompareResult {
  const reader = new KernelCounts(fd);
  const differing: number[] = [];
  let checked = 0;
  for (let at = 0; at < windows.length; at += 2) {
    const windowEnd = Math.min(found.frameCount, windows[at] + windows[at + 1]);
    for (let pfn = windows[at]; pfn < windowEnd;) {
      if (!isCompared(found, pfn)) {
        pfn++;
        continue;
      }
      let end = pfn + 1;
      for (let next = end; next < windowEnd && next - end < GAP_FRAMES && next - pfn < BUFFER_FRAMES; next++) {
        if (isCompared(found, next)) end = next + 1;
      }
      const got = reader.read(pfn, end - pfn);
      for (let i = 0; i < got; i++) {
        if (!isCompared(found, pfn + i)) continue;
        checked++;
        if (reader.words[2 * i] !== expectedCount(found, pfn + i)) differing.push(pfn + i);
      }
      pfn = end;
    }
  }
  return { checked, differing, bytesRead: reader.bytesRead };
}

/**
 * What is known of every page frame: how often it is mapped and what it holds.
 *
 * Two tables indexed by PFN, in shared memory: `mapcount` (32 bits) and `kind` (8 bits). Pages of the tables that no
 * mapped frame touches are never written and so never become memory. Large folios have rows in FolioColumns; they are
 * found from a frame through an index over blocks of 512 frames, because a folio up to PMD size never crosses a block.
 */
import { type FolioColumns, HPAGE_PMD_NR } from "../kernel/index.ts";

/** `kind` byte: the kernel's folio kind in the low bits, and whether the frame belongs to a large folio. */
export const FRAME_KIND_MASK = 0x07;
export const FRAME_LARGE = 0x08;
/** The frame's mappings were counted by the kernel differently, twice (see mapcount-check.ts). */
export const FRAME_DISAGREES = 0x10;

/** Tables over all frames of the machine. */
export interface FrameTable {
  /** Frames: PFNs below this are covered. */
  readonly frameCount: number;
  /** Page-table entries found that map the frame. */
  readonly mapcount: Int32Array<SharedArrayBuffer>;
  readonly kind: Uint8Array<SharedArrayBuffer>;
  /** For each block of 512 frames the first row of FolioColumns whose folio ends behind the block's start; and 1 more. */
  readonly blockFirstFolio: Int32Array<SharedArrayBuffer>;
}

/** Tables for `frameCount` frames, all zero. `mapcount` may be a finished difference table. */
export function createFrameTable(frameCount: number, mapcount: Int32Array<SharedArrayBuffer>): FrameTable {
  const blocks = Math.ceil(frameCount / HPAGE_PMD_NR);
  return {
    frameCount,
    mapcount,
    kind: new Uint8Array(new SharedArrayBuffer(Math.max(1, frameCount))),
    blockFirstFolio: new Int32Array(new SharedArrayBuffer((blocks + 1) * 4)),
  };
}

/** A difference table for `frameCount` frames. */
export function createDifference(frameCount: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer((frameCount + 1) * 4));
}

/**
 * Counts a run of present entries in a difference table: `sign` 1 when it appears, -1 when it is taken back.
 * `frame` is the run's first frame; returns false, and counts nothing, if the run leaves the table. O(1).
 */
export function countRun(difference: Int32Array, frame: number, pages: number, step: number, sign: 1 | -1): boolean {
  const lowest = step < 0 ? frame - pages + 1 : frame;
  const behind = step === 0 ? frame + 1 : lowest + pages;
  if (behind >= difference.length) return false;
  const weight = step === 0 ? pages * sign : sign;
  difference[lowest]! += weight;
  difference[behind]! -= weight;
  return true;
}

/**
 * Adds the difference tables into the first one and turns it into mapcounts (one prefix sum).
 * Returns, for each block of 512 frames, whether any frame of it is mapped. O(frames).
 */
export function sumDifferences(tables: readonly Int32Array[], frameCount: number): Uint8Array {
  const target = tables[0]!;
  const blockMapped = new Uint8Array(Math.ceil(frameCount / HPAGE_PMD_NR));
  for (const table of tables.slice(1)) addInto(target, table, frameCount);
  let sum = 0;
  for (let block = 0; block < blockMapped.length; block++) {
    const end = Math.min(frameCount, (block + 1) * HPAGE_PMD_NR);
    let any = 0;
    for (let pfn = block * HPAGE_PMD_NR; pfn < end; pfn++) {
      sum = (sum + target[pfn]!) | 0;
      target[pfn] = sum;
      any |= sum;
    }
    blockMapped[block] = any === 0 ? 0 : 1;
  }
  return blockMapped;
}

function addInto(target: Int32Array, table: Int32Array, frameCount: number): void {
  for (let pfn = 0; pfn < frameCount; pfn++) target[pfn] = (target[pfn]! + table[pfn]!) | 0;
}

/** Fills the block index from folios sorted by head. */
export function indexFolios(table: FrameTable, folios: FolioColumns): void {
  const { blockFirstFolio } = table;
  let row = 0;
  for (let block = 0; block < blockFirstFolio.length; block++) {
    const start = block * HPAGE_PMD_NR;
    while (row < folios.count && folios.headPfn[row]! + 2 ** folios.order[row]! <= start) row++;
    blockFirstFolio[block] = row;
  }
}

/** The row of the large folio that holds a frame whose kind has FRAME_LARGE, or -1. O(log of folios in the block). */
export function folioOfFrame(blockFirstFolio: Int32Array, headPfn: Float64Array, folioCount: number, pfn: number): number {
  const block = Math.floor(pfn / HPAGE_PMD_NR);
  let low = blockFirstFolio[block]!;
  let high = block + 1 < blockFirstFolio.length ? Math.min(folioCount - 1, blockFirstFolio[block + 1]!) : folioCount - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (headPfn[middle]! <= pfn) low = middle;
    else high = middle - 1;
  }
  return low < folioCount && headPfn[low]! <= pfn ? low : -1;
}

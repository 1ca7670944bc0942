/**
 * What is known of every page frame: how often it is mapped and what it holds.
 *
 * Two tables indexed by PFN, in shared memory: `mapcount` (32 bits) and `kind` (8 bits). Pages of the tables that no
 * mapped frame touches are never written and so never become memory. Large folios have rows in FolioColumns; they are
 * found from a frame through an index over blocks of 512 frames, because a folio up to PMD size never crosses a block.
 */
import { type FolioColumns, HPAGE_PMD_NR } from "../kernel/index.ts";

export { FRAME_DISAGREES, FRAME_KIND_MASK, FRAME_LARGE } from "../kernel/index.ts";

const BLOCK_SHIFT = 9;

/** Tables over all frames of the machine. */
export interface FrameTable {
  /** Frames: PFNs below this are covered. */
  readonly frameCount: number;
  /** Page-table entries found that map the frame. */
  readonly mapcount: Int32Array<SharedArrayBuffer>;
  readonly kind: Uint8Array<SharedArrayBuffer>;
  /** Frames, ascending, whose mapcount is no longer what the entries first read add up to (mapcount-check.ts). */
  readonly corrected: number[];
  /** For each block of 512 frames whether any is mapped. */
  readonly blockMapped: Uint8Array;
  /** For each block of 512 frames the first row of FolioColumns whose folio ends behind the block's start; and 1 more. */
  readonly blockFirstFolio: Int32Array<SharedArrayBuffer>;
}

/** A difference table over frames and the blocks of 512 frames in which it is not zero. */
export interface FrameDifference {
  /** One longer than the frames. */
  readonly table: Int32Array<SharedArrayBuffer>;
  readonly touched: Uint8Array<SharedArrayBuffer>;
}

/** An empty difference table for `frameCount` frames. */
export function createDifference(frameCount: number): FrameDifference {
  return {
    table: new Int32Array(new SharedArrayBuffer((frameCount + 1) * 4)),
    touched: new Uint8Array(new SharedArrayBuffer((frameCount >>> BLOCK_SHIFT) + 1)),
  };
}

/**
 * Counts a run of present entries `times` times: 1 when it appears, -1 when it is taken back, more when as many address
 * spaces have it. `frame` is the run's first frame; returns false, and counts nothing, if the run leaves the table. O(1).
 */
export function countRun(
  difference: FrameDifference,
  frame: number,
  pages: number,
  step: number,
  times: number,
): boolean {
  const { table, touched } = difference;
  const lowest = step < 0 ? frame - pages + 1 : frame;
  const behind = step === 0 ? frame + 1 : lowest + pages;
  if (behind >= table.length) return false;
  const weight = step === 0 ? pages * times : times;
  table[lowest] += weight;
  table[behind] -= weight;
  touched[lowest >>> BLOCK_SHIFT] = 1;
  touched[behind >>> BLOCK_SHIFT] = 1;
  return true;
}

/**
 * Adds all difference tables into the first one and turns that into the table of mapcounts (one prefix sum over the
 * blocks that any table touches or a run spans).
 */
export function sumDifferences(differences: readonly FrameDifference[], frameCount: number): FrameTable {
  const mapcount = differences[0].table;
  const others = differences.slice(1);
  const blockMapped = new Uint8Array(Math.ceil(frameCount / HPAGE_PMD_NR));
  let sum = 0;
  for (let block = 0; block < blockMapped.length; block++) {
    const start = block * HPAGE_PMD_NR;
    const end = Math.min(frameCount, start + HPAGE_PMD_NR);
    const touching = others.filter(({ touched }) => touched[block] === 1);
    if (touching.length === 0 && differences[0].touched[block] === 0) {
      if (sum === 0) continue;
      mapcount.fill(sum, start, end);
      blockMapped[block] = 1;
      continue;
    }
    for (const { table } of touching) for (let pfn = start; pfn < end; pfn++) mapcount[pfn] += table[pfn];
    let any = 0;
    for (let pfn = start; pfn < end; pfn++) {
      sum = (sum + mapcount[pfn]) | 0;
      mapcount[pfn] = sum;
      any |= sum;
    }
    blockMapped[block] = any === 0 ? 0 : 1;
  }
  mapcount[frameCount] = 0;
  return {
    frameCount,
    mapcount,
    kind: new Uint8Array(new SharedArrayBuffer(Math.max(1, frameCount))),
    corrected: [],
    blockMapped,
    blockFirstFolio: new Int32Array(new SharedArrayBuffer((blockMapped.length + 1) * 4)),
  };
}

/** Fills the block index from folios sorted by head. */
export function indexFolios(table: FrameTable, folios: FolioColumns): void {
  const { blockFirstFolio } = table;
  let row = 0;
  for (let block = 0; block < blockFirstFolio.length; block++) {
    const start = block * HPAGE_PMD_NR;
    while (row < folios.count && folios.headPfn[row] + 2 ** folios.order[row] <= start) row++;
    blockFirstFolio[block] = row;
  }
}

/** The row of the large folio that holds a frame whose kind has FRAME_LARGE, or -1. O(log of folios in the block). */
export function folioOfFrame(
  blockFirstFolio: Int32Array,
  headPfn: Float64Array,
  folioCount: number,
  pfn: number,
): number {
  const block = Math.floor(pfn / HPAGE_PMD_NR);
  let low = blockFirstFolio[block];
  let high = block + 1 < blockFirstFolio.length ? Math.min(folioCount - 1, blockFirstFolio[block + 1]) : folioCount - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (headPfn[middle] <= pfn) low = middle;
    else high = middle - 1;
  }
  return low < folioCount && headPfn[low] <= pfn ? low : -1;
}

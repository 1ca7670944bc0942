/**
 * The layout of runs of page-table entries: blocks of columns.
 *
 * A run is `pages` consecutive pages of one VMA whose entries are equal but for the frame, and whose frames step by a
 * constant: page i has frame `frame + step * i`. Fresh memory comes from the buddy allocator upwards (+1) or downwards
 * (-1), the zero page repeats (0), swap slots step by 32 (the offset lies above five bits of type). On a PostgreSQL
 * server this makes 20 entries of one run on average; a huge page is one run.
 *
 *     block of N runs, 32-bit words     offset
 *     vma      row of the VMA           0      N words
 *     address  bytes, low and high      N      2N words
 *     frame    low and high             3N     2N words
 *     pages                             5N     N words
 *     step                              6N     N words
 *     bits     pagemap 55-63 and level  7N     N words
 *
 * The layout is that of the Parquet columns, so a block goes to disk without conversion (mapping-part.ts).
 */

/** Runs in a block: 1 MiB of columns. */
export const BLOCK_RUNS = 32_768;
export const WORDS_PER_RUN = 8;

export const VMA_AT = 0;
export const ADDRESS_AT = BLOCK_RUNS;
export const FRAME_AT = 3 * BLOCK_RUNS;
export const PAGES_AT = 5 * BLOCK_RUNS;
export const STEP_AT = 6 * BLOCK_RUNS;
export const BITS_AT = 7 * BLOCK_RUNS;

/** `bits`: pagemap's bits 55-63 in their order, then the level of the entry. */
export const RUN_SOFT_DIRTY = 1 << 0;
export const RUN_EXCLUSIVE = 1 << 1;
export const RUN_UFFD_WP = 1 << 2;
export const RUN_GUARD = 1 << 3;
export const RUN_FILE = 1 << 6;
export const RUN_SWAP = 1 << 7;
export const RUN_PRESENT = 1 << 8;
/** Shift of the two level bits (kernel's LEVEL_... codes). */
export const RUN_LEVEL_SHIFT = 9;

/** Marks a record that stands for a template's runs; its frame word is the template's number (run-templates.ts). */
export const RUN_TEMPLATE = 1 << 12;

/** Pages under the high word of an address. */
const PAGES_OF_HIGH_WORD = 2 ** 20;
const PAGE_SHIFT = 12;

/** The virtual page number that run `at` of a block begins at. */
export function pageOfRun(block: Int32Array, at: number): number {
  const low = block[ADDRESS_AT + 2 * at] >>> PAGE_SHIFT;
  return low + (block[ADDRESS_AT + 2 * at + 1] >>> 0) * PAGES_OF_HIGH_WORD;
}

/** Writes run `at` of a block. */
export function writeRun(
  block: Int32Array,
  at: number,
  vma: number,
  addressLow: number,
  addressHigh: number,
  frameLow: number,
  frameHigh: number,
  pages: number,
  step: number,
  bits: number,
): void {
  block[VMA_AT + at] = vma;
  block[ADDRESS_AT + 2 * at] = addressLow;
  block[ADDRESS_AT + 2 * at + 1] = addressHigh;
  block[FRAME_AT + 2 * at] = frameLow;
  block[FRAME_AT + 2 * at + 1] = frameHigh;
  block[PAGES_AT + at] = pages;
  block[STEP_AT + at] = step;
  block[BITS_AT + at] = bits;
}

/** Receives one run, and the VMA it belongs to (for a template's run that is not the VMA in its block). */
export type RunVisitor = (block: Int32Array, at: number, vma: number) => void;

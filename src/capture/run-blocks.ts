/**
 * Runs of page-table entries, in blocks of columns.
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

import type { RunTemplates } from "./run-templates.ts";

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

/** Where full blocks go, and come back from. */
export interface BlockStore {
  /** Keeps the first `runs` runs of the block; returns a handle for `load`. */
  save(block: Int32Array, runs: number): number;
  /** Reads a block back into `block`. */
  load(handle: number, block: Int32Array, runs: number): void;
}

interface FullBlock {
  runs: number;
  memory: Int32Array | undefined;
  handle: number;
}

/** Receives a block and the number of its runs in use. The block is valid during the call only. */
export type BlockVisitor = (block: Int32Array, runs: number) => void;

/** Receives one run, and the VMA it belongs to (for a template's run that is not the VMA in its block). */
export type RunVisitor = (block: Int32Array, at: number, vma: number) => void;

/** The runs that one thread holds, in order, within a memory bound. */
export class RunBlocks {
  /** Where records marked RUN_TEMPLATE find their runs. */
  templates: RunTemplates | undefined;
  private current: Int32Array = new Int32Array(BLOCK_RUNS * WORDS_PER_RUN);
  private used = 0;
  private readonly full: FullBlock[] = [];
  private readonly spare: Int32Array[] = [];
  private inMemory = 0;
  private readonly store: BlockStore | undefined;
  private readonly saveEveryBlock: boolean;
  private readonly memoryBlocks: number;

  /**
   * `memoryBlocks`: full blocks kept in memory; further ones live in the store alone.
   * `saveEveryBlock`: the store is the product (a capture being written), not just a spill.
   */
  constructor(store: BlockStore | undefined, options: { memoryBlocks: number; saveEveryBlock: boolean }) {
    this.store = store;
    this.memoryBlocks = options.memoryBlocks;
    this.saveEveryBlock = options.saveEveryBlock;
  }

  /** Appends a run; all arguments are 32-bit words. */
  append(
    vma: number,
    addressLow: number,
    addressHigh: number,
    frameLow: number,
    frameHigh: number,
    pages: number,
    step: number,
    bits: number,
  ): void {
    if (this.used === BLOCK_RUNS) this.turnBlock();
    writeRun(this.current, this.used++, vma, addressLow, addressHigh, frameLow, frameHigh, pages, step, bits);
  }

  /** Adds a block that lies in the store already (a stored capture). */
  addStored(handle: number, runs: number): void {
    this.full.push({ runs, memory: undefined, handle });
  }

  private turnBlock(): void {
    this.retire(this.current, this.used);
    this.current = this.spare.pop() ?? new Int32Array(BLOCK_RUNS * WORDS_PER_RUN);
    this.used = 0;
  }

  private retire(block: Int32Array, runs: number): void {
    const keep = this.inMemory < this.memoryBlocks || this.store === undefined;
    const handle = this.store !== undefined && (this.saveEveryBlock || !keep) ? this.store.save(block, runs) : -1;
    if (keep) this.inMemory++;
    else this.spare.push(block);
    this.full.push({ runs, memory: keep ? block : undefined, handle });
  }

  /** Ends a round of writing: the last, partial block is kept like the others. More runs may follow. */
  finish(): void {
    if (this.used === 0) return;
    this.turnBlock();
  }

  /** Calls `visit` for every block, in order; a block that lives in the store alone is loaded for it. */
  forEachBlock(visit: BlockVisitor): void {
    for (const entry of this.full) {
      let block = entry.memory;
      if (block === undefined) {
        block = this.spare.pop() ?? new Int32Array(BLOCK_RUNS * WORDS_PER_RUN);
        this.store!.load(entry.handle, block, entry.runs);
        // A stored block is kept as long as there is room, so that the second pass finds it in memory.
        if (this.inMemory < this.memoryBlocks) {
          entry.memory = block;
          this.inMemory++;
        }
      }
      visit(block, entry.runs);
      if (entry.memory === undefined) this.spare.push(block);
    }
  }

  /** Calls `visit` for every run in order, a template's runs once for each VMA that has them. */
  forEachRun(visit: RunVisitor): void {
    this.forEachBlock((block, count) => {
      for (let at = 0; at < count; at++) {
        const vma = block[VMA_AT + at]!;
        if ((block[BITS_AT + at]! & RUN_TEMPLATE) === 0) visit(block, at, vma);
        else this.templates!.forEachRun(block[FRAME_AT + 2 * at]!, vma, visit);
      }
    });
  }
}

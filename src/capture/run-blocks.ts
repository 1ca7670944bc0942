/**
 * The runs that one reader holds: blocks of columns (run-layout.ts), in order, within a memory bound. Full blocks beyond it
 * go to a store and are loaded back when they are visited.
 */
import {
  BITS_AT,
  BLOCK_RUNS,
  FRAME_AT,
  RUN_TEMPLATE,
  type RunVisitor,
  VMA_AT,
  WORDS_PER_RUN,
  writeRun,
} from "./run-layout.ts";
import { RunTemplates } from "./run-templates.ts";

export * from "./run-layout.ts";

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

/** What a pass over runs needs of whoever holds them. */
export type RunSource = Pick<RunBlocks, "templates" | "forEachBlock" | "forEachRun">;

/** The runs that one thread holds, in order, within a memory bound. */
export class RunBlocks {
  /** Where records marked RUN_TEMPLATE find their runs. */
  readonly templates: RunTemplates;
  /** Whether a reader may refer to templates: not where the blocks are a file that others read. */
  readonly useTemplates: boolean;
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
   * `templates`: those of earlier readings, to be shared with them; its own if absent.
   */
  constructor(
    store: BlockStore | undefined,
    options: { memoryBlocks: number; saveEveryBlock: boolean; useTemplates?: boolean; templates?: RunTemplates },
  ) {
    this.store = store;
    this.templates = options.templates ?? new RunTemplates();
    this.useTemplates = options.useTemplates === true;
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

  /** Forgets all runs and keeps the blocks for others. Not for runs with a store. */
  clear(): void {
    if (this.store !== undefined) throw new Error("runs in a store cannot be forgotten");
    for (const { memory } of this.full) if (memory !== undefined) this.spare.push(memory);
    this.full.length = 0;
    this.inMemory = 0;
    this.used = 0;
  }

  /** Calls `visit` for every block, in order; a block that lives in the store alone is loaded for it. */
  forEachBlock(visit: BlockVisitor): void {
    for (const entry of this.full) {
      let block = entry.memory;
      if (block === undefined) {
        block = this.spare.pop() ?? new Int32Array(BLOCK_RUNS * WORDS_PER_RUN);
        if (this.store === undefined) throw new Error("a block is neither in memory nor in a store");
        this.store.load(entry.handle, block, entry.runs);
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
        const vma = block[VMA_AT + at];
        if ((block[BITS_AT + at] & RUN_TEMPLATE) === 0) visit(block, at, vma);
        else this.templates.forEachRun(block[FRAME_AT + 2 * at], vma, visit);
      }
    });
  }
}

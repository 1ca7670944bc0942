/**
 * The runs of one address space, packed to their size, so that a hundred small processes do not hold a block each.
 *
 * A pass over many address spaces sees them as the blocks it knows: a chunk is copied into one scratch block, with the
 * row of its VMAs shifted to where these VMAs stand in the capture of the moment. Copying costs a hundredth of a pass.
 *
 *     chunk of n runs: vma n words | address 2n | frame 2n | pages n | step n | bits n      (run-layout.ts)
 */
import type { RunBlocks, RunSource } from "./run-blocks.ts";
import {
  ADDRESS_AT,
  BITS_AT,
  BLOCK_RUNS,
  FRAME_AT,
  PAGES_AT,
  RUN_PRESENT,
  RUN_TEMPLATE,
  type RunVisitor,
  STEP_AT,
  VMA_AT,
  WORDS_PER_RUN,
} from "./run-layout.ts";
import type { RunTemplates } from "./run-templates.ts";

/** Where a block's columns begin, and how many words a run has in each. */
const COLUMNS = [
  [VMA_AT, 1],
  [ADDRESS_AT, 2],
  [FRAME_AT, 2],
  [PAGES_AT, 1],
  [STEP_AT, 1],
  [BITS_AT, 1],
] as const;
/** Frames are marked in grains of 64: a grain of small folios is read by itself, and changes are scattered. */
export const GRAIN_SHIFT = 6;

/** Runs of one address space; the VMA of a run is its index within this address space. */
export interface PackedRuns {
  readonly chunks: readonly Int32Array[];
  /** Where records marked RUN_TEMPLATE find their runs. */
  readonly templates: RunTemplates;
}

/** Packs what was read; `runs` must be finished. */
export function packRuns(runs: RunBlocks): PackedRuns {
  const chunks: Int32Array[] = [];
  runs.forEachBlock((block, count) => {
    const chunk = new Int32Array(count * WORDS_PER_RUN);
    let to = 0;
    for (const [at, words] of COLUMNS) {
      chunk.set(block.subarray(at, at + count * words), to);
      to += count * words;
    }
    chunks.push(chunk);
  });
  return { chunks, templates: runs.templates };
}

/** Packed runs with the row of the first VMA of their address space. */
export interface PlacedRuns {
  readonly runs: PackedRuns;
  readonly firstVma: number;
}

/** Runs of several address spaces with one set of templates, in their order, as the passes want them. */
export class RunsOfSpaces implements RunSource {
  readonly templates: RunTemplates;
  private readonly spaces: readonly PlacedRuns[];
  private readonly scratch: Int32Array;

  /** `scratch`: a block (BLOCK_RUNS * WORDS_PER_RUN words) that nobody else uses during a pass. */
  constructor(templates: RunTemplates, spaces: readonly PlacedRuns[], scratch: Int32Array) {
    if (spaces.some(({ runs }) => runs.templates !== templates)) throw new Error("runs of other templates");
    if (scratch.length !== BLOCK_RUNS * WORDS_PER_RUN) throw new Error("the scratch block is of another size");
    this.templates = templates;
    this.spaces = spaces;
    this.scratch = scratch;
  }

  /** Calls `visit` for every chunk, in order; the block is valid during the call only. */
  forEachBlock(visit: (block: Int32Array, runs: number) => void): void {
    const { scratch } = this;
    for (const { runs, firstVma } of this.spaces) {
      for (const chunk of runs.chunks) {
        const count = chunk.length / WORDS_PER_RUN;
        let from = 0;
        for (const [at, words] of COLUMNS) {
          scratch.set(chunk.subarray(from, from + count * words), at);
          from += count * words;
        }
        if (firstVma > 0) for (let at = VMA_AT; at < VMA_AT + count; at++) scratch[at] += firstVma;
        visit(scratch, count);
      }
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

/** Walks records in the order of their addresses. */
class Cursor {
  address = Infinity;
  private chunkIndex = -1;
  private chunk: Int32Array = new Int32Array(0);
  private count = 0;
  private index = -1;
  readonly runs: PackedRuns;

  constructor(runs: PackedRuns) {
    this.runs = runs;
    this.next();
  }

  next(): void {
    this.index++;
    while (this.index >= this.count) {
      this.chunkIndex++;
      if (this.chunkIndex >= this.runs.chunks.length) {
        this.address = Infinity;
        return;
      }
      this.chunk = this.runs.chunks[this.chunkIndex];
      this.count = this.chunk.length / WORDS_PER_RUN;
      this.index = 0;
    }
    const at = this.count + 2 * this.index;
    this.address = (this.chunk[at] >>> 0) + (this.chunk[at + 1] >>> 0) * 2 ** 32;
  }

  /** Word of the record in the column that begins `before` runs' words into the chunk. */
  word(before: number, offset: number): number {
    return this.chunk[before * this.count + offset];
  }

  equals(other: Cursor): boolean {
    const { index, runs } = this;
    const bits = this.word(7, index);
    if (bits !== other.word(7, other.index)) return false;
    if ((bits & RUN_TEMPLATE) !== 0 && runs.templates !== other.runs.templates) return false;
    return (
      this.word(3, 2 * index) === other.word(3, 2 * other.index) &&
      this.word(3, 2 * index + 1) === other.word(3, 2 * other.index + 1) &&
      this.word(5, index) === other.word(5, other.index) &&
      this.word(6, index) === other.word(6, other.index)
    );
  }

  /** Marks the grains that the record's frames lie in. */
  mark(grains: Uint8Array): void {
    const { index, runs } = this;
    const low = this.word(3, 2 * index);
    const bits = this.word(7, index);
    if ((bits & RUN_TEMPLATE) !== 0) {
      runs.templates.forEachRun(low, -1, (block, at) => {
        if (block[FRAME_AT + 2 * at + 1] !== 0) return;
        markFrames(grains, block[FRAME_AT + 2 * at] >>> 0, block[PAGES_AT + at], block[STEP_AT + at]);
      });
    } else if ((bits & RUN_PRESENT) !== 0 && this.word(3, 2 * index + 1) === 0) {
      markFrames(grains, low >>> 0, this.word(5, index), this.word(6, index));
    }
  }
}

function markFrames(grains: Uint8Array, frame: number, pages: number, step: number): void {
  const lowest = step < 0 ? frame - pages + 1 : frame;
  const highest = step > 0 ? frame + pages - 1 : frame;
  const end = Math.min(grains.length, (highest >>> GRAIN_SHIFT) + 1);
  for (let grain = lowest >>> GRAIN_SHIFT; grain < end; grain++) grains[grain] = 1;
}

/**
 * Marks the grains of frames that a record of one side and not of the other lies in: what may have changed between two
 * readings of one address space. O(runs).
 */
export function markChangedGrains(before: PackedRuns, after: PackedRuns, grains: Uint8Array): void {
  const old = new Cursor(before);
  const fresh = new Cursor(after);
  while (old.address < Infinity || fresh.address < Infinity) {
    if (old.address === fresh.address) {
      if (!old.equals(fresh)) {
        old.mark(grains);
        fresh.mark(grains);
      }
      old.next();
      fresh.next();
    } else if (old.address < fresh.address) {
      old.mark(grains);
      old.next();
    } else {
      fresh.mark(grains);
      fresh.next();
    }
  }
}

/** Runs of nothing, for an address space before its first reading or after its end. */
export function noRuns(templates: RunTemplates): PackedRuns {
  return { chunks: [], templates };
}

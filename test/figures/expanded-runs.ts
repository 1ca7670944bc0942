/**
 * Runs taken apart again, page by page: what a table of runs says, without its brevity.
 */
import {
  ADDRESS_AT,
  BITS_AT,
  FRAME_AT,
  PAGES_AT,
  RUN_LEVEL_SHIFT,
  type RunBlocks,
  STEP_AT,
} from "../../src/capture/run-blocks.ts";

/** One entry of a run. */
export interface ExpandedEntry {
  readonly vma: number;
  readonly page: number;
  /** Bits 0-54 of pagemap: the frame, or type and offset of a swap entry. */
  readonly frame: number;
  /** Bits 55-63 of pagemap. */
  readonly bits: number;
  readonly level: number;
}

/** A run to be appended, as numbers of any size. */
export interface PlainRun {
  readonly vma: number;
  readonly page: number;
  readonly frame: number;
  readonly pages: number;
  readonly step: number;
  readonly bits: number;
  readonly level?: number;
}

const WORD = 2 ** 32;
const PAGES_PER_WORD = 2 ** 20;

/** Appends a run whose pages do not cross 4 GiB of addresses. */
export function appendRun(runs: RunBlocks, { vma, page, frame, pages, step, bits, level = 0 }: PlainRun): void {
  const addressLow = (page % PAGES_PER_WORD) * 4096;
  runs.append(
    vma,
    addressLow | 0,
    Math.floor(page / PAGES_PER_WORD),
    (frame % WORD) | 0,
    Math.floor(frame / WORD),
    pages,
    step,
    bits | (level << RUN_LEVEL_SHIFT),
  );
}

/** Every entry of every run, in order. */
export function expandRuns(runs: RunBlocks): ExpandedEntry[] {
  const entries: ExpandedEntry[] = [];
  runs.forEachRun((block, at, vma) => {
    const page = (block[ADDRESS_AT + 2 * at] >>> 12) + block[ADDRESS_AT + 2 * at + 1] * PAGES_PER_WORD;
    const frame = (block[FRAME_AT + 2 * at] >>> 0) + block[FRAME_AT + 2 * at + 1] * WORD;
    const bits = block[BITS_AT + at];
    for (let i = 0; i < block[PAGES_AT + at]; i++) {
      entries.push({
        vma,
        page: page + i,
        frame: frame + i * block[STEP_AT + at],
        bits: bits & 0x1ff,
        level: bits >>> RUN_LEVEL_SHIFT,
      });
    }
  });
  return entries;
}

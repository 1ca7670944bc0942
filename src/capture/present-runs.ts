/**
 * Every present entry of a capture, as runs: for those who need the entries themselves and not their sums.
 *
 * Runs stay with their readers as long as sums will do. A machine made from a capture (study/capture-history.ts) has to
 * know which page of which VMA maps which frame, so they come out here, in columns, without what is swapped out, without
 * address spaces that ended, and without frames outside of the table over frames.
 */
import type { PassTables } from "./run-passes.ts";
import {
  ADDRESS_AT,
  BITS_AT,
  FRAME_AT,
  PAGES_AT,
  RUN_LEVEL_SHIFT,
  RUN_PRESENT,
  type RunBlocks,
  STEP_AT,
} from "./run-blocks.ts";

/** Runs of present entries, one row a run: page i of it is virtual page `page + i` and has frame `frame + step * i`. */
export interface PresentRuns {
  /** Rows in use; columns may be longer. */
  count: number;
  /** Row of the VMA. */
  vma: Int32Array;
  /** Virtual page number of the first page. */
  page: Float64Array;
  /** Page frame number of the first page; below 2^32. */
  frame: Float64Array;
  pages: Int32Array;
  /** -1, 0 or 1. */
  step: Int8Array;
  /** LEVEL_... of the entries. */
  level: Uint8Array;
}

const FIRST_ROWS = 4096;
/** Pages under the high word of an address. */
const PAGES_OF_HIGH_WORD = 2 ** 20;
const PAGE_SHIFT = 12;

/** The present runs of one reader, in its order. O(runs). */
export function collectPresentRuns(
  runs: RunBlocks,
  { mmOfVma, mmAlive, frameCount }: Pick<PassTables, "mmOfVma" | "mmAlive" | "frameCount">,
): PresentRuns {
  const found = emptyColumns(FIRST_ROWS);
  runs.forEachRun((block, at, vma) => {
    const bits = block[BITS_AT + at];
    if ((bits & RUN_PRESENT) === 0 || block[FRAME_AT + 2 * at + 1] !== 0 || mmAlive[mmOfVma[vma]] === 0) return;
    const frame = block[FRAME_AT + 2 * at] >>> 0;
    const pages = block[PAGES_AT + at];
    const step = block[STEP_AT + at];
    if (Math.max(frame, frame + step * (pages - 1)) >= frameCount) return;
    if (found.count === found.vma.length) grow(found);
    const row = found.count++;
    found.vma[row] = vma;
    found.page[row] =
      (block[ADDRESS_AT + 2 * at] >>> PAGE_SHIFT) + (block[ADDRESS_AT + 2 * at + 1] >>> 0) * PAGES_OF_HIGH_WORD;
    found.frame[row] = frame;
    found.pages[row] = pages;
    found.step[row] = step;
    found.level[row] = bits >>> RUN_LEVEL_SHIFT;
  });
  return found;
}

function emptyColumns(rows: number): PresentRuns {
  return {
    count: 0,
    vma: new Int32Array(rows),
    page: new Float64Array(rows),
    frame: new Float64Array(rows),
    pages: new Int32Array(rows),
    step: new Int8Array(rows),
    level: new Uint8Array(rows),
  };
}

function grow(columns: PresentRuns): void {
  const larger = emptyColumns(columns.vma.length * 2);
  larger.vma.set(columns.vma);
  larger.page.set(columns.page);
  larger.frame.set(columns.frame);
  larger.pages.set(columns.pages);
  larger.step.set(columns.step);
  larger.level.set(columns.level);
  Object.assign(columns, larger, { count: columns.count });
}

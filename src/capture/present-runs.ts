/**
 * Every present entry of a capture, as runs: for those who need the entries themselves and not their sums.
 *
 * Runs stay with their readers as long as sums will do. A machine made from a capture (study/capture-history.ts) has to
 * know which page of which VMA maps which frame, so they come out here, in columns, without what is swapped out, without
 * address spaces that ended, and without frames outside of the table over frames. They come in pieces of shared memory: as
 * large as they have to be, and not copied on their way out of a reader's thread.
 */
import type { PassTables } from "./run-passes.ts";
import {
  BITS_AT,
  FRAME_AT,
  PAGES_AT,
  RUN_FILE,
  RUN_LEVEL_SHIFT,
  RUN_PRESENT,
  type RunSource,
  STEP_AT,
  pageOfRun,
} from "./run-blocks.ts";

/** Runs of present entries, one row a run: page i of it is virtual page `page + i` and has frame `frame + step * i`. */
export interface PresentRuns {
  /** Rows in use; columns may be longer. */
  count: number;
  /** Row of the VMA. */
  vma: Int32Array;
  /** Virtual page number of the first page. */
  page: Float64Array;
  /** Page frame number of the first page. */
  frame: Uint32Array;
  pages: Int32Array;
  /** -1, 0 or 1. */
  step: Int8Array;
  /** LEVEL_... of the entries. */
  level: Uint8Array;
  /** 1 where pagemap says FILE: a page of a file or of shared memory. */
  file: Uint8Array;
}

/** What is wanted of the runs: less of them takes less memory. */
export interface PresentRunsChoice {
  /** By row 1 for the VMAs whose runs are wanted; absent: all. */
  readonly vmas?: Uint8Array;
  /** Frames without addresses: `page` and `level` stay empty. */
  readonly framesOnly?: true;
}

/** Rows of a piece. */
const PIECE_ROWS = 16_384;

/** The present runs of one reader, in its order, in pieces. O(runs). */
export function collectPresentRuns(
  runs: RunSource,
  { mmOfVma, mmAlive, frameCount }: Pick<PassTables, "mmOfVma" | "mmAlive" | "frameCount">,
  { vmas, framesOnly = false }: { readonly vmas?: Uint8Array; readonly framesOnly?: boolean } = {},
): PresentRuns[] {
  let found = emptyPiece(framesOnly);
  const pieces = [found];
  runs.forEachRun((block, at, vma) => {
    const bits = block[BITS_AT + at];
    if ((bits & RUN_PRESENT) === 0 || block[FRAME_AT + 2 * at + 1] !== 0 || mmAlive[mmOfVma[vma]] === 0) return;
    if (vmas !== undefined && vmas[vma] === 0) return;
    const frame = block[FRAME_AT + 2 * at] >>> 0;
    const pages = block[PAGES_AT + at];
    const step = block[STEP_AT + at];
    if (Math.max(frame, frame + step * (pages - 1)) >= frameCount) return;
    if (found.count === PIECE_ROWS) pieces.push((found = emptyPiece(framesOnly)));
    const row = found.count++;
    found.vma[row] = vma;
    found.frame[row] = frame;
    found.pages[row] = pages;
    found.step[row] = step;
    found.file[row] = (bits & RUN_FILE) !== 0 ? 1 : 0;
    if (framesOnly) return;
    found.page[row] = pageOfRun(block, at);
    found.level[row] = bits >>> RUN_LEVEL_SHIFT;
  });
  return pieces;
}

function emptyPiece(framesOnly: boolean): PresentRuns {
  const bytes = (size: number): SharedArrayBuffer => new SharedArrayBuffer(PIECE_ROWS * size);
  const addresses = framesOnly ? 0 : 1;
  return {
    count: 0,
    vma: new Int32Array(bytes(4)),
    page: new Float64Array(bytes(8 * addresses)),
    frame: new Uint32Array(bytes(4)),
    pages: new Int32Array(bytes(4)),
    step: new Int8Array(bytes(1)),
    level: new Uint8Array(bytes(addresses)),
    file: new Uint8Array(bytes(1)),
  };
}

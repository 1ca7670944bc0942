/**
 * The runs that answer a question about few frames or few pages: whoever maps these frames, or whatever lies at these
 * pages, with everything that pagemap says of them.
 *
 * Runs are cut to what was asked for, so that what comes out is as large as the answer and not as the machine. Frames are
 * asked for as ascending intervals that do not touch: pairs of a first frame and the frame behind the last.
 *
 *     interval        [100     108)
 *     run        page 7: 96 97 98 99 100 101 102        comes out as page 11: 100 101 102
 */
import type { PassTables } from "./run-passes.ts";
import {
  BITS_AT,
  FRAME_AT,
  PAGES_AT,
  RUN_EXCLUSIVE,
  RUN_FILE,
  RUN_LEVEL_SHIFT,
  RUN_PRESENT,
  RUN_SOFT_DIRTY,
  RUN_UFFD_WP,
  type RunSource,
  STEP_AT,
  pageOfRun,
} from "./run-blocks.ts";

/** Bits of a run's `bits` that pagemap prints of an entry, and the shift of its level. */
export const ENTRY_PRESENT = RUN_PRESENT;
export const ENTRY_FILE = RUN_FILE;
export const ENTRY_EXCLUSIVE = RUN_EXCLUSIVE;
export const ENTRY_SOFT_DIRTY = RUN_SOFT_DIRTY;
export const ENTRY_UFFD_WP = RUN_UFFD_WP;
export const ENTRY_LEVEL_SHIFT = RUN_LEVEL_SHIFT;

/** One run: page i of it is virtual page `page + i` and has frame `frame + step * i`. */
export interface SelectedRun {
  /** Row of the VMA. */
  readonly vma: number;
  /** Virtual page number of the first page. */
  readonly page: number;
  /** Page frame number of the first page; of an entry that is not present, pagemap's frame field. */
  readonly frame: number;
  readonly pages: number;
  /** -1, 0 or 1; a multiple of 32 where the entries are not present. */
  readonly step: number;
  /** ENTRY_... and the level. */
  readonly bits: number;
}

/** Which pages of each VMA, by its row: from startPage up to, not including, endPage; equal where none is asked for. */
export interface PageSelection {
  readonly startPage: Float64Array;
  readonly endPage: Float64Array;
}

type AliveTables = Pick<PassTables, "mmOfVma" | "mmAlive">;

const WORD = 2 ** 32;

/** Present runs of living address spaces on frames of the intervals. O(runs + answer * log intervals). */
export function selectFrames(
  runs: RunSource,
  { mmOfVma, mmAlive }: AliveTables,
  intervals: Float64Array,
): SelectedRun[] {
  const found: SelectedRun[] = [];
  if (intervals.length === 0) return found;
  const lowestAsked = intervals[0];
  const behindAsked = intervals[intervals.length - 1];
  runs.forEachRun((block, at, vma) => {
    const bits = block[BITS_AT + at];
    if ((bits & RUN_PRESENT) === 0 || mmAlive[mmOfVma[vma]] === 0) return;
    const frame = (block[FRAME_AT + 2 * at] >>> 0) + (block[FRAME_AT + 2 * at + 1] >>> 0) * WORD;
    const pages = block[PAGES_AT + at];
    const step = block[STEP_AT + at];
    const lowest = step < 0 ? frame - pages + 1 : frame;
    const behind = step === 0 ? frame + 1 : lowest + pages;
    if (behind <= lowestAsked || lowest >= behindAsked) return;
    const page = pageOfRun(block, at);
    cutToIntervals({ vma, page, frame, pages, step, bits }, intervals, found);
  });
  return found;
}

/** Runs at the pages, present or not. O(runs). */
export function selectPages(
  runs: RunSource,
  { mmOfVma, mmAlive }: AliveTables,
  { startPage, endPage }: PageSelection,
): SelectedRun[] {
  const found: SelectedRun[] = [];
  runs.forEachRun((block, at, vma) => {
    if (startPage[vma] === endPage[vma] || mmAlive[mmOfVma[vma]] === 0) return;
    const page = pageOfRun(block, at);
    const pages = block[PAGES_AT + at];
    const from = Math.max(page, startPage[vma]);
    const behind = Math.min(page + pages, endPage[vma]);
    if (from >= behind) return;
    const step = block[STEP_AT + at];
    const frame = (block[FRAME_AT + 2 * at] >>> 0) + (block[FRAME_AT + 2 * at + 1] >>> 0) * WORD;
    found.push({
      vma,
      page: from,
      frame: frame + step * (from - page),
      pages: behind - from,
      step,
      bits: block[BITS_AT + at],
    });
  });
  return found;
}

/** Adds the parts of a run whose frames lie in the intervals. */
export function cutToIntervals(run: SelectedRun, intervals: Float64Array, found: SelectedRun[]): void {
  const { page, frame, pages, step } = run;
  const lowest = step < 0 ? frame - pages + 1 : frame;
  const behind = step === 0 ? frame + 1 : lowest + pages;
  for (let at = intervalAt(intervals, lowest); at < intervals.length && intervals[at] < behind; at += 2) {
    const from = Math.max(lowest, intervals[at]);
    const end = Math.min(behind, intervals[at + 1]);
    if (step === 0) found.push(run);
    else if (step > 0) found.push({ ...run, page: page + (from - frame), frame: from, pages: end - from });
    else found.push({ ...run, page: page + (frame - end + 1), frame: end - 1, pages: end - from });
  }
}

/** Index of the first interval that ends behind a frame. O(log intervals). */
function intervalAt(intervals: Float64Array, frame: number): number {
  let low = 0;
  let high = intervals.length / 2;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (intervals[2 * middle + 1] > frame) high = middle;
    else low = middle + 1;
  }
  return 2 * low;
}

/** The frames of present runs as intervals: ascending, joined where they touch or overlap. O(runs log runs). */
export function intervalsOf(runs: readonly SelectedRun[]): Float64Array {
  const spans = runs
    .filter(({ bits }) => (bits & RUN_PRESENT) !== 0)
    .map(({ frame, pages, step }): [number, number] => {
      if (step === 0) return [frame, frame + 1];
      return step < 0 ? [frame - pages + 1, frame + 1] : [frame, frame + pages];
    })
    .toSorted(([a], [b]) => a - b);
  const joined: number[] = [];
  for (const [from, end] of spans) {
    const last = joined.length - 1;
    if (last > 0 && from <= joined[last]) joined[last] = Math.max(joined[last], end);
    else joined.push(from, end);
  }
  return Float64Array.from(joined);
}

/**
 * Counts the runs of a stored capture and checks each on the way: one pass.
 *
 * A run must lie inside its VMA, be of a length that a run can have, and step as frames or swap slots do. Whoever walks
 * the runs later may rely on it; a wrong run is not counted, and one wrong run makes the capture a damaged one.
 */
import { HPAGE_PMD_NR, LEVEL_PMD } from "../kernel/index.ts";
import { type FrameDifference, countRun } from "./frame-table.ts";
import {
  ADDRESS_AT,
  BITS_AT,
  FRAME_AT,
  PAGES_AT,
  RUN_LEVEL_SHIFT,
  RUN_PRESENT,
  type RunBlocks,
  STEP_AT,
  VMA_AT,
} from "./run-blocks.ts";

/** What a run is checked against. */
export interface LoadTables {
  readonly mmOfVma: Int32Array;
  readonly mmAlive: Uint8Array;
  readonly startPage: Float64Array;
  readonly endPage: Float64Array;
}

export interface LoadedRuns {
  /** Entries whose frame lies outside of the table over frames. */
  readonly outside: number;
  /** Runs that cannot be, and what is wrong with the first of them. */
  readonly invalid: number;
  readonly firstProblem: string | undefined;
}

/** Addresses of a run share their high word. */
const RUN_PAGES_MAX = 1_048_576;
/** All of `bits` that has a meaning. */
const BITS_MAX = 0x7ff;
/** The swap offset lies above five bits of type. */
const SWAP_STEP = 32;

const PROBLEMS = [
  "",
  "a VMA that does not exist",
  "an impossible number of pages",
  "addresses outside of its VMA",
  "bits without a meaning",
  "a step that runs do not have",
  "frames below zero",
  "a huge entry that is not aligned",
] as const;

/** What is wrong with run `at` of a block, as a code; 0: nothing. */
function problemOf(block: Int32Array, at: number, { mmOfVma, startPage, endPage }: LoadTables): number {
  const vma = block[VMA_AT + at];
  if (vma < 0 || vma >= mmOfVma.length) return 1;
  const pages = block[PAGES_AT + at];
  if (pages < 1 || pages > RUN_PAGES_MAX) return 2;
  const low = block[ADDRESS_AT + 2 * at];
  const page = (low >>> 12) + (block[ADDRESS_AT + 2 * at + 1] >>> 0) * 1_048_576;
  if ((low & 0xfff) !== 0 || page < startPage[vma] || page + pages > endPage[vma]) return 3;
  const bits = block[BITS_AT + at];
  if ((bits & ~BITS_MAX) !== 0) return 4;
  const step = block[STEP_AT + at];
  if ((bits & RUN_PRESENT) === 0) return step === 0 || step === SWAP_STEP || step === -SWAP_STEP ? 0 : 5;
  if (step < -1 || step > 1) return 5;
  const frame = block[FRAME_AT + 2 * at] >>> 0;
  if (step < 0 && frame - pages + 1 < 0) return 6;
  const huge = bits >>> RUN_LEVEL_SHIFT === LEVEL_PMD;
  return huge && (step !== 1 || pages % HPAGE_PMD_NR !== 0 || frame % HPAGE_PMD_NR !== 0) ? 7 : 0;
}

/** What is wrong with a run, in words; undefined if nothing is. */
export function describeProblem(block: Int32Array, at: number, tables: LoadTables): string | undefined {
  const code = problemOf(block, at, tables);
  return code === 0 ? undefined : PROBLEMS[code];
}

/** Adds the runs of living address spaces to the difference table and checks all. */
export function loadRuns(runs: RunBlocks, tables: LoadTables, difference: FrameDifference): LoadedRuns {
  const { mmOfVma, mmAlive } = tables;
  let outside = 0;
  let invalid = 0;
  let firstCode = 0;
  runs.forEachBlock((block, count) => {
    for (let at = 0; at < count; at++) {
      const code = problemOf(block, at, tables);
      if (code !== 0) {
        if (invalid === 0) firstCode = code;
        invalid++;
        continue;
      }
      if ((block[BITS_AT + at] & RUN_PRESENT) === 0 || mmAlive[mmOfVma[block[VMA_AT + at]]] === 0) continue;
      const pages = block[PAGES_AT + at];
      const counted =
        block[FRAME_AT + 2 * at + 1] === 0 &&
        countRun(difference, block[FRAME_AT + 2 * at] >>> 0, pages, block[STEP_AT + at], 1);
      if (!counted) outside += pages;
    }
  });
  return { outside, invalid, firstProblem: firstCode === 0 ? undefined : PROBLEMS[firstCode] };
}

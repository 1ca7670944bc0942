/**
 * What each unit of cost takes in time, on one machine: how counts become nanoseconds, with their uncertainty.
 *
 * A profile is measured (calibration/) or fitted to published figures (study/). Costs of counting are the meter's;
 * `work` is what operations do besides, whatever is counted.
 */
import type { WorkName } from "../kernel/index.ts";
import type { COST_NAMES } from "./meter.ts";

/** Nanoseconds of one unit: the middle, and the range that holds it with about 95 %. 0 <= low <= ns <= high. */
export interface UnitCost {
  readonly ns: number;
  readonly low: number;
  readonly high: number;
}

export type CountingCost = (typeof COST_NAMES)[number];

/** The price list of a machine. */
export interface CostProfile {
  /** "Intel Xeon Silver 4210R, fitted to literature 3.1-3.5" or the machine's own name. */
  readonly name: string;
  /** Where the figures come from. */
  readonly source: string;
  readonly counting: Readonly<Record<CountingCost, UnitCost>>;
  /** An atomic on a line that another core has just written, instead of `counting.atomics`. */
  readonly contendedAtomic: UnitCost;
  readonly work: Readonly<Record<WorkName, UnitCost>>;
}

/** Nanoseconds with their range. */
export type Nanoseconds = UnitCost;

/**
 * The middle of repeated measurements, and how far it can be trusted: medians and a percentile bootstrap.
 *
 * A repetition measures many things one after the other; what is computed from several of them (a fault without the page
 * that it zeroes) is computed from medians over repetitions. For its range, repetitions are drawn with replacement, whole
 * ones, so that what disturbed all timings of one repetition stays together; the range is where 95 % of the results lie.
 * It says how well this run knows the figure. It does not say that another run on a busier machine gives the same.
 *
 * The draws come from a generator with a fixed seed: the same measurements always give the same range.
 */
import type { UnitCost } from "../schemes/index.ts";

/** Named measurements of one repetition, or of all of them in the middle. Nanoseconds. */
export type Timings = Readonly<Record<string, number>>;

/** What is computed from the middle of timings. */
export type Formula = (middle: (name: string) => number) => number;

/** Draws for a range; more change its ends by less than a percent of its width. */
const DRAWS = 400;
/** Of 1: what lies outside of the range, half on each side. */
const OUTSIDE = 0.05;
const SEED = 0x9e3779b9;

/** The value that half of the others do not exceed; the mean of the two in the middle of an even number of them. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Linear between order statistics: 0 is the least value, 1 the largest. Throws where there is no value. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new Error("invariant: a quantile is one of at least one value");
  const sorted = values.toSorted((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

/**
 * A formula's value at the medians, with its range. Negative results are zero: nothing takes less than no time.
 * All repetitions have all timings that the formula asks for; there is at least one.
 */
export function estimate(repetitions: readonly Timings[], formula: Formula): UnitCost {
  const all = Array.from(repetitions.keys());
  const ns = atLeastZero(evaluate(repetitions, all, formula));
  const random = uniformIntegers(SEED);
  const drawn = Array.from({ length: DRAWS }, () => {
    const rows = all.map(() => random(all.length));
    return atLeastZero(evaluate(repetitions, rows, formula));
  });
  const low = quantile(drawn, OUTSIDE / 2);
  const high = quantile(drawn, 1 - OUTSIDE / 2);
  return { ns, low: Math.min(low, ns), high: Math.max(high, ns) };
}

/** The same unit with a range that holds these values, too. */
export function widened(unit: UnitCost, ...values: readonly number[]): UnitCost {
  return {
    ns: unit.ns,
    low: Math.max(0, Math.min(unit.low, ...values)),
    high: Math.max(unit.high, ...values),
  };
}

function evaluate(repetitions: readonly Timings[], rows: readonly number[], formula: Formula): number {
  return formula((name) =>
    median(
      rows.map((row) => {
        const value = repetitions[row][name];
        if (value === undefined) throw new Error(`invariant: every repetition has a timing "${name}"`);
        return value;
      }),
    ),
  );
}

function atLeastZero(value: number): number {
  return Math.max(0, value);
}

/** Marsaglia's xorshift32: enough to draw rows, and the same everywhere. */
function uniformIntegers(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

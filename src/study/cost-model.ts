/**
 * From counts to time: how many of each thing were done, times what one of each takes on some machine.
 *
 * A time is a sum over units of count times price. Counting (the meter's costs) and work (what the operation does whatever
 * is counted) are priced apart and added. A unit has a range; units are taken as independent of each other, so the
 * deviations of a sum's terms combine in quadrature, each side on its own. What is not independent is the same unit in two
 * sums: a ratio of two times moves all units in numerator and denominator together, one after the other, and combines these
 * shifts in quadrature. So what both sides have in common adds little to the range of their ratio.
 *
 * Atomics may be contended: a share of them goes to lines that another core has just written, at a price of their own.
 * Prices are linear. A cache that overflows, a lock with a queue and a branch predictor that learns are not in them.
 */
import { WORK_NAMES, type WorkName } from "../kernel/index.ts";
import { COST_NAMES, type CostProfile, type CountingCost, type Nanoseconds, type UnitCost } from "../schemes/index.ts";

/** How often each thing was done. Numbers >= 0; what is missing was not done. */
export interface OperationCounts {
  readonly counting: Readonly<Partial<Record<CountingCost, number>>>;
  readonly work: Readonly<Partial<Record<WorkName, number>>>;
}

export interface CostOptions {
  /** Of all atomics, those on a line that another core has just written: 0 (the default) to 1. */
  readonly contendedShare?: number;
}

/** What an operation takes: counting and work apart, and both together. */
export interface OperationTime {
  readonly counting: Nanoseconds;
  readonly work: Nanoseconds;
  readonly total: Nanoseconds;
}

/** One time divided by another. 0 <= low <= middle <= high. */
export interface TimeRatio {
  readonly middle: number;
  readonly low: number;
  readonly high: number;
}

/** A unit's price and how often it was paid; 0 or more. */
export interface Term {
  readonly unit: UnitCost;
  readonly times: number;
}

/** The time of counting alone. */
export function timeOfCounting(
  counting: OperationCounts["counting"],
  profile: CostProfile,
  options: CostOptions = {},
): Nanoseconds {
  return sumOfTerms(countingTerms(counting, profile, options));
}

/** The time of work alone. */
export function timeOfWork(work: OperationCounts["work"], profile: CostProfile): Nanoseconds {
  return sumOfTerms(workTerms(work, profile));
}

/**
 * The time of an operation, with the parts that make it up.
 *
 * @example
 * timeOf({ counting: meter.since(before), work: { "entry-copied": 512 } }, XEON_4210R).total.ns
 */
export function timeOf(counts: OperationCounts, profile: CostProfile, options: CostOptions = {}): OperationTime {
  const counting = countingTerms(counts.counting, profile, options);
  const work = workTerms(counts.work, profile);
  return { counting: sumOfTerms(counting), work: sumOfTerms(work), total: sumOfTerms([...counting, ...work]) };
}

/**
 * `counts` takes so many times as long as `against`, on the same machine and with the same share of contended atomics.
 * Two operations that take no time are alike: 1. One that takes time against one that takes none: Infinity.
 */
export function ratioOfTimes(
  counts: OperationCounts,
  against: OperationCounts,
  profile: CostProfile,
  options: CostOptions = {},
): TimeRatio {
  return ratioOfTerms(termsOf(counts, profile, options), termsOf(against, profile, options));
}

/** The same of two sums whose units are named by their place: `upper[i]` and `lower[i]` pay the price of one unit. */
export function ratioOfTerms(upper: readonly Term[], lower: readonly Term[]): TimeRatio {
  if (upper.length !== lower.length) throw new Error("invariant: two sums over one list of units");
  const top = middleOf(upper);
  const bottom = middleOf(lower);
  const middle = quotient(top, bottom);
  if (!Number.isFinite(middle)) return { middle, low: middle, high: middle };
  let below = 0;
  let above = 0;
  for (const [index, { unit, times }] of upper.entries()) {
    // One unit moves alone, in both sums at once; all others stay where they are.
    const timesBelow = lower[index].times;
    for (const price of [unit.low, unit.high]) {
      const moved = quotient(top + (price - unit.ns) * times, bottom + (price - unit.ns) * timesBelow);
      if (moved < middle) below += (middle - moved) ** 2;
      else above += (moved - middle) ** 2;
    }
  }
  return { middle, low: Math.max(0, middle - Math.sqrt(below)), high: middle + Math.sqrt(above) };
}

/** Counts of two operations that follow each other, or of many: added up by name. */
export function addCounts(parts: Iterable<OperationCounts>): OperationCounts {
  const counting: Partial<Record<CountingCost, number>> = {};
  const work: Partial<Record<WorkName, number>> = {};
  for (const part of parts) {
    for (const name of COST_NAMES) counting[name] = (counting[name] ?? 0) + (part.counting[name] ?? 0);
    for (const name of WORK_NAMES) work[name] = (work[name] ?? 0) + (part.work[name] ?? 0);
  }
  return { counting, work };
}

/** Every unit of the profile, in a fixed order, with its count: 0 where it was not needed. */
export function termsOf(counts: OperationCounts, profile: CostProfile, options: CostOptions = {}): Term[] {
  return [...countingTerms(counts.counting, profile, options), ...workTerms(counts.work, profile)];
}

function countingTerms(
  counting: OperationCounts["counting"],
  profile: CostProfile,
  { contendedShare = 0 }: CostOptions,
): Term[] {
  if (!(contendedShare >= 0 && contendedShare <= 1)) {
    throw new Error(`invariant: a share of contended atomics lies between 0 and 1, not at ${contendedShare}`);
  }
  const contended = (counting.atomics ?? 0) * contendedShare;
  const terms = COST_NAMES.map((name): Term => {
    const times = counting[name] ?? 0;
    return { unit: profile.counting[name], times: name === "atomics" ? times - contended : times };
  });
  terms.push({ unit: profile.contendedAtomic, times: contended });
  return terms;
}

function workTerms(work: OperationCounts["work"], profile: CostProfile): Term[] {
  return WORK_NAMES.map((name) => ({ unit: profile.work[name], times: work[name] ?? 0 }));
}

function middleOf(terms: readonly Term[]): number {
  return terms.reduce((sum, { unit, times }) => sum + unit.ns * times, 0);
}

/** A sum of terms, each of another unit. */
export function sumOfTerms(terms: readonly Term[]): Nanoseconds {
  let below = 0;
  let above = 0;
  for (const { unit, times } of terms) {
    below += ((unit.ns - unit.low) * times) ** 2;
    above += ((unit.high - unit.ns) * times) ** 2;
  }
  const ns = middleOf(terms);
  return { ns, low: Math.max(0, ns - Math.sqrt(below)), high: ns + Math.sqrt(above) };
}

function quotient(top: number, bottom: number): number {
  if (bottom > 0) return top / bottom;
  return top > 0 ? Number.POSITIVE_INFINITY : 1;
}

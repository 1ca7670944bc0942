/**
 * From timings of loops to units: what an atomic, a load, a store, a line and a lock cost.
 *
 * The meter charges the bit spinlock's atomic and store, and a reference operation's atomic, by themselves (meter.ts), so
 * their own units are what is left beyond these. A lock of a page table it charges as one thing.
 *
 * JavaScript cannot measure below its own loop. The loop is taken off like in C, but as the engine may fold it into what
 * is measured, or not, its time is added to both sides of the range.
 */
import type { UnitCost } from "../schemes/index.ts";
import type { CostUnit, PricedUnit, UnitOrigin } from "./calibrated-profile.ts";
import { type Formula, type Timings, estimate, widened } from "./order-statistics.ts";

export type LoopLanguage = "C" | "JavaScript";

type Middle = Parameters<Formula>[0];

/** An atomic on a line that this core has. */
export const atomicOf = (middle: Middle): number => middle("atomic") - middle("loop");
/** A line of struct page whose neighbours are touched, too. */
export const lineOf = (middle: Middle): number => middle("line-in-order");
/** A lock that nobody else wants, taken and released. */
export const lockOf = (middle: Middle): number => middle("lock") - middle("loop");

/** The units, and under which names they are charged. `workingSet`: of the lines, in words ("64 MiB"). */
export function instructionUnits(
  repetitions: readonly Timings[],
  { language, workingSet }: { readonly language: LoopLanguage; readonly workingSet: string },
): Map<CostUnit, PricedUnit> {
  const middleOf = (name: string): number => estimate(repetitions, (middle) => middle(name)).ns;
  const loop = language === "JavaScript" ? middleOf("loop") : 0;
  const measure = (formula: Formula): UnitCost => {
    const unit = estimate(repetitions, formula);
    return widened(unit, unit.low - loop, unit.high + loop);
  };
  const lock = measure(lockOf);
  const tableLock = measure((middle) => lockOf(middle) + middle("line-random"));
  const by = (how: UnitOrigin["how"], text: string): UnitOrigin => ({ how, by: text });
  return new Map<CostUnit, PricedUnit>([
    ["atomics", { cost: measure(atomicOf), origin: by("measured", `${language}: locked additions to one word.`) }],
    [
      "loads",
      { cost: measure((middle) => middle("load")), origin: by("measured", `${language}: words of a cached line.`) },
    ],
    [
      "stores",
      { cost: measure((middle) => middle("store")), origin: by("measured", `${language}: words of a cached line.`) },
    ],
    [
      "structPageLines",
      {
        cost: measure(lineOf),
        origin: by("measured", `${language}: 512 lines in a row are written, somewhere in ${workingSet}.`),
      },
    ],
    [
      "largeMapcountLocks",
      {
        cost: measure((middle) => lockOf(middle) - atomicOf(middle) - middle("store")),
        origin: by("measured", `${language}: a bit spinlock nobody else wants, without its atomic and its store.`),
      },
    ],
    [
      "pageTableLocks",
      {
        cost: widened(tableLock, lock.low, lock.ns + middleOf("line-dependent")),
        origin: by("derived", `${language}: a lock and a line somewhere; from no miss to a miss that is waited for.`),
      },
    ],
    [
      "referenceOperations",
      { cost: { ns: 0, low: 0, high: 0 }, origin: by("derived", "Its atomic is charged as an atomic.") },
    ],
  ]);
}

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WORK_NAMES } from "../kernel/index.ts";
import { COST_NAMES, type CostProfile, Meter, type UnitCost } from "../schemes/index.ts";
import {
  type OperationCounts,
  addCounts,
  ratioOfTerms,
  ratioOfTimes,
  sumOfTerms,
  timeOf,
  timeOfCounting,
  timeOfWork,
} from "./cost-model.ts";
import { XEON_4210R } from "./cost-profile-xeon-4210r.ts";

const price = fc
  .tuple(
    fc.double({ min: 0, max: 50, noNaN: true }),
    fc.double({ min: 1, max: 50, noNaN: true }),
    fc.double({ min: 0, max: 50, noNaN: true }),
  )
  .map(([low, more, above]): UnitCost => ({ low, ns: low + more, high: low + more + above }));

function pricesOf<Name extends string>(names: readonly Name[]): fc.Arbitrary<Record<Name, UnitCost>> {
  return fc
    .array(price, { minLength: names.length, maxLength: names.length })
    .map((units) => Object.fromEntries(names.map((name, i) => [name, units[i]])) as Record<Name, UnitCost>);
}

const profiles: fc.Arbitrary<CostProfile> = fc.record({
  name: fc.constant("some machine"),
  source: fc.constant("drawn"),
  counting: pricesOf(COST_NAMES),
  contendedAtomic: price,
  work: pricesOf(WORK_NAMES),
});

function countsOf<Name extends string>(names: readonly Name[]): fc.Arbitrary<Record<Name, number>> {
  return fc
    .array(fc.nat(1000), { minLength: names.length, maxLength: names.length })
    .map((counts) => Object.fromEntries(names.map((name, i) => [name, counts[i]])) as Record<Name, number>);
}

const operations: fc.Arbitrary<OperationCounts> = fc.record({
  counting: countsOf(COST_NAMES),
  work: countsOf(WORK_NAMES),
});

/** The middle, written out name by name. */
function slowTime({ counting, work }: OperationCounts, profile: CostProfile): number {
  let ns = 0;
  for (const name of COST_NAMES) ns += (counting[name] ?? 0) * profile.counting[name].ns;
  for (const name of WORK_NAMES) ns += (work[name] ?? 0) * profile.work[name].ns;
  return ns;
}

describe("a time", () => {
  test("is the sum of counts times prices, counting and work apart", () => {
    fc.assert(
      fc.property(operations, profiles, (counts, profile) => {
        const { counting, work, total } = timeOf(counts, profile);
        expect(total.ns).toBeCloseTo(slowTime(counts, profile), 3);
        expect(counting.ns + work.ns).toBeCloseTo(total.ns, 3);
        expect(counting).toEqual(timeOfCounting(counts.counting, profile));
        expect(work).toEqual(timeOfWork(counts.work, profile));
      }),
    );
  });

  test("lies in its range, and the range within that of all prices at their ends at once", () => {
    fc.assert(
      fc.property(operations, profiles, (counts, profile) => {
        const { total } = timeOf(counts, profile);
        const atEnd = (end: "low" | "high"): number => {
          const moved = (units: Readonly<Record<string, UnitCost>>): Record<string, UnitCost> =>
            Object.fromEntries(Object.entries(units).map(([name, unit]) => [name, { ...unit, ns: unit[end] }]));
          const counting = moved(profile.counting) as CostProfile["counting"];
          return slowTime(counts, { ...profile, counting, work: moved(profile.work) as CostProfile["work"] });
        };
        expect(total.low).toBeLessThanOrEqual(total.ns);
        expect(total.high).toBeGreaterThanOrEqual(total.ns);
        expect(total.low).toBeGreaterThanOrEqual(atEnd("low") - 1e-6);
        expect(total.high).toBeLessThanOrEqual(atEnd("high") + 1e-6);
      }),
    );
  });

  test("of independent units deviates in quadrature: 3 and 4 make 5, not 7", () => {
    const sum = sumOfTerms([
      { unit: { ns: 10, low: 7, high: 13 }, times: 1 },
      { unit: { ns: 10, low: 6, high: 14 }, times: 1 },
    ]);
    expect(sum).toEqual({ ns: 20, low: 15, high: 25 });
  });

  test("of one unit taken many times keeps the unit's own relative range", () => {
    const { ns, low, high } = timeOfCounting({ atomics: 512 }, XEON_4210R);
    const { atomics } = XEON_4210R.counting;
    expect([low / ns, high / ns]).toEqual([atomics.low / atomics.ns, atomics.high / atomics.ns]);
  });

  test("takes what a meter has counted since a moment", () => {
    const meter = new Meter();
    meter.chargeReferences();
    const before = meter.totals.slice();
    meter.chargeLargeMapcountLock();
    const { atomics, stores, largeMapcountLocks } = XEON_4210R.counting;
    expect(timeOfCounting(meter.since(before), XEON_4210R).ns).toBeCloseTo(
      atomics.ns + stores.ns + largeMapcountLocks.ns,
    );
  });
});

describe("contention", () => {
  test("pays its share of the atomics at the price of a line that another core has", () => {
    const { atomics } = XEON_4210R.counting;
    const quarter = timeOfCounting({ atomics: 8 }, XEON_4210R, { contendedShare: 0.25 });
    expect(quarter.ns).toBeCloseTo(6 * atomics.ns + 2 * XEON_4210R.contendedAtomic.ns);
  });

  test.each([-0.1, 1.1, Number.NaN])("of a share of %s is a bug of the caller", (contendedShare) => {
    expect(() => timeOfCounting({ atomics: 1 }, XEON_4210R, { contendedShare })).toThrow("invariant");
  });
});

describe("a ratio of times", () => {
  test("of an operation to itself is 1 without any doubt, however uncertain its prices", () => {
    fc.assert(
      fc.property(operations, profiles, (counts, profile) => {
        const ratio = ratioOfTimes(counts, counts, profile);
        expect(ratio.middle).toBe(1);
        expect(ratio.low).toBeCloseTo(1, 9);
        expect(ratio.high).toBeCloseTo(1, 9);
      }),
    );
  });

  test("is narrower the more both sides have in common", () => {
    const atomic = { counting: { atomics: 1 }, work: {} };
    const more = (entries: number): OperationCounts => ({
      counting: { atomics: 2 },
      work: { "entry-copied": entries },
    });
    const less = (entries: number): OperationCounts => ({ ...atomic, work: { "entry-copied": entries } });
    const width = (entries: number): number => {
      const { low, high } = ratioOfTimes(more(entries), less(entries), XEON_4210R);
      return high - low;
    };
    expect(width(100)).toBeLessThan(width(1));
  });

  test("holds that of any prices of which one alone has moved within its range", () => {
    fc.assert(
      fc.property(
        operations,
        operations,
        profiles,
        fc.nat(9),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (a, b, profile, place, at) => {
          const name = COST_NAMES[place];
          const unit = profile.counting[name];
          const moved: UnitCost = { ...unit, ns: unit.low + at * (unit.high - unit.low) };
          const ratio = ratioOfTimes(a, b, profile);
          const other = { ...profile, counting: { ...profile.counting, [name]: moved } };
          const inside = slowTime(a, other) / slowTime(b, other);
          fc.pre(Number.isFinite(inside) && Number.isFinite(ratio.middle));
          expect(inside).toBeGreaterThanOrEqual(ratio.low - 1e-9);
          expect(inside).toBeLessThanOrEqual(ratio.high + 1e-9);
        },
      ),
    );
  });

  test("of two operations that do nothing is 1; against nothing there is none", () => {
    const nothing = { counting: {}, work: {} };
    expect(ratioOfTimes(nothing, nothing, XEON_4210R).middle).toBe(1);
    expect(ratioOfTimes({ counting: { atomics: 1 }, work: {} }, nothing, XEON_4210R).middle).toBe(Infinity);
  });

  test("needs two sums over one list of units", () => {
    const unit = { ns: 1, low: 1, high: 1 };
    expect(() => ratioOfTerms([{ unit, times: 1 }], [])).toThrow("invariant");
  });
});

test("counts of operations add up by name", () => {
  const sum = addCounts([
    { counting: { atomics: 2 }, work: { fault: 1 } },
    { counting: { atomics: 3, loads: 1 }, work: {} },
  ]);
  expect(sum.counting).toMatchObject({ atomics: 5, loads: 1, stores: 0 });
  expect(sum.work).toMatchObject({ fault: 1, "page-copied": 0 });
});

test("every price of the Xeon has a range around its middle", () => {
  const units = [...Object.values(XEON_4210R.counting), ...Object.values(XEON_4210R.work), XEON_4210R.contendedAtomic];
  for (const { ns, low, high } of units) expect([low <= ns, ns <= high, low >= 0]).toEqual([true, true, true]);
});

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { estimate, median, quantile, widened } from "./order-statistics.ts";

const durations = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 40 });

function repetitionsOf(values: readonly number[]): { t: number }[] {
  return values.map((t) => ({ t }));
}

test("a median has as many values on its left as on its right", () => {
  fc.assert(
    fc.property(durations, (values) => {
      const middle = median(values);
      const below = values.filter((value) => value < middle).length;
      const above = values.filter((value) => value > middle).length;
      expect(below).toBeLessThanOrEqual(values.length / 2);
      expect(above).toBeLessThanOrEqual(values.length / 2);
    }),
  );
});

test("a quantile grows with its share, from the least value to the largest", () => {
  fc.assert(
    fc.property(
      durations,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, a, b) => {
        const [low, high] = [quantile(values, Math.min(a, b)), quantile(values, Math.max(a, b))];
        expect(low).toBeLessThanOrEqual(high + 1e-6);
        expect(quantile(values, 0)).toBe(Math.min(...values));
        expect(quantile(values, 1)).toBe(Math.max(...values));
      },
    ),
  );
});

test("no value has no quantile", () => {
  expect(() => median([])).toThrow("at least one value");
});

test("an estimate is the median, in a range that holds it and lies within what was measured", () => {
  fc.assert(
    fc.property(durations, (values) => {
      const { ns, low, high } = estimate(repetitionsOf(values), (middle) => middle("t"));
      expect(ns).toBe(median(values));
      expect(low).toBeLessThanOrEqual(ns);
      expect(high).toBeGreaterThanOrEqual(ns);
      expect(low).toBeGreaterThanOrEqual(Math.min(...values));
      expect(high).toBeLessThanOrEqual(Math.max(...values));
    }),
    { numRuns: 50 },
  );
});

test("measurements that agree give a range of no width, others one that grows with their spread", () => {
  const width = (spread: number): number => {
    const values = Array.from({ length: 21 }, (_, index) => 100 + spread * Math.sin(index));
    const { low, high } = estimate(repetitionsOf(values), (middle) => middle("t"));
    return high - low;
  };
  expect(width(0)).toBe(0);
  expect(width(2)).toBeGreaterThan(width(1));
  expect(width(1)).toBeGreaterThan(0);
});

test("the range holds the true middle of a skewed distribution in about 95 of 100 runs", () => {
  let state = 1;
  const uniform = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  // Exponential: its median is ln 2.
  const held = Array.from({ length: 300 }, () => {
    const values = Array.from({ length: 25 }, () => -Math.log(uniform()));
    const { low, high } = estimate(repetitionsOf(values), (middle) => middle("t"));
    return low <= Math.LN2 && Math.LN2 <= high;
  }).filter(Boolean).length;
  expect(held).toBeGreaterThan(0.88 * 300);
  expect(held).toBeLessThan(300);
});

test("what disturbs two timings of one repetition alike does not widen their difference", () => {
  const repetitions = Array.from({ length: 15 }, (_, index) => {
    const disturbance = (index * 37) % 15;
    return { a: 50 + disturbance, b: 20 + disturbance };
  });
  const { ns, low, high } = estimate(repetitions, (middle) => middle("a") - middle("b"));
  expect([ns, low, high]).toEqual([30, 30, 30]);
});

test("what would take less than no time takes none", () => {
  const unit = estimate([{ a: 3, b: 5 }], (middle) => middle("a") - middle("b"));
  expect(unit).toEqual({ ns: 0, low: 0, high: 0 });
});

test("a formula that asks for what was not measured is a bug", () => {
  expect(() => estimate([{ a: 3 }], (middle) => middle("b"))).toThrow('every repetition has a timing "b"');
});

test("a widened range holds both ends, and no time below zero", () => {
  expect(widened({ ns: 5, low: 4, high: 6 }, -1, 9)).toEqual({ ns: 5, low: 0, high: 9 });
  expect(widened({ ns: 5, low: 4, high: 6 }, 5)).toEqual({ ns: 5, low: 4, high: 6 });
});

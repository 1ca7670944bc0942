/**
 * How often `sums` is wrong, where its words are short enough to see it: as often as predicted.
 *
 * A trial draws address spaces (or pages) that the weights were not chosen for. The number of collisions among N trials of
 * chance p has the mean N * p and about that variance; the tests allow five standard deviations and say their seed.
 */
import { describe, expect, test } from "vitest";
import { LEVEL_PTE } from "../kernel/index.ts";
import { NO, UNKNOWN, YES } from "./scheme.ts";
import { SumsCounter, collisionChance } from "./sums.ts";

const SEED = 20_260_508;

/** How many of so many trials are expected to collide, and how far the number found may be from it. */
function expectRate(found: number, trials: number, chance: number): void {
  const mean = trials * chance;
  const slack = 5 * Math.sqrt(mean);
  expect(found, `${found} of ${trials}, expected ${mean}, seed ${SEED}`).toBeGreaterThan(mean - slack);
  expect(found, `${found} of ${trials}, expected ${mean}, seed ${SEED}`).toBeLessThan(mean + slack);
}

describe("false exclusive: M has one entry, others have", () => {
  test.each([
    { bits: 8, others: [1], trials: 40_000 },
    { bits: 8, others: [1, 1], trials: 40_000 },
    { bits: 8, others: [2], trials: 40_000 },
    { bits: 8, others: [4, 12], trials: 40_000 },
    { bits: 8, others: [4, 2], trials: 40_000 },
    { bits: 12, others: [1], trials: 400_000 },
    { bits: 12, others: [8, 16], trials: 200_000 },
    { bits: 16, others: [1], trials: 4_000_000 },
    { bits: 16, others: [16], trials: 1_000_000 },
  ])("$others entries, words of $bits bits", ({ bits, others, trials }) => {
    const counter = new SumsCounter({ frameCount: 32, orders: [5], seed: SEED }, bits);
    const m = 1;
    counter.add(0, 0, 1, LEVEL_PTE, 0, 0, m);
    let collisions = 0;
    let next = 2;
    for (let trial = 0; trial < trials; trial++) {
      const mms = next;
      for (const entries of others) counter.add(0, 0, entries, LEVEL_PTE, 0, 0, next++);
      if (counter.others(0, m) === NO) collisions++;
      others.forEach((entries, index) => counter.remove(0, 0, entries, LEVEL_PTE, 0, 0, mms + index));
    }
    expect(counter.others(0, m)).toBe(NO);
    expectRate(collisions, trials, collisionChance(others, bits));
  });
});

describe("false evenly mapped: as many mapped pages as pages, one page too often and one not", () => {
  /** xorshift32, for pages drawn at random. */
  function* randomPages(pages: number): Generator<number, never> {
    let state = SEED | 1;
    for (;;) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      yield (state >>> 0) % pages;
    }
  }

  test.each([
    { bits: 8, times: 1, trials: 40_000 },
    { bits: 8, times: 2, trials: 40_000 },
    { bits: 8, times: 4, trials: 40_000 },
    { bits: 12, times: 1, trials: 400_000 },
    { bits: 16, times: 1, trials: 2_000_000 },
  ])("by $times, words of $bits bits", ({ bits, times, trials }) => {
    const order = 13;
    const pages = 2 ** order;
    const counter = new SumsCounter({ frameCount: pages, orders: [order], seed: SEED }, bits);
    for (let mm = 0; mm < times; mm++) counter.add(0, 0, pages, LEVEL_PTE, 0, 0, mm);
    expect(counter.evenlyMapped(0)).toBe(YES);
    const random = randomPages(pages);
    let collisions = 0;
    for (let trial = 0; trial < trials; trial++) {
      const often = random.next().value;
      const never = (often + 1 + (random.next().value % (pages - 1))) % pages;
      for (let mm = 0; mm < times; mm++) {
        counter.add(0, often, 1, LEVEL_PTE, 0, 0, times + mm);
        counter.remove(0, never, 1, LEVEL_PTE, 0, 0, mm);
      }
      if (counter.partial(0) === NO) collisions++;
      for (let mm = 0; mm < times; mm++) {
        counter.remove(0, often, 1, LEVEL_PTE, 0, 0, times + mm);
        counter.add(0, never, 1, LEVEL_PTE, 0, 0, mm);
      }
    }
    expectRate(collisions, trials, collisionChance([times, times], bits));
  });

  test("with words of 64 bits it is seen", () => {
    const counter = new SumsCounter({ frameCount: 512, orders: [9], seed: SEED });
    counter.add(0, 0, 512, LEVEL_PTE, 0, 0, 0);
    counter.add(0, 0, 1, LEVEL_PTE, 0, 0, 1);
    counter.remove(0, 511, 1, LEVEL_PTE, 0, 0, 0);
    expect(counter.evenlyMapped(0)).toBe(NO);
    expect(counter.partial(0)).toBe(UNKNOWN);
  });
});

test("chances: 2^-64 for odd multiplicities, 2^-55 where every other maps all 512 pages of a THP", () => {
  expect(collisionChance([1])).toBe(2 ** -64);
  expect(collisionChance([512, 3])).toBe(2 ** -64);
  expect(collisionChance([512, 512, 1024])).toBe(2 ** -55);
  expect(collisionChance([4], 8)).toBe(1 / 64);
});

test("another seed, other weights: the sums of one boot say nothing of the next", () => {
  const low = (seed: number): number => {
    const counter = new SumsCounter({ frameCount: 4, orders: [2], seed }, 8);
    let collisions = 0;
    counter.add(0, 0, 1, LEVEL_PTE, 0, 0, 1);
    for (let mm = 2; mm < 2000; mm++) {
      counter.add(0, 1, 1, LEVEL_PTE, 0, 0, mm);
      if (counter.others(0, 1) === NO) collisions = collisions * 31 + mm;
      counter.remove(0, 1, 1, LEVEL_PTE, 0, 0, mm);
    }
    return collisions;
  };
  expect(low(1)).not.toBe(low(2));
});

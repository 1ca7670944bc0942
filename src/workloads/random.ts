/**
 * Randomness that a seed decides: the same numbers on every machine, in every run.
 *
 * sfc32 (Chris Doty-Humphrey's Small Fast Counting generator, of PractRand): 128 bits of state, period at least 2^32, good
 * enough for choosing pages and victims and for nothing secret. Draws are made in the order of the code that asks, so a
 * workload must draw in an order of its own choosing and never in that of a Map somebody else fills.
 */
import type { Random } from "./workload.ts";

/** Rounds after which the seed has reached all of the state. */
const WARM_UP = 16;

/** Numbers 0 <= x < 1 that follow from the seed, a whole number from 0 to 2^53 - 1. */
export function seededRandom(seed: number): Random {
  let a = seed | 0;
  let b = Math.floor(seed / 2 ** 32) | 0;
  let c = 0x9e37_79b9 | 0;
  let counter = 1;
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let round = 0; round < WARM_UP; round++) next();
  return next;
}

/** A whole number 0 <= n < count. */
export function drawIndex(random: Random, count: number): number {
  return Math.floor(random() * count);
}

/** One of the items, of which there is at least one. */
export function drawOne<T>(random: Random, items: readonly T[]): T {
  return items[drawIndex(random, items.length)];
}

/** Takes one of the items out of the array. */
export function takeOne<T>(random: Random, items: T[]): T {
  return items.splice(drawIndex(random, items.length), 1)[0];
}

/** The items in a new order (Fisher and Yates). */
export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const order = [...items];
  for (let last = order.length - 1; last > 0; last--) {
    const other = drawIndex(random, last + 1);
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

/** `chosen` different whole numbers below `count`, ascending. 0 <= chosen <= count. */
export function drawDistinct(random: Random, chosen: number, count: number): number[] {
  return shuffled(
    random,
    Array.from({ length: count }, (_, index) => index),
  )
    .slice(0, chosen)
    .sort((one, other) => one - other);
}

/** A share of `count` in percent, rounded up: 0 % of anything is 0, every other share of something at least 1. */
export function shareOf(count: number, percent: number): number {
  return Math.ceil((count * percent) / 100);
}

/**
 * 64-bit words in halves, held against BigInt.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Words, masksOfWidth } from "./word64.ts";

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const ALL = masksOfWidth(64);

function read(words: Words, at: number): bigint {
  return BigInt.asUintN(64, (BigInt(words.high[at]) << 32n) + BigInt(words.low[at] >>> 0));
}

function word(low: number, high: number): bigint {
  return BigInt.asUintN(64, (BigInt(high) << 32n) + BigInt(low >>> 0));
}

test("sums of multiples are those modulo 2^64", () => {
  const step = fc.tuple(int32, int32, fc.integer({ min: -(2 ** 20), max: 2 ** 20 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const words = new Words(1);
      let sum = 0n;
      for (const [low, high, times] of steps) {
        words.addMultiple(0, low, high, times);
        sum += word(low, high) * BigInt(times);
      }
      expect(read(words, 0)).toBe(BigInt.asUintN(64, sum));
    }),
  );
});

test("a word is a multiple of another for one number of times, up to 2^31", () => {
  fc.assert(
    fc.property(int32, int32, fc.nat(2 ** 31 - 1), fc.nat(63), (low, high, times, bit) => {
      const words = new Words(1);
      const product = BigInt.asIntN(64, word(low, high) * BigInt(times));
      words.low[0] = Number(BigInt.asIntN(32, product));
      words.high[0] = Number(BigInt.asIntN(32, product >> 32n));
      expect(words.isMultiple(0, low, high, times, ALL)).toBe(true);
      if (bit < 32) words.low[0] ^= 1 << bit;
      else words.high[0] ^= 1 << (bit - 32);
      expect(words.isMultiple(0, low, high, times, ALL)).toBe(false);
      // Words of fewer bits do not see it.
      expect(words.isMultiple(0, low, high, times, masksOfWidth(bit))).toBe(true);
    }),
  );
});

test("a difference of two words is added and taken away", () => {
  fc.assert(
    fc.property(int32, int32, int32, int32, (lowA, highA, lowB, highB) => {
      const sums = new Words(2);
      sums.addMultiple(0, lowA, highA, 1);
      sums.addMultiple(1, lowB, highB, 1);
      const words = new Words(1);
      words.addDifference(0, sums, 0, 1, 1);
      expect(read(words, 0)).toBe(BigInt.asUintN(64, word(lowB, highB) - word(lowA, highA)));
      words.addDifference(0, sums, 0, 1, -1);
      expect(read(words, 0)).toBe(0n);
    }),
  );
});

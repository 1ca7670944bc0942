import { expect, test } from "vitest";
import { Sampler } from "./question-sample.ts";

/** A sample of `most` out of `count`, drawn with one number throughout. */
function sample(count: number, most: number, random: number): number[] {
  const picks = new Int32Array(most);
  return [...picks.subarray(0, new Sampler(() => random).pick(count, most, picks))];
}

test("as many as there are places are all taken", () => {
  expect(sample(3, 4, 0.9)).toEqual([0, 1, 2]);
  expect(sample(4, 4, 0.9)).toEqual([0, 1, 2, 3]);
});

test("of more, one of each stratum: no part of the range is left out, and none is taken twice", () => {
  expect(sample(12, 4, 0)).toEqual([0, 3, 6, 9]);
  expect(sample(12, 4, 0.999)).toEqual([2, 5, 8, 11]);
  expect(sample(10, 4, 0)).toEqual([0, 2, 5, 7]);
  expect(sample(10, 4, 0.999)).toEqual([1, 4, 6, 9]);
});

test("every item has the same chance where strata are alike", () => {
  const drawn = new Int32Array(30);
  for (let turn = 0; turn < 100; turn++) for (const at of sample(30, 3, turn / 100)) drawn[at]++;
  expect([...new Set(drawn)]).toEqual([10]);
});

/** Sets of address spaces are kept once, told apart whatever their hashes, and limited in number. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { MmSets, MmTally, TooManySharingSets } from "./mm-sets.ts";

/** More sets of them than the first table of slots has room for. */
const ROWS = 13;

function tallyOf(rows: readonly number[]): MmTally {
  const tally = new MmTally(ROWS);
  for (const row of rows) tally.enter(row);
  return tally;
}

function membersOf({ firstMember, members }: MmSets, set: number): number[] {
  return [...members.subarray(firstMember[set], firstMember[set + 1])];
}

test("equal sets have one number, different ones have different numbers, however they came about", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.nat(ROWS - 1), { maxLength: 20 }), { maxLength: 60 }), (histories) => {
      const sets = new MmSets();
      const numbers = new Map<string, number>();
      for (const rows of histories) {
        const tally = tallyOf(rows);
        const [gone = -1] = rows;
        if (gone >= 0) tally.leave(gone);
        const left = [...new Set(rows.slice(gone >= 0 ? 1 : 0))].toSorted((a, b) => a - b);
        const set = sets.find(tally);
        expect(membersOf(sets, set)).toEqual(left);
        const key = left.join();
        expect(numbers.get(key) ?? set).toBe(set);
        numbers.set(key, set);
      }
      expect(sets.count).toBe(numbers.size);
    }),
  );
});

test("thousands of sets keep their numbers while the tables grow", () => {
  const sets = new MmSets();
  const numberOf = (bits: number): number =>
    sets.find(tallyOf(Array.from({ length: ROWS }, (_, row) => row).filter((row) => ((bits >> row) & 1) !== 0)));
  const first = Array.from({ length: 2 ** ROWS }, (_, bits) => numberOf(bits));
  expect(new Set(first).size).toBe(2 ** ROWS);
  expect(Array.from({ length: 2 ** ROWS }, (_, bits) => numberOf(bits))).toEqual(first);
});

test("sets whose hashes agree are still two", () => {
  const sets = new MmSets();
  const [one, two, larger] = [tallyOf([1]), tallyOf([2]), tallyOf([1, 2])];
  for (const tally of [one, two, larger]) Object.assign(tally, { hashLow: 7, hashHigh: 7 });
  expect([one, two, larger, one].map((tally) => sets.find(tally))).toEqual([0, 1, 2, 0]);
});

test("more memberships than the limit are refused in one sentence", () => {
  const sets = new MmSets(4);
  sets.find(tallyOf([0, 1, 2]));
  sets.find(tallyOf([3]));
  expect(() => sets.find(tallyOf([4]))).toThrow(TooManySharingSets);
  expect(() => sets.find(tallyOf([4]))).toThrow(/over 4 memberships of sharing sets\.$/);
});

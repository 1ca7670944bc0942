/** The radix sort against the sort that comes with the language. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { sortByKey } from "./radix-sort.ts";

const keyEnds = fc.constantFrom(1, 2, 4096, 4097, 2 ** 24, 2 ** 24 + 1, 2 ** 32);

test("words follow their keys into ascending order, equal keys in the order in which they came", () => {
  fc.assert(
    fc.property(
      keyEnds.chain((keyEnd) => fc.tuple(fc.constant(keyEnd), fc.array(fc.nat(keyEnd - 1), { maxLength: 300 }))),
      ([keyEnd, keys]) => {
        const spare = { keys: new Uint32Array(keys.length), words: new Int32Array(keys.length) };
        const sorted = sortByKey({ keys: Uint32Array.from(keys), words: Int32Array.from(keys.keys()) }, keyEnd, spare);
        const expected = [...keys.entries()].toSorted(([i, a], [j, b]) => a - b || i - j);
        expect([...sorted.words]).toEqual(expected.map(([index]) => index));
        expect([...sorted.keys]).toEqual(expected.map(([, key]) => key));
      },
    ),
  );
});

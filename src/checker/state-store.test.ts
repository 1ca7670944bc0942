import * as fc from "fast-check";
import { expect, test } from "vitest";
import { StateStore } from "./state-store.ts";

const UNLIMITED = { memoryLimitBytes: 2 ** 30, stateLimit: 2 ** 29 };

interface Shape {
  readonly words: number;
  readonly hasSpareBit: boolean;
  readonly isNumbered?: boolean;
}

/** Every form that the table has. */
const SHAPES: readonly Shape[] = [
  { words: 1, hasSpareBit: true },
  { words: 1, hasSpareBit: false },
  { words: 2, hasSpareBit: true },
  { words: 2, hasSpareBit: false },
  { words: 2, hasSpareBit: true, isNumbered: true },
  { words: 5, hasSpareBit: false },
];

function addAll(store: StateStore, words: number, states: readonly (readonly number[])[], parent = -1): void {
  const out = Int32Array.from(states.flat());
  const room = Math.max(1, states.length);
  store.addAll(out, states.length * words, new Int32Array(room).fill(parent), new Int32Array(room));
}

/** Random words out of few values, the extremes among them, so that states come again and differ in one word only. */
function statesOf({ words, hasSpareBit }: Shape): fc.Arbitrary<number[][]> {
  const word = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.constantFrom(-1, 0, 2 ** 31 - 1, -(2 ** 31)));
  const last = hasSpareBit ? fc.oneof(fc.nat(40), fc.constant(2 ** 31 - 1)) : word;
  return fc.array(fc.tuple(...Array.from({ length: words }, (_, at) => (at === words - 1 ? last : word))), {
    maxLength: 300,
  });
}

for (const shape of SHAPES) {
  const { words, hasSpareBit, isNumbered = false } = shape;
  const name = `${words} words${hasSpareBit ? "" : ", all bits used"}${isNumbered ? ", numbered" : ""}`;

  test(`a store keeps each state once, in the order of discovery, like a Map of strings (${name})`, () => {
    fc.assert(
      fc.property(fc.array(statesOf(shape), { maxLength: 4 }), (batches) => {
        const store = new StateStore({ ...UNLIMITED, ...shape });
        const known = new Map<string, number>();
        for (const [parent, batch] of batches.entries()) {
          addAll(store, words, batch, parent);
          for (const state of batch) if (!known.has(state.join())) known.set(state.join(), parent);
          expect(store.count).toBe(known.size);
        }
        for (const [number, [key, parent]] of [...known].entries()) {
          expect(store.wordsOf(number).join()).toBe(key);
          expect(store.parentOf(number)).toBe(parent);
          if (isNumbered) expect(store.numberOf(store.wordsOf(number), 0)).toBe(number);
        }
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  test(`a store that grows forgets nothing and doubles nothing (${name})`, () => {
    const store = new StateStore({ ...UNLIMITED, ...shape });
    const STATES = 100_000;
    const states = Array.from({ length: STATES }, (_, number) =>
      Array.from({ length: words }, (_word, at) => (at === 0 ? number : 7)),
    );
    for (let round = 0; round < 2; round++) {
      for (let from = 0; from < STATES; from += 1000) addAll(store, words, states.slice(from, from + 1000));
      expect(store.count).toBe(STATES);
    }
    for (let number = 0; number < STATES; number += 997) expect(store.wordsOf(number)[0]).toBe(number);
    expect(store.full).toBeUndefined();
    expect(store.bytes / STATES).toBeLessThan(120);
  });
}

test("states of the same hash are told apart by their words", () => {
  // Of so many there are about ten pairs with equal 32-bit hashes.
  const STATES = 300_000;
  const store = new StateStore({ ...UNLIMITED, words: 3, hasSpareBit: true });
  const out = new Int32Array(STATES * 3);
  let random = 1;
  for (let at = 0; at < out.length; at++) out[at] = random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0;
  const different = new Set(
    Array.from({ length: STATES }, (_, state) => out.subarray(state * 3, state * 3 + 3).join()),
  );
  store.addAll(out, out.length, new Int32Array(STATES), new Int32Array(STATES));
  expect(store.count).toBe(different.size);
  expect(different.size).toBe(STATES);
});

test("at the limit of states a store is full and keeps what it has", () => {
  const store = new StateStore({ words: 1, hasSpareBit: true, memoryLimitBytes: 2 ** 30, stateLimit: 10 });
  addAll(store, 1, [[1], [2], [3], [1]]);
  expect(store.full).toBeUndefined();
  addAll(
    store,
    1,
    Array.from({ length: 20 }, (_, number) => [number]),
  );
  expect(store.full).toBe("state-limit");
  expect(store.count).toBe(10);
});

test("known states find room in a full store: only a new one makes it say so", () => {
  const store = new StateStore({ words: 2, hasSpareBit: true, memoryLimitBytes: 2 ** 30, stateLimit: 2 });
  addAll(store, 2, [
    [1, 1],
    [2, 2],
  ]);
  addAll(store, 2, [
    [2, 2],
    [1, 1],
  ]);
  expect(store.full).toBeUndefined();
  addAll(store, 2, [[3, 3]]);
  expect(store.full).toBe("state-limit");
});

test("the limit of bytes is kept, and nearly used up", () => {
  const LIMIT = 4 * 2 ** 20;
  const store = new StateStore({ words: 4, hasSpareBit: true, memoryLimitBytes: LIMIT, stateLimit: 2 ** 29 });
  for (let from = 0; store.full === undefined; from += 100) {
    addAll(
      store,
      4,
      Array.from({ length: 100 }, (_, number) => [from + number, 1, 2, 3]),
    );
  }
  expect(store.full).toBe("memory-limit");
  expect(store.bytes).toBeLessThanOrEqual(LIMIT);
  expect(store.bytes).toBeGreaterThan(LIMIT / 2);
  expect(store.count).toBeGreaterThan(LIMIT / 60);
});

test("bytes that the search needs itself are taken from the limit", () => {
  const LIMIT = 8 * 2 ** 20;
  const store = new StateStore({ words: 1, hasSpareBit: true, memoryLimitBytes: LIMIT, stateLimit: 2 ** 29 });
  store.reserve(LIMIT - 2 ** 20);
  for (let from = 0; store.full === undefined; from += 100) {
    addAll(
      store,
      1,
      Array.from({ length: 100 }, (_, number) => [from + number]),
    );
  }
  expect(store.bytes).toBeLessThanOrEqual(2 ** 20);
});

import { expect, test } from "vitest";
import { timeContention } from "./contended-atomics.ts";
import { CONTENDERS_MAX, type ContentionMode, SHARED_WORDS, targetOf } from "./contention-protocol.ts";

test("threads share a word, a line or nothing, as the mode says", () => {
  const wordsOf = (mode: ContentionMode): number[] =>
    Array.from({ length: CONTENDERS_MAX }, (_, index) => targetOf(mode, index));
  const lineOf = (word: number): number => Math.floor(word / 16);
  expect(new Set(wordsOf("one-word")).size).toBe(1);
  expect(new Set(wordsOf("one-line")).size).toBe(CONTENDERS_MAX);
  expect(new Set(wordsOf("one-line").map(lineOf)).size).toBe(1);
  expect(new Set(wordsOf("own-lines").map(lineOf)).size).toBe(CONTENDERS_MAX);
  for (const mode of ["one-word", "one-line", "own-lines"] as const) {
    for (const word of wordsOf(mode)) {
      expect(word).toBeLessThan(SHARED_WORDS);
      expect(lineOf(word)).toBeGreaterThan(0);
    }
  }
});

test.each([
  [1, 8, "needs two threads"],
  [3, 2, "3 threads cannot run at the same time on 2 processors"],
  [17, 64, "at most 16 threads"],
])("%d threads on %d processors are refused in a sentence", async (threads, processors, sentence) => {
  const sizes = { threads, processors, rounds: 1, operations: 1 };
  await expect(timeContention(sizes, () => undefined)).rejects.toThrow(sentence);
});

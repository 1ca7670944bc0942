/**
 * The worked example of docs/adding-a-scheme.md is a scheme: it keeps what it declares, and the page shows its code.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { LEVEL_PTE } from "../../src/kernel/index.ts";
import { NO, YES } from "../../src/schemes/index.ts";
import { squares } from "./example-scheme.ts";
import { Soak } from "./soak.ts";

const SEED = 20_260_601;

test("200,000 random events do not break a guarantee", () => {
  const soak = new Soak(SEED, [squares]);
  soak.run(200_000);
  expect(soak.broken, `seed ${SEED}`).toBeUndefined();
});

test("three address spaces come and two go: the third has it alone, and no other average is taken for it", () => {
  const counter = squares.createCounter({ frameCount: 16, orders: [4] });
  for (const mm of [1, 2, 3]) counter.add(0, 0, 16, LEVEL_PTE, mm, mm, mm);
  expect(counter.others(0, 2)).toBe(YES);
  counter.remove(0, 0, 16, LEVEL_PTE, 2, 2, 2);
  // The average id of 1 and 3 is 2; the average of their squares is not 4.
  expect(counter.isMaybeMappedShared(0)).toBe(true);
  counter.remove(0, 0, 16, LEVEL_PTE, 1, 1, 1);
  expect(counter.others(0, 3)).toBe(NO);
  expect(counter.isMaybeMappedShared(0)).toBe(false);
});

test("the largest ids fit: 2^18 entries of each of three mms below 2^22", () => {
  const counter = squares.createCounter({ frameCount: 1, orders: [0] });
  const [a, b, c] = [2 ** 22 - 1, 2 ** 22 - 2, 2 ** 22 - 3];
  for (const mm of [a, b, c]) counter.add(0, 0, 2 ** 18, LEVEL_PTE, 0, 0, mm);
  expect(counter.isMaybeMappedShared(0)).toBe(true);
  for (const mm of [a, c]) counter.remove(0, 0, 2 ** 18, LEVEL_PTE, 0, 0, mm);
  expect(counter.others(0, b)).toBe(NO);
});

test("what docs/adding-a-scheme.md shows is in the example", () => {
  const page = readFileSync(new URL("../../docs/adding-a-scheme.md", import.meta.url), "utf8");
  const example = readFileSync(new URL("example-scheme.ts", import.meta.url), "utf8");
  const shown = [...page.matchAll(/```(?:ts|steps)\n(?<code>[^`]*)```/g)].map(({ groups }) => groups?.code ?? "");
  expect(shown.length).toBeGreaterThan(0);
  for (const code of shown) {
    for (const block of code.split("\n  // ...\n")) expect(example).toContain(block.trimEnd());
  }
});

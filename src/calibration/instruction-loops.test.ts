import { expect, test } from "vitest";
import { makeLineArena, timeInstructions } from "./instruction-loops.ts";

test("the chase visits every line of the working set once before it is back", () => {
  const lines = 4096;
  const { words } = makeLineArena(lines);
  const seen = new Set<number>();
  let line = 0;
  for (let step = 0; step < lines; step++) {
    seen.add(line);
    line = words[line * 16];
  }
  expect(seen.size).toBe(lines);
  expect(line).toBe(0);
});

test("loops are timed with the clock that they are given, and leave the chase as it is", () => {
  const arena = makeLineArena(4096);
  const before = Int32Array.from(arena.words.filter((_, word) => word > 15 && word % 16 === 0));
  let calls = 0;
  const timings = timeInstructions(arena, { operations: 800, lines: 4096 }, () => calls++);
  // A millisecond between any two calls: 800 operations, 512 lines.
  for (const name of ["loop", "atomic", "load", "store", "lock"]) expect(timings[name]).toBe(1e6 / 800);
  for (const name of ["line-dependent", "line-in-order", "line-random"]) expect(timings[name]).toBe(1e6 / 512);
  expect(arena.words.filter((_, word) => word > 15 && word % 16 === 0)).toEqual(before);
});

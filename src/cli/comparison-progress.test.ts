import { expect, test } from "vitest";
import { ComparisonProgress, formatStudyProgress } from "./comparison-progress.ts";

function watched(isTTY: boolean): {
  readonly written: string[];
  readonly progress: ComparisonProgress;
  at: (ms: number) => void;
} {
  const written: string[] = [];
  let time = 1000;
  const stream = { isTTY, columns: 40, write: (text: string) => written.push(text) };
  const progress = new ComparisonProgress(stream, { quiet: false, now: () => time });
  return { written, progress, at: (ms) => (time = 1000 + ms) };
}

const STEP = { phase: "history", done: 1200, text: "P\u001b touch @a 4k w and a lot of text behind it" } as const;

test("nothing is said for half a second, then one line that is rewritten and in the end gone", () => {
  const { written, progress, at } = watched(true);
  at(400);
  progress.update(STEP);
  expect(written).toEqual([]);
  at(600);
  progress.update(STEP);
  progress.update(STEP);
  expect(written).toHaveLength(1);
  progress.clear();
  expect(written.at(-1)).toBe("\r\u001b[K");
});

test("the line is narrower than the terminal and moves no cursor but its own", () => {
  const { written, progress, at } = watched(true);
  at(900);
  progress.update(STEP);
  const text = written[0].replace("\r\u001b[K", "");
  expect(text).toBe(String.raw`Step 1,200, 900 ms: P\x1b touch @a 4k w`.slice(0, 39));
});

test("where stderr is no terminal nothing is said", () => {
  const { written, progress, at } = watched(false);
  at(5000);
  progress.update(STEP);
  progress.clear();
  expect(written).toEqual([]);
});

test("while scenarios are shrunk it says how many were tried", () => {
  expect(formatStudyProgress({ phase: "witness", done: 31, text: "troll: unmap" }, 2000)).toBe(
    "Looking for a smaller scenario, 31 tried, 2.00 s: troll: unmap",
  );
});

import { expect, test } from "vitest";
import { CheckLine, formatCheckProgress, formatScheduleProgress } from "./check-progress.ts";

const STATES = {
  type: "states",
  progress: {
    states: 1_234_567,
    transitions: 4_000_000,
    statesPerSecond: 987_654.3,
    frontier: 4321,
    depth: 17,
    bytes: 3 * 2 ** 20,
  },
} as const;

interface Watched {
  readonly written: string[];
  readonly line: CheckLine;
  readonly at: (ms: number) => void;
}

function watched({
  isTTY = true,
  quiet = false,
}: { readonly isTTY?: boolean; readonly quiet?: boolean } = {}): Watched {
  const written: string[] = [];
  let time = 0;
  const stream = { isTTY, columns: 60, write: (text: string) => written.push(text) };
  const line = new CheckLine(stream, { quiet, now: () => time });
  return { written, line, at: (ms) => void (time = ms) };
}

test("a search says how many states, how fast, how many are left and how deep it is", () => {
  expect(formatCheckProgress("vma embrace", STATES.progress)).toBe(
    "vma embrace: 1,234,567 states, 987,654 a second, 4,321 to go on from, depth 17, 3 MiB",
  );
  expect(
    formatScheduleProgress("vma embrace", {
      schedules: 1000,
      steps: 20_000,
      distinctStates: 900,
      longest: 40,
      cutShort: 0,
    }),
  ).toBe("vma embrace: 1,000 schedules, 20,000 steps, 900 states");
});

test("nothing is said for half a second, then one line that fits and is gone in the end", () => {
  const { written, line, at } = watched();
  line.begin("\u001b[2Jhostile", 1, 3);
  at(400);
  line.update(STATES);
  line.clear();
  expect(written).toEqual([]);
  at(600);
  line.update(STATES);
  expect(written).toHaveLength(1);
  const text = written[0].replace("\r\u001b[K", "");
  expect(text).toMatch(/^2 of 3: \\x1b\[2Jhostile: 1,234,567 states/);
  expect(text.length).toBeLessThanOrEqual(59);
  line.clear();
  expect(written.at(-1)).toBe("\r\u001b[K");
});

test("where stderr is no terminal, or nobody wants to know, nothing is said", () => {
  for (const options of [{ isTTY: false }, { quiet: true }]) {
    const { written, line, at } = watched(options);
    line.begin("long", 0, 1);
    at(5000);
    line.update(STATES);
    line.clear();
    expect(written).toEqual([]);
  }
});

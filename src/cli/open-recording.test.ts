/**
 * Which capture of a recording a text means.
 */
import { expect, test } from "vitest";
import type { ListedCapture, RecordedEntry } from "../capture/index.ts";
import { formatTime } from "../report/index.ts";
import { captureAt } from "./open-recording.ts";
import { EXIT_USAGE, codeOfError } from "./exit-codes.ts";

const BEGAN = Date.UTC(2025, 10, 21, 8, 43, 12);

/** Captures begun so many milliseconds behind 08:43:12 UTC. */
function captures(...atMs: readonly number[]): { readonly directory: string; readonly captures: ListedCapture[] } {
  const listed = atMs.map((at, number): ListedCapture => {
    const times = {
      dueAtMs: BEGAN,
      beganAtMs: BEGAN + at,
      endedAtMs: BEGAN + at,
      intervalMs: 1000,
      missedIntervals: 0,
    };
    const processes = { processesRead: 1, processesRefused: 0, processesEnded: 0 };
    const entry: RecordedEntry = {
      format: "foliometer-recording-entry",
      formatVersion: 1,
      number,
      ...times,
      ...processes,
      difference: null,
    };
    return { number, entry };
  });
  return { directory: "night", captures: listed };
}

test("a time that was copied from where it is printed leads to the capture it was printed of", () => {
  const recording = captures(300, 1700, 2999, 4000);
  for (const each of recording.captures) {
    const printed = formatTime("entry" in each ? each.entry.beganAtMs : 0);
    expect(captureAt(recording, printed).number).toBe(each.number);
  }
  expect(captureAt(recording, "2025-11-21T08:43:12Z").number).toBe(0);
  expect(captureAt(recording, "2025-11-21T08:43:16Z").number).toBe(3);
});

test("a time with a part of a second is that moment, and the capture the last one begun by then", () => {
  const recording = captures(300, 700, 1700);
  expect(captureAt(recording, "2025-11-21T08:43:12.699Z").number).toBe(0);
  expect(captureAt(recording, "2025-11-21T08:43:12.700Z").number).toBe(1);
  expect(captureAt(recording, "2025-11-21T08:43:12Z").number).toBe(1);
});

test("numbers count from the first, and with a minus from the last", () => {
  const recording = captures(0, 1000, 2000);
  expect(["0", "2", "-1", "-3"].map((which) => captureAt(recording, which).number)).toEqual([0, 2, 2, 0]);
});

test("numbers are those of the captures, also where the first ones were removed", () => {
  const whole = captures(0, 1000, 2000);
  const rest = { ...whole, captures: whole.captures.slice(1) };
  expect(captureAt(rest, "1").number).toBe(1);
  expect(() => captureAt(rest, "0")).toThrow("The recording night has no capture 0; it has 1 to 2.");
});

const MISTAKES = [
  ["3", "The recording night has no capture 3; it has 0 to 2."],
  ["-4", "The recording night has no capture -4; it has 0 to 2."],
  ["noon", "noon is neither the number of a capture nor a time such as 2025-11-21T08:43."],
  ["2025-11-21T08:43:11Z", "No capture of the recording night had begun by 2025-11-21T08:43:11Z; it has 0 to 2."],
] as const;

test.for(MISTAKES)("%s is told: %s", ([which, sentence]) => {
  let thrown: unknown;
  try {
    captureAt(captures(0, 1000, 2000), which);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ message: sentence });
  expect(codeOfError(thrown)).toBe(EXIT_USAGE);
});

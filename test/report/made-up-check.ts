/**
 * Results of checks, made up: small enough that what is printed of them stands whole in a test.
 */
import type { CheckResult, Story, StoryStep } from "../../src/checker/index.ts";
import type { TimedCheck } from "../../src/report/index.ts";

function step(thread: number, source: string, what: string, more: Partial<StoryStep> = {}): StoryStep {
  const position = { text: "made-up", line: 1, column: 1 };
  return { thread, source, position, operation: "", what, changes: [], ...more };
}

/** Two threads, one of which loses the other's update. */
export const LOST: Story = {
  property: "sum",
  ending: "This does not hold: quiet sum: total == done (total is 1, done is 2).",
  threads: ["adder[0]", "adder[1]", "idle"],
  steps: [
    step(0, "let t = load total", "total is 0", { operation: "add" }),
    step(1, "let t = load total", "total is 0", { operation: "add" }),
    step(1, "store total = t + 1", "total 0 -> 1", {
      operation: "add",
      changes: [
        { name: "total", before: 0, after: 1 },
        { name: "done", before: 0, after: 1, isGhost: true },
      ],
    }),
    step(0, "store total = t + 1", "total stays 1", {
      operation: "add",
      changes: [{ name: "done", before: 1, after: 2, isGhost: true }],
    }),
  ],
  before: { total: 0, done: 0 },
  after: { total: 1, done: 2 },
};

/** A thread that waits for itself, behind a circle that it need not have gone. */
export const ROUND: Story = {
  property: "livelock",
  ending: 'It goes round; "a" # b: c < d.',
  threads: ["one"],
  steps: [
    step(0, "let got = trylock l", "did not get l"),
    step(0, "if got == 0 { store x = 1 }", "x 0 -> 1"),
    step(0, "lock l", "waits for l, which one holds"),
  ],
  repeatsFrom: 1,
  before: {},
  after: {},
};

/** A search that ended at the lost update. */
export const STOPPED: CheckResult = {
  configuration: "made up",
  options: { search: "breadth-first", partialOrderReduction: true, symmetry: true },
  coverage: "stopped-at-broken",
  figures: { states: 12, transitions: 19, depth: 4, bytes: 65_536, stateWords: 1 },
  properties: [
    { name: "sum", when: "quiet", outcome: "broken", story: LOST },
    { name: "both", when: "sometimes", outcome: "not-seen-so-far" },
    { name: "deadlock", when: "built-in", outcome: "holds-so-far" },
  ],
};

/** A search of everything. */
export const COMPLETE: CheckResult = {
  configuration: "all of it",
  options: { memory: "tso", search: "depth-first", partialOrderReduction: false, symmetry: false, liveness: true },
  coverage: "complete",
  figures: { states: 3_500_000, transitions: 9_000_000, depth: 60, bytes: 280_000_000, stateWords: 3 },
  properties: [
    { name: "kept", when: "assert", outcome: "holds" },
    { name: "both", when: "sometimes", outcome: "seen" },
    { name: "never_asked", when: "sometimes", outcome: "unseen" },
    { name: "livelock", when: "built-in", outcome: "not-checked" },
  ],
};

/** A result as the command has it. */
export function timed(result: CheckResult, more: Partial<TimedCheck> = {}): TimedCheck {
  return { result, elapsedMs: 2000, ...more };
}

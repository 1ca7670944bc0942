/** What a check prints, whole. */
import { expect, test } from "vitest";
import { COMPLETE, LOST, STOPPED, timed } from "../../test/report/made-up-check.ts";
import { formatCheckSummary, formatCheckText } from "./check-text.ts";
import { PLAIN_STYLES } from "./styles.ts";

const WIDE = { width: Infinity, styles: PLAIN_STYLES };

test("a property a line, how far the search went, and the story of what broke", () => {
  expect(formatCheckText(timed(STOPPED, { expected: { sum: "broken" } }), WIDE)).toBe(
    `made up
sequential consistency, breadth first, partial-order reduction and symmetry

property  looked at               verdict
sum       when nobody is at work  broken after 4 accesses, as known
both      must occur              not seen in what was explored
deadlock  in every state          holds in what was explored

Stopped at the broken property: 12 states, 19 transitions, depth 4, 2.00 s, 64 KiB.

sum: This does not hold: quiet sum: total == done (total is 1, done is 2).

   adder[0]             adder[1]             what happens
   add:                 |
1  let t = load total   |                    total is 0
   |                    add:
2  |                    let t = load total   total is 0
3  |                    store total = t + 1  total 0 -> 1; done 0 -> 1
4  store total = t + 1  |                    total stays 1; done 1 -> 2
`,
  );
});

test("a complete search says its speed; what should have occurred and did not is told", () => {
  const text = formatCheckText(timed(COMPLETE, { expected: { kept: "broken" } }), WIDE);
  expect(text).toBe(
    `all of it
store buffers of 2 (TSO), depth first, no reduction

property     looked at            verdict
kept         where a thread acts  holds in all states, which is not what is known of it (broken)
both         must occur           occurs
never_asked  must occur           never occurs: what it stands for was not tested
livelock     in every fair run    not checked

Complete: 3,500,000 states, 9,000,000 transitions, depth 60, 2.00 s, 1,750,000 states a second, 267 MiB (80 bytes a state).
`,
  );
});

test("options that are absent are the defaults: both reductions", () => {
  const text = formatCheckText(timed({ ...STOPPED, options: {} }), WIDE);
  expect(text.split("\n")[1]).toBe("sequential consistency, breadth first, partial-order reduction and symmetry");
});

test("random schedules say their seed, and that they prove nothing", () => {
  const schedules = { seed: 7, count: 1, cutShort: 3 };
  const lines = formatCheckText(timed({ ...STOPPED, coverage: "schedules", schedules }), WIDE).split("\n");
  expect(lines[1]).toBe("sequential consistency, random schedules");
  expect(lines).toContain(
    "Random schedules: 1 random schedule from seed 7, 19 steps, the longest 4, 12 different states, 2.00 s; 3 were cut short. What was not seen may still be there.",
  );
});

const ORDER = {
  edges: [{ held: "a", asked: "b", thread: "one", source: "lock b" }],
  cycles: [["a", "b"]],
  hasMoreCycles: true,
  states: 40,
  isComplete: false,
};

test("the order of locks: edges, cycles, and whether these were all states", () => {
  const tailOf = (lockOrder: typeof ORDER): string[] =>
    formatCheckText(timed({ ...COMPLETE, lockOrder }), WIDE)
      .split("\n")
      .slice(11, -1);
  expect(tailOf(ORDER)).toEqual([
    "Locks held while another was asked for, in the first 40 states without reductions, not all:",
    "  a -> b (one: lock b)",
    "Cycle: a -> b -> a",
    "There are more cycles than these.",
  ]);
  expect(tailOf({ ...ORDER, cycles: [], hasMoreCycles: false, isComplete: true }).at(-1)).toBe(
    "There is an order of locks: no cycle.",
  );
  expect(tailOf({ ...ORDER, cycles: [], hasMoreCycles: false }).at(-1)).toBe("No cycle so far.");
  expect(tailOf({ ...ORDER, edges: [] })[1]).toBe("  none");
});

test("several checks are a line each, with what is known of them", () => {
  const checks = [
    timed(STOPPED, { case: "first", scheme: "page", expected: { sum: "broken" } }),
    timed(STOPPED, { case: "second", scheme: "page" }),
    timed(COMPLETE, { case: "third", scheme: "page", expected: { kept: "broken", never_asked: "unseen" } }),
    timed({ ...COMPLETE, properties: COMPLETE.properties.slice(0, 2) }, { case: "fourth", scheme: "page" }),
    timed({ ...COMPLETE, coverage: "interrupted", properties: [] }, { case: "fifth", scheme: "page" }),
  ];
  expect(formatCheckSummary(checks, WIDE)).toBe(
    `case    verdict                                                         states  transitions  depth    time
first   breaks sum, as known                                                12           19      4  2.00 s
second  breaks sum                                                          12           19      4  2.00 s
third   never: never_asked, as known; not what is known of it: kept  3,500,000    9,000,000     60  2.00 s
fourth  all properties hold                                          3,500,000    9,000,000     60  2.00 s
fifth   nothing broken so far (interrupted)                          3,500,000    9,000,000     60  2.00 s

page: 5 cases; --case ID tells the story of one.
`,
  );
});

test.each([20, 40, 60, 80])("at %d columns no line is longer, but for a story's least columns", (width) => {
  const lines = formatCheckText(timed(STOPPED), { width, styles: PLAIN_STYLES }).split("\n");
  const storyLeast = 1 + 2 * (16 + 2) + 2 + 24;
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(Math.max(width, storyLeast));
  const summary = formatCheckSummary([timed(STOPPED)], { width, styles: PLAIN_STYLES }).split("\n");
  expect(Math.max(...summary.map((line) => line.length))).toBeLessThanOrEqual(width);
});

test("nothing of a text reaches the terminal as it is", () => {
  const hostile = "\u001b]0;gone\u0007\u202e";
  const [first, ...others] = LOST.steps;
  const story = { ...LOST, ending: hostile, steps: [{ ...first, source: hostile, what: hostile }, ...others] };
  const result = { ...STOPPED, configuration: hostile, properties: [{ ...STOPPED.properties[0], story }] };
  const order = { ...ORDER, edges: [{ ...ORDER.edges[0], source: hostile }] };
  const text = formatCheckText(timed({ ...result, lockOrder: order }), WIDE);
  expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
  expect(text).toContain(String.raw`\x1b]0;gone\x07\u202e`);
  expect(formatCheckSummary([timed({ ...STOPPED, configuration: hostile })], WIDE)).not.toMatch(
    /(?!\n)[\p{Cc}\p{Cf}]/u,
  );
});

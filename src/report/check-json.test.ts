/** The documents of a check and of the catalogue. */
import { expect, test } from "vitest";
import { COMPLETE, LOST, STOPPED, timed } from "../../test/report/made-up-check.ts";
import { formatCheckCases, formatCheckCasesJson } from "./check-cases-text.ts";
import { formatChecksJson } from "./check-json.ts";
import { PLAIN_STYLES } from "./styles.ts";

test("every field stands there, null where there is nothing", () => {
  const known = { case: "one", scheme: "page", expected: { sum: "broken" } };
  const document = JSON.parse(formatChecksJson([timed(STOPPED, known), timed(COMPLETE)])) as unknown;
  expect(document).toEqual({
    schema: "foliometer-check",
    version: 1,
    checks: [
      {
        scheme: "page",
        case: "one",
        configuration: "made up",
        options: STOPPED.options,
        coverage: "stopped-at-broken",
        schedules: null,
        figures: { states: 12, transitions: 19, depth: 4, bytes: 65_536, stateWords: 1, elapsedMs: 2000 },
        properties: [
          { name: "sum", when: "quiet", outcome: "broken", expected: "broken", story: LOST },
          { name: "both", when: "sometimes", outcome: "not-seen-so-far", expected: null, story: null },
          { name: "deadlock", when: "built-in", outcome: "holds-so-far", expected: null, story: null },
        ],
        lockOrder: null,
      },
      expect.objectContaining({ scheme: null, case: null, configuration: "all of it", coverage: "complete" }),
    ],
  });
});

test("random schedules and the order of locks stand in it", () => {
  const schedules = { seed: 1, count: 10, cutShort: 0 };
  const lockOrder = { edges: [], cycles: [], hasMoreCycles: false, states: 3, isComplete: true };
  const { checks } = JSON.parse(formatChecksJson([timed({ ...STOPPED, schedules, lockOrder })])) as {
    checks: readonly unknown[];
  };
  expect(checks[0]).toMatchObject({ schedules, lockOrder });
});

test("no control or direction mark is in the bytes, and all are in the values", () => {
  const json = formatChecksJson([timed({ ...STOPPED, configuration: "\u009b\u202e\u001b" })]);
  expect(json).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
  expect(JSON.parse(json)).toMatchObject({ checks: [{ configuration: "\u009b\u202e\u001b" }] });
});

const CASES = [
  {
    id: "one",
    title: "a case",
    asks: "Does it hold?",
    schemes: ["page", "sums"],
    outcomes: { page: { states: 12 }, sums: { broken: ["counts"], unseen: ["both"] } },
  },
  { id: "longer-id", title: "another case", asks: "And this?", schemes: ["page"], outcomes: { page: {} } },
];

test("the catalogue is a question a case, with the schemes that it is for", () => {
  expect(formatCheckCases(CASES, { width: Infinity, styles: PLAIN_STYLES, schemeCount: 2 })).toBe(
    `one        a case
           Does it hold? (all schemes)
longer-id  another case
           And this? (page)
`,
  );
  expect(formatCheckCases([], { width: 80, styles: PLAIN_STYLES, schemeCount: 2 })).toBe("There are no cases.\n");
});

test("on a narrow terminal its questions are broken into lines", () => {
  const text = formatCheckCases(CASES, { width: 20, styles: PLAIN_STYLES, schemeCount: 3 });
  expect(text.split("\n").slice(0, 3)).toEqual([
    "one        a case",
    "           Does it hold? (page, sums)",
    "longer-id  another case",
  ]);
  const narrow = formatCheckCases([{ ...CASES[0], asks: "Does it hold in every order? ".repeat(3).trim() }], {
    width: 40,
    styles: PLAIN_STYLES,
    schemeCount: 3,
  });
  expect(Math.max(...narrow.split("\n").map((line) => line.length))).toBeLessThanOrEqual(40);
});

test("as JSON it says what comes out for each scheme", () => {
  expect(JSON.parse(formatCheckCasesJson(CASES))).toEqual({
    schema: "foliometer-check-cases",
    version: 1,
    cases: [
      {
        id: "one",
        title: "a case",
        asks: "Does it hold?",
        schemes: [
          { scheme: "page", broken: [], unseen: [], states: 12 },
          { scheme: "sums", broken: ["counts"], unseen: ["both"], states: null },
        ],
      },
      {
        id: "longer-id",
        title: "another case",
        asks: "And this?",
        schemes: [{ scheme: "page", broken: [], unseen: [], states: null }],
      },
    ],
  });
});

/** Stories in columns. */
import { expect, test } from "vitest";
import { LOST, ROUND } from "../../test/report/made-up-check.ts";
import { effectOf, formatStoryColumns } from "./story-columns.ts";
import { COLOUR_STYLES, PLAIN_STYLES } from "./styles.ts";

test("a column for each thread that acts, none for one that does not", () => {
  const [heading] = formatStoryColumns(LOST, { width: Infinity, styles: PLAIN_STYLES });
  expect(heading).toBe("   adder[0]             adder[1]             what happens");
});

test("where it repeats a line says so", () => {
  expect(formatStoryColumns(ROUND, { width: Infinity, styles: PLAIN_STYLES })).toEqual([
    "   one                          what happens",
    "1  let got = trylock l          did not get l",
    "--- from here on it repeats ---",
    "2  if got == 0 { store x = 1 }  x 0 -> 1",
    "3  lock l                       waits for l, which one holds",
  ]);
});

test("narrow columns are broken, and what happens stands beside the access's first line", () => {
  expect(formatStoryColumns(LOST, { width: 65, styles: PLAIN_STYLES })).toEqual([
    "   adder[0]           adder[1]           what happens",
    "   add:               |",
    "1  let t = load       |                  total is 0",
    "   total              |",
    "   |                  add:",
    "2  |                  let t = load       total is 0",
    "   |                  total",
    "3  |                  store total = t +  total 0 -> 1; done 0 ->",
    "   |                  1                  1",
    "4  store total = t +  |                  total stays 1; done 1 ->",
    "   1                  |                  2",
  ]);
});

test("a change that is told already is not told twice", () => {
  const [, , step] = LOST.steps;
  expect(effectOf(step)).toBe("total 0 -> 1; done 0 -> 1");
  expect(effectOf({ ...step, what: "" })).toBe("total 0 -> 1; done 0 -> 1");
  expect(effectOf({ ...step, changes: [] })).toBe("total 0 -> 1");
});

test("colours do not move columns", () => {
  const plain = formatStoryColumns(LOST, { width: 65, styles: PLAIN_STYLES });
  const coloured = formatStoryColumns(LOST, { width: 65, styles: COLOUR_STYLES });
  // eslint-disable-next-line no-control-regex
  expect(coloured.map((line) => line.replaceAll(/\u001b\[\d+m/g, "").trimEnd())).toEqual(plain);
});

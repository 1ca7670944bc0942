import { expect, test } from "vitest";
import type { CounterLimit } from "../study/index.ts";
import { formatCounterLimits } from "./counter-limits-text.ts";
import { PLAIN_STYLES } from "./styles.ts";

const LIMIT: CounterLimit = {
  scheme: "first",
  order: 18,
  level: "PUD",
  countAdds: 1,
  countFits: 2 ** 31,
  referencesAdd: 1,
  referencesMost: null,
  referencesFit: 2 ** 31 - 1,
  pagesFit32: 8191,
  pagesFit64: 2 ** 45 - 1,
};

const print = (...limits: CounterLimit[]): string[] =>
  formatCounterLimits(limits, { width: Infinity, styles: PLAIN_STYLES }).split("\n");

test("schemes with the same figures share a row, in the order in which they come", () => {
  const lines = print(
    LIMIT,
    { ...LIMIT, scheme: "other", pagesFit32: null, pagesFit64: null },
    { ...LIMIT, scheme: "third" },
  );
  expect(lines[0]).toBe("A folio of 1 GiB mapped by PUDs");
  expect(lines.filter((line) => /first|other|third/.test(line))).toEqual([
    expect.stringMatching(/2,147,483,648 .* 8,191 +35,184,372,088,831 +first, third$/),
    expect.stringMatching(/ - +- +other$/),
  ]);
});

test("what saturates never overflows, and says how many references it takes", () => {
  const [row] = print({ ...LIMIT, countAdds: 0, countFits: null, referencesMost: 3, referencesFit: null }).filter(
    (line) => line.endsWith("first"),
  );
  expect(row).toMatch(/- +never +1, 3 in all +never/);
});

test("a number that is not exact any more is not printed as if it were", () => {
  expect(print({ ...LIMIT, pagesFit64: 2 ** 62 }).join("\n")).toContain("over 2^53");
});

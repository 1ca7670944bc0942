import stringWidth from "string-width";
import { expect, test } from "vitest";
import type { ConsumerFigures, ScenarioView } from "../scenario/index.ts";
import { formatConsumers } from "./consumer-table.ts";
import { COLOUR_STYLES, PLAIN_STYLES } from "./styles.ts";

const KB = 1024;

function valuesOf(dirtyKb: number, pssKb: number, ussKb: number): ConsumerFigures["truth"] {
  return { privateDirtyBytes: dirtyKb * KB, procrankPssBytes: pssKb * KB, procrankUssBytes: ussKb * KB };
}

const CHILD: ConsumerFigures = {
  process: "save",
  truth: valuesOf(2008, 16_556, 2008),
  byScheme: [
    { ...valuesOf(2008, 16_556, 2008), foliosWalked: 0 },
    { ...valuesOf(0, 15_856, 2012), foliosWalked: 0 },
    { ...valuesOf(0, 16_556, 2008), foliosWalked: 3 },
  ],
};

function viewOf(consumers?: readonly ConsumerFigures[]): ScenarioView {
  return {
    label: "1",
    line: 1,
    commands: [],
    schemes: ["page", "mm-owner", "none"],
    processes: [],
    folios: [],
    ...(consumers === undefined ? {} : { consumers }),
  };
}

test("the truth plain, what differs marked with its difference, what was walked for with a question mark", () => {
  expect(formatConsumers(viewOf([CHILD]), { width: 100, styles: PLAIN_STYLES })).toBe(
    [
      "what programs read",
      "process figure (kB)           truth   page        mm-owner          none",
      "save    Redis: copy-on-write  2,008  2,008    ! 0 (-2,008) ! 0? (-2,008)",
      "        procrank: Pss        16,556 16,556 ! 15,856 (-700)       16,556?",
      "        procrank: Uss         2,008  2,008    ! 2,012 (+4)        2,008?",
      "! is not the truth; ? only by walking the reverse map",
      "",
    ].join("\n"),
  );
});

test("nobody asked, or nobody there: no table", () => {
  expect(formatConsumers(viewOf(), { width: 80, styles: PLAIN_STYLES })).toBe("");
  expect(formatConsumers(viewOf([]), { width: 80, styles: PLAIN_STYLES })).toBe("");
});

test.each([20, 40, 80])("at %d columns no line is wider, and schemes without room are named", (width) => {
  const hostile = { ...CHILD, process: "a\nb\u001b[31m" };
  for (const styles of [PLAIN_STYLES, COLOUR_STYLES]) {
    // oxlint-disable-next-line no-control-regex
    const text = formatConsumers(viewOf([hostile]), { width, styles }).replaceAll(/\u001b\[\d+m/g, "");
    for (const line of text.split("\n")) expect(stringWidth(line)).toBeLessThanOrEqual(width);
    if (width < 60) expect(text.replaceAll("\n", " ")).toContain("no room");
  }
});

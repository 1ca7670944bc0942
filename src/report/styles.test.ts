import { expect, test } from "vitest";
import { COLOUR_STYLES, PLAIN_STYLES, chooseStyles } from "./styles.ts";

const terminal = { isTTY: true };
const pipe = {};

test("a terminal has colours, a pipe has none", () => {
  expect(chooseStyles(terminal, { TERM: "xterm" })).toBe(COLOUR_STYLES);
  expect(chooseStyles(pipe, { TERM: "xterm" })).toBe(PLAIN_STYLES);
});

test("NO_COLOR takes colours away unless it is empty, and FORCE_COLOR has the last word", () => {
  expect(chooseStyles(terminal, { NO_COLOR: "1" })).toBe(PLAIN_STYLES);
  expect(chooseStyles(terminal, { NO_COLOR: "" })).toBe(COLOUR_STYLES);
  expect(chooseStyles(pipe, { FORCE_COLOR: "1", NO_COLOR: "1" })).toBe(COLOUR_STYLES);
  expect(chooseStyles(terminal, { FORCE_COLOR: "0" })).toBe(PLAIN_STYLES);
  expect(chooseStyles(terminal, { TERM: "dumb" })).toBe(PLAIN_STYLES);
});

test("every colour is closed again", () => {
  for (const style of Object.values(COLOUR_STYLES)) {
    // oxlint-disable-next-line no-control-regex
    expect(style("x")).toMatch(/^\u001b\[\d+mx\u001b\[\d+m$/);
    expect(style("")).toBe("");
  }
});

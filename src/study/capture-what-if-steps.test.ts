import { describe, expect, test } from "vitest";
import { BadWhatIf, parseWhatIf } from "./capture-what-if-steps.ts";

test("steps stand in any number of texts, separated by semicolons", () => {
  expect(parseWhatIf(["fork 12 3; exit 12.1", " exit 12 ;"]).map(({ kind, process }) => [kind, process])).toEqual([
    ["fork", "12"],
    ["exit", "12.1"],
    ["exit", "12"],
  ]);
});

test("a range is given by addresses, as /proc/PID/maps prints it", () => {
  const [step] = parseWhatIf(["unmap 7 7f0000001000-0x7f0000003000"]);
  expect(step).toMatchObject({ place: { kind: "range", startPage: 0x7_f000_0001, endPage: 0x7_f000_0003 } });
});

test("a name may have spaces, and a write its distance", () => {
  expect(parseWhatIf(["unmap 7 /srv/a file (deleted)"])[0]).toMatchObject({
    place: { kind: "name", name: "/srv/a file (deleted)" },
  });
  expect(parseWhatIf(["write 7.2.1 [heap] every 8"])[0]).toMatchObject({
    process: "7.2.1",
    place: { kind: "name", name: "[heap]" },
    every: 8,
  });
});

describe("one sentence says what is wrong with", () => {
  test.each([
    ["", /no step/],
    ["sleep 12", /no step: steps are fork, exit, unmap and write/],
    ["exit", /needs a process/],
    ["exit twelve", /needs a process/],
    ["exit 12 now", /more words/],
    ["fork 12 0", /fork PID TIMES/],
    ["fork 12 2 3", /fork PID TIMES/],
    ["fork 12 99999", /1 to 1024/],
    ["unmap 12", /does not say where/],
    ["unmap 12 1001-3000", /cuts a page/],
    ["unmap 12 3000-3000", /empty range/],
    ["write 12 1000-3000 every 0", /a number from 1/],
    ["write 12 1000-3000 every x", /a number from 1/],
  ])("%j", (text, sentence) => {
    expect(() => parseWhatIf([text])).toThrow(BadWhatIf);
    expect(() => parseWhatIf([text])).toThrow(sentence);
  });
});

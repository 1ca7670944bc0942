/** How the time for a scrape is divided before it is known what its figures take; the machine is in test/live. */
import { expect, test } from "vitest";
import { madeUpReport } from "../../test/report/made-up-report.ts";
import { gapsOf, reserveForFigures } from "./scrape-machine.ts";

test("half of the time is kept for figures of which nothing is known", () => {
  expect(reserveForFigures(undefined, 1000)).toBe(500);
});

test("later it is what they took last and a third more, and a tenth of the time is for reading whatever they took", () => {
  expect(reserveForFigures({ figuresMs: 300, isFirst: false }, 1000)).toBeCloseTo(399);
  expect(reserveForFigures({ figuresMs: 5000, isFirst: false }, 1000)).toBe(900);
});

test("the first figures, which take longer than all others, do not keep the second scrape from reading", () => {
  expect(reserveForFigures({ figuresMs: 5000, isFirst: true }, 1000)).toBe(500);
  expect(reserveForFigures({ figuresMs: 30, isFirst: true }, 1000)).toBeCloseTo(39.9);
});

test("who waits is unread, stale or ended: whether it was ever read, and whether its turn came", () => {
  const report = madeUpReport();
  const coverage = { ...report.coverage, processesRefused: 5, processesEnded: 20 };
  const waiting = [
    { pid: 1, reached: false, readAtMs: undefined },
    { pid: 2, reached: false, readAtMs: 1000 },
    { pid: 3, reached: false, readAtMs: 2000 },
    { pid: 4, reached: true, readAtMs: undefined },
    { pid: 5, reached: true, readAtMs: 1000 },
    { pid: 6, reached: true, readAtMs: 1000 },
  ];
  expect(gapsOf({ coverage }, waiting)).toEqual({ unread: 1, stale: 2, refused: 5, ended: 23 });
});

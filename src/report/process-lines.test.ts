import * as fc from "fast-check";
import { expect, test } from "vitest";
import { SCHEME_IDS, madeUpProcess } from "../../test/report/made-up-report.ts";
import { changeOf, foldEqual, largestChangePercent, lineOf, sumLines } from "./process-lines.ts";

const kb = fc.integer({ min: 0, max: 2 ** 31 });

test("a sum of lines is the sum of the printed kB, whatever the bytes behind them", () => {
  const processes = fc.array(fc.record({ pss: kb, uss: kb }), { maxLength: 20 });
  fc.assert(
    fc.property(processes, (list) => {
      const lines = list.map(({ pss, uss }, pid) =>
        lineOf(madeUpProcess({ pid, name: "x", page: [pss, uss] }), SCHEME_IDS),
      );
      const [own] = sumLines(lines, SCHEME_IDS.length).schemes;
      expect(own.pss).toBe(list.reduce((all, { pss }) => all + pss, 0));
      expect(own.uss.most).toBe(list.reduce((all, { uss }) => all + uss, 0));
    }),
  );
});

test("two ranges with one unknown differ by nothing", () => {
  const range = { least: 4, most: 400 };
  expect(changeOf(range, range)).toEqual({ least: 0, most: 0 });
});

test("from a figure to a range and from a range to a figure, both ends of the change are told", () => {
  expect(changeOf({ least: 100, most: 100 }, { least: 4, most: 90 })).toEqual({ least: -96, most: -10 });
  expect(changeOf({ least: 4, most: 90 }, { least: 100, most: 100 })).toEqual({ least: 10, most: 96 });
});

test("the largest change is that of Pss or Uss of any process, a range by its farther end", () => {
  const change = (
    page: readonly [number, number],
    owner: readonly [number, number | { least: number; most: number }],
  ) => largestChangePercent([madeUpProcess({ pid: 1, name: "x", page, owner })], SCHEME_IDS);
  expect(change([100, 50], [100, 50])).toBe(0);
  expect(change([100, 50], [90, 50])).toBe(10);
  expect(change([100, 50], [100, { least: 10, most: 50 }])).toBe(80);
  expect(change([100, 0], [100, 4])).toBe(Infinity);
});

test("schemes that say the same are folded, the kernel's own never is", () => {
  expect(foldEqual(["a", "b", "b"])).toEqual([[1, 2]]);
  expect(foldEqual(["a", "a", "b"])).toEqual([[1], [2]]);
  expect(foldEqual(["a"])).toEqual([]);
});

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatSparkline, sparkColumns } from "./sparkline.ts";

test("a line is drawn between its least and its most", () => {
  const columns = sparkColumns([0, 10, 20, 30, 40, 50, 60, 70], 10, 80);
  expect(formatSparkline([0, 1, 2, 3, 4, 5, 6, 7], columns)).toBe("▁▂▃▄▅▆▇█");
  expect(formatSparkline([700, 700, 700, 700, 700, 700, 700, 700], columns)).toBe("▁▁▁▁▁▁▁▁");
});

test("a time without a figure is blank: one that was missed, and one in which there was nothing", () => {
  const columns = sparkColumns([0, 10, 40, 50], 10, 80);
  expect(columns.columns).toBe(6);
  expect(formatSparkline([1, 8, 8, 1], columns)).toBe("▁█  █▁");
  expect(formatSparkline([null, 1, 8, null], columns)).toBe(" ▁  █ ");
  expect(formatSparkline([null, null, null, null], columns)).toBe("");
});

test("a peak is seen however little room there is", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 500 }), fc.nat(), fc.integer({ min: 1, max: 60 }), (count, at, most) => {
      const times = Array.from({ length: count }, (_, index) => index * 10);
      const values = times.map((_, index) => (index === at % count ? 8 : 1));
      const columns = sparkColumns(times, 10, most);
      const line = formatSparkline(values, columns);
      expect(line.length).toBe(Math.min(count, most));
      expect(line.match(/█/g)).toHaveLength(1);
    }),
  );
});

test("captures from before the clock was set back keep their columns", () => {
  const columns = sparkColumns([100_000, 110_000, 120_000, 70_000, 80_000], 10_000, 80);
  expect(formatSparkline([1, 2, 3, 4, 8], columns)).toBe("▁▂▃▄█");
  expect(formatSparkline([1, 8, 1], sparkColumns([20, 10, 0], 0, 80))).toBe("▁█▁");
});

test("times that do not ascend, or lie together, have a column", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 50 }), fc.nat(), (times, interval) => {
      const { columns, columnOf } = sparkColumns(times, interval, 24);
      expect(columnOf.every((column) => column >= 0 && column < columns)).toBe(true);
    }),
  );
});

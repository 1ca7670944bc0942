import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  formatCount,
  formatDifference,
  formatDuration,
  formatKb,
  formatPercentChange,
  formatQuantity,
  formatRange,
  formatShare,
  formatSize,
  formatTime,
} from "./format-number.ts";

test("a count has a comma every three digits, as the locale would put it", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (count) => {
      expect(formatCount(count)).toBe(count.toLocaleString("en-US"));
    }),
  );
});

test("kB are whole units of 1024 bytes, floored as the kernel does", () => {
  expect([1023, 1024, 2047, 2048].map(formatKb)).toEqual(["0", "1", "1", "2"]);
  expect(formatKb(1_234_567 * 1024 + 1023)).toBe("1,234,567");
});

test("a difference has its sign, and zero has none", () => {
  expect([1234, -1234, 0].map(formatDifference)).toEqual(["+1,234", "-1,234", "0"]);
});

test("a change in percent keeps its sign where it rounds to zero, and says new where there was nothing", () => {
  expect(formatPercentChange(18_432, 3_250_000)).toBe("+0.6%");
  expect(formatPercentChange(-19, 1_286_541)).toBe("-0.0%");
  expect(formatPercentChange(-10, 10)).toBe("-100%");
  expect(formatPercentChange(150_000, 1)).toBe("+15,000,000%");
  expect(formatPercentChange(0, 0)).toBe("0%");
  expect(formatPercentChange(12, 0)).toBe("new");
});

test("a share of nothing is zero", () => {
  expect(formatShare(0, 0)).toBe("0%");
  expect(formatShare(1, 3)).toBe("33.3%");
  expect(formatShare(3, 3)).toBe("100%");
});

test("a range of equal ends is one figure", () => {
  expect(formatRange({ least: 2048, most: 2048 }, formatKb)).toBe("2");
  expect(formatRange({ least: 2048, most: 1024 * 1500 }, formatKb)).toBe("2..1,500");
});

test("durations and sizes take the unit that reads best", () => {
  expect([0, 934, 999.6, 1000, 9994, 9996, 59_949, 59_951, 125_000].map(formatDuration)).toEqual([
    "0 ms",
    "934 ms",
    "1000 ms",
    "1.00 s",
    "9.99 s",
    "10.0 s",
    "59.9 s",
    "1 min 0 s",
    "2 min 5 s",
  ]);
  expect([512, 65_536, 2_097_152, 2_202_009, 1024 ** 4 * 4096].map(formatSize)).toEqual([
    "512 bytes",
    "64 KiB",
    "2 MiB",
    "2.1 MiB",
    "4096 TiB",
  ]);
});

test("a time that is none does not throw", () => {
  expect(formatTime(Date.UTC(2025, 10, 21, 8, 43, 12))).toBe("2025-11-21 08:43:12 UTC");
  expect(formatTime(Number.NaN)).toBe("at an unknown time");
});

test("one is one process, and all else processes", () => {
  expect([0, 1, 2].map((count) => formatQuantity(count, "process", "processes"))).toEqual([
    "0 processes",
    "1 process",
    "2 processes",
  ]);
});

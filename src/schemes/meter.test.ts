/**
 * Costs: what a line is, and that differences are told by name.
 */
import { expect, test } from "vitest";
import { COST_NAMES, LOADS, Meter } from "./meter.ts";

test.each([
  { first: 0, pageCount: 1, headPages: 1, lines: 1 },
  { first: 0, pageCount: 1, headPages: 2, lines: 2 },
  { first: 0, pageCount: 16, headPages: 2, lines: 16 },
  { first: 1, pageCount: 1, headPages: 2, lines: 2 },
  { first: 1, pageCount: 4, headPages: 2, lines: 5 },
  { first: 7, pageCount: 1, headPages: 2, lines: 3 },
])("pages from $first, $pageCount of them, beside $headPages of the folio: $lines lines", (batch) => {
  const meter = new Meter();
  meter.chargeLines(batch.first, batch.pageCount, batch.headPages);
  expect(meter.since(new Float64Array(COST_NAMES.length)).structPageLines).toBe(batch.lines);
});

test("what one operation costs is the difference before and after it", () => {
  const meter = new Meter();
  meter.charge(LOADS, 3);
  const before = Float64Array.from(meter.totals);
  meter.chargeReferences();
  meter.chargeLargeMapcountLock();
  expect(meter.since(before)).toMatchObject({ loads: 0, atomics: 2, referenceOperations: 1, largeMapcountLocks: 1 });
});

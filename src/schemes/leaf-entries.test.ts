import * as fc from "fast-check";
import { expect, test } from "vitest";
import { pmdEntriesOf } from "./leaf-entries.ts";

const countsOf = (ptes: number, pmds: number, puds: number) => ({
  mappings: ptes + pmds + puds,
  mappedPages: ptes + 512 * pmds + 262_144 * puds,
});

test("up to PMD size mappings and mapped pages give the PMD entries exactly", () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.nat(100_000), (ptes, pmds) => {
      expect(pmdEntriesOf(9, countsOf(ptes, pmds, 0))).toEqual({ pmdAtLeast: pmds, pmdAtMost: pmds });
    }),
  );
});

test("of a larger folio the PMD entries lie within the range, and the range is as narrow as the counts allow", () => {
  fc.assert(
    fc.property(fc.nat(2000), fc.nat(3000), fc.nat(6), (ptes, pmds, puds) => {
      const counts = countsOf(ptes, pmds, puds);
      const possible: number[] = [];
      for (let c = 0; c <= counts.mappings; c++) {
        const b = (counts.mappedPages - counts.mappings - 262_143 * c) / 511;
        if (b < 0) break;
        if (counts.mappings - b - c >= 0) possible.push(b);
      }
      expect(possible).toContain(pmds);
      expect(pmdEntriesOf(18, counts)).toEqual({
        pmdAtLeast: Math.min(...possible),
        pmdAtMost: Math.max(...possible),
      });
    }),
  );
});

test("two address spaces with 512 PMD entries each look like one PUD entry, 511 PMD entries and 512 PTEs", () => {
  expect(countsOf(0, 1024, 0)).toEqual(countsOf(512, 511, 1));
  expect(pmdEntriesOf(18, countsOf(0, 1024, 0))).toEqual({ pmdAtLeast: 511, pmdAtMost: 1024 });
});

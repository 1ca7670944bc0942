import * as fc from "fast-check";
import { expect, test } from "vitest";
import { PSS_FULL_PAGE, bytesOfPss, kbOfPss, pssOfPage } from "./proportional-share.ts";

const FULL = 16_777_216;

test("three pages with three mappings each print 3 kB, not 4 (kernel-facts 3.3)", () => {
  expect(pssOfPage(3)).toBe(5_592_405);
  expect(3 * pssOfPage(3)).toBe(16_777_215);
  expect(bytesOfPss(3 * pssOfPage(3))).toBe(4095);
  expect(kbOfPss(3 * pssOfPage(3))).toBe(3);
});

test("a huge page of which another process maps all but one page prints 1026 kB (kernel-facts 9.1)", () => {
  const units = pssOfPage(1) + 511 * pssOfPage(2);
  expect(bytesOfPss(units)).toBe(1_050_624);
  expect(kbOfPss(units)).toBe(1026);
});

test("KSM: three equal pages of one process print 3 kB, after one is written 8 kB (kernel-facts 9.2)", () => {
  expect(kbOfPss(3 * pssOfPage(3))).toBe(3);
  expect(kbOfPss(pssOfPage(1) + 2 * pssOfPage(2))).toBe(8);
});

test("a page with one mapping, or none that was seen, counts in full", () => {
  expect([PSS_FULL_PAGE, pssOfPage(0), pssOfPage(1), pssOfPage(2)]).toEqual([FULL, FULL, FULL, FULL / 2]);
});

test("the shares of all mappings together are the page, less than one unit a mapping", () => {
  fc.assert(
    fc.property(fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 2 ** 31 - 1 })), (mapcount) => {
      const units = pssOfPage(mapcount);
      expect(Number.isInteger(units)).toBe(true);
      expect(units * mapcount).toBeLessThanOrEqual(FULL);
      expect(FULL - units * mapcount).toBeLessThan(mapcount);
    }),
  );
});

test("what is summed before it is truncated prints at least what its parts do (kernel-facts 3.6)", () => {
  const parts = fc.array(fc.record({ mapcount: fc.integer({ min: 1, max: 200 }), pages: fc.nat(300) }), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(parts, (all) => {
      const units = all.map(({ mapcount, pages }) => pages * pssOfPage(mapcount));
      const sum = units.reduce((total, of) => total + of, 0);
      const printed = units.reduce((total, of) => total + kbOfPss(of), 0);
      expect(kbOfPss(sum)).toBeGreaterThanOrEqual(printed);
      expect(kbOfPss(sum) - printed).toBeLessThanOrEqual(all.length);
      expect(BigInt(kbOfPss(sum))).toBe((units.reduce((total, of) => total + BigInt(of), 0n) >> 12n) >> 10n);
    }),
  );
});

test("sums are exact integers up to terabytes", () => {
  const units = 2 ** 28 * pssOfPage(3);
  expect(BigInt(units)).toBe(2n ** 28n * 5_592_405n);
  expect(BigInt(bytesOfPss(units))).toBe((2n ** 28n * 5_592_405n) >> 12n);
});

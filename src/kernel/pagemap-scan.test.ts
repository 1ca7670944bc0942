import * as fc from "fast-check";
import { expect, test } from "vitest";
import * as scan from "./pagemap-scan.ts";
import { decodeScanCategories, decodeScanRegions, encodeScanArgument, type ScanArgument } from "./pagemap-scan.ts";

const FIELDS: ScanArgument = {
  startPage: 0x7f0000000,
  endPage: 0x7f0000200,
  vectorAddress: 0x7fff12345678,
  vectorLength: 512,
  maxPages: 4096,
  categoryMask: scan.PAGE_IS_PRESENT,
  categoryAnyofMask: scan.PAGE_IS_HUGE | scan.PAGE_IS_SWAPPED,
  returnMask: scan.PAGE_IS_HUGE,
};

function encoded(fields: ScanArgument): bigint[] {
  const view = new DataView(
    new ArrayBuffer(scan.PAGEMAP_SCAN_ARGUMENT_BYTES + 16),
    8,
    scan.PAGEMAP_SCAN_ARGUMENT_BYTES,
  );
  view.setBigUint64(32, 123n, true);
  encodeScanArgument(view, fields);
  return Array.from({ length: 12 }, (_, word) => view.getBigUint64(word * 8, true));
}

test("the request number is _IOWR('f', 16, 96 bytes)", () => {
  const direction = 3 * 2 ** 30;
  expect(scan.PAGEMAP_SCAN).toBe(direction + scan.PAGEMAP_SCAN_ARGUMENT_BYTES * 2 ** 16 + 0x66 * 2 ** 8 + 16);
});

test("the argument's words stand in the kernel's order", () => {
  expect(encoded({ ...FIELDS, categoryInverted: 0x10, flags: scan.PM_SCAN_CHECK_WPASYNC })).toEqual([
    96n,
    2n,
    0x7f0000000000n,
    0x7f0000200000n,
    0n,
    0x7fff12345678n,
    512n,
    4096n,
    0x10n,
    0x8n,
    0x50n,
    0x40n,
  ]);
  expect(encoded(FIELDS).slice(0, 2)).toEqual([96n, 0n]);
  expect(encoded(FIELDS)[8]).toBe(0n);
});

test("an address given as a bigint is the same address", () => {
  expect(encoded({ ...FIELDS, vectorAddress: 0x7fff12345678n })).toEqual(encoded(FIELDS));
});

test("every page number of a 64-bit address space crosses exactly", () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 31 - 1 }), fc.nat({ max: 2 ** 21 - 1 }), (low, high) => {
      const page = high * 2 ** 31 + low;
      expect(encoded({ ...FIELDS, startPage: page })[2]).toBe(BigInt(page) * 4096n);
    }),
  );
});

test("a page number or a word that does not fit is a bug of the caller", () => {
  for (const startPage of [-1, 0.5, 2 ** 52, Number.NaN])
    expect(() => encoded({ ...FIELDS, startPage })).toThrow(RangeError);
  for (const maxPages of [-1, 0.5, 2 ** 53]) expect(() => encoded({ ...FIELDS, maxPages })).toThrow(RangeError);
  expect(() => encoded({ ...FIELDS, vectorAddress: 2n ** 60n })).toThrow(RangeError);
});

test("regions and the end of the walk are decoded into page numbers", () => {
  const argument = new DataView(new ArrayBuffer(scan.PAGEMAP_SCAN_ARGUMENT_BYTES));
  argument.setBigUint64(32, 0xffffffffff601000n, true);
  const regions = [
    [0x1000n, 0x3000n, 0xan],
    [0x7f0000000000n, 0x7f0000200000n, 0x4an],
    [0xffffffffff600000n, 0xffffffffff601000n, 0x112n],
  ] as const;
  const vector = new DataView(new ArrayBuffer(regions.length * scan.PAGEMAP_SCAN_REGION_BYTES));
  regions.flat().forEach((word, index) => vector.setBigUint64(index * 8, word, true));
  const pages = new Float64Array(8).fill(-1);
  expect(decodeScanRegions(argument, vector, regions.length, pages)).toBe(0xffffffffff601);
  expect(Array.from(pages)).toEqual([1, 3, 0x7f0000000, 0x7f0000200, 0xffffffffff600, 0xffffffffff601, -1, -1]);
  const categories = new Int32Array(4);
  decodeScanCategories(vector, regions.length, categories);
  expect(Array.from(categories)).toEqual([
    scan.PAGE_IS_PRESENT | scan.PAGE_IS_WRITTEN,
    scan.PAGE_IS_PRESENT | scan.PAGE_IS_WRITTEN | scan.PAGE_IS_HUGE,
    scan.PAGE_IS_GUARD | scan.PAGE_IS_SWAPPED | scan.PAGE_IS_WRITTEN,
    0,
  ]);
});

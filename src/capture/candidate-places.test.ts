/** Where other address spaces may have the same pages: everything that one look at every page finds, and little more. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type MapsVma, PAGE_SIZE_BYTES } from "../kernel/index.ts";
import { type AskedPages, CandidatePlaces, GAP_PAGES, pageInFile, placesInVmas } from "./candidate-places.ts";
import type { PageRange } from "./entry-ranges.ts";

interface Mapped {
  readonly start: number;
  readonly pages: number;
  /** 0: anonymous. */
  readonly inode: number;
  readonly filePage: number;
  readonly name?: string;
}

function vmaOf({ start, pages, inode, filePage, name = inode === 0 ? "" : `/file-${inode}` }: Mapped): MapsVma {
  const offset = inode === 0 ? 0 : filePage * PAGE_SIZE_BYTES;
  const range = { startPage: start, endPage: start + pages };
  const rights = { read: true, write: true, exec: false, shared: inode !== 0 };
  return { ...range, ...rights, offset, offsetHex: offset.toString(16), device: "08:01", inode, name };
}

function mapsTextOf(vmas: readonly MapsVma[]): string {
  return vmas
    .map(({ startPage, endPage, offsetHex, device, inode, name }) => {
      const [from, to] = [startPage, endPage].map((page) => `${page.toString(16)}000`);
      return `${from}-${to} rw-p ${offsetHex.padStart(8, "0")} ${device} ${inode} ${name}\n`;
    })
    .join("");
}

/** VMAs one behind the other. */
const layouts = fc
  .array(
    fc.record({
      gap: fc.constantFrom(0, 600, 1000, 2000),
      pages: fc.integer({ min: 1, max: 12 }),
      inode: fc.nat(2),
      filePage: fc.nat(3000),
    }),
    { minLength: 1, maxLength: 60, size: "max" },
  )
  .map((pieces) => {
    let end = 1000;
    return pieces.map(({ gap, ...piece }) => {
      const start = end + gap;
      end = start + piece.pages;
      return vmaOf({ ...piece, start });
    });
  });

function holds(ranges: readonly PageRange[], page: number): boolean {
  return ranges.some(({ startPage, endPage }) => startPage <= page && page < endPage);
}

test("every page at the same address, and every page of the same file, is in the ranges of a process", () => {
  let many = 0;
  fc.assert(
    fc.property(layouts, layouts, fc.boolean(), (own, other, isAll) => {
      const asked: AskedPages[] = (isAll ? own : own.slice(0, 2)).map((vma) => ({ ...vma, vma }));
      const ranges = new CandidatePlaces(asked).rangesIn(mapsTextOf(other));
      if (asked.length > 32) many++;
      const filePages = new Set(
        asked.flatMap(({ vma, startPage, endPage }) =>
          vma.inode === 0
            ? []
            : Array.from({ length: endPage - startPage }, (_, at) => `${vma.inode} ${pageInFile(vma, startPage + at)}`),
        ),
      );
      for (const vma of other) {
        for (let page = vma.startPage; page < vma.endPage; page++) {
          const isThere = holds(asked, page) || filePages.has(`${vma.inode} ${pageInFile(vma, page)}`);
          if (isThere) expect(holds(ranges, page)).toBe(true);
        }
      }
      expect(ranges.every(({ startPage }, at) => at === 0 || startPage > ranges[at - 1].endPage)).toBe(true);
    }),
    { numRuns: 300 },
  );
  expect(many).toBeGreaterThan(20);
});

test("pages of a file are where its VMAs show them, to the page", () => {
  fc.assert(
    fc.property(layouts, fc.nat(3000), fc.integer({ min: 1, max: 40 }), (vmas, first, length) => {
      const matches = ({ inode }: MapsVma): boolean => inode === 2;
      const wanted = { startPage: first, endPage: first + length };
      const places = placesInVmas(vmas, { matches, ranges: [wanted] });
      const expected = vmas
        .filter(matches)
        .flatMap((vma) =>
          Array.from({ length: vma.endPage - vma.startPage }, (_, at) => vma.startPage + at).filter((page) =>
            holds([wanted], pageInFile(vma, page)),
          ),
        );
      const found = places.flatMap(({ startPage, endPage }) =>
        Array.from({ length: endPage - startPage }, (_, at) => startPage + at),
      );
      expect(found).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});

test("ten thousand VMAs of one file are one place, and many ranges are not read where a process has nothing", () => {
  const vmas = Array.from({ length: 10_000 }, (_, at) =>
    vmaOf({ start: 2000 * at, pages: 1, inode: 7, filePage: 2 * at }),
  );
  const places = new CandidatePlaces(vmas.map((vma) => ({ ...vma, vma })));
  expect(places.rangesIn(mapsTextOf(vmas))).toHaveLength(10_000);
  const elsewhere = vmaOf({ start: 6001, pages: 2 * GAP_PAGES, inode: 9, filePage: 0 });
  expect(places.rangesIn(mapsTextOf([elsewhere]))).toEqual([]);
  const one = vmaOf({ start: 5999, pages: 4, inode: 9, filePage: 0 });
  expect(places.rangesIn(mapsTextOf([one]))).toEqual([{ startPage: 6000, endPage: 6001 }]);
  const whole = vmaOf({ start: 1, pages: 20_000, inode: 7, filePage: 0 });
  expect(places.rangesIn(mapsTextOf([whole]))).toEqual([{ startPage: 1, endPage: 20_001 }]);
});

test("the vdso is wherever its name is, a heap where its address is", () => {
  const vdso = vmaOf({ start: 50_000, pages: 2, inode: 0, filePage: 0, name: "[vdso]" });
  const heap = vmaOf({ start: 60_000, pages: 2, inode: 0, filePage: 0, name: "[heap]" });
  const others = mapsTextOf([
    vmaOf({ start: 900, pages: 8, inode: 0, filePage: 0, name: "[heap]" }),
    vmaOf({ start: 70_000, pages: 2, inode: 0, filePage: 0, name: "[vdso]" }),
  ]);
  const rangesOf = (vma: MapsVma): readonly PageRange[] => new CandidatePlaces([{ ...vma, vma }]).rangesIn(others);
  expect(rangesOf(vdso).map(({ startPage }) => startPage)).toEqual([50_000, 70_000]);
  expect(rangesOf(heap)).toEqual([{ startPage: 60_000, endPage: 60_002 }]);
});

test("the same inode on another device is another file", () => {
  const asked = vmaOf({ start: 50_000, pages: 2, inode: 7, filePage: 4 });
  const elsewhere = { ...vmaOf({ start: 60_000, pages: 2, inode: 7, filePage: 4 }), device: "08:02" };
  const same = vmaOf({ start: 70_000, pages: 2, inode: 7, filePage: 4 });
  const places = new CandidatePlaces([{ ...asked, vma: asked }]);
  expect(places.rangesIn(mapsTextOf([elsewhere, same])).map(({ startPage }) => startPage)).toEqual([50_000, 70_000]);
});

test("inodes beyond 2^53 that are the same number are two files", () => {
  const digits = ["18446744073709551614", "18446744073709551615"];
  const [one, other] = digits.map((inodeText) => ({
    ...vmaOf({ start: 50_000, pages: 1, inode: Number(inodeText), filePage: 0 }),
    inodeText,
  }));
  expect(one.inode).toBe(other.inode);
  const lineOf = (vma: MapsVma, start: number): string =>
    mapsTextOf([{ ...vma, startPage: start, endPage: start + 1 }]).replace(String(vma.inode), vma.inodeText ?? "");
  const text = `${lineOf(one, 60_000)}${lineOf(other, 70_000)}`;
  const placesOf = (vma: MapsVma): readonly PageRange[] => new CandidatePlaces([{ ...vma, vma }]).rangesIn(text);
  expect([one, other].map((vma) => placesOf(vma)[1].startPage)).toEqual([60_000, 70_000]);
});

/** Strips of mapcounts: a sign a page, rows that fit, and what the signs mean. */
import { expect, test } from "vitest";
import { drawMapcounts } from "./mapcount-strip.ts";

test("each page has its count, in groups of sixteen with the first page's index before a row", () => {
  const counts = Array.from({ length: 128 }, (_, page) => (page < 64 ? 2 : page < 127 ? 0 : 12));
  const { lines, signs, pagesPerCell } = drawMapcounts(counts, 80);
  expect(lines).toEqual([
    "  0  2222222222222222 2222222222222222 2222222222222222 2222222222222222",
    " 64  ................ ................ ................ ...............+",
  ]);
  expect(signs).toEqual([". nobody maps it", "+ more than nine"]);
  expect(pagesPerCell).toBe(1);
});

test("nine mappings are a digit, ten are a plus", () => {
  expect(drawMapcounts([9, 10], 80).lines).toEqual(["0  9+"]);
});

test("a narrow terminal gets shorter rows, never a cut one", () => {
  const { lines } = drawMapcounts(
    Array.from({ length: 64 }, () => 1),
    40,
  );
  expect(lines).toHaveLength(2);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(40);
});

test("a folio larger than the strip has several pages in a sign, a star where they differ", () => {
  const counts = Array.from({ length: 2048 }, (_, page) => (page === 5 ? 3 : 1));
  const { lines, pagesPerCell, signs } = drawMapcounts(counts, 80);
  expect(pagesPerCell).toBe(4);
  expect(lines[0]).toMatch(/^ {3}0 {2}1\*11/);
  expect(lines[1].startsWith(" 256")).toBe(true);
  expect(signs).toEqual(["* several pages with different counts"]);
});

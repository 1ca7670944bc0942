/**
 * A folio's pages as a strip: one character a page, its mapcount; so that what is mapped unevenly is seen.
 *
 *     0  2222222222222222 2222222222222222 2221111111111111 ................
 *
 * A dot is a page that nobody maps, a plus more than nine mappings. A folio of more pages than fit has several in a
 * character; where their counts differ it is a star.
 */

/** Characters of a strip. */
const CELLS_MAX = 512;
const GROUP = 16;
const ROW_MAX = 64;

/** A strip and how it is to be read. */
export interface MapcountStrip {
  /** Rows with the index of their first page before them. */
  readonly lines: readonly string[];
  readonly pagesPerCell: number;
  /** What the signs in it mean that are no digits. */
  readonly signs: readonly string[];
}

const MEANINGS: readonly (readonly [string, string])[] = [
  [".", "nobody maps it"],
  ["+", "more than nine"],
  ["*", "several pages with different counts"],
];

/** Draws a strip at most `width` columns wide. */
export function drawMapcounts(mapcounts: readonly number[], width: number): MapcountStrip {
  const pagesPerCell = Math.max(1, Math.ceil(mapcounts.length / CELLS_MAX));
  const cells: string[] = [];
  for (let page = 0; page < mapcounts.length; page += pagesPerCell) {
    cells.push(cellOf(mapcounts.slice(page, page + pagesPerCell)));
  }
  const indexWidth = String(mapcounts.length - 1).length;
  const perRow = cellsPerRow(width - indexWidth - 2);
  const lines: string[] = [];
  for (let at = 0; at < cells.length; at += perRow) {
    const row = cells.slice(at, at + perRow);
    const groups: string[] = [];
    for (let group = 0; group < row.length; group += GROUP) groups.push(row.slice(group, group + GROUP).join(""));
    lines.push(`${String(at * pagesPerCell).padStart(indexWidth)}  ${groups.join(" ")}`);
  }
  const drawn = new Set(cells);
  return {
    lines,
    pagesPerCell,
    signs: MEANINGS.filter(([sign]) => drawn.has(sign)).map(([sign, meaning]) => `${sign} ${meaning}`),
  };
}

/** Whole groups that fit, a power of two of them; at least one. */
function cellsPerRow(width: number): number {
  let cells = ROW_MAX;
  while (cells > GROUP && cells + cells / GROUP - 1 > width) cells /= 2;
  return cells;
}

function cellOf(counts: readonly number[]): string {
  const [first] = counts;
  if (counts.some((count) => count !== first)) return "*";
  if (first === 0) return ".";
  return first > 9 ? "+" : String(first);
}

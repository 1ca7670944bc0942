/**
 * The figures of a comparison as columns: A, B and the change, for Pss, Uss, Rss and each figure that changed in some row.
 *
 * Everything is in whole kB, each figure floored for itself, and changes and sums are taken of those, so that every
 * column adds up and A plus the change is B. Of a figure that depends on history the least end is printed.
 */
import type { MemoryFigures, Range } from "../study/index.ts";
import { figureCell } from "./figure-cells.ts";
import { formatDifference, kbOf } from "./format-number.ts";
import { isUncertain } from "./process-lines.ts";
import { endsOf } from "./select-diff.ts";
import { UNCERTAIN_MARK } from "./styles.ts";
import type { Cell, Column } from "./text-table.ts";

/** Figures and how they are headed; the last ones leave a narrow terminal first. */
const HEADINGS = [
  ["pssBytes", "Pss"],
  ["ussBytes", "Uss"],
  ["rssBytes", "Rss"],
  ["swapBytes", "Swap"],
  ["hugetlbBytes", "hugetlb"],
  ["pmdMappedBytes", "PMD"],
] as const satisfies readonly (readonly [keyof MemoryFigures, string])[];

/** Figures that are shown whether or not they changed. */
const ALWAYS = 3;
/** The first ones depend on the scheme; what is there does not. */
const OF_SCHEME = 2;

/** One figure of a row, in kB. */
export interface FigureLine {
  readonly a: Range;
  readonly b: Range;
}

/** A row's figures in the order of HEADINGS, in kB. */
export type ChangeLine = readonly FigureLine[];

const inKb = ({ least, most }: Range): Range => ({ least: kbOf(least), most: kbOf(most) });

/** The figures of a change. */
export function changeLine({
  a,
  b,
}: {
  readonly a: MemoryFigures | null;
  readonly b: MemoryFigures | null;
}): ChangeLine {
  return HEADINGS.map(([key]) => ({ a: inKb(endsOf(a, key)), b: inKb(endsOf(b, key)) }));
}

/** The sum of ranges, end by end. */
function addEnds(ranges: readonly Range[]): Range {
  return {
    least: ranges.reduce((sum, { least }) => sum + least, 0),
    most: ranges.reduce((sum, { most }) => sum + most, 0),
  };
}

/** The sum of lines. */
export function sumChangeLines(lines: readonly ChangeLine[]): ChangeLine {
  return HEADINGS.map((_, index) => ({
    a: addEnds(lines.map((line) => line[index].a)),
    b: addEnds(lines.map((line) => line[index].b)),
  }));
}

/** What is left of a sum when these lines are taken from it. */
export function restOfLines(sum: ChangeLine, lines: readonly ChangeLine[]): ChangeLine {
  const taken = sumChangeLines(lines);
  const less = (whole: Range, part: Range): Range => ({
    least: whole.least - part.least,
    most: whole.most - part.most,
  });
  return sum.map(({ a, b }, index) => ({ a: less(a, taken[index].a), b: less(b, taken[index].b) }));
}

/** Whether some figure of these lines is a range. */
export function hasRanges(lines: readonly ChangeLine[]): boolean {
  return lines.some((line) => line.some(({ a, b }) => isUncertain(a) || isUncertain(b)));
}

/** The columns for some rows, and the cells of each of them. */
export interface ChangeColumns {
  readonly columns: readonly Column[];
  cells(line: ChangeLine): Cell[];
}

/** The columns that these lines need. `derived`: a side is not counted as its kernel does. */
export function changeColumns(
  lines: readonly ChangeLine[],
  derived: { readonly a: boolean; readonly b: boolean },
): ChangeColumns {
  const isChanged = ({ a, b }: FigureLine): boolean => a.least !== b.least || a.most !== b.most;
  const shown = HEADINGS.map((_, index) => index).filter(
    (index) => index < ALWAYS || lines.some((line) => isChanged(line[index])),
  );
  const ranged = shown.map((index) => lines.some((line) => isUncertain(line[index].a) || isUncertain(line[index].b)));
  return {
    columns: shown.flatMap((index): Column[] => {
      const group = HEADINGS[index][1];
      return [
        { heading: "A", group, align: "right", rank: 20 + index },
        { heading: "B", group, align: "right", rank: 10 + index },
        { heading: "B - A", group, align: "right", rank: index },
      ];
    }),
    cells: (line) =>
      shown.flatMap((index, at): Cell[] => {
        const { a, b } = line[index];
        const isOfScheme = index < OF_SCHEME;
        return [
          figureCell(a, { derived: derived.a && isOfScheme, ranged: ranged[at] }),
          figureCell(b, { derived: derived.b && isOfScheme, ranged: ranged[at] }),
          differenceCell(a, b, ranged[at]),
        ];
      }),
  };
}

/** The change of the least ends, which are what the other columns print. */
function differenceCell(a: Range, b: Range, ranged: boolean): Cell {
  const uncertain = isUncertain(a) || isUncertain(b);
  const difference = b.least - a.least;
  const text = `${formatDifference(difference)}${uncertain ? UNCERTAIN_MARK : ranged ? " " : ""}`;
  if (uncertain) return { text, style: "uncertain" };
  return difference === 0 ? { text, style: "faint" } : { text };
}

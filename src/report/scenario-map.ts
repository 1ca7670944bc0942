/**
 * The maps of a scenario's processes as rows of cells: what each page shows, in one character.
 *
 *     P  200000000-200200000 rw-p   2,048 kB
 *        200000000 aHHHHHHHHHHHHHHH        a folio under a PMD
 *     C  200000000-200100000 rw-p   1,024 kB
 *        200000000 aaaaaaaa                the same folio, by PTEs
 *
 * A letter is a folio; the same letter in two processes is the same folio, and so is the same colour. Where a VMA has more
 * pages than two rows have cells, a cell stands for a power of two of pages. Invariant: a cell shows a thing only if all
 * its pages show that thing, else the sign for more than one.
 */
import type { PageContent, ProcessView, ScenarioView, VmaView } from "../scenario/index.ts";
import { cutText, escapeControls } from "./display-text.ts";
import { formatKb } from "./format-number.ts";

/** Rows of one VMA at most. */
const ROWS_MAX = 2;
const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const PAGE_BYTES = 4096;

/** Signs that are no folio's letter. */
export const SIGN_PMD = "H";
export const SIGN_MIXED = "+";
export const SIGN_NOTHING = ".";
const SIGNS: Readonly<Record<Exclude<PageContent["kind"], "folio">, string>> = {
  zero: "0",
  swap: "~",
  guard: "#",
  marker: "!",
};

/** What the signs mean, for the ones that occur. */
export const SIGN_MEANINGS: readonly (readonly [sign: string, meaning: string])[] = [
  [SIGN_PMD, "more of the folio, under one PMD"],
  ["0", "zero page"],
  ["~", "in swap"],
  ["#", "guard"],
  ["!", "marker"],
  [SIGN_MIXED, "more than one of these"],
  [SIGN_NOTHING, "nothing"],
];

/** A text coloured for the folio of that number, counted from 0; -1: no folio. */
export type FolioPaint = (text: string, folio: number) => string;

/** The number of a folio, counted from 0, out of its label. */
export function folioNumber(label: string): number {
  return Number(label.slice(1)) - 1;
}

/** The letter of a folio. */
export function folioLetter(folio: number): string {
  return LETTERS[folio % LETTERS.length];
}

/** One cell: its sign and the folio that colours it. */
interface Cell {
  readonly sign: string;
  readonly folio: number;
}

export interface DrawnMaps {
  readonly lines: readonly string[];
  /** The signs that occur. */
  readonly signs: ReadonlySet<string>;
  readonly pagesPerCell: number;
}

/** Draws all processes of a view; `width` in columns. */
export function drawMaps(
  view: ScenarioView,
  { width, paint }: { readonly width: number; readonly paint: FolioPaint },
): DrawnMaps {
  const indent = " ".repeat(INDENT);
  const room = Math.max(1, Math.min(width, WIDEST) - INDENT - ADDRESS_WIDTH);
  const cellsPerRow = 2 ** Math.floor(Math.log2(room));
  const pagesPerCell = scaleOf(view.processes, cellsPerRow * ROWS_MAX);
  const lines: string[] = [];
  const signs = new Set<string>();
  for (const { name, vmas } of view.processes) {
    if (vmas.length === 0) lines.push(`${cutText(name, width, ({ length }) => length)}: nothing mapped`);
    for (const [index, vma] of vmas.entries()) {
      const head = (index === 0 ? `${name} ` : "").padEnd(INDENT);
      const range = `${vma.start.toString(16)}-${vma.end.toString(16)} ${vma.perm}`;
      const title = `${head}${range}  ${formatKb(vma.end - vma.start)} kB ${escapeControls(vma.name)}`;
      lines.push(cutText(title.trimEnd(), width, ({ length }) => length));
      const cells = cellsOf(vma, pagesPerCell);
      for (const { sign } of cells) signs.add(sign);
      for (let first = 0; first < cells.length; first += cellsPerRow) {
        const address = (vma.start + first * pagesPerCell * PAGE_BYTES).toString(16).padEnd(ADDRESS_WIDTH);
        lines.push(`${indent}${address}${drawCells(cells.slice(first, first + cellsPerRow), paint)}`);
      }
    }
  }
  return { lines, signs, pagesPerCell };
}

const INDENT = 4;
const ADDRESS_WIDTH = 13;
/** Beyond this, cells get too many to look at. */
const WIDEST = 160;

/** Pages of a cell, so that the largest VMA has room. */
function scaleOf(processes: readonly ProcessView[], cells: number): number {
  let pages = 1;
  for (const { vmas } of processes) {
    for (const { start, end } of vmas) pages = Math.max(pages, (end - start) / PAGE_BYTES);
  }
  return 2 ** Math.max(0, Math.ceil(Math.log2(pages / cells)));
}

const NOTHING: Cell = { sign: SIGN_NOTHING, folio: -1 };
const MIXED: Cell = { sign: SIGN_MIXED, folio: -1 };

function cellsOf(vma: VmaView, pagesPerCell: number): readonly Cell[] {
  const pages = (vma.end - vma.start) / PAGE_BYTES;
  const cells: (Cell | undefined)[] = Array<undefined>(Math.ceil(pages / pagesPerCell)).fill(undefined);
  const filled = new Int32Array(cells.length);
  for (const { firstPage, pageCount, holds } of vma.pages) {
    const lastPage = firstPage + pageCount - 1;
    for (let at = Math.floor(firstPage / pagesPerCell); at <= Math.floor(lastPage / pagesPerCell); at++) {
      const from = Math.max(firstPage, at * pagesPerCell);
      filled[at] += Math.min(lastPage + 1, (at + 1) * pagesPerCell) - from;
      const next = cellOf(holds, from === firstPage);
      const before = cells[at];
      cells[at] = before === undefined || isSameThing(before, next) ? (before ?? next) : MIXED;
    }
  }
  return cells.map((cell, at) => {
    const size = Math.min(pagesPerCell, pages - at * pagesPerCell);
    if (cell === undefined) return NOTHING;
    return filled[at] === size ? cell : MIXED;
  });
}

function isSameThing(left: Cell, right: Cell): boolean {
  return left.folio === right.folio && (left.folio >= 0 || left.sign === right.sign);
}

function cellOf(holds: PageContent, isFirst: boolean): Cell {
  if (holds.kind !== "folio") return { sign: SIGNS[holds.kind], folio: -1 };
  const folio = folioNumber(holds.label);
  return { sign: holds.byPmd && !isFirst ? SIGN_PMD : folioLetter(folio), folio };
}

/** Neighbours of one colour are painted together. */
function drawCells(cells: readonly Cell[], paint: FolioPaint): string {
  let line = "";
  for (let first = 0; first < cells.length;) {
    let behind = first;
    let text = "";
    for (; behind < cells.length && cells[behind].folio === cells[first].folio; behind++) text += cells[behind].sign;
    line += cells[first].folio < 0 ? text : paint(text, cells[first].folio);
    first = behind;
  }
  return line;
}

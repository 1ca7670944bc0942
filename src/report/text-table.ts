/**
 * A table for a terminal of some width: columns aligned, numbers to the right, never wrapped.
 *
 * What does not fit goes in this order: first texts are cut, down to their column's least width; then the columns leave,
 * largest `rank` first, and with every column that leaves the texts get their room back. Rank 0 never leaves. What even
 * then is too wide is cut at the right edge. Headings of neighbouring columns with one `group` share a line above.
 */
import { type WidthOf, asciiWidth, cutText } from "./display-text.ts";
import type { StyleName, Styles } from "./styles.ts";

/** A cell: its text, already escaped, and what kind of figure it is. */
export interface Cell {
  readonly text: string;
  readonly style?: StyleName;
}

export interface Column {
  readonly heading: string;
  /** Printed once above all neighbouring columns of the same group. */
  readonly group?: string;
  readonly align: "left" | "right";
  /** The larger, the earlier it leaves; 0 stays. */
  readonly rank: number;
  /** A text column that may be cut down to this width. */
  readonly cutTo?: number;
  /** A text column that never gets wider than this. */
  readonly atMost?: number;
}

export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
  /** Below a line of dashes. */
  readonly sums?: readonly (readonly Cell[])[];
}

export interface TableOptions {
  /** Columns of the terminal; Infinity where there is none. */
  readonly width: number;
  readonly styles: Styles;
  readonly widthOf?: WidthOf;
}

/** Below this width columns are one space apart instead of two. */
const TIGHT_BELOW = 132;

/** A table as it came out. */
export interface RenderedTable {
  /** Without newlines and without trailing spaces. */
  readonly lines: readonly string[];
  /** Headings of the columns that had no room. */
  readonly leftOut: readonly string[];
}

/** Draws a table. */
export function renderTable(table: Table, options: TableOptions): RenderedTable {
  const widthOf = options.widthOf ?? asciiWidth;
  const all = [...table.rows, ...(table.sums ?? [])];
  const natural = table.columns.map((column, index) => naturalWidth(column, index, all, widthOf));
  const layout = fitColumns(table.columns, natural, options.width);
  const draw = (cells: readonly Cell[]): string => drawRow(cells, table.columns, layout, { ...options, widthOf });
  const groups = drawGroups(table.columns, layout, options);
  const headings = draw(table.columns.map(({ heading }) => ({ text: heading, style: "heading" as const })));
  const lines = [...groups, headings, ...table.rows.map(draw)];
  if (table.sums !== undefined && table.sums.length > 0) {
    lines.push(options.styles.faint("-".repeat(Math.min(layout.total, options.width))), ...table.sums.map(draw));
  }
  const left = table.columns.filter((_, index) => !layout.indexes.includes(index));
  return { lines, leftOut: left.map(({ heading }) => heading) };
}

/** Whether all columns fit with their texts cut as far as they may be. */
export function fitsWhole(table: Table, options: TableOptions): boolean {
  const widthOf = options.widthOf ?? asciiWidth;
  const all = [...table.rows, ...(table.sums ?? [])];
  const natural = table.columns.map((column, index) => naturalWidth(column, index, all, widthOf));
  return fitColumns(table.columns, natural, options.width).indexes.length === table.columns.length;
}

interface Layout {
  readonly indexes: readonly number[];
  /** By column index. */
  readonly widths: readonly number[];
  readonly gap: number;
  readonly total: number;
}

function naturalWidth(column: Column, index: number, rows: readonly (readonly Cell[])[], widthOf: WidthOf): number {
  let width = column.heading.length;
  for (const row of rows) width = Math.max(width, widthOf(row[index]?.text ?? ""));
  return column.atMost === undefined ? width : Math.min(width, Math.max(column.atMost, column.heading.length));
}

function fitColumns(columns: readonly Column[], natural: readonly number[], width: number): Layout {
  const gap = width < TIGHT_BELOW ? 1 : 2;
  const left = new Set(columns.keys());
  for (;;) {
    const layout = shrinkTexts(columns, natural, { indexes: [...left], gap, width });
    const leaving = [...left].filter((index) => columns[index].rank > 0);
    if (layout.total <= width || leaving.length === 0) return layout;
    left.delete(leaving.reduce((last, index) => (columns[index].rank >= columns[last].rank ? index : last)));
  }
}

/** Takes what is missing from the texts that may be cut, the widest first. */
function shrinkTexts(
  columns: readonly Column[],
  natural: readonly number[],
  place: { readonly indexes: readonly number[]; readonly gap: number; readonly width: number },
): Layout {
  const { indexes, gap, width } = place;
  const widths = [...natural];
  const sum = (): number =>
    indexes.reduce((all, index) => all + widths[index], 0) + gap * Math.max(0, indexes.length - 1);
  const cuttable = indexes.filter((index) => columns[index].cutTo !== undefined);
  for (const index of cuttable.toSorted((a, b) => natural[b] - natural[a])) {
    const missing = sum() - width;
    if (missing <= 0) break;
    widths[index] = Math.max(Math.min(columns[index].cutTo ?? 0, natural[index]), widths[index] - missing);
  }
  return { indexes, widths, gap, total: sum() };
}

function drawRow(
  cells: readonly Cell[],
  columns: readonly Column[],
  layout: Layout,
  { styles, widthOf, width }: Required<TableOptions>,
): string {
  let line = "";
  let used = 0;
  let pending = 0;
  for (const [place, index] of layout.indexes.entries()) {
    if (place > 0) pending += layout.gap;
    const { text: whole, style } = cells[index] ?? { text: "" };
    const room = Math.min(layout.widths[index], width - used - pending);
    if (room <= 0) break;
    const text = cutText(whole, room, widthOf);
    const fill = layout.widths[index] - widthOf(text);
    const before = columns[index].align === "right" ? Math.min(fill, room - widthOf(text)) : 0;
    if (text.trim() === "") {
      pending += layout.widths[index];
      continue;
    }
    // Spaces at the end of a cell are layout too: styled, they could not be left out at the end of the line.
    const figure = text.trimEnd();
    line += " ".repeat(pending + before) + (style === undefined ? figure : styles[style](figure));
    used += pending + before + widthOf(figure);
    pending = fill - before + text.length - figure.length;
  }
  return line.trimEnd();
}

/** The line of group headings, each centred over its columns between dashes; no line where no group is left. */
function drawGroups(columns: readonly Column[], layout: Layout, { styles, width }: TableOptions): string[] {
  if (!layout.indexes.some((index) => columns[index].group !== undefined)) return [];
  let line = "";
  let at = 0;
  for (let place = 0; place < layout.indexes.length;) {
    const { group } = columns[layout.indexes[place]];
    let span = layout.widths[layout.indexes[place]];
    let behind = place + 1;
    for (; behind < layout.indexes.length && columns[layout.indexes[behind]].group === group; behind++) {
      span += layout.gap + layout.widths[layout.indexes[behind]];
    }
    line += `${" ".repeat(Math.max(0, at - line.length))}${group === undefined ? "" : dashed(group, span)}`;
    at += span + layout.gap;
    place = behind;
  }
  const cut = cutText(line.trimEnd(), width, asciiWidth);
  return [styles.heading(cut)];
}

function dashed(text: string, span: number): string {
  const shown = cutText(text, span, asciiWidth);
  const dashes = span - shown.length - 2;
  if (dashes < 2) return shown.padStart(Math.floor((span + shown.length) / 2)).padEnd(span);
  const before = Math.floor(dashes / 2);
  return `${"-".repeat(before)} ${shown} ${"-".repeat(dashes - before)}`;
}

/**
 * Figures as cells: the mark and style of what is derived or uncertain, the same in every table.
 *
 * A range takes two cells: its least end as the figure, and its most end, marked `?`, in a column headed "up to". Where
 * there is no room for the second, the first carries the mark alone.
 */
import type { Range } from "../study/index.ts";
import { formatCount, formatDifference, formatPercentChange } from "./format-number.ts";
import { farthest, isUncertain } from "./process-lines.ts";
import { DERIVED_MARK, UNCERTAIN_MARK } from "./styles.ts";
import type { Cell } from "./text-table.ts";

export const EMPTY_CELL: Cell = { text: "" };

/** A text with the mark behind it, or with a space in its place so that digits stay below digits. */
function marked(text: string, { uncertain, room }: { readonly uncertain: boolean; readonly room: boolean }): string {
  if (uncertain) return `${text}${UNCERTAIN_MARK}`;
  return room ? `${text} ` : text;
}

/** What a column of figures is made of. */
export interface FigureColumn {
  /** Not what this kernel prints. */
  readonly derived: boolean;
  /** Some row's figure is a range. */
  readonly ranged: boolean;
}

/** The figure, of a range its least end. */
export function figureCell(range: Range, { derived, ranged }: FigureColumn): Cell {
  const uncertain = isUncertain(range);
  const text = marked(`${derived ? DERIVED_MARK : ""}${formatCount(range.least)}`, { uncertain, room: ranged });
  if (uncertain) return { text, style: "uncertain" };
  return derived ? { text, style: "derived" } : { text };
}

/** The other end of a range; empty where there is none. */
export function upToCell({ least, most }: Range): Cell {
  return least === most ? EMPTY_CELL : { text: `${formatCount(most)}${UNCERTAIN_MARK}`, style: "uncertain" };
}

/** A change, of a range the farther end. */
export function changeCell(change: Range, ranged: boolean): Cell {
  const uncertain = isUncertain(change);
  const text = marked(formatDifference(farthest(change)), { uncertain, room: ranged });
  return { text, style: styleOfChange(change) };
}

function styleOfChange(change: Range): "uncertain" | "derived" | "faint" {
  if (isUncertain(change)) return "uncertain";
  return change.least === 0 ? "faint" : "derived";
}

/** A change in percent of what it is now, of a range the farther end. */
export function percentCell(change: Range, own: Range, ranged: boolean): Cell {
  const uncertain = isUncertain(change);
  const base = farthest(change) === change.least ? own.least : own.most;
  const text = marked(formatPercentChange(farthest(change), base), { uncertain, room: ranged });
  return { text, style: styleOfChange(change) };
}

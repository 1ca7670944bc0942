/**
 * Does a predicted row hold? Its sign, its place among the rows of its series, and its distance (literature 3.12).
 *
 * Published changes have a standard deviation of about a point. So one below two of them has no sign, two that differ by
 * less than two of their difference have no order, and a bound is held to two. Figures are held to the tolerances of 3.12:
 * between two versions of one series its author saw 7 to 11 points without a real change of code.
 */
import type { TimeRatio } from "../../src/study/index.ts";

/** A published change as per cent, and what the model says. */
export interface Headline {
  /** "3.1" */
  readonly section: string;
  /** What is compared: rows of one series are ordered among each other. */
  readonly series: string;
  /** "2 MiB", "munmap" */
  readonly label: string;
  readonly published: Published;
  /** Per cent (or what `unit` says), with the range that the prices leave. Absent: not modelled. */
  readonly model?: { readonly middle: number; readonly low: number; readonly high: number };
  /** "fitted": a price was computed from this row. */
  readonly basis: "fitted" | "predicted" | "not modelled";
  /** Points that the model may be off; or the range that it must lie in. Bounds have the tables' own scatter. */
  readonly tolerance: number | readonly [low: number, high: number];
  /** Default: "%". */
  readonly unit?: string;
  /** Why it does not come out, as far as known; or what was assumed. */
  readonly remark?: string;
}

/** A figure, or a bound: "less than 1 % slower", "within 5 %", "-50 to -66 %". */
export type Published =
  | { readonly kind: "figure"; readonly value: number }
  | { readonly kind: "slower by less than"; readonly value: number }
  | { readonly kind: "within"; readonly value: number };

export interface JudgedHeadline extends Headline {
  /** Undefined: there is nothing to hold it against. */
  readonly isSignRight?: boolean;
  readonly isOrderRight?: boolean;
  readonly isWithinTolerance?: boolean;
}

/** Two standard deviations of a published change: below them it may as well be none, if the model's is as small. */
const SCATTER_POINTS = 2;
/** The same of the difference of two of them: they have no order. */
const SCATTER_OF_DIFFERENCE_POINTS = 2.8;

/** Judges each row, alone and among the rows of its section and series. */
export function judgeHeadlines(headlines: readonly Headline[]): JudgedHeadline[] {
  return headlines.map((row) => {
    if (row.model === undefined) return row;
    const peers = headlines.filter(({ section, series }) => section === row.section && series === row.series);
    const order = isOrderRight(row, peers);
    return {
      ...row,
      isSignRight: isSignRight(row.published, row.model.middle),
      isWithinTolerance: isWithin(row.published, row.model.middle, row.tolerance),
      ...(order === undefined ? {} : { isOrderRight: order }),
    };
  });
}

function isSignRight({ kind, value }: Published, model: number): boolean {
  if (kind !== "figure") return kind === "within" || model >= 0;
  if (Math.abs(value) < SCATTER_POINTS && Math.abs(model) <= SCATTER_POINTS) return true;
  return Math.sign(value) === Math.sign(model);
}

function isWithin({ kind, value }: Published, model: number, tolerance: Headline["tolerance"]): boolean {
  if (kind !== "figure") return Math.abs(model) <= value + SCATTER_POINTS;
  if (typeof tolerance === "number") return Math.abs(model - value) <= tolerance;
  return model >= tolerance[0] && model <= tolerance[1];
}

/** Against every other row of the series whose published change differs enough; undefined if there is none. */
function isOrderRight(row: Headline, peers: readonly Headline[]): boolean | undefined {
  const { published, model } = row;
  if (published.kind !== "figure" || model === undefined) return undefined;
  const compared = peers.filter(
    (peer) =>
      peer.published.kind === "figure" &&
      Math.abs(peer.published.value - published.value) >= SCATTER_OF_DIFFERENCE_POINTS,
  );
  if (compared.length === 0) return undefined;
  return compared.every(
    (peer) =>
      peer.model === undefined ||
      Math.sign(peer.model.middle - model.middle) === Math.sign(peer.published.value - published.value),
  );
}

/** How many rows hold. Of predicted rows: fitted ones hold by construction. */
export interface Tally {
  readonly rows: number;
  /** Rows with a published sign, and those of them that the model gives it. */
  readonly signed: number;
  readonly sign: number;
  /** Of the others, those where the model stays as small. */
  readonly still: number;
  readonly order: number;
  readonly ordered: number;
  readonly within: number;
}

function hasSign({ published: { kind, value } }: Headline): boolean {
  return kind === "figure" && Math.abs(value) >= SCATTER_POINTS;
}

export function tallyOf(rows: readonly JudgedHeadline[]): Tally {
  const count = (holds: (row: JudgedHeadline) => boolean | undefined): number =>
    rows.filter((row) => holds(row) === true).length;
  return {
    rows: rows.length,
    signed: rows.filter(hasSign).length,
    sign: count((row) => hasSign(row) && row.isSignRight),
    still: count((row) => !hasSign(row) && row.isSignRight),
    order: count(({ isOrderRight: right }) => right),
    ordered: rows.filter((row) => row.isOrderRight !== undefined).length,
    within: count(({ isWithinTolerance: within }) => within),
  };
}

/** A ratio of times as a change of runtime in per cent. */
export function changeOfRuntime({ middle, low, high }: TimeRatio): NonNullable<Headline["model"]> {
  return { middle: (middle - 1) * 100, low: (low - 1) * 100, high: (high - 1) * 100 };
}

/** The same as a change of throughput. */
export function changeOfThroughput({ middle, low, high }: TimeRatio): NonNullable<Headline["model"]> {
  return { middle: (1 / middle - 1) * 100, low: (1 / high - 1) * 100, high: (1 / low - 1) * 100 };
}

/**
 * What a calibration found, for a terminal: every unit with its range and where it comes from, then the controls.
 *
 * A derived price is marked as derived figures are, and one that was not measured here as uncertain.
 */
import type { CalibratedProfile, CostUnit, UnitOrigin } from "../calibration/index.ts";
import type { UnitCost } from "../schemes/index.ts";
import { escapeControls, wrapText } from "./display-text.ts";
import { formatNanoseconds } from "./format-number.ts";
import { DERIVED_MARK, type StyleName, type Styles, UNCERTAIN_MARK } from "./styles.ts";
import { type Cell, type Column, renderTable } from "./text-table.ts";

export interface CalibrationTextOptions {
  /** Columns of the terminal; Infinity where there is none. */
  readonly width: number;
  readonly styles: Styles;
}

const COLUMNS = (heading: string): Column[] => [
  { heading, align: "left", rank: 0 },
  { heading: "ns", align: "right", rank: 0 },
  { heading: "95 % from", align: "right", rank: 0 },
  { heading: "to", align: "right", rank: 0 },
  { heading: "what was timed", align: "left", rank: 1, cutTo: 16 },
];

/** The text, with a newline at its end. `prices`: of every unit, in the order of the table. */
export function formatCalibrationText(
  profile: CalibratedProfile,
  prices: readonly (readonly [CostUnit, UnitCost])[],
  options: CalibrationTextOptions,
): string {
  const { machine, origins, controls } = profile;
  const { width, styles } = options;
  const units = prices.map(([unit, cost]) => rowOf(unit, cost, origins[unit]));
  const beside = controls.map(({ name, cost, text }) => rowOf(name, cost, { how: "measured", by: text }));
  const how = new Set(prices.map(([unit]) => origins[unit].how));
  const legend = [
    ...(how.has("derived") ? [`${DERIVED_MARK} put together from measured units`] : []),
    ...(how.has("reference") ? [`${UNCERTAIN_MARK} not measured here: the reference profile's`] : []),
  ].join("; ");
  const lines = [
    ...wrapText(
      escapeControls(
        `${machine.cpu}, ${machine.processors} processors, Linux ${machine.kernel} (${machine.mapcountConfig})`,
      ),
      width,
    ),
    "",
    ...renderTable({ columns: COLUMNS("unit"), rows: units }, { width, styles }).lines,
    ...wrapText(legend, width, "  ").map((line) => styles.faint(line)),
    ...(beside.length === 0
      ? []
      : ["", ...renderTable({ columns: COLUMNS("beside it"), rows: beside }, { width, styles }).lines]),
  ];
  return `${lines.join("\n")}\n`;
}

const STYLE_OF: Readonly<Record<UnitOrigin["how"], StyleName | undefined>> = {
  measured: undefined,
  derived: "derived",
  reference: "uncertain",
};

function rowOf(name: string, { ns, low, high }: UnitCost, { how, by }: UnitOrigin): Cell[] {
  const style = STYLE_OF[how];
  const before = how === "derived" ? DERIVED_MARK : "";
  const behind = how === "reference" ? UNCERTAIN_MARK : "";
  const figure = (value: number): Cell => {
    const text = `${before}${formatNanoseconds(value)}${behind}`;
    return style === undefined ? { text } : { text, style };
  };
  return [{ text: name }, figure(ns), figure(low), figure(high), { text: escapeControls(by) }];
}

/**
 * A comparison for a terminal: facts, then each table, then the scenarios that show what was found.
 */
import type { Comparison } from "../study/index.ts";
import {
  type CellTone,
  type ComparisonTable,
  comparisonFacts,
  comparisonTables,
  findingsByScenario,
} from "./comparison-tables.ts";
import { asciiWidth, escapeControls, wrapText } from "./display-text.ts";
import type { StyleName, Styles } from "./styles.ts";
import { type Column, renderTable } from "./text-table.ts";

export interface ComparisonTextOptions {
  /** Columns of the terminal; Infinity where there is none. */
  readonly width: number;
  readonly styles: Styles;
}

/** Sentences are broken here where there is no terminal. */
const READING_WIDTH = 120;

/** The comparison with its last newline. */
export function formatComparisonText(comparison: Comparison, options: ComparisonTextOptions): string {
  const width = Math.min(options.width, READING_WIDTH);
  const lines = comparisonFacts(comparison).flatMap(([name, text]) =>
    wrapText(`${name.padEnd(11)}${escapeControls(text)}`, width, " ".repeat(11)),
  );
  const [verdict, ...tables] = comparisonTables(comparison);
  lines.push("", ...verdictLines(verdict, width, options.styles));
  for (const table of tables) lines.push("", ...drawTable(table, options));
  lines.push(...scenarioLines(comparison, options.styles));
  return `${lines.join("\n")}\n`;
}

/** A sentence a scheme, broken beside its name. */
function verdictLines({ title, rows }: ComparisonTable, width: number, styles: Styles): string[] {
  const indent = Math.max(...rows.map(([scheme]) => scheme.text.length)) + 2;
  return [
    styles.heading(title),
    ...rows.flatMap(([scheme, { text, tone }]) => {
      const broken = wrapText(`${scheme.text.padEnd(indent)}${text}`, width, " ".repeat(indent));
      return tone === "bad" ? broken.map((line) => styles.uncertain(line)) : broken;
    }),
  ];
}

const STYLE_OF_TONE: Readonly<Record<CellTone, StyleName | undefined>> = {
  plain: undefined,
  good: "faint",
  notable: "derived",
  bad: "uncertain",
};

/** A table with its title and notes, as lines. */
export function drawTable({ title, columns, rows, notes }: ComparisonTable, options: ComparisonTextOptions): string[] {
  const width = Math.min(options.width, READING_WIDTH);
  const drawn = renderTable(
    {
      columns: columns.map(({ heading, align }, index): Column => {
        const isText = align === "left" && index > 0;
        return { heading, align, rank: index === 0 ? 0 : index, ...(isText ? { cutTo: 16 } : {}) };
      }),
      rows: rows.map((cells) =>
        cells.map(({ text, tone }) => {
          const style = STYLE_OF_TONE[tone];
          return style === undefined ? { text: escapeControls(text) } : { text: escapeControls(text), style };
        }),
      ),
    },
    { ...options, widthOf: asciiWidth },
  );
  const missing = drawn.leftOut.length === 0 ? [] : [`No room for: ${drawn.leftOut.join(", ")} (--width 0 shows all).`];
  return [
    ...wrapText(title, width).map((line) => options.styles.heading(line)),
    ...drawn.lines,
    ...[...notes, ...missing].flatMap((note) => wrapText(note, width, "  ").map((line) => options.styles.faint(line))),
  ];
}

function scenarioLines(comparison: Comparison, styles: Styles): string[] {
  return findingsByScenario(comparison).flatMap(({ scenario, titles }) => [
    "",
    ...titles.map((title) => styles.heading(escapeControls(title))),
    ...scenario
      .trimEnd()
      .split("\n")
      .map((line) => `    ${line}`),
  ]);
}

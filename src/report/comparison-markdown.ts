/**
 * A comparison as Markdown: for docs/verdicts.md, a mail or an issue.
 */
import type { Comparison } from "../study/index.ts";
import {
  type ComparisonCell,
  type ComparisonTable,
  comparisonFacts,
  comparisonTables,
  findingsByScenario,
} from "./comparison-tables.ts";
import { escapeControls } from "./display-text.ts";

/** The comparison as a section of level `level` (2: "##") with its last newline. */
export function formatComparisonMarkdown(
  comparison: Comparison,
  { level = 2 }: { readonly level?: number } = {},
): string {
  const heading = "#".repeat(level);
  const { workload } = comparison;
  return [
    `${heading} ${escapeMarkdown(workload.id)}: ${escapeMarkdown(workload.title)}`,
    "",
    ...comparisonFacts(comparison)
      .slice(1)
      .map(([name, text]) => `- ${name}: ${escapeMarkdown(text)}`),
    "",
    ...comparisonTables(comparison).flatMap((table) => markdownTable(table, `${heading}#`)),
    ...findingLines(comparison, `${heading}#`),
  ].join("\n");
}

/** A table under its heading. */
export function markdownTable({ title, columns, rows, notes }: ComparisonTable, heading: string): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    `${heading} ${escapeMarkdown(title)}`,
    "",
    ...(rows.length === 0
      ? ["None."]
      : [
          line(columns.map((column) => escapeMarkdown(column.heading))),
          line(columns.map(({ align }) => (align === "right" ? "--:" : "---"))),
          ...rows.map((cells) => line(cells.map(markedCell))),
        ]),
    "",
    ...notes.flatMap((note) => [escapeMarkdown(note), ""]),
  ];
}

function markedCell({ text, tone }: ComparisonCell): string {
  const escaped = escapeMarkdown(text);
  return tone === "bad" && escaped !== "" ? `**${escaped}**` : escaped;
}

function findingLines(comparison: Comparison, heading: string): string[] {
  const found = findingsByScenario(comparison);
  if (found.length === 0) return [];
  return [
    `${heading} Shown by`,
    "",
    ...found.flatMap(({ scenario, titles }) => [
      ...titles.map((title) => `- ${escapeMarkdown(title)}`),
      "",
      ...scenario
        .trimEnd()
        .split("\n")
        .map((line) => `      ${escapeControls(line)}`),
      "",
    ]),
  ];
}

/** Nothing of a text is taken for a mark of Markdown or HTML. */
export function escapeMarkdown(text: string): string {
  const escaped = escapeControls(text).replaceAll(/[\\`*_|<>[\]~#]/g, String.raw`\$&`);
  // A single word between them can be nothing else: names of questions and decisions stay code.
  return escaped.replaceAll(/\\`(?<name>[\w-]+)\\`/g, "`$<name>`");
}

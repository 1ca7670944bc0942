/**
 * A comparison as Markdown: for docs/verdicts.md, a mail or an issue.
 */
import type { Comparison } from "../study/index.ts";
import { type ComparisonCell, type ComparisonTable, comparisonFacts, comparisonTables } from "./comparison-tables.ts";
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
    ...comparisonTables(comparison).flatMap((table) => tableLines(table, `${heading}#`)),
    ...findingLines(comparison, `${heading}#`),
  ].join("\n");
}

function tableLines({ title, columns, rows, notes }: ComparisonTable, heading: string): string[] {
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

function findingLines({ verdicts }: Comparison, heading: string): string[] {
  const found = new Map<string, string[]>();
  for (const { scheme, breaks, catastrophic } of verdicts) {
    for (const { text, scenario } of [...breaks, ...catastrophic]) {
      if (scenario === "") continue;
      found.set(scenario, [...(found.get(scenario) ?? []), `${scheme}: ${text}`]);
    }
  }
  if (found.size === 0) return [];
  return [
    `${heading} Shown by`,
    "",
    ...[...found].flatMap(([scenario, titles]) => [
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
function escapeMarkdown(text: string): string {
  return escapeControls(text).replaceAll(/[\\`*_|<>[\]~#]/g, String.raw`\$&`);
}

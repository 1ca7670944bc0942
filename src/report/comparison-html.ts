/**
 * A comparison as one HTML page that needs nothing else: no script, no file beside it, readable in the dark and on paper.
 */
import type { Comparison } from "../study/index.ts";
import { type ComparisonCell, type ComparisonTable, comparisonFacts, comparisonTables } from "./comparison-tables.ts";
import { escapeControls } from "./display-text.ts";

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --good: #1a7f3722; --notable: #9a670022; --bad: #cf222e33; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; } dt { opacity: .7; } dd { margin: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; opacity: .7; }
th, td { border-bottom: 1px solid var(--line); padding: .15rem .6rem; text-align: left; vertical-align: top; }
th { position: sticky; top: 0; background: Canvas; }
.right { text-align: right; white-space: nowrap; } .good { background: var(--good); } .notable { background: var(--notable); }
.bad { background: var(--bad); font-weight: 600; }
pre { border-left: 3px solid var(--line); padding-left: 1rem; overflow-x: auto; } .note { opacity: .75; max-width: 70rem; }`;

/** The page with its last newline. */
export function formatComparisonHtml(comparison: Comparison): string {
  const { workload } = comparison;
  const title = `Foliometer: ${workload.id}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}
</style>
</head>
<body>
<h1>${escapeHtml(workload.title)}</h1>
<dl>
${comparisonFacts(comparison)
  .map(([name, text]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(text)}</dd>`)
  .join("\n")}
</dl>
${comparisonTables(comparison).map(formatTable).join("\n")}
${formatFindings(comparison)}</body>
</html>
`;
}

function formatTable({ title, columns, rows, notes }: ComparisonTable): string {
  const headings = columns.map(
    ({ heading, align }) => `<th scope="col"${classOf(align, "plain")}>${escapeHtml(heading)}</th>`,
  );
  const body = rows.map(
    (cells) => `<tr>${cells.map((cell, index) => formatCell(cell, columns[index].align, index === 0)).join("")}</tr>`,
  );
  const table =
    rows.length === 0
      ? "<p>None.</p>"
      : `<div class="scroll" role="region" aria-label="${escapeHtml(title)}" tabindex="0"><table>
<thead><tr>${headings.join("")}</tr></thead>
<tbody>
${body.join("\n")}
</tbody></table></div>`;
  return `<h2>${escapeHtml(title)}</h2>
${table}
${notes.map((note) => `<p class="note">${escapeHtml(note)}</p>`).join("\n")}`;
}

function formatCell({ text, tone }: ComparisonCell, align: "left" | "right", isHeading: boolean): string {
  if (isHeading) return `<th scope="row">${escapeHtml(text)}</th>`;
  return `<td${classOf(align, tone)}>${escapeHtml(text)}</td>`;
}

function classOf(align: "left" | "right", tone: ComparisonCell["tone"]): string {
  const names = [...(align === "right" ? ["right"] : []), ...(tone === "plain" ? [] : [tone])];
  return names.length === 0 ? "" : ` class="${names.join(" ")}"`;
}

function formatFindings({ verdicts }: Comparison): string {
  const findings = verdicts.flatMap(({ scheme, breaks, catastrophic }) =>
    [...breaks, ...catastrophic].filter(({ scenario }) => scenario !== "").map((finding) => ({ scheme, ...finding })),
  );
  if (findings.length === 0) return "";
  const shown = findings.map(
    ({ scheme, text, scenario }) =>
      `<details><summary>${escapeHtml(`${scheme}: ${text}`)}</summary><pre>${escapeHtml(scenario.trimEnd(), "\n")}</pre></details>`,
  );
  return `<h2>Shown by</h2>\n${shown.join("\n")}\n`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text that is text in an element and in an attribute. `keep`: a control character that stays, the end of a line. */
function escapeHtml(text: string, keep = ""): string {
  const lines = keep === "" ? [text] : text.split(keep);
  return lines.map((line) => escapeControls(line).replaceAll(/[&<>"']/g, (found) => ENTITIES[found])).join(keep);
}

/**
 * Tables in docs/ that repeat what the code knows.
 *
 * Such a table stands between two comments, `<!-- table: name -->` and `<!-- end -->`. A test builds the table again and
 * compares; when it fails, it prints the right one, ready to be pasted.
 */
import { readFileSync } from "node:fs";

const ROOT = new URL("../../", import.meta.url);

/** Throws, with the table as it should be, if the named table of a document of docs/ is another. */
export function checkTable(document: string, name: string, table: string): void {
  const text = readFileSync(new URL(`docs/${document}`, ROOT), "utf8");
  const begin = `<!-- table: ${name} -->\n`;
  if (text.includes(`${begin}${table}\n<!-- end -->`)) return;
  throw new Error(`docs/${document} is not up to date. It should say:\n\n${begin}${table}\n<!-- end -->\n`);
}

/** A Markdown table. Columns of numbers are set to the right. */
export function formatTable(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const rule = header.map((_, column) => (rows.every((row) => typeof row[column] === "number") ? "---:" : "---"));
  const lines = [header, rule, ...rows.map((row) => row.map((cell) => formatCell(cell)))];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function formatCell(cell: string | number): string {
  return typeof cell === "number" ? cell.toLocaleString("en-US") : cell;
}

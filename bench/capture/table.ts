/**
 * Text tables of the bench: the first column left, the others right, two blanks
 * between columns, units in the header.
 */

/** Formats rows under a header; a missing cell is a dash. */
export function formatTable(header: readonly string[], rows: readonly (readonly (string | undefined)[])[]): string {
  const cells = [header, ...rows.map((row) => header.map((_, column) => row[column] ?? "-"))];
  const widths = header.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? "").length)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  "),
  );
  lines.splice(1, 0, widths.map((width) => "-".repeat(width)).join("  "));
  return lines.map((line) => line.trimEnd()).join("\n");
}

/** A number with fixed decimals, or undefined when there is none. */
export function formatNumber(value: number | undefined, decimals: number): string | undefined {
  return value === undefined || Number.isNaN(value) ? undefined : value.toFixed(decimals);
}

/** 23521590 as 23,521,590. */
export function formatCount(value: number): string {
  return value.toLocaleString("en-US");
}

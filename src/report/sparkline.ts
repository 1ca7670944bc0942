/**
 * Figures over time in one line of text: eight heights of blocks, drawn between a least and a most.
 *
 *     ▁▁▂▃▅█▇▇ ▇▇    a blank is a time without a figure
 *
 * Columns are equal stretches of time. Where several figures fall into one column, the largest is drawn: a peak is what
 * one looks for.
 */

const HEIGHTS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;

/** Which column each figure falls into. */
export interface SparkColumns {
  readonly columns: number;
  readonly columnOf: readonly number[];
}

/** Columns for figures at these times: one an interval, fewer where there is no room for so many. */
export function sparkColumns(timesMs: readonly number[], intervalMs: number, columnsMost: number): SparkColumns {
  // Where the clock was set back, times do not say which column comes first: then they follow each other.
  const isAscending = timesMs.every((at, index) => index === 0 || at >= timesMs[index - 1]);
  const atMs = isAscending ? timesMs : timesMs.map((_, index) => index * Math.max(1, intervalMs));
  const first = atMs.at(0) ?? 0;
  const spanMs = Math.max(0, (atMs.at(-1) ?? 0) - first);
  const intervals = intervalMs > 0 ? Math.round(spanMs / intervalMs) + 1 : atMs.length;
  const columns = Math.max(1, Math.min(columnsMost, intervals));
  const columnOf = atMs.map((at) => {
    const part = spanMs === 0 ? 0 : Math.max(0, at - first) / spanMs;
    return Math.min(columns - 1, Math.round(part * (columns - 1)));
  });
  return { columns, columnOf };
}

/** The line; null: no figure. */
export function formatSparkline(values: readonly (number | null)[], { columns, columnOf }: SparkColumns): string {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return "";
  const least = known.reduce((a, b) => Math.min(a, b));
  const most = known.reduce((a, b) => Math.max(a, b));
  const highest: (number | null)[] = Array.from({ length: columns }, () => null);
  for (const [index, value] of values.entries()) {
    if (value === null) continue;
    const before = highest[columnOf[index]];
    highest[columnOf[index]] = before === null ? value : Math.max(before, value);
  }
  return highest.map((value) => (value === null ? " " : blockOf(value, least, most))).join("");
}

function blockOf(value: number, least: number, most: number): string {
  const height = most === least ? 0 : Math.round(((value - least) / (most - least)) * (HEIGHTS.length - 1));
  return HEIGHTS[height];
}

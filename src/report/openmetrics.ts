/**
 * OpenMetrics 1.0 text: metric families in, the exposition format out. Prometheus reads the same text.
 *
 *     # TYPE process_memory_bytes gauge
 *     # UNIT process_memory_bytes bytes
 *     # HELP process_memory_bytes What a process has.
 *     process_memory_bytes{pid="4711",memtype="pss",scheme="page"} 4096 1700000000
 *     # EOF
 *
 * Invariant: a family's lines stand together, a unit is the end of its family's name, a counter's samples end in _total
 * and an info's in _info, and the last line is # EOF: a text without it was cut short. The writer adds the suffixes.
 */

/** A sample; an empty label value is the same as no label, and is left out. */
export interface MetricSample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** Metrics of one name. */
export interface MetricFamily {
  /** Without _total or _info. */
  readonly name: string;
  readonly type: "gauge" | "counter" | "info";
  /** The base unit ("bytes", "seconds"), with which the name must end. */
  readonly unit?: string;
  /** One sentence. */
  readonly help: string;
  readonly samples: readonly MetricSample[];
}

/** The content type of the text, for HTTP. */
export const OPENMETRICS_CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const SUFFIXES: Readonly<Record<MetricFamily["type"], string>> = { gauge: "", counter: "_total", info: "_info" };

const METRIC_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/**
 * The text with its # EOF. With `timestampMs` (since 1970) every sample says when it was taken, as whoever fills in the
 * past needs it; a scraper uses its own clock. Families without samples are left out. O(samples).
 */
export function formatOpenMetrics(
  families: readonly MetricFamily[],
  { timestampMs }: { readonly timestampMs?: number } = {},
): string {
  const end = timestampMs === undefined ? "\n" : ` ${timestampMs / 1000}\n`;
  const parts: string[] = [];
  for (const family of families) if (family.samples.length > 0) formatFamily(family, end, parts);
  parts.push("# EOF\n");
  return parts.join("");
}

function formatFamily({ name, type, unit, help, samples }: MetricFamily, end: string, parts: string[]): void {
  if (!METRIC_NAME.test(name)) throw new Error(`"${name}" is no name of a metric`);
  if (unit !== undefined && !name.endsWith(`_${unit}`)) throw new Error(`${name} does not end with its unit ${unit}`);
  parts.push(`# TYPE ${name} ${type}\n`);
  if (unit !== undefined) parts.push(`# UNIT ${name} ${unit}\n`);
  parts.push(`# HELP ${name} ${escapeText(help)}\n`);
  const sampleName = name + SUFFIXES[type];
  for (const { labels, value } of samples) {
    parts.push(`${sampleName}${formatLabels(labels)} ${formatValue(value)}${end}`);
  }
}

function formatLabels(labels: MetricSample["labels"]): string {
  let text = "";
  for (const [name, value] of Object.entries(labels)) {
    if (value === "") continue;
    if (!LABEL_NAME.test(name)) throw new Error(`"${name}" is no name of a label`);
    text += `${text === "" ? "{" : ","}${name}="${escapeText(String(value))}"`;
  }
  return text === "" ? "" : `${text}}`;
}

/** A carriage return is no line end in the format, but readers that split lines freely take it for one. */
function escapeText(text: string): string {
  return text
    .replaceAll("\\", "\\\\")
    .replaceAll("\n", "\\n")
    .replaceAll('"', '\\"')
    .replaceAll(/[\p{Cc}\u2028\u2029]/gu, "\u{FFFD}");
}

function formatValue(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}

/**
 * OpenMetrics 1.0 text, and its predecessor, the text format of Prometheus: metric families in, text out.
 *
 *     # TYPE process_memory_bytes gauge
 *     # UNIT process_memory_bytes bytes
 *     # HELP process_memory_bytes What a process has.
 *     process_memory_bytes{pid="4711",memtype="pss",scheme="page"} 4096 1700000000
 *     # EOF
 *
 * Invariant: a family's lines stand together, a unit is the end of its family's name, a counter's samples end in _total
 * and an info's in _info, and the last line is # EOF: a text without it was cut short. The writer adds the suffixes.
 * The older format has neither units nor infos nor an end: an info is a gauge there, a family bears its samples' name,
 * and times are milliseconds.
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

/** The content type of the older format. */
export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Which of the two formats. */
export type MetricsDialect = "openmetrics" | "prometheus";

const SUFFIXES: Readonly<Record<MetricFamily["type"], string>> = { gauge: "", counter: "_total", info: "_info" };

const METRIC_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/**
 * The text. With `timestampMs` (since 1970) every sample says when it was taken, as whoever fills in the past needs it; a
 * scraper uses its own clock. Families without samples are left out. O(samples).
 */
export function formatMetrics(
  families: readonly MetricFamily[],
  { dialect, timestampMs }: { readonly dialect: MetricsDialect; readonly timestampMs?: number },
): string {
  const isOpen = dialect === "openmetrics";
  const time = timestampMs === undefined ? "" : ` ${isOpen ? timestampMs / 1000 : Math.round(timestampMs)}`;
  const parts: string[] = [];
  for (const family of families) {
    if (family.samples.length === 0) continue;
    const sampleName = family.name + SUFFIXES[family.type];
    parts.push(isOpen ? openHeader(family) : olderHeader(family, sampleName));
    for (const { labels, value } of family.samples) {
      parts.push(`${sampleName}${formatLabels(labels)} ${formatValue(value)}${time}\n`);
    }
  }
  if (isOpen) parts.push("# EOF\n");
  return parts.join("");
}

function openHeader({ name, type, unit, help }: MetricFamily): string {
  checkName(name, unit);
  const unitLine = unit === undefined ? "" : `# UNIT ${name} ${unit}\n`;
  return `# TYPE ${name} ${type}\n${unitLine}# HELP ${name} ${escapeText(help)}\n`;
}

function olderHeader({ name, type, unit, help }: MetricFamily, sampleName: string): string {
  checkName(name, unit);
  // In help texts of this format a quote is not escaped.
  const text = escapeText(help).replaceAll('\\"', '"');
  return `# HELP ${sampleName} ${text}\n# TYPE ${sampleName} ${type === "info" ? "gauge" : type}\n`;
}

function checkName(name: string, unit: string | undefined): void {
  if (!METRIC_NAME.test(name)) throw new Error(`"${name}" is no name of a metric`);
  if (unit !== undefined && !name.endsWith(`_${unit}`)) throw new Error(`${name} does not end with its unit ${unit}`);
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

/**
 * Which text format a scraper wants, from its Accept header (RFC 9110, 12.5.1): OpenMetrics 1.0.0 where it is preferred
 * to or as welcome as the older format of Prometheus, which is also what everybody else gets: people and old scrapers.
 */
import type { MetricsDialect } from "../report/index.ts";

interface AcceptedRange {
  readonly type: string;
  readonly version: string | undefined;
  readonly q: number;
}

/** The format for an Accept header; undefined: there was none. */
export function chooseDialect(accept: string | undefined): MetricsDialect {
  const ranges = (accept ?? "").split(",").map(parseRange);
  const open = ranges.filter(
    ({ type, version }) => type === "application/openmetrics-text" && (version ?? "1.0.0") === "1.0.0",
  );
  const plain = ranges.filter(({ type, version }) => type === "text/plain" && (version ?? "0.0.4") === "0.0.4");
  const best = (found: readonly AcceptedRange[]): number => Math.max(0, ...found.map(({ q }) => q));
  return best(open) > 0 && best(open) >= best(plain) ? "openmetrics" : "prometheus";
}

function parseRange(text: string): AcceptedRange {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim());
  const values = new Map(
    parameters.map((parameter) => {
      const [name = "", value = ""] = parameter.split("=");
      return [name.trim().toLowerCase(), value.trim().replaceAll('"', "")] as const;
    }),
  );
  const q = values.has("q") ? Number(values.get("q")) : 1;
  return { type: type.toLowerCase(), version: values.get("version"), q: q >= 0 && q <= 1 ? q : 0 };
}

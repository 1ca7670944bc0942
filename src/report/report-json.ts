/**
 * The report for machines: one JSON document, or one record a line (NDJSON). Shapes: docs/report-json.md.
 *
 * Sizes are bytes as integers. Every record of the line form carries the schema's name and version, so that a single
 * line, wherever it ends up, says what it is. Control characters in names are escaped, those above C0 too.
 */
import type { CaptureReport } from "../study/index.ts";
import { escapeJsonControls } from "./display-text.ts";

/** The report as one document with its last newline. */
export function formatReportJson(report: CaptureReport): string {
  return `${escapeJsonControls(JSON.stringify(report, null, 2))}\n`;
}

/** The report as lines: one machine record, then processes, folios and control groups. */
export function formatReportNdjson(report: CaptureReport): string {
  const { schema, version, processes, folios, cgroups, ...machine } = report;
  const line = (record: string, fields: object): string =>
    `${escapeJsonControls(JSON.stringify({ record, schema, version, ...fields }))}\n`;
  return [
    line("machine", machine),
    ...processes.map((process) => line("process", process)),
    ...folios.map((each) => line("folios", each)),
    ...cgroups.map((cgroup) => line("cgroup", cgroup)),
  ].join("");
}

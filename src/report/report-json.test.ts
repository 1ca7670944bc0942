import { expect, test } from "vitest";
import { madeUpReport } from "../../test/report/made-up-report.ts";
import { formatReportJson, formatReportNdjson } from "./report-json.ts";
import { CaptureReportSchema, formatReportJsonSchema } from "./report-schema.ts";

const report = madeUpReport();

test("the document is the report as it is, in its order", () => {
  const text = formatReportJson(report);
  expect(text.endsWith("}\n")).toBe(true);
  expect(JSON.parse(text)).toEqual(report);
  expect(Object.keys(JSON.parse(text) as object)).toEqual(Object.keys(report));
});

test("the document passes its schema, and one with another field does not", () => {
  const parsed: unknown = JSON.parse(formatReportJson(report));
  expect(CaptureReportSchema.parse(parsed)).toEqual(report);
  expect(CaptureReportSchema.safeParse({ ...(parsed as object), surprise: 1 }).success).toBe(false);
  expect(CaptureReportSchema.safeParse({ ...(parsed as object), version: 2 }).success).toBe(false);
});

test("sizes are integers: a fraction of a byte does not pass", () => {
  const [process] = report.processes;
  const broken = { ...report, processes: [{ ...process, rssBytes: 0.5 }] };
  expect(CaptureReportSchema.safeParse(broken).success).toBe(false);
});

test("every line of NDJSON says what it is, and together they are the document", () => {
  const lines = formatReportNdjson(report)
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  for (const line of lines) expect(line).toMatchObject({ schema: "foliometer-report", version: 1 });
  const of = (record: string) =>
    lines
      .filter((line) => line["record"] === record)
      .map(({ record: _record, schema: _schema, version: _version, ...fields }) => fields);
  const [machine] = of("machine");
  expect({
    schema: "foliometer-report",
    version: 1,
    ...machine,
    processes: of("process"),
    folios: of("folios"),
    cgroups: of("cgroup"),
  }).toEqual(report);
  expect(lines[0]["record"]).toBe("machine");
});

test("a name with a newline and a terminal escape stays on its line and stays whole", () => {
  const name = "evil\n\u001b[2J\u009b2J\u202e";
  const hostile = madeUpReport([{ pid: 7, name, command: name, page: [1, 1] }]);
  for (const text of [formatReportJson(hostile), formatReportNdjson(hostile)]) {
    expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  }
  const line = formatReportNdjson(hostile).split("\n")[1];
  expect(JSON.parse(line)).toMatchObject({ record: "process", name });
});

test("the schema is also there as JSON Schema", () => {
  const schema = JSON.parse(formatReportJsonSchema()) as { properties: object };
  expect(Object.keys(schema.properties)).toEqual(Object.keys(report));
});

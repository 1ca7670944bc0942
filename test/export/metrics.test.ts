/**
 * Metrics are what the parsers of the Prometheus project read: every figure with its labels, and nothing that they
 * would take for something else.
 */
import * as fc from "fast-check";
import { expect, test, type TestContext } from "vitest";
import { type MetricFamily, type MetricsDialect, formatExportMetrics, formatMetrics } from "../../src/report/index.ts";
import type { ProcessReport } from "../../src/study/index.ts";
import { SCHEME_IDS, madeUpReport } from "../report/made-up-report.ts";
import { SAMPLE, exported, runPython } from "./reading.ts";

interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** The value as Python writes it; JSON has no words for inf and nan, which are 0 above. */
  readonly valueText: string;
  readonly timestamp: number | null;
}

interface ReadFamily {
  readonly name: string;
  readonly type: string;
  readonly unit: string;
  readonly documentation: string;
  readonly samples: readonly ReadSample[];
}

/** Families as the parser of a dialect finds them, as JSON; an error of the parser is an error. */
const READ = (module: string): string => `
import json, math, sys
from prometheus_client.${module} import text_string_to_metric_families
sys.stdin.reconfigure(newline="\\n")
print(json.dumps([dict(name=f.name, type=f.type, unit=f.unit, documentation=f.documentation, samples=[
  dict(name=s.name, labels=s.labels, value=s.value if math.isfinite(s.value) else 0,
  valueText=repr(float(s.value)), timestamp=None if s.timestamp is None else float(s.timestamp))
  for s in f.samples]) for f in text_string_to_metric_families(sys.stdin.read())]))`;

function readMetrics(ctx: TestContext, dialect: MetricsDialect, text: string): ReadFamily[] {
  const module = dialect === "openmetrics" ? "openmetrics.parser" : "parser";
  return JSON.parse(runPython(ctx, READ(module), text, "prometheus_client")) as ReadFamily[];
}

const REPORT = madeUpReport();

/** The samples of a process, written down from the report by hand. */
function expectedOf(process: ProcessReport): Map<string, number> {
  const expected = new Map([
    ["rss ", process.rssBytes],
    ["rss_anon ", process.rssAnonBytes],
    ["rss_file ", process.rssFileBytes],
    ["rss_shmem ", process.rssShmemBytes],
    ["swap ", process.swapBytes],
    ["hugetlb ", process.hugetlbBytes],
    ["page_tables ", process.pageTablesBytes],
  ]);
  for (const id of SCHEME_IDS) {
    const { pssBytes, pssAnonBytes, pssFileBytes, pssShmemBytes, ussBytes } = process.schemes[id];
    expected.set(`pss ${id}`, pssBytes).set(`pss_anon ${id}`, pssAnonBytes).set(`pss_file ${id}`, pssFileBytes);
    expected.set(`pss_shmem ${id}`, pssShmemBytes).set(`uss ${id}`, ussBytes.most);
    expected.set(`uss_least ${id}`, ussBytes.least);
  }
  return expected;
}

const DIALECTS: readonly MetricsDialect[] = ["openmetrics", "prometheus"];

test.for(DIALECTS)("the parser of %s finds every figure of every process that could be read", (dialect, ctx) => {
  const text = formatExportMetrics(REPORT, { dialect, schemes: SCHEME_IDS, timestamps: true });
  const families = readMetrics(ctx, dialect, text);
  const memory = families.find(({ name }) => name === "process_memory_bytes");
  const read = new Map<string, Map<string, number>>();
  for (const { labels, value, timestamp } of memory?.samples ?? []) {
    const figures = read.get(labels.pid) ?? new Map<string, number>();
    read.set(labels.pid, figures.set(`${labels.memtype} ${labels.scheme ?? ""}`, value));
    expect(timestamp).toBeCloseTo(REPORT.machine.endedAtMs / 1000, 3);
  }
  const withFigures = REPORT.processes.filter(({ refusal }) => refusal === null);
  expect(read).toEqual(new Map(withFigures.map((process) => [`${process.pid}`, expectedOf(process)])));
  const capture = families.find(({ name }) => name.startsWith("foliometer_capture") && !name.includes("capture_p"));
  expect(capture?.samples[0]).toMatchObject({ name: "foliometer_capture_info", labels: { scheme: "page" }, value: 1 });
});

test("coverage and cost are metrics in their base units", (ctx) => {
  const report = { ...REPORT, coverage: { ...REPORT.coverage, processesEnded: 4 } };
  const text = formatExportMetrics(report, { dialect: "openmetrics", schemes: SCHEME_IDS, timestamps: false });
  const families = new Map(readMetrics(ctx, "openmetrics", text).map((family) => [family.name, family]));
  expect(families.get("foliometer_capture_duration_seconds")).toMatchObject({
    unit: "seconds",
    samples: [{ value: 0.934 }],
  });
  expect(families.get("foliometer_capture_longest_scan_seconds")?.samples).toMatchObject([{ value: 0.0032 }]);
  const states = families
    .get("foliometer_capture_processes")
    ?.samples.map(({ labels, value }) => [labels.state, value]);
  expect(states).toEqual([
    ["read", 5],
    ["refused", 1],
    ["ended", 4],
  ]);
  for (const { samples } of families.values()) for (const { timestamp } of samples) expect(timestamp).toBeNull();
});

test("what a scheme notices and what it misses are told apart, and a field that is not known is not there", (ctx) => {
  const page = { ...REPORT.figures["page"], partialNoticed: 7, partialMissed: 5, partialPastDecides: 2 };
  const measured = { ...REPORT.measured, anonPagesBytes: null };
  const report = { ...REPORT, measured, figures: { ...REPORT.figures, page } };
  const text = formatExportMetrics(report, { dialect: "openmetrics", schemes: ["page"], timestamps: false });
  const families = new Map(readMetrics(ctx, "openmetrics", text).map((family) => [family.name, family]));
  const partial = families.get("foliometer_partially_mapped_folios")?.samples;
  expect(partial?.map(({ labels, value }) => [labels, value])).toEqual([
    [{ scheme: "page", noticed: "yes" }, 7],
    [{ scheme: "page", noticed: "no" }, 3],
    [{ scheme: "page", noticed: "past" }, 2],
  ]);
  const fields = families.get("foliometer_meminfo_bytes")?.samples.map(({ labels }) => labels.field);
  expect(fields).toEqual(["MemTotal", "Mapped", "AnonPages", "Mapped"]);
});

test("what chosen processes map is not given as the machine's meminfo, and what others map too is no disagreement", (ctx) => {
  const coverage = { ...REPORT.coverage, framesDifferAfterSecondLook: 9, framesCountedMoreByKernel: 7 };
  const read = (wholeMachine: boolean): ReadFamily[] => {
    const report = { ...REPORT, wholeMachine, coverage };
    const text = formatExportMetrics(report, { dialect: "openmetrics", schemes: SCHEME_IDS, timestamps: false });
    return readMetrics(ctx, "openmetrics", text);
  };
  const of = (families: readonly ReadFamily[], name: string): readonly ReadSample[] =>
    families.find((family) => family.name === name)?.samples ?? [];
  const schemesOf = (samples: readonly ReadSample[]): Set<string | undefined> =>
    new Set(samples.map(({ labels }) => labels.scheme));
  const [all, chosen] = [read(true), read(false)];
  expect(schemesOf(of(all, "foliometer_meminfo_bytes"))).toEqual(new Set([undefined, ...SCHEME_IDS]));
  expect(schemesOf(of(chosen, "foliometer_meminfo_bytes"))).toEqual(new Set([undefined]));
  expect(of(all, "foliometer_capture_frames_differing")).toMatchObject([{ value: 9 }]);
  expect(of(chosen, "foliometer_capture_frames_differing")).toMatchObject([{ value: 2 }]);
});

test("--scheme leaves the figures of one scheme, and still says by which the kernel counts", async (ctx) => {
  const text = await exported(SAMPLE, "--format", "openmetrics", "--scheme", "mm-owner");
  const samples = readMetrics(ctx, "openmetrics", text).flatMap((family) => family.samples);
  const schemes = new Set(samples.filter(({ name }) => !name.endsWith("_info")).map(({ labels }) => labels.scheme));
  expect(schemes).toEqual(new Set([undefined, "mm-owner"]));
  expect(samples.find(({ name }) => name === "foliometer_capture_info")?.labels.scheme).toBe("page");
});

test.for(DIALECTS)("names of any characters come back from the parser of %s as they were", (dialect, ctx) => {
  const names = fc.sample(fc.string({ unit: "binary", minLength: 1, maxLength: 12 }), { numRuns: 300, seed: 7 });
  const odd = ['"', "\\", "\\n", 'a\\"b', "{}", 'a,b="c" 1', "# EOF", "}", " ", "\u{1f4a9}"];
  const plain = [...odd, ...names.filter((name) => !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(name))];
  const family: MetricFamily = {
    name: "odd_names",
    type: "gauge",
    help: 'Of a "help" with \\ and\na line end.',
    samples: plain.map((name, index) => ({ labels: { name, index }, value: index })),
  };
  const [read] = readMetrics(ctx, dialect, formatMetrics([family], { dialect }));
  expect(read.documentation).toBe(family.help);
  expect(read.samples.map(({ labels }) => labels)).toEqual(plain.map((name, index) => ({ name, index: `${index}` })));
});

test("a line end in a name is a name's, and other controls become the replacement character", (ctx) => {
  const sample = { labels: { name: "a\nb\rc\u0085d\u2028e\0" }, value: 1 };
  for (const dialect of DIALECTS) {
    const text = formatMetrics([{ name: "x", type: "gauge", help: "X.", samples: [sample] }], { dialect });
    const [{ samples }] = readMetrics(ctx, dialect, text);
    expect(samples[0].labels.name).toBe("a\nb\u{fffd}c\u{fffd}d\u{fffd}e\u{fffd}");
  }
});

test.for(DIALECTS)(
  "values without bound and families without samples, as the parser of %s reads them",
  (dialect, ctx) => {
    const values = [Infinity, -Infinity, 0, 1e21, 1e-7, 0.1];
    const samples = values.map((value, index) => ({ labels: { index }, value }));
    const families: MetricFamily[] = [
      { name: "nothing", type: "gauge", help: "Nothing.", samples: [] },
      { name: "values", type: "gauge", help: "Values.", samples: [...samples, { labels: {}, value: Number.NaN }] },
    ];
    const found = readMetrics(ctx, dialect, formatMetrics(families, { dialect }));
    expect(found.map(({ name }) => name)).toEqual(["values"]);
    expect(found[0].samples.map(({ valueText }) => valueText)).toEqual([
      "inf",
      "-inf",
      "0.0",
      "1e+21",
      "1e-07",
      "0.1",
      "nan",
    ]);
  },
);

test("a text that was cut short is refused by the parser", (ctx) => {
  const text = formatExportMetrics(REPORT, { dialect: "openmetrics", schemes: ["page"], timestamps: false });
  expect(() => readMetrics(ctx, "openmetrics", text.slice(0, text.lastIndexOf("# EOF")))).toThrow(/EOF/);
});

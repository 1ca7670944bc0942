/**
 * What the exporter answers is read by programs of the Prometheus project: its own check, and the parsers of its client.
 */
import { spawnSync } from "node:child_process";
import { type TestContext, expect, test } from "vitest";
import { type MetricsDialect, exporterFamilies, formatMetrics } from "../../src/report/index.ts";
import { type FigureGrouping, FIGURE_GROUPS, type Scrape, groupFigures } from "../../src/study/index.ts";
import { runPython } from "../export/reading.ts";
import { requireCommand } from "../full-run.ts";
import { madeUpProcess, madeUpReport } from "../report/made-up-report.ts";
import { madeUpScrape } from "./made-up-scrape.ts";

/** Names as hostile as the kernel lets a process have them. */
const ODD = ['a"b', "c\\", "d\ne", "f\u0001", "f\u0002", "{}", "", "other", "# EOF"];

function textOf(scrape: Scrape | undefined, dialect: MetricsDialect): string {
  const families = exporterFamilies({
    scrape,
    how: scrape === undefined ? "late" : "fresh",
    processes: Number.NaN,
    ageSeconds: 0.25,
    oldestAgeSeconds: 31,
    budgetSeconds: 2,
    minIntervalSeconds: 1,
    answers: { fresh: 3, shared: 1, cached: 0, late: 1, failed: 0 },
    refusals: { host: 1, method: 0 },
    cpuSeconds: 1.5,
    residentBytes: 1e8,
  });
  return formatMetrics(families, { dialect });
}

function oddScrape(by: FigureGrouping, top: number): Scrape {
  const report = madeUpReport();
  const odd = ODD.map((name, index) => madeUpProcess({ pid: 70_000 + index, name, rss: 4, page: [4, 4] }));
  const processes = [...report.processes, ...odd];
  return madeUpScrape({ groups: groupFigures({ ...report, processes }, { by, top }) });
}

/** Every sample as the parser finds it: name, sorted labels, value. */
const READ = (module: string): string => `
import sys
from prometheus_client.${module} import text_string_to_metric_families
sys.stdin.reconfigure(newline="\\n")
for f in text_string_to_metric_families(sys.stdin.read()):
  for s in f.samples: print(s.name, sorted(s.labels.items()), float(s.value))`;

function readSamples(ctx: TestContext, text: string, dialect: MetricsDialect): string[] {
  const module = dialect === "openmetrics" ? "openmetrics.parser" : "parser";
  return runPython(ctx, READ(module), text, "prometheus_client").trimEnd().split("\n");
}

test.for([...FIGURE_GROUPS.map((by) => [by, Infinity] as const), ["program", 3] as const, ["user", 0] as const])(
  "promtool and both parsers read figures by %s, %d of them kept, and no series is there twice",
  ([by, top], ctx) => {
    const promtool = requireCommand(ctx, "promtool");
    const scrape = oddScrape(by, top);
    const check = spawnSync(promtool, ["check", "metrics"], { input: textOf(scrape, "prometheus"), encoding: "utf8" });
    expect([check.stdout, check.stderr, check.status]).toEqual(["", "", 0]);
    const [open, plain] = (["openmetrics", "prometheus"] as const).map((dialect) =>
      readSamples(ctx, textOf(scrape, dialect), dialect),
    );
    expect(new Set(open).size).toBe(open.length);
    expect(open.toSorted()).toEqual(plain.toSorted());
    expect(open.filter((line) => line.startsWith("process_memory_bytes ")).length).toBeGreaterThan(20);
  },
);

test("an answer without figures is one, too", (ctx) => {
  const promtool = requireCommand(ctx, "promtool");
  const input = textOf(undefined, "prometheus");
  expect(spawnSync(promtool, ["check", "metrics"], { input, encoding: "utf8" }).status).toBe(0);
  expect(readSamples(ctx, textOf(undefined, "openmetrics"), "openmetrics")).toContain(
    "foliometer_left_out [('reason', 'deadline')] nan",
  );
});

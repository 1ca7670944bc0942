/**
 * Parquet and CSV, read by DuckDB: the figures are those of the report, and tables fit together.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exportTables, formatExportCsv } from "../../src/report/index.ts";
import { SCHEMES } from "../../src/schemes/index.ts";
import { type CaptureReport, reportOnSums, sumCapture } from "../../src/study/index.ts";
import { makeTestDirectory } from "../captured-child.ts";
import { captureSmallMachine } from "../figures/fake-capture.ts";
import { WordFiles } from "../figures/fake-proc.ts";
import { machineRecipes } from "../figures/machine-recipes.ts";
import { buildMachine } from "../figures/small-machine.ts";
import { MADE_UP_PROCESSES, madeUpReport } from "../report/made-up-report.ts";
import { SAMPLE, exported } from "./reading.ts";

const directory = makeTestDirectory();
afterAll(() => directory.remove());

/** The sample's tables under two schemes. */
const to = join(directory.path, "tables");
beforeAll(async () => {
  await exported(SAMPLE, "--format", "parquet", "--schemes", "mm-owner", "-o", to);
});

type Row = Readonly<Record<string, unknown>>;

async function query(sql: string): Promise<Row[]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(sql)).getRowObjectsJson();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

test("Parquet tables hold the report's figures, and VMAs add up to their process", async () => {
  const report = JSON.parse(await exported(SAMPLE, "--format", "json", "--schemes", "mm-owner")) as CaptureReport;
  const rows = await query(`
    select scheme, pid, any_value(p.rss_bytes) as rss, sum(v.rss_bytes)::bigint as rss_of_vmas,
      any_value(p.pss_bytes) as pss, sum(v.pss_bytes)::bigint as pss_of_vmas, count(*)::bigint as vmas,
      any_value(p.uss_most_bytes) as uss, sum(v.uss_most_bytes)::bigint as uss_of_vmas
    from '${to}/processes.parquet' p join '${to}/vmas.parquet' v using (scheme, pid)
    group by scheme, pid`);
  const complete = report.processes.filter(({ state }) => state === "complete");
  expect(rows).toHaveLength(2 * complete.length);
  for (const row of rows) {
    const process = complete.find(({ pid }) => pid === Number(row.pid));
    const { pssBytes, ussBytes } = process?.schemes[String(row.scheme)] ?? {};
    expect([row.rss, row.rss_of_vmas]).toEqual([`${process?.rssBytes}`, `${process?.rssBytes}`]);
    expect([row.uss, row.uss_of_vmas]).toEqual([`${ussBytes?.most}`, `${ussBytes?.most}`]);
    expect(row.pss).toBe(`${pssBytes}`);
    expect((pssBytes ?? 0) - Number(row.pss_of_vmas)).toBeGreaterThanOrEqual(0);
    expect((pssBytes ?? 0) - Number(row.pss_of_vmas)).toBeLessThanOrEqual(Number(row.vmas));
  }
});

test("the folio table has a row a large folio", async () => {
  const { folios } = JSON.parse(await exported(SAMPLE, "--format", "json")) as CaptureReport;
  const counted = await query(
    `select "order", kind, count(*)::int as folios from '${to}/folios.parquet' group by all order by "order", kind`,
  );
  const expected = folios.map(({ order, kind, folios: count }) => ({ order: `${order}`, kind, folios: count }));
  expect(counted).toEqual(expected.toSorted((a, b) => Number(a.order) - Number(b.order) || (a.kind < b.kind ? -1 : 1)));
});

test("where VMAs lie and what they may is what the capture read, and so is what maps the large folios", async () => {
  const columns = "start_address::bigint, end_address::bigint, name";
  const exportedVmas = await query(
    `select vma::bigint as vma, pid::bigint as pid, ${columns}, permissions from '${to}/vmas.parquet' where scheme = 'page' order by 1`,
  );
  const capturedVmas = await query(
    `select vma::bigint as vma, pid::bigint as pid, ${columns}, perms as permissions from '${SAMPLE}/vmas.parquet' order by 1`,
  );
  expect(exportedVmas.length).toBeGreaterThan(100);
  expect(exportedVmas).toEqual(capturedVmas);
  const counts = "head_pfn, entries, pmd_entries, mapped_pages, pages_mapped, mapped_outside".replaceAll(
    /[a-z_]+/g,
    "$&::bigint as $&",
  );
  const exportedFolios = await query(
    `select ${counts}, "order"::int as "order", kind, mms::bigint as mms from '${to}/folios.parquet' order by 1`,
  );
  const capturedFolios = await query(
    `select ${counts}, "order"::int as "order", kind, mm_count::bigint as mms from '${SAMPLE}/folios.parquet'
     where entries > 0 and "order" > 0 order by 1`,
  );
  expect(exportedFolios.length).toBeGreaterThan(10);
  expect(exportedFolios).toEqual(capturedFolios);
});

test("what VMAs have swapped out adds up to their process, on random small machines", async () => {
  const files = new WordFiles();
  const swapped = new Set<number>();
  await fc.assert(
    fc.asyncProperty(machineRecipes, async (recipe) => {
      const capture = await captureSmallMachine(buildMachine(recipe), files, {
        threads: 1,
        shuffle: [0],
        templates: false,
      });
      files.reuse();
      const sums = await sumCapture(capture, [SCHEMES[0]]);
      const report = reportOnSums(capture, sums);
      const tables = await exportTables(capture, sums, report, [SCHEMES[0].id]);
      const vmas = tables.find(({ schema }) => schema.name === "vmas");
      const byPid = new Map<unknown, number>();
      for (let row = 0; row < (vmas?.rows ?? 0); row++) {
        const pid = vmas?.columns["pid"](row);
        byPid.set(pid, (byPid.get(pid) ?? 0) + Number(vmas?.columns["swap_bytes"](row)));
      }
      for (const { pid, state, swapBytes } of report.processes) {
        if (state !== "complete") continue;
        swapped.add(swapBytes);
        expect(byPid.get(pid) ?? 0).toBe(swapBytes);
      }
    }),
    { numRuns: 40 },
  );
  files.close();
  expect(swapped.size).toBeGreaterThan(2);
});

test("CSV has smem's columns, and quoted command lines come back as they were", async () => {
  const odd = { ...MADE_UP_PROCESSES[0], command: 'sh -c "a, b"\n;\r\u202e' };
  const report = madeUpReport([odd, ...MADE_UP_PROCESSES.slice(1)]);
  const path = join(directory.path, "processes.csv");
  writeFileSync(path, formatExportCsv(report, { schemes: ["mm-owner"], history: "least-private" }));
  const rows = await query(`select * from read_csv('${path}', header = true, auto_detect = true, strict_mode = true)`);
  expect(Object.keys(rows[0])).toEqual(["PID", "User", "Command", "Swap", "USS", "PSS", "RSS"]);
  expect(rows[0]).toEqual({
    PID: "4021",
    User: "redis",
    Command: 'sh -c "a, b"\\n;\\r\\u202e',
    Swap: "0",
    USS: "2100",
    PSS: "1286522",
    RSS: "2229844",
  });
  expect(rows).toHaveLength(report.processes.filter(({ refusal }) => refusal === null).length);
});

test("sizes are cut to whole kB, as smem cuts them, and who could not be read has no row", async () => {
  const { processes } = madeUpReport();
  const [first, ...others] = processes;
  const figures = { ...first.schemes["page"], pssBytes: 3 * 1024 - 1, ussBytes: { least: 0, most: 1023 } };
  const cut = { ...first, rssBytes: 5 * 1024 - 1, swapBytes: 1023, schemes: { page: figures } };
  const path = join(directory.path, "cut.csv");
  const text = formatExportCsv({ processes: [cut, ...others] }, { schemes: ["page"], history: "most-private" });
  writeFileSync(path, text);
  const rows = await query(`select * from read_csv('${path}', header = true)`);
  expect(rows[0]).toMatchObject({ Swap: "0", USS: "0", PSS: "2", RSS: "4" });
  const refused = processes.filter(({ refusal }) => refusal !== null);
  expect(refused).not.toEqual([]);
  expect(rows).toHaveLength(processes.length - refused.length);
});

test("several schemes are rows of one CSV, told apart by a column", async () => {
  const path = join(directory.path, "schemes.csv");
  await exported(SAMPLE, "--format", "csv", "--schemes", "mm-owner", "-o", path);
  const rows = await query(`select "Scheme", count(*)::int as n from read_csv('${path}') group by all order by all`);
  expect(rows.map(({ Scheme }) => Scheme)).toEqual(["mm-owner", "page"]);
  expect(rows[0].n).toBe(rows[1].n);
});

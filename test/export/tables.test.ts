/**
 * Parquet and CSV, read by DuckDB: the figures are those of the report, and tables fit together.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, expect, test } from "vitest";
import { formatExportCsv } from "../../src/report/index.ts";
import type { CaptureReport } from "../../src/study/index.ts";
import { makeTestDirectory } from "../captured-child.ts";
import { MADE_UP_PROCESSES, madeUpReport } from "../report/made-up-report.ts";
import { SAMPLE, exported } from "./reading.ts";

const directory = makeTestDirectory();
afterAll(() => directory.remove());

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
  const to = join(directory.path, "tables");
  await exported(SAMPLE, "--format", "parquet", "--schemes", "mm-owner", "-o", to);
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
  const to = join(directory.path, "folios");
  await exported(SAMPLE, "--format", "parquet", "-o", to);
  const { folios } = JSON.parse(await exported(SAMPLE, "--format", "json")) as CaptureReport;
  const counted = await query(
    `select "order", kind, count(*)::int as folios from '${to}/folios.parquet' group by all order by "order", kind`,
  );
  const expected = folios.map(({ order, kind, folios: count }) => ({ order: `${order}`, kind, folios: count }));
  expect(counted).toEqual(expected.toSorted((a, b) => Number(a.order) - Number(b.order) || (a.kind < b.kind ? -1 : 1)));
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

test("several schemes are rows of one CSV, told apart by a column", async () => {
  const path = join(directory.path, "schemes.csv");
  await exported(SAMPLE, "--format", "csv", "--schemes", "mm-owner", "-o", path);
  const rows = await query(`select "Scheme", count(*)::int as n from read_csv('${path}') group by all order by all`);
  expect(rows.map(({ Scheme }) => Scheme)).toEqual(["mm-owner", "page"]);
  expect(rows[0].n).toBe(rows[1].n);
});

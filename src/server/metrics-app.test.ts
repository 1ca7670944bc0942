import type { Hono } from "hono";
import { expect, test } from "vitest";
import { HeldSource, madeUpScrape, readySource } from "../../test/server/made-up-scrape.ts";
import { madeUpReport } from "../../test/report/made-up-report.ts";
import { type Scrape, type ScrapeSource, groupFigures } from "../study/index.ts";
import { createMetricsApp } from "./metrics-app.ts";
import { SharedScrape } from "./shared-scrape.ts";

interface Served {
  readonly app: Hono;
  readonly bugs: Error[];
}

function serve(source: ScrapeSource, { budgetMs = 2000, minIntervalMs = 0 } = {}): Served {
  const bugs: Error[] = [];
  const shared = new SharedScrape(source, { minIntervalMs, onFailure: () => undefined });
  const hosts = new Set(["node7"]);
  return {
    app: createMetricsApp({ shared, budgetMs, minIntervalMs, hosts, onBug: (error) => bugs.push(error) }),
    bugs,
  };
}

async function ask(
  { app }: Served,
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
): Promise<Response> {
  return app.request(path, { method, headers: { host: "127.0.0.1:9876", ...headers } });
}

/** The value of a sample, by how its line begins. */
function valueOf(text: string, sample: string): number {
  const line = text.split("\n").find((each) => each.startsWith(`${sample} `));
  if (line === undefined) throw new Error(`no sample ${sample}`);
  return Number(line.slice(sample.length + 1));
}

async function metrics(served: Served, headers?: Record<string, string>): Promise<string> {
  const response = await ask(served, "/metrics", headers);
  expect(response.status).toBe(200);
  return response.text();
}

test("/metrics is in the format that was asked for, and says which", async () => {
  const served = serve(readySource());
  const open = await ask(served, "/metrics", { accept: "application/openmetrics-text;version=1.0.0" });
  expect(open.headers.get("content-type")).toBe("application/openmetrics-text; version=1.0.0; charset=utf-8");
  expect(await open.text()).toMatch(/\n# EOF\n$/);
  const plain = await ask(served, "/metrics");
  expect(plain.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(plain.headers.get("vary")).toBe("Accept");
  expect(await plain.text()).not.toContain("# EOF");
});

test("the scheme is a label", async () => {
  const text = await metrics(serve(readySource()));
  for (const scheme of ["page", "mm-owner"]) {
    expect(text).toMatch(new RegExp(`^process_memory_bytes\\{.*memtype="pss",scheme="${scheme}"\\} [0-9]+$`, "m"));
  }
});

test("other hosts, methods, bodies and paths are refused before any work, and counted", async () => {
  const source = new HeldSource();
  const served = serve(source);
  expect((await ask(served, "/metrics", { host: "evil.example" })).status).toBe(403);
  expect((await served.app.request("/metrics")).status).toBe(403);
  expect((await ask(served, "/metrics", {}, "POST")).status).toBe(405);
  expect((await ask(served, "/", {}, "OPTIONS")).headers.get("allow")).toBe("GET, HEAD");
  expect((await ask(served, "/metrics", { "content-length": "10" })).status).toBe(413);
  expect((await ask(served, "/metrics", { "transfer-encoding": "chunked" })).status).toBe(413);
  expect((await ask(served, "/metrics/")).status).toBe(404);
  expect((await ask(served, "/../etc/passwd")).status).toBe(404);
  expect(source.begun).toEqual([]);
  const asked = metrics(served, { host: "node7:9876" });
  await new Promise((resolve) => setImmediate(resolve));
  source.finish();
  const text = await asked;
  expect(valueOf(text, 'foliometer_refused_requests_total{reason="host"}')).toBe(2);
  expect(valueOf(text, 'foliometer_refused_requests_total{reason="method"}')).toBe(2);
  expect(valueOf(text, 'foliometer_refused_requests_total{reason="body"}')).toBe(2);
  expect(valueOf(text, 'foliometer_refused_requests_total{reason="path"}')).toBe(2);
});

test("an answer that is late says that everything is left out, and has no figure of before", async () => {
  const source = new HeldSource();
  const served = serve(source, { budgetMs: 20 });
  const first = await metrics(served);
  expect(valueOf(first, "foliometer_scrape_complete")).toBe(0);
  expect(valueOf(first, 'foliometer_left_out{reason="deadline"}')).toBeNaN();
  expect(first).not.toContain("process_memory_bytes");
  source.finish();
  await new Promise((resolve) => setImmediate(resolve));
  const second = await metrics(served);
  expect(second).not.toContain("process_memory_bytes");
  expect(valueOf(second, 'foliometer_left_out{reason="deadline"}')).toBeGreaterThan(0);
  expect(valueOf(second, 'foliometer_answers_total{how="late"}')).toBe(2);
});

test("a late answer leaves out all processes that the last scrape knew of, read or not", async () => {
  const source = new HeldSource();
  const served = serve(source, { budgetMs: 20 });
  const scrape = withGaps({ unread: 7, refused: 2 });
  const { coverage } = scrape.report;
  const report = { ...scrape.report, coverage: { ...coverage, processesRead: 5, processesRefused: 2 } };
  const asked = metrics(served);
  await new Promise((resolve) => setImmediate(resolve));
  source.finish({ ...scrape, report });
  await asked;
  expect(valueOf(await metrics(served), 'foliometer_left_out{reason="deadline"}')).toBe(14);
});

test("the age is that of the reading, and the oldest that of what was read before it", async () => {
  const now = Date.now();
  const scrape = madeUpScrape({ beganAtMs: now - 60_000, oldestReadAtMs: now - 3_600_000 });
  const text = await metrics(serve(readySource(scrape)));
  expect(Math.floor(valueOf(text, "foliometer_scrape_age_seconds") / 60)).toBe(1);
  expect(Math.floor(valueOf(text, "foliometer_oldest_reading_age_seconds") / 60)).toBe(60);
});

test("a scraper that waits for less gets its answer in less; nonsense changes nothing", async () => {
  const budgetFor = async (seconds: string): Promise<number> =>
    valueOf(
      await metrics(serve(readySource()), { "x-prometheus-scrape-timeout-seconds": seconds }),
      "foliometer_scrape_budget_seconds",
    );
  expect(await budgetFor("1")).toBe(0.9);
  expect(await budgetFor("0.000001")).toBe(0.01);
  for (const text of ["10", "", "-1", "0", "NaN", "soon", "Infinity"]) expect(await budgetFor(text)).toBe(2);
});

function withGaps(gaps: Partial<Scrape["gaps"]>): Scrape {
  return madeUpScrape({ gaps: { unread: 0, stale: 0, refused: 0, ended: 0, ...gaps } });
}

test("what is missing is counted by reason, and no figure stands without its reservation", async () => {
  const whole = await metrics(serve(readySource()));
  expect(valueOf(whole, "foliometer_scrape_complete")).toBe(1);
  expect(whole).not.toContain("partial=");
  const missing = await metrics(serve(readySource(withGaps({ unread: 7, stale: 2 }))));
  expect(valueOf(missing, "foliometer_scrape_complete")).toBe(0);
  expect(valueOf(missing, 'foliometer_left_out{reason="budget"}')).toBe(7);
  expect(valueOf(missing, 'foliometer_left_out{reason="stale"}')).toBe(2);
  const figures = missing.split("\n").filter((line) => line.startsWith("process_memory_bytes{"));
  expect(figures.length).toBeGreaterThan(10);
  for (const line of figures) expect(line).toContain('partial="missing"');
  const refused = await metrics(serve(readySource(withGaps({ refused: 1 }))));
  expect(valueOf(refused, "foliometer_scrape_complete")).toBe(0);
  expect(refused).not.toMatch(/^process_memory_bytes\{(?!.*partial="missing")/m);
  const ended = await metrics(serve(readySource(withGaps({ ended: 3 }))));
  expect(valueOf(ended, "foliometer_scrape_complete")).toBe(1);
  expect(valueOf(ended, 'foliometer_left_out{reason="ended"}')).toBe(3);
});

test("the large folios of chosen processes are not all of the machine's", async () => {
  const scrape = madeUpScrape();
  const text = await metrics(serve(readySource({ ...scrape, report: { ...scrape.report, wholeMachine: false } })));
  const lines = text.split("\n").filter((line) => /^foliometer_(?:large|partially_mapped)_folios\{/.test(line));
  expect(lines.length).toBeGreaterThan(2);
  for (const line of lines) expect(line).toContain('partial="missing"');
  expect(text).not.toMatch(/^process_memory_bytes.*partial=/m);
});

test("what a scrape cost, and how many address spaces are in each sum", async () => {
  const text = await metrics(serve(readySource()));
  expect(valueOf(text, "foliometer_scrape_duration_seconds")).toBe(0.12);
  expect(valueOf(text, 'foliometer_scrape_phase_seconds{phase="read"}')).toBe(0.08);
  expect(valueOf(text, 'foliometer_scrape_phase_seconds{phase="figures"}')).toBe(0.04);
  expect(valueOf(text, "foliometer_scrape_cpu_seconds")).toBe(0.1);
  const spaces = [...text.matchAll(/^foliometer_address_spaces\{.*\} ([0-9]+)$/gm)].map(([, value]) => Number(value));
  const complete = madeUpReport().processes.filter(({ state }) => state === "complete");
  expect(spaces.reduce((sum, value) => sum + value, 0)).toBe(complete.length);
});

test("the groups that are not kept are there as one, so that nothing is missing from a sum", async () => {
  const rss = async (top: number): Promise<{ readonly series: number; readonly sum: number }> => {
    const groups = groupFigures(madeUpReport(), { by: "program", top });
    const text = await metrics(serve(readySource(madeUpScrape({ groups }))));
    const values = [...text.matchAll(/^process_memory_bytes\{.*memtype="rss"\} ([0-9]+)$/gm)].map(([, value]) =>
      Number(value),
    );
    return { series: values.length, sum: values.reduce((sum, value) => sum + value, 0) };
  };
  const [all, folded] = [await rss(Infinity), await rss(1)];
  expect(folded.series).toBe(2);
  expect(all.series).toBeGreaterThan(2);
  expect(folded.sum).toBe(all.sum);
});

test("a sum with a process of an earlier reading is stale, as the machine's are, and other sums are not", async () => {
  const report = madeUpReport();
  const stalePids = new Set([4021]);
  const groups = groupFigures(report, { by: "program", top: Infinity, stalePids });
  const text = await metrics(serve(readySource({ ...withGaps({ stale: 1 }), groups })));
  const lines = text.split("\n").filter((line) => /^(?:process_memory|foliometer_meminfo)_bytes\{/.test(line));
  const stale = lines.filter((line) => line.includes('partial="stale"'));
  expect(stale).toEqual(lines.filter((line) => /program="redis-server"|field=.*scheme=/.test(line)));
  expect(stale.length).toBeGreaterThan(10);
  expect(text).not.toContain('partial="missing"');
});

test("a cached answer says that it is one, and how old it is", async () => {
  const served = serve(readySource(madeUpScrape({ beganAtMs: Date.now() - 60_000 })), { minIntervalMs: 3_600_000 });
  const first = await metrics(served);
  const second = await metrics(served);
  expect([first, second].map((text) => valueOf(text, "foliometer_scrape_cached"))).toEqual([0, 1]);
  expect(valueOf(second, "foliometer_scrape_age_seconds")).toBeGreaterThanOrEqual(60);
});

test("a reading that fails is a 503 with its sentence, here and on /healthz, until one succeeds", async () => {
  const source = new HeldSource();
  const served = serve(source);
  expect((await ask(served, "/healthz")).status).toBe(200);
  const asked = ask(served, "/metrics");
  await new Promise((resolve) => setImmediate(resolve));
  source.fail(new Error("The kernel hides the page frame numbers."));
  expect((await asked).status).toBe(503);
  const health = await ask(served, "/healthz");
  expect([health.status, await health.text()]).toEqual([503, "The kernel hides the page frame numbers.\n"]);
  const again = ask(served, "/metrics");
  await new Promise((resolve) => setImmediate(resolve));
  source.finish();
  expect((await again).status).toBe(200);
  expect((await ask(served, "/healthz")).status).toBe(200);
});

test("an error of ours is a 500 that tells nothing, and the caller hears of it", async () => {
  const broken = { ...madeUpScrape(), groups: undefined } as unknown as Scrape;
  const served = serve(readySource(broken));
  const response = await ask(served, "/metrics");
  expect([response.status, await response.text()]).toEqual([500, "The exporter failed.\n"]);
  expect(served.bugs).toHaveLength(1);
});

test("no answer may be framed, cached, sniffed or embedded", async () => {
  const served = serve(readySource());
  for (const path of ["/", "/metrics", "/healthz", "/nothing"]) {
    const { headers } = await ask(served, path);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
  }
});

test("the page leads to the metrics", async () => {
  const response = await ask(serve(readySource()), "/");
  expect(response.headers.get("content-type")).toContain("text/html");
  expect(await response.text()).toContain('<a href="/metrics">');
});

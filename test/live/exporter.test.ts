/**
 * The exporter on the running machine: its figures are the kernel's, a change is in the next scrape, and what a budget
 * does not suffice for is told.
 */
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { IncrementalReader } from "../../src/capture/index.ts";
import { SharedScrape, startMetricsServer, startScrapeThread } from "../../src/server/index.ts";
import { type FigureGroup, MachineScraper, type Scrape, type ScrapeChoice } from "../../src/study/index.ts";
import { requireFile, requireRoot } from "../full-run.ts";
import { privateKb, rollup } from "./kernel-view.ts";
import { endTargets, targetProgram } from "./target.ts";

const EVERY_PROCESS: ScrapeChoice = { by: "process", top: Infinity, schemes: ["page", "mm-owner"] };

/** Processes that can be read one at a time, some of which are refused. */
const ROUNDS = 8;

/** Longer than the reading of a machine takes the processor. */
const PAUSE_MS = 1000;

afterAll(async () => {
  await scraper?.close();
  await endTargets();
});

/** The first reading of a whole machine takes long: what comes after it is what the tests look at. */
let scraper: MachineScraper | undefined;

function scrapeAll(budgetMs = Infinity): Promise<Scrape> {
  scraper ??= new MachineScraper(EVERY_PROCESS);
  return scraper.scrape(budgetMs);
}

function groupOf({ groups }: Scrape, { pid }: { readonly pid: number }): FigureGroup {
  const found = groups.groups.find(({ labels }) => labels["pid"] === String(pid));
  if (found === undefined) throw new Error(`process ${pid} is not in the scrape`);
  return found;
}

test("a process's figures are those of its smaps_rollup, before and after it maps more", async (ctx) => {
  const target = targetProgram(ctx).start();
  await target.map("map a anon 600");
  await target.ask("write a 0 300");
  for (const more of [undefined, "write a 300 300", "unmap a 0 100"]) {
    if (more !== undefined) await target.ask(more);
    const { figures } = groupOf(await scrapeAll(), target);
    const fields = rollup(target.pid);
    expect(figures.rssBytes).toBe(fields.rss * 1024);
    expect(figures.schemes["page"].ussBytes.most).toBe(privateKb(fields) * 1024);
    expect(Math.abs(figures.schemes["page"].pssBytes - fields.pss * 1024)).toBeLessThan(4096);
  }
});

test("a budget that suffices for one process leaves out the others and counts them; each scrape brings in more", async (ctx) => {
  requireRoot(ctx);
  const hasty = new MachineScraper(EVERY_PROCESS);
  try {
    const scrapes: Scrape[] = [];
    for (let round = 0; round < ROUNDS; round++) scrapes.push(await hasty.scrape(0.001));
    const [first, last] = [scrapes[0], scrapes[ROUNDS - 1]];
    expect(first.gaps.unread).toBeGreaterThan(0);
    expect(first.groups.groups.length).toBeLessThanOrEqual(1);
    expect(last.groups.groups.length).toBeGreaterThan(1);
    expect(last.groups.groups.length).toBeLessThanOrEqual(ROUNDS);
  } finally {
    await hasty.close();
  }
});

test("a process that changed and was not reached is stale, with the figures of its last reading", async (ctx) => {
  const program = targetProgram(ctx);
  const targets = [program.start(), program.start(), program.start()];
  for (const target of targets) await target.map("map a anon 100");
  const before = await scrapeAll();
  for (const target of targets) await target.ask("write a 0 100");
  const after = await scrapeAll(0.001);
  expect(after.gaps.stale).toBeGreaterThanOrEqual(targets.length - 1);
  expect(after.oldestReadAtMs).toBeLessThan(after.beganAtMs);
  const stale = targets.filter((target) => groupOf(after, target).stale === 1);
  expect(stale.length).toBeGreaterThanOrEqual(targets.length - 1);
  for (const target of stale) {
    expect(groupOf(after, target).figures.rssBytes).toBe(groupOf(before, target).figures.rssBytes);
  }
});

test("what seems unchanged is read again in turn where there is a budget for it", async (ctx) => {
  requireRoot(ctx);
  await scrapeAll();
  // A share of so much is enough for a whole machine.
  const { processesRead, groups } = await scrapeAll(1_000_000);
  expect(processesRead).toBeGreaterThanOrEqual(groups.groups.length * 0.9);
});

test("time that passes without work while processes are read is reading, and not for the figures to make up for", async (ctx) => {
  requireRoot(ctx);
  const reader = new IncrementalReader();
  try {
    let pauses = 0;
    const pause = async (): Promise<void> => {
      if (pauses++ === 0) await new Promise((go) => setTimeout(go, PAUSE_MS));
    };
    const { reading } = await reader.refresh({ budgetMs: Infinity, turnMs: 0, pause });
    expect(pauses).toBeGreaterThan(0);
    expect(reading.readClockMs).toBeGreaterThan(PAUSE_MS * 0.9);
    const { elapsedMs, phasesMs } = await scrapeAll();
    expect(phasesMs.read + phasesMs.figures).toBeCloseTo(elapsedMs);
    expect(Math.min(phasesMs.read, phasesMs.figures)).toBeGreaterThan(0);
  } finally {
    reader.close();
  }
});

test("over HTTP, in a thread of its own: figures, cost and coverage of this machine", async (ctx) => {
  requireRoot(ctx);
  requireFile(ctx, fileURLToPath(new URL("../../dist/server/scrape-worker.js", import.meta.url)));
  const source = await startScrapeThread({ by: "cgroup+program", top: 5, schemes: ["page", "mm-owner"] });
  const shared = new SharedScrape(source, { minIntervalMs: 0, onFailure: () => undefined });
  const options = { shared, budgetMs: 60_000, minIntervalMs: 0, hosts: new Set<string>(), onBug: () => undefined };
  const server = await startMetricsServer({ host: "127.0.0.1", port: 0, loopback: true }, options);
  try {
    const asked = [fetch(server.url), fetch(server.url)];
    const texts = await Promise.all((await Promise.all(asked)).map(async (response) => response.text()));
    for (const text of texts) {
      expect(text).toMatch(/^process_memory_bytes\{.*memtype="pss",scheme="mm-owner"\} [1-9]/m);
      expect(text).toMatch(/^foliometer_scrape_longest_stall_seconds [0-9]/m);
      expect(text).toMatch(/^foliometer_capture_read_bytes\{file="pagemap"\} [1-9]/m);
      expect(text).toMatch(/^foliometer_left_out\{reason="budget"\} [0-9]+$/m);
    }
  } finally {
    await server.close();
    await source.close();
  }
});

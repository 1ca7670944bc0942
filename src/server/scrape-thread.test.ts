/**
 * The thread that scrapes, and what becomes of its caller when it ends early. The thread is a made-up one, which does what
 * the budget tells it; the real one is in test/live.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { makeTestDirectory } from "../../test/captured-child.ts";
import type { ScrapeSource } from "../study/index.ts";
import { startScrapeThread } from "./scrape-thread.ts";

const directory = makeTestDirectory();
const sources: ScrapeSource[] = [];
afterAll(async () => {
  await Promise.all(sources.map((source) => source.close()));
  directory.remove();
});

/** Budgets that tell the made-up thread what to do; any other comes back as the scrape's. */
const [THROW, EXIT, FAIL, CONFUSE] = [1, 2, 3, 4];

const PROGRAM = `
import { parentPort, workerData } from "node:worker_threads";
const say = (reply) => parentPort.postMessage(reply);
parentPort.on("message", ({ budgetMs }) => {
  if (budgetMs === ${THROW}) throw new Error("out of something");
  if (budgetMs === ${EXIT}) process.exit(1);
  if (budgetMs === ${FAIL}) say({ type: "failed", message: "No more pagemap." });
  else if (budgetMs === ${CONFUSE}) say({ type: "ready" });
  else say({ type: "scrape", scrape: { budgetMs, by: workerData.by } });
});
say(workerData.by === "user" ? { type: "refused", message: "No root." } : { type: "ready" });
`;

async function start(by: "program" | "user" = "program"): Promise<ScrapeSource> {
  const path = join(directory.path, "thread.mjs");
  writeFileSync(path, PROGRAM);
  const source = await startScrapeThread({ by, top: 1, schemes: [] }, pathToFileURL(path));
  sources.push(source);
  return source;
}

test("a scrape is what the thread answers, of what it was told at its start", async () => {
  const source = await start();
  expect(await source.scrape(100)).toEqual({ budgetMs: 100, by: "program" });
  expect(await source.scrape(200)).toEqual({ budgetMs: 200, by: "program" });
});

test("where the machine cannot be read there is no source", async () => {
  await expect(start("user")).rejects.toMatchObject({ name: "CannotCapture", message: "No root." });
});

test("a scrape that failed is the thread's sentence, and the thread goes on", async () => {
  const source = await start();
  await expect(source.scrape(FAIL)).rejects.toMatchObject({ name: "CannotCapture", message: "No more pagemap." });
  await expect(source.scrape(CONFUSE)).rejects.toThrow('answered "ready" instead of a scrape');
  expect(await source.scrape(100)).toMatchObject({ budgetMs: 100 });
});

test.each([
  [THROW, "out of something"],
  [EXIT, "The reading thread ended early."],
])(
  "a thread that dies (%i) fails its scrape, and the next one has a new thread, which hears nothing of it",
  async (how, why) => {
    const source = await start();
    for (let round = 0; round < 3; round++) {
      await expect(source.scrape(how)).rejects.toThrow(why);
      expect(await source.scrape(100)).toMatchObject({ budgetMs: 100 });
    }
  },
);

/**
 * The thread that scrapes. What it computes takes long without a pause, and the main thread must keep its deadlines.
 */
import { parentPort, workerData } from "node:worker_threads";
import { MachineScraper } from "../study/index.ts";
import type { ScrapeReply, ScrapeRequest, ScrapeThreadData } from "./scrape-protocol.ts";

function reply(message: ScrapeReply): void {
  parentPort?.postMessage(message);
}

function isCannotCapture(error: unknown): error is Error {
  return error instanceof Error && error.name === "CannotCapture";
}

async function scrape(scraper: MachineScraper, { budgetMs }: ScrapeRequest): Promise<ScrapeReply> {
  try {
    return { type: "scrape", scrape: await scraper.scrape(budgetMs) };
  } catch (error) {
    if (!isCannotCapture(error)) throw error;
    return { type: "failed", message: error.message };
  }
}

function start(): void {
  let scraper: MachineScraper;
  try {
    scraper = new MachineScraper(workerData as ScrapeThreadData);
  } catch (error) {
    if (!isCannotCapture(error)) throw error;
    reply({ type: "refused", message: error.message });
    return;
  }
  parentPort?.on("message", (request: ScrapeRequest) => void scrape(scraper, request).then(reply));
  reply({ type: "ready" });
}

start();

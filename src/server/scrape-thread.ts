/**
 * Scrapes in a thread of their own, so that answers that need no figures never wait for those that do.
 *
 * A thread that ended early, whatever it died of, fails the scrape under way; the next scrape starts a new one.
 */
import { Worker } from "node:worker_threads";
import { CannotCapture } from "../capture/index.ts";
import type { Scrape, ScrapeChoice, ScrapeSource } from "../study/index.ts";
import type { ScrapeReply, ScrapeRequest } from "./scrape-protocol.ts";

/** Starts the thread, of the program at `url`. Rejects with CannotCapture where the machine cannot be read. */
export async function startScrapeThread(choice: ScrapeChoice, url: URL = workerUrl()): Promise<ScrapeSource> {
  const source = new ThreadScraper(choice, url);
  await source.start();
  return source;
}

interface Waiting {
  readonly resolve: (reply: ScrapeReply) => void;
  readonly reject: (error: Error) => void;
}

class ThreadScraper implements ScrapeSource {
  private readonly choice: ScrapeChoice;
  private readonly url: URL;
  private worker: Worker | undefined;
  private waiting: Waiting | undefined;

  constructor(choice: ScrapeChoice, url: URL) {
    this.choice = choice;
    this.url = url;
  }

  async start(): Promise<void> {
    const reply = await this.next(() => {
      // The host's own arguments (--input-type, --loader, ...) are not meant for this file.
      const worker = new Worker(this.url, { workerData: this.choice, execArgv: [] });
      worker.on("message", (message: ScrapeReply) => this.settle(message));
      worker.on("error", (error) => this.fail(worker, error instanceof Error ? error : new Error(String(error))));
      worker.on("exit", () => this.fail(worker, new Error("The reading thread ended early.")));
      this.worker = worker;
    });
    if (reply.type === "refused") throw new CannotCapture(reply.message);
  }

  async scrape(budgetMs: number): Promise<Scrape> {
    if (this.worker === undefined) await this.start();
    const request: ScrapeRequest = { budgetMs };
    const reply = await this.next(() => this.worker?.postMessage(request));
    if (reply.type === "failed") throw new CannotCapture(reply.message);
    if (reply.type !== "scrape") throw new Error(`the reading thread answered "${reply.type}" instead of a scrape`);
    return reply.scrape;
  }

  async close(): Promise<void> {
    const { worker } = this;
    this.worker = undefined;
    await worker?.terminate();
  }

  private async next(ask: () => void): Promise<ScrapeReply> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      ask();
    });
  }

  private settle(reply: ScrapeReply): void {
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.resolve(reply);
  }

  /** What a thread says after its end does not concern the one that took its place. */
  private fail(worker: Worker, error: Error): void {
    if (this.worker !== worker) return;
    const { waiting } = this;
    this.worker = undefined;
    this.waiting = undefined;
    waiting?.reject(error);
  }
}

/** The worker's compiled file: beside this one, or in dist/ when this one runs as TypeScript (tests). */
function workerUrl(): URL {
  const beside = new URL("./scrape-worker.js", import.meta.url);
  if (!import.meta.url.endsWith(".ts")) return beside;
  return new URL(beside.href.replace("/src/server/", "/dist/server/"));
}

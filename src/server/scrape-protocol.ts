/**
 * What the main thread and the scraping thread say to each other. The thread is told its choice when it starts, answers
 * "ready" or "refused", and then one reply to each request.
 */
import type { Scrape, ScrapeChoice } from "../study/index.ts";

/** Given when the thread starts. */
export type ScrapeThreadData = ScrapeChoice;

/** Scrape, within so many milliseconds. */
export interface ScrapeRequest {
  readonly budgetMs: number;
}

export type ScrapeReply =
  | { readonly type: "ready" }
  /** The machine cannot be read, in one sentence; the thread ends. */
  | { readonly type: "refused"; readonly message: string }
  | { readonly type: "scrape"; readonly scrape: Scrape }
  | { readonly type: "failed"; readonly message: string };

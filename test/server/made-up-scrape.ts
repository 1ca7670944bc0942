/**
 * Scrapes that no machine gave, and sources of them that a test has in hand: when one begins, ends, fails.
 */
import type { Scrape, ScrapeSource } from "../../src/study/index.ts";
import { groupFigures } from "../../src/study/index.ts";
import { madeUpReport } from "../report/made-up-report.ts";

/** A scrape of the made-up machine, complete unless said otherwise. */
export function madeUpScrape(given: Partial<Scrape> = {}): Scrape {
  const report = madeUpReport();
  const now = Date.now();
  return {
    report: { ...report, processes: [] },
    groups: groupFigures(report, { by: "cgroup+program", top: Infinity }),
    gaps: { unread: 0, stale: 0, refused: 0, ended: 0 },
    beganAtMs: now,
    oldestReadAtMs: now,
    budgetMs: 1800,
    elapsedMs: 120,
    cpuMs: 100,
    phasesMs: { read: 80, figures: 40 },
    processesRead: 3,
    longestStallMs: 0.2,
    ...given,
  };
}

/** A source whose scrapes end when the test says so. */
export class HeldSource implements ScrapeSource {
  /** Budgets of the scrapes begun. */
  readonly begun: number[] = [];
  private waiting: { readonly resolve: (scrape: Scrape) => void; readonly reject: (error: Error) => void } | undefined;

  async scrape(budgetMs: number): Promise<Scrape> {
    this.begun.push(budgetMs);
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
    });
  }

  /** Ends the scrape under way. */
  finish(scrape: Scrape = madeUpScrape()): void {
    this.waiting?.resolve(scrape);
  }

  fail(error: Error): void {
    this.waiting?.reject(error);
  }

  async close(): Promise<void> {
    this.waiting?.reject(new Error("closed"));
    await Promise.resolve();
  }
}

/** A source that always has this scrape. */
export function readySource(scrape: Scrape = madeUpScrape()): ScrapeSource {
  return { scrape: () => Promise.resolve(scrape), close: () => Promise.resolve() };
}

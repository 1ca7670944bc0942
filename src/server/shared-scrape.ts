/**
 * One scrape for whoever asks at the same time: the machine is never read twice at once, and nobody waits for longer than
 * his budget.
 *
 *     asked, last scrape begun less than the least interval ago   -> "cached": it is given again, its age with it,
 *                                                                    unless it had less time and left something out
 *     asked, one under way                                        -> "shared": waits for it
 *     asked, else                                                 -> "fresh": begins one
 *     budget over while waiting                                   -> "late": nothing; the scrape goes on for the next one
 *
 * Invariant: at most one scrape is under way, and figures older than the least interval are never given again.
 */
import type { Scrape, ScrapeSource } from "../study/index.ts";

/** A scrape with its age, or why there is none. */
export type SharedAnswer =
  | { readonly how: "fresh" | "shared" | "cached"; readonly scrape: Scrape }
  | { readonly how: "late" }
  | { readonly how: "failed"; readonly message: string };

/** How to share. */
export interface SharedScrapeOptions {
  /** Figures younger than this are given again; 0: never. */
  readonly minIntervalMs: number;
  /** Hears of every scrape that failed. */
  readonly onFailure: (message: string) => void;
}

/** Of a request's budget so much is the scrape's; the rest is for writing the answer down. */
const SCRAPE_SHARE = 0.9;

/** The scrape that all requests share. */
export class SharedScrape {
  private readonly source: ScrapeSource;
  private readonly minIntervalMs: number;
  private readonly onFailure: (message: string) => void;
  private running: Promise<SharedAnswer> | undefined;
  private last: { readonly scrape: Scrape; readonly beganMs: number; readonly budgetMs: number } | undefined;
  private failure: string | undefined;

  constructor(source: ScrapeSource, { minIntervalMs, onFailure }: SharedScrapeOptions) {
    this.source = source;
    this.minIntervalMs = minIntervalMs;
    this.onFailure = onFailure;
  }

  /** Figures, within so many milliseconds. Never rejects. */
  async answer(budgetMs: number): Promise<SharedAnswer> {
    const { last } = this;
    const isYoung = last !== undefined && performance.now() - last.beganMs < this.minIntervalMs;
    // What a hasty request left out is not for one that has more time.
    if (isYoung && (last.budgetMs >= budgetMs || isWhole(last.scrape))) return { how: "cached", scrape: last.scrape };
    const isFresh = this.running === undefined;
    this.running ??= this.begin(budgetMs).finally(() => {
      this.running = undefined;
    });
    const answer = await withDeadline(this.running, budgetMs);
    return answer.how === "fresh" && !isFresh ? { how: "shared", scrape: answer.scrape } : answer;
  }

  /** Begins a scrape that takes as long as it takes: the first reading of a machine is much more than any other. */
  warmUp(): void {
    this.running ??= this.begin(Infinity).finally(() => {
      this.running = undefined;
    });
  }

  /** Why the last scrape failed; undefined: it did not. */
  failed(): string | undefined {
    return this.failure;
  }

  /** Processes that the last scrape knew of; undefined: there was none. */
  knownProcesses(): number | undefined {
    if (this.last === undefined) return undefined;
    const { report, gaps } = this.last.scrape;
    return report.coverage.processesRead + report.coverage.processesRefused + gaps.unread;
  }

  private async begin(budgetMs: number): Promise<SharedAnswer> {
    const beganMs = performance.now();
    try {
      const scrape = await this.source.scrape(budgetMs * SCRAPE_SHARE);
      this.last = { scrape, beganMs, budgetMs };
      this.failure = undefined;
      return { how: "fresh", scrape };
    } catch (error) {
      this.failure = error instanceof Error ? error.message : String(error);
      this.onFailure(this.failure);
      return { how: "failed", message: this.failure };
    }
  }
}

/** Whether more time would have brought more. */
function isWhole({ gaps: { unread, stale } }: Scrape): boolean {
  return unread === 0 && stale === 0;
}

async function withDeadline(running: Promise<SharedAnswer>, budgetMs: number): Promise<SharedAnswer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<SharedAnswer>((resolve) => {
    timer = setTimeout(() => resolve({ how: "late" }), budgetMs);
  });
  try {
    return await Promise.race([running, late]);
  } finally {
    clearTimeout(timer);
  }
}

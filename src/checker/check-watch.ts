/**
 * Who watches a search: it is told how far the search is, and may end it.
 *
 * The checker has no clock and no terminal of its own (house rule: time comes in as an argument). It looks at the watch's
 * clock every few batches of states and tells no more often than it is asked to, so that watching costs nothing.
 */

/** How far a search has come. */
export interface CheckProgress {
  readonly states: number;
  readonly transitions: number;
  /** Since the search began. */
  readonly statesPerSecond: number;
  /** States found whose successors are not. */
  readonly frontier: number;
  readonly depth: number;
  readonly bytes: number;
}

export interface CheckWatch {
  /** Milliseconds from any beginning. */
  readonly now: () => number;
  /** Called about every `everyMs` (default 100); false ends the search. */
  readonly progress: (progress: CheckProgress) => boolean;
  readonly everyMs?: number;
}

const DEFAULT_EVERY_MS = 100;
/** Looks between two at the clock. */
const LOOKS_A_CLOCK = 16;

/** Calls a watch when it is time. */
export class Watcher {
  private readonly watch: CheckWatch | undefined;
  private readonly began: number;
  private next: number;
  private readonly looksAClock: number;
  private looks = 0;

  /** `looksAClock`: 1 if every look is worth one at the clock. */
  constructor(watch: CheckWatch | undefined, looksAClock = LOOKS_A_CLOCK) {
    this.watch = watch;
    this.looksAClock = looksAClock;
    this.began = watch?.now() ?? 0;
    this.next = this.began + (watch?.everyMs ?? DEFAULT_EVERY_MS);
  }

  /** False if the watch wants the search to end. `progressNow` is asked only when it is time. */
  look(progressNow: () => Omit<CheckProgress, "statesPerSecond">): boolean {
    if (this.watch === undefined || ++this.looks % this.looksAClock !== 0) return true;
    const now = this.watch.now();
    if (now < this.next) return true;
    this.next = now + (this.watch.everyMs ?? DEFAULT_EVERY_MS);
    const progress = progressNow();
    const statesPerSecond = (progress.states * 1000) / Math.max(1, now - this.began);
    return this.watch.progress({ ...progress, statesPerSecond });
  }
}

/**
 * How much a watcher may do and how long it waits, so that watching costs no more than its share of one processor.
 *
 * What is used beyond the share is waited for before the next moment: on a machine too large for the interval, moments
 * come less often. Reading gets what listing, summing and drawing left of the share the last time.
 */

/** Share of one processor that watching takes at most, on average. */
export const CPU_SHARE = 0.2;
/** Of the interval: for reading again what seems unchanged. */
const TURN_SHARE = 0.04;
/** Of the interval: what reading changed processes gets in any case. */
const READ_SHARE_LEAST = 0.04;

/** CPU milliseconds for one moment's reading. */
export interface ReadBudget {
  readonly budgetMs: number;
  readonly turnMs: number;
}

/** The budget of the next moment. `otherMs`: CPU time that the last one took for everything but reading. */
export function budgetFor(intervalMs: number, otherMs: number): ReadBudget {
  const budgetMs = Math.max(intervalMs * CPU_SHARE - otherMs, intervalMs * READ_SHARE_LEAST);
  return { budgetMs, turnMs: Math.min(budgetMs, intervalMs * TURN_SHARE) };
}

/** Milliseconds from a moment's begin to that of the next, when it took `cpuMs` of CPU time. */
export function paceOf(intervalMs: number, cpuMs: number): number {
  return Math.max(intervalMs, cpuMs / CPU_SHARE);
}

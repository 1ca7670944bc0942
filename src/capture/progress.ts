/**
 * Progress of the reading: items done of all items, from the counter that the threads share.
 */
import { type ReadPlan, doneItems, publishedItems } from "./read-plan.ts";

/** How far the reading is. */
export interface CaptureProgress {
  readonly doneItems: number;
  readonly totalItems: number;
  readonly elapsedMs: number;
}

/** Reports progress ten times a second until the returned function is called. */
export function watchProgress(plan: ReadPlan, report: ((progress: CaptureProgress) => void) | undefined): () => void {
  if (report === undefined) return () => undefined;
  const started = performance.now();
  const timer = setInterval(() => {
    report({
      doneItems: doneItems(plan),
      totalItems: publishedItems(plan),
      elapsedMs: performance.now() - started,
    });
  }, 100);
  return () => clearInterval(timer);
}

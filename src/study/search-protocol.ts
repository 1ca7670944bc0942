/**
 * What the main thread and the thread that searches say to each other. Plain data: it goes through structured clone.
 */
import type { CheckConfiguration, CheckOptions, CheckProgress, CheckResult, RandomProgress } from "../checker/index.ts";

/** Random schedules instead of all states. */
export interface Schedules {
  readonly seed: number;
  readonly count: number;
  /** Changes of priority in each. */
  readonly changes: number;
}

/** One search. */
export interface SearchRequest {
  readonly configuration: CheckConfiguration;
  readonly options: CheckOptions;
  readonly schedules?: Schedules;
  /** Also the order of locks, in so many states at most. */
  readonly lockOrderStates?: number;
  /** Word 0 is set to 1 to end the search. */
  readonly stop: Int32Array<SharedArrayBuffer>;
}

export type SearchProgress =
  | { readonly type: "states"; readonly progress: CheckProgress }
  | { readonly type: "schedules"; readonly progress: RandomProgress };

export type SearchReply =
  | SearchProgress
  | { readonly type: "result"; readonly result: CheckResult; readonly elapsedMs: number }
  /** A StepsError's sentence: the system cannot be run. */
  | { readonly type: "refused"; readonly message: string };

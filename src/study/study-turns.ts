/**
 * Drives a study turn by turn: shows how far it is, lets others run in between, and stops when told to.
 */
import type { StudyProgress } from "./compare-history.ts";

export interface TurnOptions {
  /** Called after every step of the history and every candidate of a search. */
  readonly onProgress?: (progress: StudyProgress) => void;
  /** The study ends with the signal's reason soon after it is aborted. */
  readonly signal?: AbortSignal;
}

/** After so many turns others get to run. */
const TURNS_AT_ONCE = 16;

/** Runs a study to its end. Rejects with what it throws, or with the signal's reason. */
export async function runInTurns<Result>(
  study: Generator<StudyProgress, Result>,
  { onProgress, signal }: TurnOptions = {},
): Promise<Result> {
  for (let turn = 1; ; turn++) {
    signal?.throwIfAborted();
    const { done, value } = study.next();
    if (done === true) return value;
    onProgress?.(value);
    if (turn % TURNS_AT_ONCE === 0) await new Promise((resolve) => setTimeout(resolve));
  }
}

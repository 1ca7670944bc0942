/**
 * A history on the entry machine: steps that somebody else makes, one by one, told as they come.
 */
import type { HistoryStep, StudiedHistory, StudiedMachine } from "./studied-history.ts";

/** The steps of an iterable as a history; each is made when it is asked for. Lines count from 1. */
export function historyOfSteps(
  machine: StudiedMachine,
  steps: Iterable<{ readonly operation: string; readonly text: string }>,
): StudiedHistory {
  const iterator = steps[Symbol.iterator]();
  let line = 0;
  return {
    machine,
    next(): HistoryStep | undefined {
      const result = iterator.next();
      if (result.done === true) return undefined;
      return { operation: result.value.operation, text: result.value.text, line: ++line };
    },
  };
}

/**
 * What the main thread and a thread with one part of a search say to each other (checker/search-in-parts.ts).
 *
 * The main thread asks one thing at a time of each; buffers are handed over, not copied.
 */
import type {
  CheckConfiguration,
  CheckOptions,
  Handover,
  RoundReport,
  RoundRequest,
  StateOnWay,
} from "../checker/index.ts";

/** Which part of how many of which search. */
export interface PartData {
  readonly configuration: CheckConfiguration;
  readonly options: CheckOptions;
  readonly part: number;
  readonly parts: number;
}

export type PartRequest =
  | { readonly type: "round"; readonly request: RoundRequest }
  | { readonly type: "state"; readonly number: number };

export type PartReply =
  | { readonly type: "round"; readonly report: RoundReport }
  | { readonly type: "state"; readonly state: StateOnWay }
  /** A StepsError's sentence: the search cannot go on. */
  | { readonly type: "refused"; readonly message: string };

/** Buffers to hand over, each once: two columns may share one. */
export function buffersOf(handovers: readonly Handover[]): ArrayBuffer[] {
  const buffers = handovers.flatMap(({ words, parents }) => [words.buffer, parents.buffer]);
  return [...new Set(buffers)].filter((buffer): buffer is ArrayBuffer => buffer instanceof ArrayBuffer);
}

/**
 * What the measuring thread and the contending ones say to each other, and how they share lines.
 */

/** Which words the threads add to. */
export type ContentionMode =
  /** All the same word. */
  | "one-word"
  /** A word each, all on one line of 64 bytes: what is called false sharing. */
  | "one-line"
  /** A word each on lines far apart: nobody is in anybody's way. */
  | "own-lines";

/** At most so many threads fit on one line with a word each. */
export const CONTENDERS_MAX = 16;

/** Words between two threads' own words: four lines, beyond what prefetchers fetch in pairs. */
const OWN_WORDS_APART = 64;

/** Words of the shared memory: the barrier's line, and behind it the threads' words. */
const TARGETS_AT = OWN_WORDS_APART;
export const SHARED_WORDS = TARGETS_AT + CONTENDERS_MAX * OWN_WORDS_APART;

/** The word of the barrier: threads that have come to it, in all rounds together. */
export const ARRIVED_WORD = 0;

export interface ContentionRequest {
  readonly mode: ContentionMode;
  /** From 1: every round lets the same threads pass the barrier once. */
  readonly round: number;
  readonly threads: number;
  readonly operations: number;
}

/** Milliseconds on the clock that all threads share. */
export interface ContentionReply {
  readonly beganMs: number;
  readonly endedMs: number;
}

/** What a thread is started with. */
export interface ContenderData {
  readonly words: Int32Array;
  /** From 0. */
  readonly index: number;
}

/** The word that a thread adds to. */
export function targetOf(mode: ContentionMode, index: number): number {
  switch (mode) {
    case "one-word":
      return TARGETS_AT;
    case "one-line":
      return TARGETS_AT + index;
    case "own-lines":
      return TARGETS_AT + index * OWN_WORDS_APART;
  }
}

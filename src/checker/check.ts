/**
 * What a check is asked and what it answers: the data between the explorers, the command line and the reports.
 *
 * Everything here is plain data (it goes through structured clone to workers and as JSON to files).
 */
import type { Position } from "./syntax.ts";

/** Texts that together are one system, in order: what a later one uses an earlier one has declared, or the other way. */
export interface StepText {
  readonly name: string;
  readonly text: string;
}

/** A system to check: texts fitted by constants. */
export interface CheckConfiguration {
  readonly name: string;
  readonly texts: readonly StepText[];
  /** Values of `const`s that differ from the texts'. Unknown names are refused. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Locks (by array name) that are never taken: what would happen without them. */
  readonly withoutLocks?: readonly string[];
}

/** Sequential consistency, or store buffers (x86's total store order). */
export type MemoryOrder = "sc" | "tso";

export interface CheckOptions {
  readonly memory?: MemoryOrder;
  /** Entries of a store buffer, 1 to 8; default 2. A thread whose buffer is full waits until an entry has reached memory. */
  readonly bufferEntries?: number;
  readonly search?: "breadth-first" | "depth-first";
  readonly partialOrderReduction?: boolean;
  readonly symmetry?: boolean;
  /** Names of the properties to check; all if absent. Built-in: deadlock, below-zero, livelock. Unknown names are refused. */
  readonly properties?: readonly string[];
  /** The search ends with "explored so far" when it would keep more bytes than this. */
  readonly memoryLimitBytes?: number;
  readonly stateLimit?: number;
  /** Go on behind a broken property until all states are explored and every property has its verdict. */
  readonly allProperties?: boolean;
  /** Also look for cycles without progress under a fair schedule (property "livelock"). */
  readonly liveness?: boolean;
}

export interface CheckFigures {
  readonly states: number;
  readonly transitions: number;
  /** Transitions on the longest of the shortest paths (breadth first), or the deepest path followed (depth first). */
  readonly depth: number;
  /** Bytes kept for the states: states, table and parents. */
  readonly bytes: number;
  /** 32-bit words that a state takes. */
  readonly stateWords: number;
}

/** One access of a counterexample, with the shared words that it changes. */
export interface StoryStep {
  readonly thread: number;
  /** The line as the text has it, and where; a store reaching memory under TSO says so. */
  readonly source: string;
  readonly position: Position;
  /** The operation it belongs to ("" outside). */
  readonly operation: string;
  /** With this step the operation ends. */
  readonly endsOperation?: true;
  /** What was read or done, for a reader: "total is 2", "got large", "waits for ptl[0][1], which mapper[1] holds". */
  readonly what: string;
  /** Words and locks in memory, and ghosts, which no CPU sees. */
  readonly changes: readonly StoryChange[];
}

export interface StoryChange {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  readonly isGhost?: true;
}

/** The shortest (breadth first) way to a broken property. */
export interface Story {
  readonly property: string;
  /** One sentence: what is wrong at its end. */
  readonly ending: string;
  readonly threads: readonly string[];
  readonly steps: readonly StoryStep[];
  /** Livelock: the steps from this one on repeat. */
  readonly repeatsFrom?: number;
  /** Values at the beginning and at the end that the story touches. */
  readonly before: Readonly<Record<string, number>>;
  readonly after: Readonly<Record<string, number>>;
}

export type PropertyOutcome = {
  readonly name: string;
  readonly when: "assert" | "always" | "never" | "quiet" | "sometimes" | "built-in";
} &
  /** holds: in all states explored, and these were all there are. unseen: a `sometimes` that no state has. */
  (
    | { readonly outcome: "holds" | "holds-so-far" | "unseen" | "seen" | "not-seen-so-far" | "not-checked" }
    | { readonly outcome: "broken"; readonly story: Story }
  );

export interface LockOrderEdge {
  /** Held while the other is asked for; names of variables. */
  readonly held: string;
  readonly asked: string;
  /** A thread and line that did so. */
  readonly thread: string;
  readonly source: string;
}

/** The order of locks, as far as it was looked for. */
export interface LockOrderFound {
  /** In the order in which they were seen first. */
  readonly edges: readonly LockOrderEdge[];
  /** Elementary cycles, shortest first. */
  readonly cycles: readonly (readonly string[])[];
  /** There are more cycles than are named. */
  readonly hasMoreCycles: boolean;
  /** States that were looked at. */
  readonly states: number;
  /** These are all states. */
  readonly isComplete: boolean;
}

export interface CheckResult {
  readonly configuration: string;
  readonly options: CheckOptions;
  /** "complete": every state was explored. A broken property ends the search unless all are asked for. */
  readonly coverage: "complete" | "stopped-at-broken" | "state-limit" | "memory-limit" | "interrupted" | "schedules";
  /** coverage "schedules": random ones; states are then the different ones seen, transitions all steps. */
  readonly schedules?: { readonly seed: number; readonly count: number; readonly cutShort: number };
  readonly figures: CheckFigures;
  readonly properties: readonly PropertyOutcome[];
  readonly lockOrder?: LockOrderFound;
}

/**
 * A history under study: steps that happen to some machine while schemes count, whatever kind of machine it is.
 *
 * Two machines can be studied: the model (scenarios and workloads) and the entry machine (captures with what-if steps,
 * folios larger than the model's). A study runs the steps one by one and looks at the machine between them; it needs no
 * more than this interface. Invariant: between two steps the page-table view, the references and all counters agree about
 * which entries exist.
 */
import type { Answers, DecisionListener } from "../decisions/index.ts";
import type { WorkName } from "../kernel/index.ts";
import type { FrameKind } from "../memory/index.ts";
import type { Counter, Meter, PageTableView, ReferenceView, Scheme } from "../schemes/index.ts";

/** A scheme at work on a machine. */
export interface StudiedScheme {
  readonly scheme: Scheme;
  readonly counter: Counter;
  readonly meter: Meter;
}

export interface StudiedMachine {
  readonly studied: readonly StudiedScheme[];
  /** The answers of the page tables and reference holders themselves. */
  readonly truth: Answers;
  readonly pageTables: PageTableView;
  readonly references: ReferenceView;
  /** By head. */
  orderOf(folio: number): number;
  kindOf(folio: number): FrameKind;
  /** Heads of all folios with an entry now, ascending. O(frames). */
  mappedFolios(): number[];
  /** Heads of folios to which entries came or went since the last call, and that are still mapped, in order of event. */
  takeTouched(): number[];
  /** Heads of folios to which entries came or went since the last call, and that are mapped no longer, each once. */
  takeUnmapped(): number[];
  /** Called at every decision that an operation makes; undefined: nobody listens, and nothing is compared. */
  listenToDecisions(listener: DecisionListener | undefined): void;
  /** Batches of mapping events (add, dup, remove, move) that the schemes counted since the machine began. */
  readonly events: number;
  /** Work done since the machine began, by name: what operations cost whatever is counted. */
  readonly work: Readonly<Record<WorkName, number>>;
}

/** One thing that happened. */
export interface HistoryStep {
  /** What kind of operation it was: "fork", "exit", "munmap", "write" ... Costs are added up by this name. */
  readonly operation: string;
  /** The command as a scenario writes it, or the what-if step. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

export interface StudiedHistory {
  readonly machine: StudiedMachine;
  /** Runs the next step and says what it was; undefined when there is none. Throws where the machine cannot follow. */
  next(): HistoryStep | undefined;
}

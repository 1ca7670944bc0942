/**
 * What a scheme declares: what it keeps, what it can answer and how surely, and what it follows when figures are printed.
 *
 * A scheme answers in two situations: after a history of mapping events (`createCounter`, counter.ts: the model, the
 * tests) and about folios found at rest without their history (`answerAtRest`: a capture). At rest an answer may depend
 * on the history; then it is `EITHER`, never a guess. Guarantees are checked against the truth by test/conformance.
 * Questions and guarantees are those of docs/schemes.md. Shared code reads the properties and never asks for an id.
 */
import type { FolioColumns } from "../kernel/index.ts";
import type { Counter, CounterContext } from "./counter.ts";

/** The named questions that the kernel asks of a count. */
export type Question =
  | "mapped"
  | "mappings"
  | "pageMapcount"
  | "others"
  | "otherVmas"
  | "partial"
  | "canReuse"
  | "stopWalk"
  | "extraReferences"
  | "pinned";

/** How sure an answer is, over all histories. */
export type Guarantee =
  /** Equal to the truth. */
  | "exact"
  /** Equal to the truth where it is given; elsewhere UNKNOWN: ask the rmap. */
  | "exact-or-unknown"
  /** As `exact-or-unknown`, but for a chance that the scheme states. `others` of a small folio is one-sided. */
  | "probable"
  /**
   * Wrong in the harmless direction only. `others`, `otherVmas` and `pinned`: NO is never wrong. `partial`, `canReuse`
   * and `stopWalk`: YES is never wrong. UNKNOWN may be said of anything.
   */
  | "one-sided"
  /** Wrong in either direction. `pageMapcount`: within 1 of the folio's true average, and at least 1 if it is mapped. */
  | "estimate"
  /** Not answered: ask the rmap. */
  | "unknown";

/** A yes/no answer. EITHER occurs at rest only: both have a history that leads there. */
export const NO = 0;
export const YES = 1;
export const EITHER = 2;
/** The scheme has no answer: the rmap must be asked. */
export const UNKNOWN = 3;
export type Answer = typeof NO | typeof YES | typeof EITHER | typeof UNKNOWN;

/** The number that stands for "no answer, ask the rmap" where an answer is a count. */
export const UNKNOWN_COUNT = -1;

/** How the kernel prints its figures under a scheme (kernel-facts 2.6, 3.2, 3.7, 3.9): rules of use, not of counting. */
export interface FigureRules {
  /** smaps' Private and pagemap's exclusive bit ask this of a large folio's page. */
  readonly privateBy: "page-mapcount" | "folio-sharing";
  /** AnonPages and Mapped count the pages mapped, or the whole folio as soon as any page is. */
  readonly statistics: "pages-mapped" | "whole-folio";
}

/** Columns of answers about folios at rest, one row a folio of the FolioColumns asked about. */
export interface AnswersAtRest {
  /**
   * `pageMapcount` for every page of the folio; -1: it is the true count of each page, which the scheme counts or the rmap
   * walk finds that must be made.
   */
  readonly pageMapcount: Int32Array;
  /** `others`, as folio_maybe_mapped_shared puts it: is the folio mapped by more than one address space? */
  readonly shared: Uint8Array;
  /** `partial`: does the scheme see that some page is mapped and another is not? UNKNOWN: it cannot tell. */
  readonly partial: Uint8Array;
}

/** A way of counting. */
export interface Scheme {
  /** Stable: appears on the command line, in files and reports. */
  readonly id: string;
  readonly title: string;
  /** Who proposed it, when, and in which kernels it runs. */
  readonly origin: string;
  /** The kernel configuration that counts this way, if one does. */
  readonly kernelConfig?: "page" | "nopage";
  /** A report on a capture compares these when no scheme is named. */
  readonly shownByDefault: boolean;
  readonly stateBits: { readonly perFolio: number; readonly perPage: number };
  /** A small folio has one mapcount, as in every kernel so far, or is counted as large ones are. */
  readonly smallFolios: "mapcount" | "as-large";
  /** What the scheme counts, and so what an rmap walk must count to be stopped by it (`stopWalk`). */
  readonly unit: "entries" | "vmas" | "tables";
  /** PMD and PUD entries that it can count: such that map the whole folio, or any part of a larger one too. */
  readonly leafEntries: "whole-folio" | "any-part";
  /** Counts by looking into page tables: its counter needs `pageTables` in the context. */
  readonly looksIntoPageTables: boolean;
  /** Beside a count it keeps the sum of the pages that entries map (`_total_mapped_pages`), which overflows before it. */
  readonly sumsMappedPages?: true;
  readonly guarantees: Readonly<Record<Question, Guarantee>>;
  readonly rules: FigureRules;
  /**
   * The scheme's words, its procedures and its property `quiet counts` in the step language (docs/step-language.md): what a
   * CPU does, one shared access a step, for the interleaving checker. Which procedures there are, and what they may use,
   * says src/checker/programs/folio.ts. It is tested equal to the counter over all small states (test/conformance).
   */
  readonly steps: string;
  /** An empty state for the folios of a machine. */
  createCounter(context: CounterContext): Counter;
  /** Answers about large folios at rest. O(folios), no allocation per folio. */
  answerAtRest(folios: FolioColumns, answers: AnswersAtRest): void;
}

/** Columns for the answers about `count` folios. */
export function createAnswersAtRest(count: number): AnswersAtRest {
  return {
    pageMapcount: new Int32Array(count),
    shared: new Uint8Array(count),
    partial: new Uint8Array(count),
  };
}

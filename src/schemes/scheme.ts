/**
 * The one interface of all counting schemes.
 *
 * A scheme says three things: what it keeps (`state`), what it can answer and how surely (`guarantees`, checked against
 * the truth by test/conformance), and how it answers. It answers in two situations: after a history of mapping events
 * (`createCounter`: the model, the tests) and about folios found at rest without their history (`answerAtRest`: a
 * capture). At rest an answer may depend on the history; then it is `EITHER`, never a guess. Questions and guarantees
 * are those of docs/schemes.md. Shared code reads the properties and never asks for a scheme's id.
 */
import type { FolioColumns } from "../kernel/index.ts";
import type { MappingEvents } from "../kernel/index.ts";

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
  /**
   * Wrong in the harmless direction only. `others`: NO is never wrong, YES may be. `partial`: YES is never wrong.
   * `canReuse`: YES is never wrong. `pinned`: NO is never wrong; a small folio with 1,024 references looks pinned.
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

/** How the kernel prints its figures under a scheme (kernel-facts 2.6, 3.2, 3.7, 3.9): rules of use, not of counting. */
export interface FigureRules {
  /** smaps' Private and pagemap's exclusive bit ask this of a large folio's page. */
  readonly privateBy: "page-mapcount" | "folio-sharing";
  /** AnonPages and Mapped count the pages mapped, or the whole folio as soon as any page is. */
  readonly statistics: "pages-mapped" | "whole-folio";
}

/** Columns of answers about folios at rest, one row a folio of the FolioColumns asked about. */
export interface AnswersAtRest {
  /** `pageMapcount` for every page of the folio; -1: it differs page by page and equals the true count of the page. */
  readonly pageMapcount: Int32Array;
  /** `others`, as folio_maybe_mapped_shared puts it: is the folio mapped by more than one address space? */
  readonly shared: Uint8Array;
  /** `partial`: does the scheme see that some page is mapped and another is not? UNKNOWN: it cannot tell. */
  readonly partial: Uint8Array;
}

/** The scheme's state over a history of events. Folios are numbered from 0; order is given at creation. */
export interface Counter extends MappingEvents {
  mapped(folio: number): boolean;
  /** Entries mapping any part of the folio. */
  mappings(folio: number): number;
  pageMapcount(folio: number, pageIndex: number): number;
  /** Is the folio mapped by another address space than `mm`, which maps it? */
  others(folio: number, mm: number): Answer;
  partial(folio: number): Answer;
  /** Pages this folio adds to AnonPages or Mapped. */
  statisticsPages(folio: number): number;
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
  readonly stateBits: { readonly perFolio: number; readonly perPage: number };
  readonly guarantees: Readonly<Record<Question, Guarantee>>;
  readonly rules: FigureRules;
  /** An empty state for folios of these orders (order 0: a small folio). */
  createCounter(orders: ArrayLike<number>): Counter;
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

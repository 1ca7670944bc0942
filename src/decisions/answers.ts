/**
 * How rules put answers together: a count compared with a number, an answer turned round, UNKNOWN passed on.
 *
 * A rule is the kernel's condition with the count left open. Where the kernel compares a mapcount with a number of entries
 * and the scheme counts something else, the same is asked as "does any other address space map it?".
 */
import {
  type Answer,
  type Counter,
  NO,
  type ReferenceView,
  type Scheme,
  UNKNOWN,
  UNKNOWN_COUNT,
  YES,
} from "../schemes/index.ts";
import type { Answers, Situation } from "./rule.ts";

/** YES for NO and NO for YES. */
export function not(answer: Answer): Answer {
  if (answer === YES) return NO;
  return answer === NO ? YES : answer;
}

/** Is the count none? UNKNOWN if it is not known. */
export function isZero(count: number): Answer {
  if (count === UNKNOWN_COUNT) return UNKNOWN;
  return count === 0 ? YES : NO;
}

export function yesIf(condition: boolean): Answer {
  return condition ? YES : NO;
}

/** folio_mapcount == `entries`, all of which are the asker's: does nobody else map the folio? */
export function hasOnly(answers: Answers, { head, mm }: Situation, entries: number): Answer {
  if (answers.unit !== "entries") return not(answers.others(head, mm));
  const mappings = answers.mappings(head);
  if (mappings === UNKNOWN_COUNT) return UNKNOWN;
  return mappings === entries ? YES : NO;
}

/** folio_ref_count under a scheme: references of its mappings, of caches and of everybody else. */
export function referencesUnder(answers: Answers, { head, extraReferences, cacheReferences }: Situation): number {
  return answers.mappingReferences(head) + extraReferences + cacheReferences;
}

/** Bytes of the folio. */
export function folioBytes({ order }: Situation): number {
  return 4096 * 2 ** order;
}

/** Bytes of one page. */
export function pageBytes(): number {
  return 4096;
}

/** A scheme's counter, asked. */
export class SchemeAnswers implements Answers {
  readonly unit: Scheme["unit"];
  private readonly counter: Counter;

  constructor(scheme: Scheme, counter: Counter) {
    this.unit = scheme.unit;
    this.counter = counter;
  }

  mapped(folio: number): Answer {
    return this.counter.mapped(folio);
  }

  mappings(folio: number): number {
    return this.counter.mappings(folio);
  }

  pageMapcount(folio: number, pageIndex: number): number {
    return this.counter.pageMapcount(folio, pageIndex);
  }

  others(folio: number, mm: number): Answer {
    return this.counter.others(folio, mm);
  }

  otherVmas(folio: number, vma: number): Answer {
    return this.counter.otherVmas(folio, vma);
  }

  isMaybeMappedShared(folio: number): boolean {
    return this.counter.isMaybeMappedShared(folio);
  }

  partial(folio: number): Answer {
    return this.counter.partial(folio);
  }

  canReuse(folio: number, mm: number): Answer {
    return this.counter.canReuse(folio, mm);
  }

  stopWalk(folio: number, found: number): Answer {
    return this.counter.stopWalk(folio, found);
  }

  extraReferences(folio: number): number {
    return this.counter.extraReferences(folio);
  }

  pinned(folio: number): Answer {
    return this.counter.pinned(folio);
  }

  mappingReferences(folio: number): number {
    return this.counter.mappingReferences(folio);
  }
}

/** What decisions look at besides counts. */
export interface DecidedFolios {
  /** By head. */
  orderOf(folio: number): number;
  kindOf(folio: number): Situation["kind"];
  readonly references: ReferenceView;
}

export function emptySituation(): Situation {
  return { head: 0, order: 0, kind: 0, mm: -1, vma: -1, entries: 0, extraReferences: 0, cacheReferences: 0 };
}

/** Fills `situation` in with what is so of the folio now; who asks is filled in by the caller. */
export function lookAt(folios: DecidedFolios, head: number, situation: Situation): void {
  situation.head = head;
  situation.order = folios.orderOf(head);
  situation.kind = folios.kindOf(head);
  situation.cacheReferences = folios.references.cacheReferences(head);
  situation.extraReferences = folios.references.references(head) - situation.cacheReferences;
}

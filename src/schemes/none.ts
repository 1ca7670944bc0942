/**
 * `none`: no mapcount at all (Linus Torvalds, December 2021): "We should get rid of mapcount entirely."
 *
 * A mapping holds a reference like everybody else, and the reference count is all there is. "Mapped exactly once" says
 * nothing of references that are not mappings, and mapped references are not special; where a page is mapped can be
 * looked up with the rmap. So every question about mappings is UNKNOWN: ask the rmap, which is charged for it.
 *
 * What is left: a COW fault may reuse the page when the reference count is one (the rule of 5.9: sufficient, not
 * necessary). A walk that has found as many mappings as there are references has found all. And what holds a folio besides
 * its mappings is the reference count less what a walk finds (`askRmapForExtraReferences`).
 */
import { type Level, entriesOfBatch } from "../kernel/index.ts";
import { LOADS } from "./meter.ts";
import type { Counter, CounterContext } from "./counter.ts";
import { canReuseLastReference, pinnedOf } from "./reference-answers.ts";
import { type Answer, NO, type Scheme, UNKNOWN, UNKNOWN_COUNT, YES } from "./scheme.ts";
import { answerUnknownAtRest } from "./unknown-at-rest.ts";
import { LAST_REFERENCE_STEPS, OWN_TABLE_LOCK_STEPS, SPLIT_PMD_STEPS } from "./kernel-steps.ts";

class NoneCounter implements Counter {
  private readonly context: CounterContext;
  /** The mappings' part of the reference count, which the kernel could not tell from the rest of it. */
  private readonly references: Int32Array;

  constructor(context: CounterContext) {
    this.context = context;
    this.references = new Int32Array(context.frameCount);
  }

  add(folio: number, _first: number, pageCount: number, level: Level, _table: number, _vma: number, _mm: number): void {
    this.references[folio] += entriesOfBatch(pageCount, level);
    this.charge();
  }

  remove(
    folio: number,
    _first: number,
    pageCount: number,
    level: Level,
    _table: number,
    _vma: number,
    _mm: number,
  ): void {
    this.references[folio] -= entriesOfBatch(pageCount, level);
    this.charge();
  }

  private charge(): void {
    this.context.meter?.chargeReferences();
    this.context.meter?.chargeLines(0, 1, 1);
  }

  mapped(): Answer {
    return UNKNOWN;
  }

  mappings(): number {
    return UNKNOWN_COUNT;
  }

  pageMapcount(): number {
    return UNKNOWN_COUNT;
  }

  others(): Answer {
    return UNKNOWN;
  }

  otherVmas(): Answer {
    return UNKNOWN;
  }

  isMaybeMappedShared(): boolean {
    return true;
  }

  partial(): Answer {
    return UNKNOWN;
  }

  canReuse(folio: number, _mm: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return canReuseLastReference(this.context.references, folio, this.references[folio]);
  }

  /** As many mappings as references: there can be no other. Fewer: there may be, or the rest is held otherwise. */
  stopWalk(folio: number, found: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    const { references } = this.context;
    if (references === undefined) return UNKNOWN;
    return found >= this.references[folio] + references.references(folio) ? YES : NO;
  }

  extraReferences(): number {
    return UNKNOWN_COUNT;
  }

  pinned(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    const { references, orders } = this.context;
    return pinnedOf(references, folio, { order: orders[folio], mappingReferences: this.references[folio] });
  }

  mappingReferences(folio: number): number {
    return this.references[folio];
  }

  statisticsPages(): number {
    return UNKNOWN_COUNT;
  }
}

/** No word of its own: nothing is counted, and nothing can be counted wrong. */
const STEPS = `
procedure add(first, n, level, m, v) { return 1 }
procedure remove(first, n, level, m, v) { return 1 }
${SPLIT_PMD_STEPS}
${OWN_TABLE_LOCK_STEPS}
procedure mapped() { return UNKNOWN }
procedure mappings() { return NO_COUNT }
procedure pageMapcount(p) { return NO_COUNT }
procedure others(m, v) { return UNKNOWN }
procedure partial() { return UNKNOWN }
${LAST_REFERENCE_STEPS}
# There is no count to be wrong.
quiet counts: true
`;

export const none: Scheme = {
  id: "none",
  title: "no mapcount: the reference count and the rmap",
  origin: "Linus Torvalds, December 2021",
  shownByDefault: false,
  stateBits: { perFolio: 0, perPage: 0 },
  smallFolios: "as-large",
  unit: "entries",
  leafEntries: "any-part",
  looksIntoPageTables: false,
  guarantees: {
    mapped: "unknown",
    mappings: "unknown",
    pageMapcount: "unknown",
    others: "unknown",
    otherVmas: "unknown",
    partial: "unknown",
    canReuse: "one-sided",
    stopWalk: "one-sided",
    extraReferences: "unknown",
    pinned: "one-sided",
  },
  rules: { privateBy: "folio-sharing", statistics: "whole-folio" },
  steps: STEPS,
  createCounter: (context) => new NoneCounter(context),
  answerAtRest: answerUnknownAtRest,
};

/**
 * `vma`: a count of VMAs with at least one entry (Matthew Wilcox, February 2023: "I have changed my mind").
 *
 * "I now think the mapcount has to be defined as: how many VMAs have one-or-more pages of this folio mapped." A batch of
 * all pages is a new VMA; any other batch first asks whether this VMA maps the folio already (folio_has_ptes, a walk of
 * the VMA's page tables for the folio). Each VMA holds one reference. "Does any other VMA map it?" is exact then: count > 1.
 *
 * The walk is the scheme's problem, and the mail says so: it would deadlock on the lock of the page table that is held
 * (exclude that table), and two threads that hold one table each and want the other's embrace each other (try and retry, or
 * an order of the locks). Here the look is one step and its locks are charged; the steps are the interleaving checker's.
 *
 * What it cannot say: a second VMA of the same address space looks like another process, so an mprotect in the middle of a
 * folio makes it shared. And it knows nothing of entries: no page's mapcount, no partial mapping.
 */
import type { FolioColumns, Level } from "../kernel/index.ts";
import type { Counter, CounterContext } from "./counter.ts";
import { ATOMICS, LOADS } from "./meter.ts";
import { canReuseLastReference, extraReferencesOf, pinnedOf } from "./reference-answers.ts";
import { type Answer, type AnswersAtRest, NO, type Scheme, UNKNOWN, UNKNOWN_COUNT, YES } from "./scheme.ts";
import { isMappedInVma, isOneEntryPerVma, pageTablesOf } from "./vma-look.ts";
import { LAST_REFERENCE_STEPS } from "./kernel-steps.ts";
import { VMA_LOOK_STEPS } from "./vma-look-steps.ts";

class VmaCounter implements Counter {
  private readonly context: CounterContext;
  private readonly vmas: Int32Array;

  constructor(context: CounterContext) {
    this.context = context;
    pageTablesOf(context, "vma");
    this.vmas = new Int32Array(context.frameCount);
  }

  add(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, _mm: number): void {
    if (!isMappedInVma(this.context, folio, vma, { first, pageCount, level, table })) this.change(folio, 1);
  }

  remove(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, _mm: number): void {
    if (!isMappedInVma(this.context, folio, vma, { first, pageCount, level, table })) this.change(folio, -1);
  }

  move(
    folio: number,
    first: number,
    pageCount: number,
    level: Level,
    fromTable: number,
    fromVma: number,
    toTable: number,
    toVma: number,
    _mm: number,
  ): void {
    if (fromVma === toVma) return;
    if (!isMappedInVma(this.context, folio, fromVma, { first, pageCount, level, table: fromTable }))
      this.change(folio, -1);
    if (!isMappedInVma(this.context, folio, toVma, { first, pageCount, level, table: toTable })) this.change(folio, 1);
  }

  private change(folio: number, vmas: number): void {
    this.vmas[folio] += vmas;
    this.context.meter?.charge(ATOMICS, 1);
    this.context.meter?.chargeReferences();
    this.context.meter?.chargeLines(0, 1, 1);
  }

  mapped(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.vmas[folio] > 0 ? YES : NO;
  }

  mappings(folio: number): number {
    this.context.meter?.charge(LOADS, 1);
    return this.vmas[folio];
  }

  pageMapcount(folio: number, _pageIndex: number): number {
    this.context.meter?.charge(LOADS, 1);
    return this.vmas[folio] === 0 || isOneEntryPerVma(this.context, folio) ? this.vmas[folio] : UNKNOWN_COUNT;
  }

  others(folio: number, _mm: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.vmas[folio] > 1 ? YES : NO;
  }

  otherVmas(folio: number, _vma: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.vmas[folio] > 1 ? YES : NO;
  }

  isMaybeMappedShared(folio: number): boolean {
    this.context.meter?.charge(LOADS, 1);
    return this.vmas[folio] > 1;
  }

  partial(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.vmas[folio] === 0 || this.context.orders[folio] === 0 ? NO : UNKNOWN;
  }

  canReuse(folio: number, _mm: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return canReuseLastReference(this.context.references, folio, this.vmas[folio]);
  }

  stopWalk(folio: number, found: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return found >= this.vmas[folio] ? YES : NO;
  }

  extraReferences(folio: number): number {
    this.context.meter?.charge(LOADS, 2);
    return extraReferencesOf(this.context.references, folio);
  }

  pinned(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    const { references, orders } = this.context;
    return pinnedOf(references, folio, { order: orders[folio], mappingReferences: this.vmas[folio] });
  }

  mappingReferences(folio: number): number {
    return this.vmas[folio];
  }

  statisticsPages(folio: number): number {
    return this.vmas[folio] > 0 ? 2 ** this.context.orders[folio] : 0;
  }
}

/** One atomic, behind a look whose locks are the scheme's problem (vma-look-steps.ts); REMEDY 0 is the mail's plain walk. */
const STEPS = `
const REMEDY = 0
const UNIT_REFERENCES = 0       # 1: each VMA holds one reference, and entries hold none
word vmas: 0..2 * MMS * VMAS
${VMA_LOOK_STEPS}
procedure change_vmas(change) {
  add vmas, change
  if UNIT_REFERENCES { add refcount, change }
}

# A batch of all pages is a new VMA. Any other asks first.
procedure add(first, n, level, m, v) {
  let has: 0..2 = 0
  if n < PAGES { has = folio_has_ptes(m, v, tableOf(first)) }
  if has == GIVE_UP { return 0 }
  if !has { change_vmas(1) }
  return 1
}

procedure remove(first, n, level, m, v) {
  let has: 0..2 = 0
  if n < PAGES { has = folio_has_ptes(m, v, tableOf(first)) }
  if has == GIVE_UP { return 0 }
  if !has { change_vmas(-1) }
  return 1
}

# The same VMA before and after.
procedure split_pmd(m, v) { }

procedure mapped() {
  let count = load vmas
  return count > 0 ? YES : NO
}

procedure mappings() {
  let count = load vmas
  return count
}

procedure pageMapcount(p) {
  let count = load vmas
  return count == 0 || PAGES == 1 ? count : NO_COUNT
}

# A second VMA of the same address space looks like another.
procedure others(m, v) {
  let count = load vmas
  return count > 1 ? YES : NO
}

procedure partial() {
  let count = load vmas
  return count == 0 || PAGES == 1 ? NO : UNKNOWN
}
${LAST_REFERENCE_STEPS}
quiet counts: vmas == areas()
`;

export const vma: Scheme = {
  id: "vma",
  title: "a count of VMAs",
  origin: "Matthew Wilcox, February 2023",
  shownByDefault: false,
  stateBits: { perFolio: 32, perPage: 0 },
  smallFolios: "as-large",
  unit: "vmas",
  leafEntries: "any-part",
  looksIntoPageTables: true,
  guarantees: {
    mapped: "exact",
    mappings: "exact",
    pageMapcount: "exact-or-unknown",
    others: "one-sided",
    otherVmas: "exact",
    partial: "exact-or-unknown",
    canReuse: "one-sided",
    stopWalk: "exact",
    extraReferences: "exact",
    pinned: "one-sided",
  },
  rules: { privateBy: "folio-sharing", statistics: "whole-folio" },
  steps: STEPS,
  createCounter: (context) => new VmaCounter(context),
  /** Two address spaces are two VMAs, one entry is one VMA; otherwise the columns do not say. */
  answerAtRest(folios: FolioColumns, answers: AnswersAtRest): void {
    for (let row = 0; row < folios.count; row++) {
      const outside = folios.mappedOutside[row];
      const mms = folios.mmCount[row] + (outside > 0 ? 1 : 0);
      answers.pageMapcount[row] = -1;
      if (folios.entries[row] + outside <= 1) answers.shared[row] = NO;
      else answers.shared[row] = mms > 1 ? YES : UNKNOWN;
      answers.partial[row] = UNKNOWN;
    }
  },
};

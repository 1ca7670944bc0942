/**
 * `subpages`: `_nr_pages_mapped` with COMPOUND_MAPPED, later ENTIRELY_MAPPED (Hugh Dickins, Linux 6.2 to 6.9).
 *
 * As `doublemap` without its raise: every page counts its PTEs, `_entire_mapcount` the PMD mappings, and one word in the
 * first tail page counts the pages that have a PTE, plus 0x800000 while a PMD maps the folio. The two cascaded atomics (a
 * page's count between 0 and 1 changes the word by one, the entire count by 0x800000) keep AnonPages and Mapped exact
 * without a lock: Linus called the missing bit spinlock a huge improvement (kernel-facts 1.3, 5.1).
 *
 * What it cannot say cheaply: how many entries map the folio is still a loop over its pages, unless no page has a PTE.
 * What it cannot say: whether two mappings of different pages belong to one address space.
 */
import { type Level, LEVEL_PMD, LEVEL_PUD } from "../kernel/index.ts";
import { LOADS } from "./meter.ts";
import type { Counter, CounterContext } from "./counter.ts";
import { PageMapcounts, answerAtRestFromPages, chargeAllPages, chargePageBatch } from "./page-mapcounts.ts";
import { canReuseLastReference, extraReferencesOf, pinnedOf } from "./reference-answers.ts";
import { type Answer, NO, type Scheme, UNKNOWN, YES } from "./scheme.ts";
import { LAST_REFERENCE_STEPS, OWN_TABLE_LOCK_STEPS, SPLIT_PMD_STEPS } from "./kernel-steps.ts";
import { PAGE_MAPCOUNTS_STEPS } from "./page-mapcounts-steps.ts";

class SubpagesCounter implements Counter {
  private readonly context: CounterContext;
  private readonly counts: PageMapcounts;
  private readonly references: Int32Array;

  constructor(context: CounterContext) {
    this.context = context;
    this.counts = new PageMapcounts(context.frameCount);
    this.references = new Int32Array(context.frameCount);
  }

  add(folio: number, first: number, pageCount: number, level: Level, _table: number, _vma: number, _mm: number): void {
    const isEntire = level === LEVEL_PMD || level === LEVEL_PUD;
    this.references[folio] += isEntire ? 1 : pageCount;
    const fresh = this.counts.add(folio, first, pageCount, level);
    const isTurned = isEntire ? this.counts.entireEntries[folio] === 1 : fresh > 0;
    this.charge({ folio, first, pageCount, level, isTurned });
  }

  remove(
    folio: number,
    first: number,
    pageCount: number,
    level: Level,
    _table: number,
    _vma: number,
    _mm: number,
  ): void {
    const isEntire = level === LEVEL_PMD || level === LEVEL_PUD;
    this.references[folio] -= isEntire ? 1 : pageCount;
    const gone = this.counts.remove(folio, first, pageCount, level);
    const isTurned = isEntire ? this.counts.entireEntries[folio] === 0 : gone > 0;
    this.charge({ folio, first, pageCount, level, isTurned });
  }

  /** `isTurned`: _nr_pages_mapped changed too. */
  private charge(batch: { folio: number; first: number; pageCount: number; level: Level; isTurned: boolean }): void {
    const { meter, orders } = this.context;
    if (meter === undefined) return;
    const order = orders[batch.folio];
    const isTurned = batch.isTurned && order > 0;
    chargePageBatch(meter, { ...batch, order, headPages: isTurned ? 2 : 1 }, isTurned ? 1 : 0);
  }

  mapped(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.statisticsPages(folio) > 0 ? YES : NO;
  }

  /** folio_mapcount: a loop over the pages, unless the word says that none has a PTE. */
  mappings(folio: number): number {
    const nrPages = 2 ** this.context.orders[folio];
    this.chargeMappings(folio);
    return this.counts.sumOfEntries(folio, nrPages);
  }

  private chargeMappings(folio: number): void {
    if (this.counts.pagesWithPte[folio] === 0) this.context.meter?.charge(LOADS, 2);
    else chargeAllPages(this.context.meter, 2 ** this.context.orders[folio]);
  }

  pageMapcount(folio: number, pageIndex: number): number {
    this.context.meter?.charge(LOADS, this.context.orders[folio] === 0 ? 1 : 2);
    return this.counts.pageMapcount(folio, pageIndex);
  }

  others(folio: number, _mm: number): Answer {
    if (this.mappings(folio) <= 1) return NO;
    return this.counts.maxMapcount(folio, 2 ** this.context.orders[folio]) > 1 ? YES : UNKNOWN;
  }

  otherVmas(folio: number, vma: number): Answer {
    return this.others(folio, vma);
  }

  isMaybeMappedShared(folio: number): boolean {
    return this.mappings(folio) > 1;
  }

  partial(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.counts.isPartial(folio, 2 ** this.context.orders[folio]) ? YES : NO;
  }

  canReuse(folio: number, _mm: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return canReuseLastReference(this.context.references, folio, this.references[folio]);
  }

  stopWalk(folio: number, found: number): Answer {
    return found >= this.mappings(folio) ? YES : NO;
  }

  /** folio_mapcount, to be taken from the reference count. */
  extraReferences(folio: number): number {
    this.context.meter?.charge(LOADS, 1);
    this.chargeMappings(folio);
    return extraReferencesOf(this.context.references, folio);
  }

  pinned(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    const { references, orders } = this.context;
    return pinnedOf(references, folio, { order: orders[folio], mappingReferences: this.references[folio] });
  }

  mappingReferences(folio: number): number {
    return this.references[folio];
  }

  statisticsPages(folio: number): number {
    return this.counts.pagesMapped(folio, 2 ** this.context.orders[folio]);
  }
}

/**
 * COMPOUND_MAPPED 0 is the form of November 2022 that came first (literature 1.3 a): `_nr_pages_mapped` is the number of
 * pages with a PTE and no more, what the statistics gain or lose is found by looking at the other counter, and nothing
 * holds the two together. The statistics drift; COMPOUND_MAPPED was the answer.
 */
const STEPS = `
${PAGE_MAPCOUNTS_STEPS}
const COMPOUND_MAPPED = 1

procedure add_pages_apart(first, n) {
  for q in first..first + n {
    let count = add _mapcount[q], 1
    if count == 1 {
      add _nr_pages_mapped, 1
      let entire = load _entire_mapcount
      if entire == 0 { ghost nr_mapped = nr_mapped + 1 }
    }
  }
}

procedure sub_pages_apart(first, n) {
  for q in first..first + n {
    let count = add _mapcount[q], -1
    if count == 0 {
      add _nr_pages_mapped, -1
      let entire = load _entire_mapcount
      if entire == 0 { ghost nr_mapped = nr_mapped - 1 }
    }
  }
}

# Pages that no PTE maps; they are looked at only if some page has one.
procedure pages_without_pte() {
  let without: 0..PAGES = PAGES
  let pages = load _nr_pages_mapped
  if pages > 0 {
    for q in 0..PAGES {
      let count = load _mapcount[q]
      if count > 0 { without = without - 1 }
    }
  }
  return without
}

procedure add_entire_apart() {
  let count = add _entire_mapcount, 1
  if count == 1 {
    let without = pages_without_pte()
    ghost nr_mapped = nr_mapped + without
  }
}

procedure sub_entire_apart() {
  let count = add _entire_mapcount, -1
  if count == 0 {
    let without = pages_without_pte()
    ghost nr_mapped = nr_mapped - without
  }
}

procedure add(first, n, level, m, v) {
  if COMPOUND_MAPPED {
    if level == PMD { add_entire() } else { add_pages(first, n) }
  } else {
    if level == PMD { add_entire_apart() } else { add_pages_apart(first, n) }
  }
  return 1
}

procedure remove(first, n, level, m, v) {
  if COMPOUND_MAPPED {
    if level == PMD { sub_entire() } else { sub_pages(first, n) }
  } else {
    if level == PMD { sub_entire_apart() } else { sub_pages_apart(first, n) }
  }
  return 1
}
${SPLIT_PMD_STEPS}
${OWN_TABLE_LOCK_STEPS}
procedure mapped() {
  if !COMPOUND_MAPPED {
    let entire = load _entire_mapcount
    if entire > 0 { return YES }
  }
  let pages = load _nr_pages_mapped
  return pages > 0 ? YES : NO
}

# folio_mapcount: a loop over the pages, unless none has a PTE.
procedure mappings() {
  let total: 0..2 * MAX_ENTRIES + PAGES = 0
  let entire = load _entire_mapcount
  total = entire
  let pages = load _nr_pages_mapped
  if pages % ENTIRELY_MAPPED > 0 {
    for q in 0..PAGES {
      let count = load _mapcount[q]
      total = total + count
    }
  }
  return total
}

procedure others(m, v) {
  let total: 0..2 * MAX_ENTRIES + PAGES = 0
  let most: 0..2 * MMS * VMAS = 0
  let entire = load _entire_mapcount
  total = entire
  for q in 0..PAGES {
    let count = load _mapcount[q]
    total = total + count
    most = max(most, count)
  }
  if total <= 1 { return NO }
  return most + entire > 1 ? YES : UNKNOWN
}

procedure partial() {
  if !COMPOUND_MAPPED {
    let entire = load _entire_mapcount
    if entire > 0 { return NO }
  }
  let pages = load _nr_pages_mapped
  return 0 < pages && pages < PAGES ? YES : NO
}
${LAST_REFERENCE_STEPS}
quiet counts: COMPOUND_MAPPED ? pagesFit() : all(q in page: _mapcount[q] == ptesOf(q))
  && _entire_mapcount == pmdEntries() && _nr_pages_mapped == pagesWithPte()
`;

export const subpages: Scheme = {
  id: "subpages",
  title: "a mapcount in every page, and one word that counts the pages mapped",
  origin: "Hugh Dickins, Linux 6.2 to 6.9",
  shownByDefault: false,
  stateBits: { perFolio: 32 + 32, perPage: 32 },
  smallFolios: "mapcount",
  unit: "entries",
  leafEntries: "whole-folio",
  looksIntoPageTables: false,
  guarantees: {
    mapped: "exact",
    mappings: "exact",
    pageMapcount: "exact",
    others: "one-sided",
    otherVmas: "one-sided",
    partial: "exact",
    canReuse: "one-sided",
    stopWalk: "exact",
    extraReferences: "exact",
    pinned: "one-sided",
  },
  rules: { privateBy: "page-mapcount", statistics: "pages-mapped" },
  steps: STEPS,
  createCounter: (context) => new SubpagesCounter(context),
  answerAtRest: answerAtRestFromPages,
};

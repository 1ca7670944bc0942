/**
 * `first-page`: folio_estimated_sharers (Linux 6.3), folio_likely_mapped_shared (Linux 6.9 to 6.14).
 *
 * The counts are those of `subpages` with one count of all entries beside them. The answer to "does anybody else map it?"
 * is read off the first page: it stands for the folio, because a folio is mapped whole more often than not. Before that
 * two shortcuts: one entry is not shared; a PMD entry among several, or more entries than pages, is. The estimate of 6.3
 * looked at the first page alone: more than one mapping.
 *
 * What it cannot say, and says all the same: a child that keeps only the second half shares it, and the first page says
 * "not shared"; one address space that maps the first page twice looks like two. Both directions are wrong (kernel-facts
 * 5.1). False "exclusive" moved other processes' memory without the right to.
 */
import { type FolioColumns, type Level, LEVEL_PTE, entriesOfBatch } from "../kernel/index.ts";
import type { Counter, CounterContext } from "./counter.ts";
import { LOADS } from "./meter.ts";
import { PageMapcounts, chargePageBatch } from "./page-mapcounts.ts";
import { canReuseLastReference, extraReferencesOf, pinnedOf } from "./reference-answers.ts";
import { type Answer, type AnswersAtRest, NO, type Scheme, UNKNOWN, YES } from "./scheme.ts";
import { LAST_REFERENCE_STEPS, OWN_TABLE_LOCK_STEPS, SPLIT_PMD_STEPS } from "./kernel-steps.ts";
import { PAGE_MAPCOUNTS_STEPS, PARTIAL_BY_PAGES_STEPS } from "./page-mapcounts-steps.ts";

class FirstPageCounter implements Counter {
  private readonly context: CounterContext;
  private readonly counts: PageMapcounts;
  /** _large_mapcount, since 6.10 (before, a loop over the pages). */
  private readonly entries: Int32Array;
  private readonly isHugetlb: Uint8Array;

  constructor(context: CounterContext) {
    this.context = context;
    this.counts = new PageMapcounts(context.frameCount);
    this.entries = new Int32Array(context.frameCount);
    this.isHugetlb = new Uint8Array(context.frameCount);
  }

  add(folio: number, first: number, pageCount: number, level: Level, _table: number, _vma: number, _mm: number): void {
    this.entries[folio] += entriesOfBatch(pageCount, level);
    const fresh = this.counts.add(folio, first, pageCount, level);
    const isTurned = fresh > 0 || (level !== LEVEL_PTE && this.counts.entireEntries[folio] === 1);
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
    this.entries[folio] -= entriesOfBatch(pageCount, level);
    const gone = this.counts.remove(folio, first, pageCount, level);
    const isTurned = gone > 0 || (level !== LEVEL_PTE && this.counts.entireEntries[folio] === 0);
    this.charge({ folio, first, pageCount, level, isTurned });
  }

  created(folio: number, _order: number, isHugetlb: boolean): void {
    this.isHugetlb[folio] = isHugetlb ? 1 : 0;
  }

  freed(folio: number): void {
    this.isHugetlb[folio] = 0;
  }

  /** The large mapcount is one more atomic, _nr_pages_mapped another when pages or the first or last PMD entry turn it. */
  private charge(batch: { folio: number; first: number; pageCount: number; level: Level; isTurned: boolean }): void {
    const { meter, orders } = this.context;
    if (meter === undefined) return;
    const order = orders[batch.folio];
    chargePageBatch(meter, { ...batch, order, headPages: 2 }, order === 0 ? 0 : batch.isTurned ? 2 : 1);
  }

  mapped(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.entries[folio] > 0 ? YES : NO;
  }

  mappings(folio: number): number {
    this.context.meter?.charge(LOADS, 1);
    return this.entries[folio];
  }

  pageMapcount(folio: number, pageIndex: number): number {
    this.context.meter?.charge(LOADS, this.context.orders[folio] === 0 ? 1 : 2);
    return this.counts.pageMapcount(folio, pageIndex);
  }

  others(folio: number, _mm: number): Answer {
    return this.isMaybeMappedShared(folio) ? YES : NO;
  }

  otherVmas(): Answer {
    return UNKNOWN;
  }

  /** folio_likely_mapped_shared. */
  isMaybeMappedShared(folio: number): boolean {
    const entries = this.entries[folio];
    const order = this.context.orders[folio];
    this.context.meter?.charge(LOADS, order === 0 ? 1 : 3);
    if (order === 0 || this.isHugetlb[folio] === 1) return entries > 1;
    if (entries <= 1) return false;
    if (this.counts.entireEntries[folio] > 0 || entries > 2 ** order) return true;
    return this.counts.ptesOfPage[folio] > 1;
  }

  /** folio_estimated_sharers of Linux 6.3 to 6.8: the first page's mapcount, which the callers compared with one. */
  estimatedSharers(folio: number): number {
    return this.counts.pageMapcount(folio, 0);
  }

  partial(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.counts.isPartial(folio, 2 ** this.context.orders[folio]) ? YES : NO;
  }

  canReuse(folio: number, _mm: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return canReuseLastReference(this.context.references, folio, this.entries[folio]);
  }

  stopWalk(folio: number, found: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return found >= this.entries[folio] ? YES : NO;
  }

  extraReferences(folio: number): number {
    this.context.meter?.charge(LOADS, 2);
    return extraReferencesOf(this.context.references, folio);
  }

  pinned(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    const { references, orders } = this.context;
    return pinnedOf(references, folio, { order: orders[folio], mappingReferences: this.entries[folio] });
  }

  mappingReferences(folio: number): number {
    return this.entries[folio];
  }

  statisticsPages(folio: number): number {
    return this.counts.pagesMapped(folio, 2 ** this.context.orders[folio]);
  }
}

/** Linux 6.10 to 6.14: one atomic more than `subpages`, behind the pages when adding, before them when removing. */
const STEPS = `
${PAGE_MAPCOUNTS_STEPS}
word _large_mapcount: 0..2 * MAX_ENTRIES

procedure add(first, n, level, m, v) {
  if level == PMD {
    add_entire()
    add _large_mapcount, 1
  } else {
    add_pages(first, n)
    add _large_mapcount, n
  }
  return 1
}

procedure remove(first, n, level, m, v) {
  if level == PMD {
    add _large_mapcount, -1
    sub_entire()
  } else {
    add _large_mapcount, -n
    sub_pages(first, n)
  }
  return 1
}
${SPLIT_PMD_STEPS}
${PARTIAL_BY_PAGES_STEPS}
${OWN_TABLE_LOCK_STEPS}
procedure mapped() {
  let total = load _large_mapcount
  return total > 0 ? YES : NO
}

procedure mappings() {
  let total = load _large_mapcount
  return total
}

# folio_likely_mapped_shared: three words, read one after the other.
procedure others(m, v) {
  let total = load _large_mapcount
  if total <= 1 { return NO }
  let entire = load _entire_mapcount
  if entire > 0 || total > PAGES { return YES }
  let first_page = load _mapcount[0]
  return first_page > 1 ? YES : NO
}
${LAST_REFERENCE_STEPS}
quiet counts: pagesFit() && _large_mapcount == entries()
`;

export const firstPage: Scheme = {
  id: "first-page",
  title: "the first page's mapcount stands for the folio",
  origin: "folio_estimated_sharers in Linux 6.3, folio_likely_mapped_shared in Linux 6.9 to 6.14",
  shownByDefault: false,
  stateBits: { perFolio: 32 + 32 + 32, perPage: 32 },
  smallFolios: "mapcount",
  unit: "entries",
  leafEntries: "whole-folio",
  looksIntoPageTables: false,
  guarantees: {
    mapped: "exact",
    mappings: "exact",
    pageMapcount: "exact",
    others: "estimate",
    otherVmas: "unknown",
    partial: "exact",
    canReuse: "one-sided",
    stopWalk: "exact",
    extraReferences: "exact",
    pinned: "one-sided",
  },
  rules: { privateBy: "page-mapcount", statistics: "pages-mapped" },
  steps: STEPS,
  createCounter: (context) => new FirstPageCounter(context),
  answerAtRest(folios: FolioColumns, answers: AnswersAtRest): void {
    for (let row = 0; row < folios.count; row++) {
      const mapped = folios.pagesMapped[row];
      const nrPages = 2 ** folios.order[row];
      const entries = folios.entries[row] + folios.mappedOutside[row];
      const isMappedTwice = folios.mappedPages[row] + folios.mappedOutside[row] > mapped;
      answers.pageMapcount[row] = -1;
      // The first page's own count is not in the columns; where no page is mapped twice, it is not either.
      if (entries <= 1) answers.shared[row] = NO;
      else if (folios.pmdEntries[row] > 0 || entries > nrPages) answers.shared[row] = YES;
      else answers.shared[row] = isMappedTwice ? UNKNOWN : NO;
      answers.partial[row] = mapped > 0 && mapped < nrPages ? YES : NO;
    }
  },
};

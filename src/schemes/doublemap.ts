/**
 * `doublemap`: compound_mapcount and PageDoubleMap (Kirill Shutemov, Linux 4.5 to 6.1), the "today" of the mail that
 * proposed to count like a Discworld troll.
 *
 * PTE mappings are counted in the page they map, PMD mappings once in `compound_mapcount`. "Is this page mapped by
 * anything?" then has two places, and its last mapping would be hard to notice. So when a PMD is split while another PMD
 * mapping remains, every page's count is raised by one and PageDoubleMap is set; the last PMD mapping takes the raise back.
 *
 *     pageMapcount(i) = _mapcount[i] + compound_mapcount - (PageDoubleMap ? 1 : 0)
 *
 * Exact for every page. The folio as a whole has no word of its own: how often it is mapped is read from 512 struct pages,
 * 32 KiB for 2 MiB. Each PTE also raises the head's reference count, so 2^22 PTE-mapped huge pages overflow it: the
 * overflow that the mail of January 2022 complains of. `others` follows from counts only where a page is mapped twice.
 */
import { HPAGE_PMD_ORDER, type Level, LEVEL_PMD, LEVEL_PTE, LEVEL_PUD } from "../kernel/index.ts";
import type { Counter, CounterContext } from "./counter.ts";
import { ATOMICS, LOADS } from "./meter.ts";
import { PageMapcounts, answerAtRestFromPages, chargeAllPages, chargePageBatch } from "./page-mapcounts.ts";
import { canReuseLastReference, extraReferencesOf, pinnedOf } from "./reference-answers.ts";
import { type Answer, NO, type Scheme, UNKNOWN, YES } from "./scheme.ts";
import { LAST_REFERENCE_STEPS, OWN_TABLE_LOCK_STEPS } from "./kernel-steps.ts";

const NO_SPLIT = 0;

class DoublemapCounter implements Counter {
  private readonly context: CounterContext;
  /** `ptesOfPage` is the raised count, `entireEntries` is compound_mapcount. */
  private readonly counts: PageMapcounts;
  private readonly isDoubleMap: Uint8Array;
  /** The VMA, plus one, that has just mapped by PTEs what it still maps by a PMD: a split is under way. */
  private readonly splitting: Int32Array;
  private readonly references: Int32Array;

  constructor(context: CounterContext) {
    this.context = context;
    this.counts = new PageMapcounts(context.frameCount);
    this.isDoubleMap = new Uint8Array(context.frameCount);
    this.splitting = new Int32Array(context.frameCount);
    this.references = new Int32Array(context.frameCount);
  }

  add(folio: number, first: number, pageCount: number, level: Level, _table: number, vma: number, _mm: number): void {
    const { counts } = this;
    const isPmd = level === LEVEL_PMD || level === LEVEL_PUD;
    const isWhole = pageCount === 2 ** this.context.orders[folio];
    this.splitting[folio] = !isPmd && isWhole && counts.entireEntries[folio] > 0 ? vma + 1 : NO_SPLIT;
    this.references[folio] += isPmd ? 1 : pageCount;
    counts.add(folio, first, pageCount, level);
    this.charge(folio, first, pageCount, level);
  }

  remove(
    folio: number,
    first: number,
    pageCount: number,
    level: Level,
    _table: number,
    vma: number,
    _mm: number,
  ): void {
    const { counts } = this;
    const isPmd = level === LEVEL_PMD || level === LEVEL_PUD;
    this.references[folio] -= isPmd ? 1 : pageCount;
    counts.remove(folio, first, pageCount, level);
    if (isPmd) {
      const isSplit = this.splitting[folio] === vma + 1;
      if (counts.entireEntries[folio] === 0) this.lower(folio);
      else if (isSplit) this.raise(folio);
    }
    this.splitting[folio] = NO_SPLIT;
    this.charge(folio, first, pageCount, level);
  }

  /** The first split beside another PMD mapping. */
  private raise(folio: number): void {
    if (this.isDoubleMap[folio] === 1) return;
    this.isDoubleMap[folio] = 1;
    const nrPages = 2 ** this.context.orders[folio];
    this.counts.add(folio, 0, nrPages, LEVEL_PTE);
    this.context.meter?.charge(ATOMICS, nrPages + 1);
    this.context.meter?.chargeLines(0, nrPages, 2);
  }

  /** The last PMD mapping goes. */
  private lower(folio: number): void {
    if (this.isDoubleMap[folio] === 0) return;
    this.isDoubleMap[folio] = 0;
    const nrPages = 2 ** this.context.orders[folio];
    this.counts.remove(folio, 0, nrPages, LEVEL_PTE);
    this.context.meter?.charge(ATOMICS, nrPages + 1);
    this.context.meter?.chargeLines(0, nrPages, 2);
  }

  private charge(folio: number, first: number, pageCount: number, level: Level): void {
    const { meter, orders } = this.context;
    const headPages = level === LEVEL_PTE ? 1 : 2;
    if (meter !== undefined) chargePageBatch(meter, { first, pageCount, level, order: orders[folio], headPages }, 0);
  }

  mapped(folio: number): Answer {
    return this.mappings(folio) > 0 ? YES : NO;
  }

  mappings(folio: number): number {
    const nrPages = 2 ** this.context.orders[folio];
    chargeAllPages(this.context.meter, nrPages);
    return this.counts.sumOfEntries(folio, nrPages) - (this.isDoubleMap[folio] === 1 ? nrPages : 0);
  }

  pageMapcount(folio: number, pageIndex: number): number {
    this.context.meter?.charge(LOADS, this.context.orders[folio] === 0 ? 1 : 3);
    return this.counts.pageMapcount(folio, pageIndex) - this.isDoubleMap[folio];
  }

  others(folio: number, _mm: number): Answer {
    if (this.mappings(folio) <= 1) return NO;
    const nrPages = 2 ** this.context.orders[folio];
    return this.counts.maxMapcount(folio, nrPages) - this.isDoubleMap[folio] > 1 ? YES : UNKNOWN;
  }

  otherVmas(folio: number, vma: number): Answer {
    return this.others(folio, vma);
  }

  isMaybeMappedShared(folio: number): boolean {
    return this.mappings(folio) > 1;
  }

  /** Nothing says how many pages are mapped: without a PMD entry all are asked. */
  partial(folio: number): Answer {
    if (this.counts.entireEntries[folio] === 0) chargeAllPages(this.context.meter, 2 ** this.context.orders[folio]);
    const pages = this.statisticsPages(folio);
    return pages > 0 && pages < 2 ** this.context.orders[folio] ? YES : NO;
  }

  canReuse(folio: number, _mm: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return canReuseLastReference(this.context.references, folio, this.references[folio]);
  }

  stopWalk(folio: number, found: number): Answer {
    return found >= this.mappings(folio) ? YES : NO;
  }

  /** total_mapcount, to be taken from the reference count. */
  extraReferences(folio: number): number {
    this.context.meter?.charge(LOADS, 1);
    chargeAllPages(this.context.meter, 2 ** this.context.orders[folio]);
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

  /** What a page's own word says, raised or not: pages of a DoubleMap folio have one more than their PTEs. */
  rawPageMapcount(folio: number, pageIndex: number): number {
    return this.counts.ptesOfPage[folio + pageIndex];
  }
}

/**
 * The order of Linux 5.10 (kernel-facts 5.1): a split counts the PTEs, sets PageDoubleMap, raises the pages if it was the one
 * that set it, and counts the PMD entry off last, so that the folio never looks unmapped. A reader without locks sees the
 * flag and the raise one after the other: a page's mapcount is wrong in between, one too low with FLAG_FIRST 1 (as the
 * kernel had it), one too high with 0.
 */
const STEPS = `
const FLAG_FIRST = 1
word _mapcount[page]: 0..3 * MMS * VMAS
word compound_mapcount: 0..2 * MMS * VMAS
word PageDoubleMap: bool

procedure add_to_pages(first, n, change) {
  for q in first..first + n { add _mapcount[q], change }
}

procedure raise_pages() {
  if FLAG_FIRST {
    let was_set = swap PageDoubleMap, 1
    if !was_set { add_to_pages(0, PAGES, 1) }
  } else {
    add_to_pages(0, PAGES, 1)
    let was_set = swap PageDoubleMap, 1
    # Another split had raised them already.
    if was_set { add_to_pages(0, PAGES, -1) }
  }
}

procedure sub_compound() {
  let count = add compound_mapcount, -1
  if count == 0 {
    let was_set = swap PageDoubleMap, 0
    if was_set { add_to_pages(0, PAGES, -1) }
  }
}

procedure add(first, n, level, m, v) {
  if level == PMD { add compound_mapcount, 1 } else { add_to_pages(first, n, 1) }
  return 1
}

procedure remove(first, n, level, m, v) {
  if level == PMD { sub_compound() } else { add_to_pages(first, n, -1) }
  return 1
}

procedure split_pmd(m, v) {
  add_to_pages(0, PAGES, 1)
  let count = load compound_mapcount
  if count > 1 { raise_pages() }
  sub_compound()
}
${OWN_TABLE_LOCK_STEPS}
procedure mapped() {
  let compound = load compound_mapcount
  if compound > 0 { return YES }
  for q in 0..PAGES {
    let count = load _mapcount[q]
    if count > 0 { return YES }
  }
  return NO
}

# total_mapcount: 512 struct pages for a huge page.
procedure mappings() {
  let total: -PAGES..2 * MAX_ENTRIES * PAGES = 0
  let compound = load compound_mapcount
  total = compound
  for q in 0..PAGES {
    let count = load _mapcount[q]
    total = total + count
  }
  let is_raised = load PageDoubleMap
  return is_raised ? total - PAGES : total
}

procedure pageMapcount(p) {
  let count = load _mapcount[p]
  let compound = load compound_mapcount
  let is_raised = load PageDoubleMap
  return count + compound - is_raised
}

procedure others(m, v) {
  let total: -PAGES..2 * MAX_ENTRIES * PAGES = 0
  let most: 0..3 * MMS * VMAS = 0
  let compound = load compound_mapcount
  total = compound
  for q in 0..PAGES {
    let count = load _mapcount[q]
    total = total + count
    most = max(most, count)
  }
  let is_raised = load PageDoubleMap
  if total - PAGES * is_raised <= 1 { return NO }
  return most + compound - is_raised > 1 ? YES : UNKNOWN
}

procedure partial() {
  let compound = load compound_mapcount
  if compound > 0 { return NO }
  let pages: 0..PAGES = 0
  for q in 0..PAGES {
    let count = load _mapcount[q]
    if count > 0 { pages = pages + 1 }
  }
  return 0 < pages && pages < PAGES ? YES : NO
}
${LAST_REFERENCE_STEPS}
define ptesOf(p) = sum(o in mm: count(w in area: pte[o][w][p]))
quiet counts: compound_mapcount == pmdEntries() && (!PageDoubleMap || pmdEntries() > 0)
  && all(q in page: _mapcount[q] == ptesOf(q) + PageDoubleMap)
`;

export const doublemap: Scheme = {
  id: "doublemap",
  title: "a mapcount in every page, raised while a PMD and its split pieces coexist (PageDoubleMap)",
  origin: "Kirill Shutemov, Linux 4.5 to 6.1",
  shownByDefault: false,
  stateBits: { perFolio: 32 + 1, perPage: 32 },
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
  createCounter: (context) => new DoublemapCounter(context),
  answerAtRest: answerAtRestFromPages,
};

/** PTE-mapped huge pages whose mappings fill a 31-bit reference count. */
export const HUGE_PAGES_TO_OVERFLOW = 2 ** 31 / 2 ** HPAGE_PMD_ORDER;

/**
 * A mapcount in every page, as Linux kept it from the first day of huge pages until it stops (kernel-facts 5.1).
 *
 * Every page counts the PTEs that map it; the folio counts the PMD and PUD entries, each of which maps it whole, and the
 * pages that have a PTE. Small folios are folios of one page. The price of exactness: a batch of n PTEs writes n struct
 * pages, and what concerns the folio as a whole is spread over all of them.
 */
import { type FolioColumns, type Level, LEVEL_PMD, LEVEL_PUD } from "../kernel/index.ts";
import { ATOMICS, LOADS, type Meter } from "./meter.ts";
import { type AnswersAtRest, NO, UNKNOWN, YES } from "./scheme.ts";

/** The counts of all pages of a machine. */
export class PageMapcounts {
  /** PTEs, by frame. */
  readonly ptesOfPage: Int32Array;
  /** PMD and PUD entries, by folio. */
  readonly entireEntries: Int32Array;
  /** Pages with at least one PTE, by folio. */
  readonly pagesWithPte: Int32Array;

  constructor(frameCount: number) {
    this.ptesOfPage = new Int32Array(frameCount);
    this.entireEntries = new Int32Array(frameCount);
    this.pagesWithPte = new Int32Array(frameCount);
  }

  /** Entries appear; returns how many pages got their first PTE. */
  add(folio: number, first: number, pageCount: number, level: Level): number {
    if (level === LEVEL_PMD || level === LEVEL_PUD) {
      this.entireEntries[folio] += 1;
      return 0;
    }
    let fresh = 0;
    const end = folio + first + pageCount;
    for (let frame = folio + first; frame < end; frame++) if (this.ptesOfPage[frame]++ === 0) fresh++;
    this.pagesWithPte[folio] += fresh;
    return fresh;
  }

  /** Entries disappear; returns how many pages lost their last PTE. */
  remove(folio: number, first: number, pageCount: number, level: Level): number {
    if (level === LEVEL_PMD || level === LEVEL_PUD) {
      this.entireEntries[folio] -= 1;
      return 0;
    }
    let gone = 0;
    const end = folio + first + pageCount;
    for (let frame = folio + first; frame < end; frame++) if (--this.ptesOfPage[frame] === 0) gone++;
    this.pagesWithPte[folio] -= gone;
    return gone;
  }

  pageMapcount(folio: number, pageIndex: number): number {
    return this.ptesOfPage[folio + pageIndex] + this.entireEntries[folio];
  }

  /** total_mapcount: without a count of all entries, every page is asked. */
  sumOfEntries(folio: number, nrPages: number): number {
    let entries = this.entireEntries[folio];
    for (let frame = folio; frame < folio + nrPages; frame++) entries += this.ptesOfPage[frame];
    return entries;
  }

  /** The largest mapcount of any page. */
  maxMapcount(folio: number, nrPages: number): number {
    let most = 0;
    for (let frame = folio; frame < folio + nrPages; frame++) most = Math.max(most, this.ptesOfPage[frame]);
    return most + this.entireEntries[folio];
  }

  isPartial(folio: number, nrPages: number): boolean {
    const pages = this.pagesWithPte[folio];
    return this.entireEntries[folio] === 0 && pages > 0 && pages < nrPages;
  }

  /** Pages mapped, as AnonPages and Mapped count them. */
  pagesMapped(folio: number, nrPages: number): number {
    return this.entireEntries[folio] > 0 ? nrPages : this.pagesWithPte[folio];
  }
}

/** Every struct page of a folio is read. */
export function chargeAllPages(meter: Meter | undefined, nrPages: number): void {
  meter?.charge(LOADS, nrPages);
  meter?.chargeLines(0, nrPages, 1);
}

/** A batch as it is charged. */
interface ChargedBatch {
  readonly first: number;
  readonly pageCount: number;
  readonly level: Level;
  readonly order: number;
  readonly headPages: 1 | 2;
}

/**
 * One atomic for each page of a batch, one for the reference count, `more` for words of the folio, which lie in its first
 * `headPages` pages: the reference count in the first, all others in the second.
 */
export function chargePageBatch(
  meter: Meter,
  { first, pageCount, level, order, headPages }: ChargedBatch,
  more: number,
): void {
  const isEntire = level === LEVEL_PMD || level === LEVEL_PUD;
  meter.chargeReferences();
  meter.charge(ATOMICS, (isEntire ? 1 : pageCount) + more);
  meter.chargeLines(isEntire ? 0 : first, isEntire ? 1 : pageCount, order === 0 ? 1 : headPages);
}

/** What mapcounts in all pages say of folios at rest: nothing depends on the history. */
export function answerAtRestFromPages(folios: FolioColumns, answers: AnswersAtRest): void {
  for (let row = 0; row < folios.count; row++) {
    const outside = folios.mappedOutside[row];
    const isMappedTwice = folios.mappedPages[row] + outside > folios.pagesMapped[row];
    const mapped = folios.pagesMapped[row];
    answers.pageMapcount[row] = -1;
    answers.shared[row] = folios.entries[row] + outside <= 1 ? NO : isMappedTwice ? YES : UNKNOWN;
    answers.partial[row] = mapped > 0 && mapped < 2 ** folios.order[row] ? YES : NO;
  }
}

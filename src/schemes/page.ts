/**
 * `page`: CONFIG_PAGE_MAPCOUNT, the default of Linux 6.15 and later (Hugh Dickins 2022, David Hildenbrand 2024-2025).
 *
 * Every page of a large folio counts the PTEs that map it; the folio counts PMD entries, pages with a PTE, all entries,
 * and keeps two owner slots. A page's mapcount is its own count plus the PMD entries: exact. Private means that this page
 * has fewer than two mappings in the whole system. AnonPages and Mapped count pages mapped (kernel-facts 2.1-2.6). The
 * price is a cache line of struct page for every page of every batch. A PMD or PUD entry maps the whole folio here.
 */
import { type FolioColumns, type Level, LEVEL_PMD, LEVEL_PUD, entriesOfBatch } from "../kernel/index.ts";
import { OwnerSlots, sharedAtRest } from "./owner-slots.ts";
import { type Answer, type AnswersAtRest, type Counter, type Scheme, NO, YES } from "./scheme.ts";

class PageCounter implements Counter {
  private readonly slots: OwnerSlots;
  private readonly pmdEntries: Int32Array;
  /** Pages with at least one PTE (the kernel's _nr_pages_mapped without ENTIRELY_MAPPED). */
  private readonly pagesWithPte: Int32Array;
  private readonly firstPage: Float64Array;
  private readonly ptesOfPage: Int32Array;
  private readonly orders: ArrayLike<number>;

  constructor(orders: ArrayLike<number>) {
    this.orders = orders;
    this.slots = new OwnerSlots(orders.length);
    this.pmdEntries = new Int32Array(orders.length);
    this.pagesWithPte = new Int32Array(orders.length);
    this.firstPage = new Float64Array(orders.length);
    let pages = 0;
    for (let folio = 0; folio < orders.length; folio++) {
      this.firstPage[folio] = pages;
      pages += 2 ** orders[folio];
    }
    this.ptesOfPage = new Int32Array(pages);
  }

  add(folio: number, first: number, pageCount: number, level: Level, _table: number, _vma: number, mm: number): void {
    this.slots.add(folio, entriesOfBatch(pageCount, level), mm);
    if (level === LEVEL_PMD || level === LEVEL_PUD) {
      this.pmdEntries[folio] += 1;
      return;
    }
    const start = this.firstPage[folio] + first;
    let fresh = 0;
    for (let page = start; page < start + pageCount; page++) if (this.ptesOfPage[page]++ === 0) fresh++;
    this.pagesWithPte[folio] += fresh;
  }

  remove(
    folio: number,
    first: number,
    pageCount: number,
    level: Level,
    _table: number,
    _vma: number,
    mm: number,
  ): void {
    this.slots.subtract(folio, entriesOfBatch(pageCount, level), mm);
    if (level === LEVEL_PMD || level === LEVEL_PUD) {
      this.pmdEntries[folio] -= 1;
      return;
    }
    const start = this.firstPage[folio] + first;
    let gone = 0;
    for (let page = start; page < start + pageCount; page++) if (--this.ptesOfPage[page] === 0) gone++;
    this.pagesWithPte[folio] -= gone;
  }

  mapped(folio: number): boolean {
    return this.slots.entries[folio] > 0;
  }

  mappings(folio: number): number {
    return this.slots.entries[folio];
  }

  pageMapcount(folio: number, pageIndex: number): number {
    return this.ptesOfPage[this.firstPage[folio] + pageIndex] + this.pmdEntries[folio];
  }

  others(folio: number, _mm: number): Answer {
    return this.slots.others(folio, this.orders[folio]);
  }

  partial(folio: number): Answer {
    const pages = this.pagesWithPte[folio];
    if (this.pmdEntries[folio] > 0 || pages === 0) return NO;
    return pages < 2 ** this.orders[folio] ? YES : NO;
  }

  statisticsPages(folio: number): number {
    return this.pmdEntries[folio] > 0 ? 2 ** this.orders[folio] : this.pagesWithPte[folio];
  }
}

export const page: Scheme = {
  id: "page",
  title: "a mapcount in every page (CONFIG_PAGE_MAPCOUNT)",
  origin: "Linux 6.15 and later by default; per-page counts since the beginning",
  kernelConfig: "page",
  stateBits: { perFolio: 32 + 32 + 32 + 2 * 32 + 2 * 32, perPage: 32 },
  guarantees: {
    mapped: "exact",
    mappings: "exact",
    pageMapcount: "exact",
    others: "one-sided",
    otherVmas: "unknown",
    partial: "exact",
    canReuse: "one-sided",
    stopWalk: "exact",
    extraReferences: "exact",
    pinned: "one-sided",
  },
  rules: { privateBy: "page-mapcount", statistics: "pages-mapped" },
  createCounter: (orders) => new PageCounter(orders),
  answerAtRest(folios: FolioColumns, answers: AnswersAtRest): void {
    for (let row = 0; row < folios.count; row++) {
      const mapped = folios.pagesMapped[row];
      answers.pageMapcount[row] = -1;
      answers.shared[row] = sharedAtRest(folios, row);
      answers.partial[row] = mapped > 0 && mapped < 2 ** folios.order[row] ? YES : NO;
    }
  },
};

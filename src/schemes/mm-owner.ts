/**
 * `mm-owner`: CONFIG_NO_PAGE_MAPCOUNT of Linux 6.15 and later (David Hildenbrand, March 2025).
 *
 * State of a large folio: the number of entries, the PMD entries among them, two owner slots and the shared bit; nothing
 * in its pages. A page's mapcount becomes the folio's average; private becomes "not maybe mapped shared"; AnonPages and
 * Mapped count the whole folio as soon as one page is mapped. A partial mapping is certain when no PMD maps the folio and
 * fewer entries than pages are left; when several address spaces together hold as many entries as there are pages, it is
 * missed (kernel-facts 2.1-2.7). Small folios keep their one mapcount and are exact but for `others`: two mappings by
 * one address space look shared. A PMD or PUD entry maps the whole folio: larger ones need `mapped-pages`.
 */
import {
  type FolioColumns,
  type Level,
  LEVEL_PMD,
  LEVEL_PUD,
  averageOfEntries,
  entriesOfBatch,
} from "../kernel/index.ts";
import { OwnerSlots, sharedAtRest } from "./owner-slots.ts";
import { type Answer, type AnswersAtRest, type Counter, type Scheme, NO, UNKNOWN, YES } from "./scheme.ts";

class MmOwnerCounter implements Counter {
  private readonly slots: OwnerSlots;
  private readonly pmdEntries: Int32Array;
  private readonly orders: ArrayLike<number>;

  constructor(orders: ArrayLike<number>) {
    this.orders = orders;
    this.slots = new OwnerSlots(orders.length);
    this.pmdEntries = new Int32Array(orders.length);
  }

  add(folio: number, _first: number, pageCount: number, level: Level, _table: number, _vma: number, mm: number): void {
    if (level === LEVEL_PMD || level === LEVEL_PUD) this.pmdEntries[folio] += 1;
    this.slots.add(folio, entriesOfBatch(pageCount, level), mm);
  }

  remove(
    folio: number,
    _first: number,
    pageCount: number,
    level: Level,
    _table: number,
    _vma: number,
    mm: number,
  ): void {
    if (level === LEVEL_PMD || level === LEVEL_PUD) this.pmdEntries[folio] -= 1;
    this.slots.subtract(folio, entriesOfBatch(pageCount, level), mm);
  }

  mapped(folio: number): boolean {
    return this.slots.entries[folio] > 0;
  }

  mappings(folio: number): number {
    return this.slots.entries[folio];
  }

  pageMapcount(folio: number, _pageIndex: number): number {
    return averageOfEntries(this.slots.entries[folio], this.pmdEntries[folio], this.orders[folio]);
  }

  others(folio: number, _mm: number): Answer {
    return this.slots.others(folio, this.orders[folio]);
  }

  partial(folio: number): Answer {
    return partialOfEntries(this.slots.entries[folio], this.pmdEntries[folio], this.orders[folio]);
  }

  statisticsPages(folio: number): number {
    return this.slots.entries[folio] > 0 ? 2 ** this.orders[folio] : 0;
  }
}

/** Certain only below an average of one; certainly not under a PMD entry or in a small folio. */
function partialOfEntries(entries: number, pmdEntries: number, order: number): Answer {
  if (entries === 0 || pmdEntries > 0 || order === 0) return NO;
  return entries < 2 ** order ? YES : UNKNOWN;
}

export const mmOwner: Scheme = {
  id: "mm-owner",
  title: "two owners and a shared bit (CONFIG_NO_PAGE_MAPCOUNT)",
  origin: "David Hildenbrand, Linux 6.15 (March 2025)",
  kernelConfig: "nopage",
  stateBits: { perFolio: 32 + 32 + 2 * 32 + 2 * 32, perPage: 0 },
  guarantees: {
    mapped: "exact",
    mappings: "exact",
    pageMapcount: "estimate",
    others: "one-sided",
    otherVmas: "unknown",
    partial: "one-sided",
    canReuse: "one-sided",
    stopWalk: "exact",
    extraReferences: "exact",
    pinned: "one-sided",
  },
  rules: { privateBy: "folio-sharing", statistics: "whole-folio" },
  createCounter: (orders) => new MmOwnerCounter(orders),
  answerAtRest(folios: FolioColumns, answers: AnswersAtRest): void {
    for (let row = 0; row < folios.count; row++) {
      const order = folios.order[row];
      const entries = folios.entries[row] + folios.mappedOutside[row];
      answers.pageMapcount[row] = averageOfEntries(entries, folios.pmdEntries[row], order);
      answers.shared[row] = sharedAtRest(folios, row);
      answers.partial[row] = partialOfEntries(entries, folios.pmdEntries[row], order);
    }
  },
};

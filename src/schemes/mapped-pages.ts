/**
 * `mapped-pages`: "mm/rmap: support arbitrary folio mappings" (David Hildenbrand, RFC of April 2026).
 *
 * As `mm-owner`, with one counter in place of the PMD entries: the sum over entries of the pages each maps (a PTE 1, a
 * PMD 512, a PUD 262,144). Two PMDs and a PTE of a 512-page folio: 3 mappings, 1,025 mapped pages. The average is that
 * sum over the folio's pages, to the nearest and at least 1. A partial mapping is certain when the sum is below the
 * number of pages; otherwise it is not known. Folios may be larger than a PMD. For folios up to PMD size its figures
 * are those of `mm-owner`.
 */
import { type FolioColumns, type Level, averageOfMappedPages, entriesOfBatch } from "../kernel/index.ts";
import { OwnerSlots, sharedAtRest } from "./owner-slots.ts";
import { type Answer, type AnswersAtRest, type Counter, type Scheme, NO, UNKNOWN, YES } from "./scheme.ts";

class MappedPagesCounter implements Counter {
  private readonly slots: OwnerSlots;
  private readonly mappedPages: Float64Array;
  private readonly orders: ArrayLike<number>;

  constructor(orders: ArrayLike<number>) {
    this.orders = orders;
    this.slots = new OwnerSlots(orders.length);
    this.mappedPages = new Float64Array(orders.length);
  }

  add(folio: number, _first: number, pageCount: number, level: Level, _table: number, _vma: number, mm: number): void {
    this.mappedPages[folio] += pageCount;
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
    this.mappedPages[folio] -= pageCount;
    this.slots.subtract(folio, entriesOfBatch(pageCount, level), mm);
  }

  mapped(folio: number): boolean {
    return this.slots.entries[folio] > 0;
  }

  mappings(folio: number): number {
    return this.slots.entries[folio];
  }

  pageMapcount(folio: number, _pageIndex: number): number {
    return averageOfMappedPages(this.mappedPages[folio], this.orders[folio]);
  }

  others(folio: number, _mm: number): Answer {
    return this.slots.others(folio, this.orders[folio]);
  }

  partial(folio: number): Answer {
    return partialOfMappedPages(this.mappedPages[folio], this.orders[folio]);
  }

  statisticsPages(folio: number): number {
    return this.slots.entries[folio] > 0 ? 2 ** this.orders[folio] : 0;
  }
}

function partialOfMappedPages(mappedPages: number, order: number): Answer {
  if (mappedPages === 0 || order === 0) return NO;
  return mappedPages < 2 ** order ? YES : UNKNOWN;
}

export const mappedPages: Scheme = {
  id: "mapped-pages",
  title: "two owners, a shared bit and the sum of mapped pages (RFC)",
  origin: "David Hildenbrand, RFC of April 2026",
  stateBits: { perFolio: 32 + 64 + 2 * 32 + 2 * 32, perPage: 0 },
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
  createCounter: (orders) => new MappedPagesCounter(orders),
  answerAtRest(folios: FolioColumns, answers: AnswersAtRest): void {
    for (let row = 0; row < folios.count; row++) {
      const order = folios.order[row];
      const pages = folios.mappedPages[row] + folios.mappedOutside[row];
      answers.pageMapcount[row] = averageOfMappedPages(pages, order);
      answers.shared[row] = sharedAtRest(folios, row);
      answers.partial[row] = partialOfMappedPages(pages, order);
    }
  },
};

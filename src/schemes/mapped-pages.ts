/**
 * `mapped-pages`: "mm/rmap: support arbitrary folio mappings" (David Hildenbrand, RFC of April 2026).
 *
 * As `mm-owner`, with one counter in place of the PMD entries: the sum over entries of the pages each maps (a PTE 1, a
 * PMD 512, a PUD 262,144). Two PMDs and a PTE of a 512-page folio: 3 mappings, 1,025 mapped pages. The average is that
 * sum over the folio's pages, to the nearest and at least 1. A partial mapping is certain when the sum is below the
 * number of pages; otherwise it is not known. Folios may be larger than a PMD. For folios up to PMD size its figures
 * are those of `mm-owner`.
 *
 * What it cannot say: a THP and one child that each unmap up to half, a THP and 511 children that all unmap all but one
 * page. Both have pages that nobody maps, and as many mapped pages as there are pages.
 */
import { type FolioColumns, type Level, averageOfMappedPages, entriesOfBatch } from "../kernel/index.ts";
import type { Counter, CounterContext } from "./counter.ts";
import { ATOMICS, LOADS } from "./meter.ts";
import { OwnerSlots, chargeOwnerSlots, sharedAtRest } from "./owner-slots.ts";
import { canReuseUnshared, extraReferencesOf, pinnedOf } from "./reference-answers.ts";
import { type Answer, type AnswersAtRest, type Scheme, NO, UNKNOWN, YES } from "./scheme.ts";
import { OWN_TABLE_LOCK_STEPS, SPLIT_PMD_STEPS } from "./kernel-steps.ts";
import { OWNER_SLOTS_STEPS } from "./owner-slots-steps.ts";

class MappedPagesCounter implements Counter {
  private readonly context: CounterContext;
  /** Small folios use `entries` alone, as their one mapcount. */
  private readonly slots: OwnerSlots;
  private readonly mappedPages: Float64Array;
  private readonly isHugetlb: Uint8Array;

  constructor(context: CounterContext) {
    this.context = context;
    this.slots = new OwnerSlots(context.frameCount);
    this.mappedPages = new Float64Array(context.frameCount);
    this.isHugetlb = new Uint8Array(context.frameCount);
  }

  add(folio: number, _first: number, pageCount: number, level: Level, _table: number, _vma: number, mm: number): void {
    this.charge(folio);
    this.mappedPages[folio] += pageCount;
    const entries = entriesOfBatch(pageCount, level);
    if (this.hasSlots(folio)) this.slots.add(folio, entries, mm);
    else this.slots.entries[folio] += entries;
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
    this.charge(folio);
    this.mappedPages[folio] -= pageCount;
    const entries = entriesOfBatch(pageCount, level);
    if (this.hasSlots(folio)) this.slots.subtract(folio, entries, mm);
    else this.slots.entries[folio] -= entries;
  }

  created(folio: number, _order: number, isHugetlb: boolean): void {
    this.isHugetlb[folio] = isHugetlb ? 1 : 0;
  }

  freed(folio: number): void {
    this.isHugetlb[folio] = 0;
  }

  private hasSlots(folio: number): boolean {
    return this.context.orders[folio] > 0 && this.isHugetlb[folio] === 0;
  }

  /** The sum lies under the large mapcount's lock: one more plain load and store, on the same line. */
  private charge(folio: number): void {
    const { meter, orders } = this.context;
    if (meter === undefined) return;
    if (this.hasSlots(folio)) {
      chargeOwnerSlots(meter);
      meter.chargePlain(1, 1);
    } else {
      meter.chargeReferences();
      meter.charge(ATOMICS, orders[folio] === 0 ? 1 : 2);
    }
    meter.chargeLines(0, 1, orders[folio] === 0 ? 1 : 2);
  }

  mapped(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.slots.entries[folio] > 0 ? YES : NO;
  }

  mappings(folio: number): number {
    this.context.meter?.charge(LOADS, 1);
    return this.slots.entries[folio];
  }

  pageMapcount(folio: number, _pageIndex: number): number {
    this.context.meter?.charge(LOADS, 1);
    return averageOfMappedPages(this.mappedPages[folio], this.context.orders[folio]);
  }

  others(folio: number, _mm: number): Answer {
    return this.isMaybeMappedShared(folio) ? YES : NO;
  }

  otherVmas(): Answer {
    return UNKNOWN;
  }

  isMaybeMappedShared(folio: number): boolean {
    this.context.meter?.charge(LOADS, this.context.orders[folio] === 0 ? 1 : 2);
    if (!this.hasSlots(folio)) return this.slots.entries[folio] > 1;
    return this.slots.maybeMappedShared(folio) === YES;
  }

  partial(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return partialOfMappedPages(this.mappedPages[folio], this.context.orders[folio]);
  }

  canReuse(folio: number, _mm: number): Answer {
    this.context.meter?.charge(LOADS, this.context.orders[folio] === 0 ? 1 : 3);
    const mappings = this.slots.entries[folio];
    const isShared = this.hasSlots(folio) ? this.slots.sharedBit[folio] === 1 : mappings > 1;
    const { references, orders } = this.context;
    return canReuseUnshared(references, folio, { order: orders[folio], mappings, isShared });
  }

  stopWalk(folio: number, found: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return found >= this.slots.entries[folio] ? YES : NO;
  }

  extraReferences(folio: number): number {
    this.context.meter?.charge(LOADS, 2);
    return extraReferencesOf(this.context.references, folio);
  }

  pinned(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    const { references, orders } = this.context;
    return pinnedOf(references, folio, { order: orders[folio], mappingReferences: this.slots.entries[folio] });
  }

  mappingReferences(folio: number): number {
    return this.slots.entries[folio];
  }

  statisticsPages(folio: number): number {
    return this.slots.entries[folio] > 0 ? 2 ** this.context.orders[folio] : 0;
  }
}

function partialOfMappedPages(mappedPages: number, order: number): Answer {
  if (mappedPages === 0 || order === 0) return NO;
  return mappedPages < 2 ** order ? YES : UNKNOWN;
}

/** The sum of mapped pages changes under the lock of the slots. */
const STEPS = `
${OWNER_SLOTS_STEPS}
word _total_mapped_pages: 0..2 * MAX_PAGES
ghost nr_mapped: -PAGES..2 * PAGES

procedure add(first, n, level, m, v) {
  let entries_added = level == PMD ? 1 : n
  lock large
  let pages = load _total_mapped_pages
  store _total_mapped_pages = pages + n
  let total = slots_add(entries_added, m)
  unlock large
  if total == entries_added { ghost nr_mapped = nr_mapped + PAGES }
  return 1
}

procedure remove(first, n, level, m, v) {
  let entries_gone = level == PMD ? 1 : n
  lock large
  let pages = load _total_mapped_pages
  store _total_mapped_pages = pages - n
  let left = slots_sub(entries_gone, m)
  unlock large
  if left == 0 { ghost nr_mapped = nr_mapped - PAGES }
  return 1
}
${SPLIT_PMD_STEPS}
${OWN_TABLE_LOCK_STEPS}
procedure pageMapcount(p) {
  let pages = load _total_mapped_pages
  return pages == 0 ? 0 : max((pages + PAGES / 2) / PAGES, 1)
}

procedure partial() {
  let pages = load _total_mapped_pages
  if pages == 0 { return NO }
  return pages < PAGES ? YES : UNKNOWN
}

quiet counts: slotsFit() && _total_mapped_pages == pteEntries() + PAGES * pmdEntries()
quiet statistics: nr_mapped == (entries() > 0 ? PAGES : 0)
`;

export const mappedPages: Scheme = {
  id: "mapped-pages",
  title: "two owners, a shared bit and the sum of mapped pages (RFC)",
  origin: "David Hildenbrand, RFC of April 2026",
  shownByDefault: true,
  stateBits: { perFolio: 32 + 64 + 2 * 32 + 2 * 32, perPage: 0 },
  smallFolios: "mapcount",
  unit: "entries",
  leafEntries: "any-part",
  looksIntoPageTables: false,
  sumsMappedPages: true,
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
  steps: STEPS,
  createCounter: (context: CounterContext) => new MappedPagesCounter(context),
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

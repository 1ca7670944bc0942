/**
 * `page`: CONFIG_PAGE_MAPCOUNT, the default of Linux 6.15 and later (Hugh Dickins 2022, David Hildenbrand 2024-2025).
 *
 * Every page of a large folio counts the PTEs that map it; the folio counts PMD entries, pages with a PTE, all entries,
 * and keeps two owner slots. A page's mapcount is its own count plus the PMD entries: exact. Private means that this page
 * has fewer than two mappings in the whole system. AnonPages and Mapped count pages mapped (kernel-facts 2.1-2.6). The
 * price is a cache line of struct page for every page of every batch. A PMD or PUD entry maps the whole folio here.
 * Hugetlb counts its entries and nothing else: no pages, no owners (kernel-facts 2.3).
 */
import { type FolioColumns, type Level, LEVEL_PMD, LEVEL_PUD, entriesOfBatch } from "../kernel/index.ts";
import type { Counter, CounterContext, RawCounts, ReferenceView } from "./counter.ts";
import { ATOMICS, LOADS, type Meter } from "./meter.ts";
import { OwnerSlots, chargeOwnerSlots, sharedAtRest } from "./owner-slots.ts";
import { canReuseUnshared, extraReferencesOf, pinnedOf } from "./reference-answers.ts";
import { type Answer, type AnswersAtRest, type Scheme, NO, UNKNOWN, YES } from "./scheme.ts";
import { OWN_TABLE_LOCK_STEPS, SPLIT_PMD_STEPS } from "./kernel-steps.ts";
import { OWNER_SLOTS_STEPS } from "./owner-slots-steps.ts";
import { PAGE_MAPCOUNTS_STEPS, PARTIAL_BY_PAGES_STEPS } from "./page-mapcounts-steps.ts";

class PageCounter implements Counter, RawCounts {
  private readonly orders: ArrayLike<number>;
  private readonly references: ReferenceView | undefined;
  private readonly meter: Meter | undefined;
  /** page._mapcount, of small folios too; by frame. */
  private readonly ptesOfPage: Int32Array;
  private readonly slots: OwnerSlots;
  private readonly entireEntries: Int32Array;
  /** Pages with at least one PTE (the kernel's _nr_pages_mapped without ENTIRELY_MAPPED). */
  private readonly pagesWithPte: Int32Array;
  private readonly isHugetlb: Uint8Array;

  constructor({ frameCount, orders, references, meter }: CounterContext) {
    this.orders = orders;
    this.references = references;
    this.meter = meter;
    this.ptesOfPage = new Int32Array(frameCount);
    this.slots = new OwnerSlots(frameCount);
    this.entireEntries = new Int32Array(frameCount);
    this.pagesWithPte = new Int32Array(frameCount);
    this.isHugetlb = new Uint8Array(frameCount);
  }

  add(folio: number, first: number, pageCount: number, level: Level, _table: number, _vma: number, mm: number): void {
    if (this.orders[folio] === 0) {
      this.ptesOfPage[folio] += 1;
      if (this.meter !== undefined) chargeSmall(this.meter);
      return;
    }
    if (level === LEVEL_PMD || level === LEVEL_PUD) {
      this.entireEntries[folio] += 1;
      if (this.isHugetlb[folio] === 1) this.slots.entries[folio] += 1;
      else this.slots.add(folio, 1, mm);
      if (this.meter !== undefined) this.chargeWhole(this.meter, folio, this.entireEntries[folio] === 1);
      return;
    }
    let fresh = 0;
    const end = folio + first + pageCount;
    for (let frame = folio + first; frame < end; frame++) if (this.ptesOfPage[frame]++ === 0) fresh++;
    this.pagesWithPte[folio] += fresh;
    this.slots.add(folio, pageCount, mm);
    if (this.meter !== undefined) chargePtes(this.meter, first, pageCount, fresh);
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
    if (this.orders[folio] === 0) {
      this.ptesOfPage[folio] -= 1;
      if (this.meter !== undefined) chargeSmall(this.meter);
      return;
    }
    if (this.isHugetlb[folio] === 1) this.slots.entries[folio] -= entriesOfBatch(pageCount, level);
    else this.slots.subtract(folio, entriesOfBatch(pageCount, level), mm);
    if (level === LEVEL_PMD || level === LEVEL_PUD) {
      this.entireEntries[folio] -= 1;
      if (this.meter !== undefined) this.chargeWhole(this.meter, folio, this.entireEntries[folio] === 0);
      return;
    }
    let gone = 0;
    const end = folio + first + pageCount;
    for (let frame = folio + first; frame < end; frame++) if (--this.ptesOfPage[frame] === 0) gone++;
    this.pagesWithPte[folio] -= gone;
    if (this.meter !== undefined) chargePtes(this.meter, first, pageCount, gone);
  }

  dup(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void {
    this.add(folio, first, pageCount, level, table, vma, mm);
  }

  /** No count knows of tables or VMAs. */
  move(): void {}

  created(folio: number, _order: number, isHugetlb: boolean): void {
    this.isHugetlb[folio] = isHugetlb ? 1 : 0;
  }

  freed(folio: number): void {
    this.isHugetlb[folio] = 0;
  }

  private chargeWhole(meter: Meter, folio: number, isFirstOrLast: boolean): void {
    if (this.isHugetlb[folio] === 1) {
      meter.chargeReferences();
      meter.charge(ATOMICS, 2);
    } else {
      chargeOwnerSlots(meter);
      // _entire_mapcount; the first and the last PMD entry also turn ENTIRELY_MAPPED in _nr_pages_mapped.
      meter.charge(ATOMICS, isFirstOrLast ? 2 : 1);
    }
    meter.chargeLines(0, 1, 2);
  }

  mapped(folio: number): Answer {
    this.meter?.charge(LOADS, 1);
    return this.mapcount(folio) > 0 ? YES : NO;
  }

  mappings(folio: number): number {
    this.meter?.charge(LOADS, 1);
    return this.mapcount(folio);
  }

  mapcount(folio: number): number {
    return this.orders[folio] === 0 ? this.ptesOfPage[folio] : this.slots.entries[folio];
  }

  pageMapcount(folio: number, pageIndex: number): number {
    this.meter?.charge(LOADS, this.orders[folio] === 0 ? 1 : 2);
    return this.ptesOfPage[folio + pageIndex] + this.entireEntries[folio];
  }

  others(folio: number, _mm: number): Answer {
    return this.isMaybeMappedShared(folio) ? YES : NO;
  }

  otherVmas(): Answer {
    return UNKNOWN;
  }

  isMaybeMappedShared(folio: number): boolean {
    this.meter?.charge(LOADS, this.orders[folio] === 0 ? 1 : 2);
    if (this.orders[folio] === 0) return this.ptesOfPage[folio] > 1;
    if (this.isHugetlb[folio] === 1) return this.slots.entries[folio] > 1;
    return this.slots.maybeMappedShared(folio) === YES;
  }

  partial(folio: number): Answer {
    this.meter?.charge(LOADS, 1);
    const pages = this.pagesWithPte[folio];
    if (this.entireEntries[folio] > 0 || pages === 0) return NO;
    return pages < 1 << this.orders[folio] ? YES : NO;
  }

  canReuse(folio: number, _mm: number): Answer {
    this.meter?.charge(LOADS, this.orders[folio] === 0 ? 1 : 3);
    const isShared = this.isHugetlb[folio] === 1 ? this.slots.entries[folio] > 1 : this.sharedBit(folio);
    return canReuseUnshared(this.references, folio, {
      order: this.orders[folio],
      mappings: this.mapcount(folio),
      isShared,
    });
  }

  stopWalk(folio: number, found: number): Answer {
    this.meter?.charge(LOADS, 1);
    return found >= this.mapcount(folio) ? YES : NO;
  }

  extraReferences(folio: number): number {
    this.meter?.charge(LOADS, 2);
    return extraReferencesOf(this.references, folio);
  }

  pinned(folio: number): Answer {
    this.meter?.charge(LOADS, 1);
    return pinnedOf(this.references, folio, { order: this.orders[folio], mappingReferences: this.mapcount(folio) });
  }

  mappingReferences(folio: number): number {
    return this.mapcount(folio);
  }

  statisticsPages(folio: number): number {
    const order = this.orders[folio];
    if (order === 0) return this.ptesOfPage[folio] > 0 ? 1 : 0;
    return this.entireEntries[folio] > 0 ? 1 << order : this.pagesWithPte[folio];
  }

  largeMapcount(folio: number): number {
    return this.slots.entries[folio];
  }

  entireMapcount(folio: number): number {
    return this.entireEntries[folio];
  }

  nrPagesMapped(folio: number): number {
    return this.pagesWithPte[folio];
  }

  rawPageMapcount(folio: number, pageIndex: number): number {
    return this.ptesOfPage[folio + pageIndex];
  }

  sharedBit(folio: number): boolean {
    return this.slots.sharedBit[folio] === 1;
  }

  owners(folio: number): readonly [number, number, number, number] {
    return this.slots.owners(folio);
  }

  /** The removal left some pages without any mapping, and some page with one. */
  becamePartial(folio: number, statisticsBefore: number): boolean {
    const pages = this.statisticsPages(folio);
    return pages > 0 && pages < statisticsBefore;
  }
}

function chargeSmall(meter: Meter): void {
  meter.chargeReferences();
  meter.charge(ATOMICS, 1);
  meter.chargeLines(0, 1, 1);
}

function chargePtes(meter: Meter, first: number, pageCount: number, changed: number): void {
  chargeOwnerSlots(meter);
  meter.charge(ATOMICS, pageCount + (changed > 0 ? 1 : 0));
  meter.chargeLines(first, pageCount, 2);
}

/** An add counts pages before the folio, a removal the folio before its pages (kernel-facts 2.3, 2.4). */
const STEPS = `
${OWNER_SLOTS_STEPS}
${PAGE_MAPCOUNTS_STEPS}
procedure add(first, n, level, m, v) {
  if level == PMD {
    add_entire()
    add_large(1, m)
  } else {
    add_pages(first, n)
    add_large(n, m)
  }
  return 1
}

procedure remove(first, n, level, m, v) {
  if level == PMD {
    sub_large(1, m)
    sub_entire()
  } else {
    sub_large(n, m)
    sub_pages(first, n)
  }
  return 1
}
${SPLIT_PMD_STEPS}
${PARTIAL_BY_PAGES_STEPS}
${OWN_TABLE_LOCK_STEPS}
quiet counts: slotsFit() && pagesFit()
`;

export const page: Scheme = {
  id: "page",
  title: "a mapcount in every page (CONFIG_PAGE_MAPCOUNT)",
  origin: "Linux 6.15 and later by default; per-page counts since the beginning",
  kernelConfig: "page",
  shownByDefault: true,
  stateBits: { perFolio: 32 + 32 + 32 + 2 * 32 + 2 * 32, perPage: 32 },
  smallFolios: "mapcount",
  unit: "entries",
  leafEntries: "whole-folio",
  looksIntoPageTables: false,
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
  steps: STEPS,
  createCounter: (context: CounterContext) => new PageCounter(context),
  answerAtRest(folios: FolioColumns, answers: AnswersAtRest): void {
    for (let row = 0; row < folios.count; row++) {
      const mapped = folios.pagesMapped[row];
      answers.pageMapcount[row] = -1;
      answers.shared[row] = sharedAtRest(folios, row);
      answers.partial[row] = mapped > 0 && mapped < 2 ** folios.order[row] ? YES : NO;
    }
  },
};

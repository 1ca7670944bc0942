/**
 * `mm-owner`: CONFIG_NO_PAGE_MAPCOUNT of Linux 6.15 and later (David Hildenbrand, March 2025).
 *
 * State of a large folio: the number of entries, the PMD entries among them, two owner slots and the shared bit; nothing
 * in its pages. A page's mapcount becomes the folio's average; private becomes "not maybe mapped shared"; AnonPages and
 * Mapped count the whole folio as soon as one page is mapped. A partial mapping is certain when no PMD maps the folio and
 * fewer entries than pages are left; when several address spaces together hold as many entries as there are pages, it is
 * missed (kernel-facts 2.1-2.7). A small folio has the one mapcount of its page and is exact but for `others`: two
 * mappings by one address space look shared. Hugetlb counts its entries and nothing else, and looks shared likewise.
 * A PMD or PUD entry maps the whole folio: larger ones need `mm-owner-levels` or `mapped-pages`.
 */
import {
  type FolioColumns,
  type Level,
  LEVEL_PMD,
  LEVEL_PUD,
  averageOfEntries,
  entriesOfBatch,
} from "../kernel/index.ts";
import type { Counter, CounterContext, RawCounts, ReferenceView } from "./counter.ts";
import { ATOMICS, LOADS, type Meter } from "./meter.ts";
import { OwnerSlots, chargeOwnerSlots, sharedAtRest } from "./owner-slots.ts";
import { canReuseUnshared, extraReferencesOf, pinnedOf } from "./reference-answers.ts";
import { type Answer, type AnswersAtRest, type Scheme, NO, UNKNOWN, YES } from "./scheme.ts";
import { OWN_TABLE_LOCK_STEPS, SPLIT_PMD_STEPS } from "./kernel-steps.ts";
import { OWNER_SLOTS_STEPS } from "./owner-slots-steps.ts";

class MmOwnerCounter implements Counter, RawCounts {
  private readonly orders: ArrayLike<number>;
  private readonly references: ReferenceView | undefined;
  private readonly meter: Meter | undefined;
  /** page._mapcount of small folios. */
  private readonly smallMapcount: Int32Array;
  private readonly slots: OwnerSlots;
  private readonly entireEntries: Int32Array;
  private readonly isHugetlb: Uint8Array;

  constructor({ frameCount, orders, references, meter }: CounterContext) {
    this.orders = orders;
    this.references = references;
    this.meter = meter;
    this.smallMapcount = new Int32Array(frameCount);
    this.slots = new OwnerSlots(frameCount);
    this.entireEntries = new Int32Array(frameCount);
    this.isHugetlb = new Uint8Array(frameCount);
  }

  add(folio: number, _first: number, pageCount: number, level: Level, _table: number, _vma: number, mm: number): void {
    if (this.meter !== undefined) this.chargeBatch(this.meter, folio, level);
    if (this.orders[folio] === 0) {
      this.smallMapcount[folio] += 1;
      return;
    }
    if (level === LEVEL_PMD || level === LEVEL_PUD) this.entireEntries[folio] += 1;
    if (this.isHugetlb[folio] === 1) this.slots.entries[folio] += 1;
    else this.slots.add(folio, entriesOfBatch(pageCount, level), mm);
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
    if (this.meter !== undefined) this.chargeBatch(this.meter, folio, level);
    if (this.orders[folio] === 0) {
      this.smallMapcount[folio] -= 1;
      return;
    }
    if (level === LEVEL_PMD || level === LEVEL_PUD) this.entireEntries[folio] -= 1;
    if (this.isHugetlb[folio] === 1) this.slots.entries[folio] -= 1;
    else this.slots.subtract(folio, entriesOfBatch(pageCount, level), mm);
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

  private chargeBatch(meter: Meter, folio: number, level: Level): void {
    if (this.orders[folio] === 0) {
      meter.chargeReferences();
      meter.charge(ATOMICS, 1);
      meter.chargeLines(0, 1, 1);
      return;
    }
    if (this.isHugetlb[folio] === 1) {
      meter.chargeReferences();
      meter.charge(ATOMICS, 1);
    } else chargeOwnerSlots(meter);
    if (level === LEVEL_PMD || level === LEVEL_PUD) meter.charge(ATOMICS, 1);
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
    return this.orders[folio] === 0 ? this.smallMapcount[folio] : this.slots.entries[folio];
  }

  pageMapcount(folio: number, _pageIndex: number): number {
    this.meter?.charge(LOADS, this.orders[folio] === 0 ? 1 : 2);
    const order = this.orders[folio];
    if (order === 0) return this.smallMapcount[folio];
    return averageOfEntries(this.slots.entries[folio], this.entireEntries[folio], order);
  }

  others(folio: number, _mm: number): Answer {
    return this.isMaybeMappedShared(folio) ? YES : NO;
  }

  otherVmas(): Answer {
    return UNKNOWN;
  }

  isMaybeMappedShared(folio: number): boolean {
    this.meter?.charge(LOADS, this.orders[folio] === 0 ? 1 : 2);
    if (this.orders[folio] === 0) return this.smallMapcount[folio] > 1;
    if (this.isHugetlb[folio] === 1) return this.slots.entries[folio] > 1;
    return this.slots.maybeMappedShared(folio) === YES;
  }

  partial(folio: number): Answer {
    this.meter?.charge(LOADS, this.orders[folio] === 0 ? 1 : 2);
    return partialOfEntries(this.mapcount(folio), this.entireEntries[folio], this.orders[folio]);
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
    if (this.orders[folio] === 0) return this.smallMapcount[folio] > 0 ? 1 : 0;
    return this.slots.entries[folio] > 0 ? 1 << this.orders[folio] : 0;
  }

  largeMapcount(folio: number): number {
    return this.slots.entries[folio];
  }

  entireMapcount(folio: number): number {
    return this.entireEntries[folio];
  }

  nrPagesMapped(): number {
    return -1;
  }

  rawPageMapcount(folio: number, pageIndex: number): number {
    return this.smallMapcount[folio + pageIndex];
  }

  sharedBit(folio: number): boolean {
    return this.slots.sharedBit[folio] === 1;
  }

  owners(folio: number): readonly [number, number, number, number] {
    return this.slots.owners(folio);
  }

  becamePartial(folio: number, _statisticsBefore: number): boolean {
    return this.partial(folio) === YES;
  }
}

/** Certain only below an average of one; certainly not under a PMD entry or in a small folio. */
function partialOfEntries(entries: number, pmdEntries: number, order: number): Answer {
  if (entries === 0 || pmdEntries > 0 || order === 0) return NO;
  return entries < 1 << order ? YES : UNKNOWN;
}

/** PMD entries are counted before the slots and counted off before them; the statistics follow the total alone. */
const STEPS = `
${OWNER_SLOTS_STEPS}
word _entire_mapcount: 0..2 * MMS * VMAS
ghost nr_mapped: -PAGES..2 * PAGES          # NR_ANON_MAPPED or NR_FILE_MAPPED: the folio as a whole, or nothing

procedure add(first, n, level, m, v) {
  let entries_added = level == PMD ? 1 : n
  if level == PMD { add _entire_mapcount, 1 }
  let total = add_large(entries_added, m)
  if total == entries_added { ghost nr_mapped = nr_mapped + PAGES }
  return 1
}

procedure remove(first, n, level, m, v) {
  let entries_gone = level == PMD ? 1 : n
  if level == PMD { add _entire_mapcount, -1 }
  let left = sub_large(entries_gone, m)
  if left == 0 { ghost nr_mapped = nr_mapped - PAGES }
  return 1
}
${SPLIT_PMD_STEPS}
${OWN_TABLE_LOCK_STEPS}
# folio_average_page_mapcount: to the nearest, at least 1 (kernel-facts 2.1). It reads two words that do not change together.
procedure pageMapcount(p) {
  let total = load _large_mapcount
  if total == 0 { return 0 }
  let entire = load _entire_mapcount
  if total <= entire { return entire }
  return max((total - entire + PAGES / 2) / PAGES + entire, 1)
}

procedure partial() {
  let total = load _large_mapcount
  if total == 0 { return NO }
  let entire = load _entire_mapcount
  if entire > 0 { return NO }
  return total < PAGES ? YES : UNKNOWN
}

quiet counts: slotsFit() && _entire_mapcount == pmdEntries()
quiet statistics: nr_mapped == (entries() > 0 ? PAGES : 0)
`;

export const mmOwner: Scheme = {
  id: "mm-owner",
  title: "two owners and a shared bit (CONFIG_NO_PAGE_MAPCOUNT)",
  origin: "David Hildenbrand, Linux 6.15 (March 2025)",
  kernelConfig: "nopage",
  shownByDefault: true,
  stateBits: { perFolio: 32 + 32 + 2 * 32 + 2 * 32, perPage: 0 },
  smallFolios: "mapcount",
  unit: "entries",
  leafEntries: "whole-folio",
  looksIntoPageTables: false,
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
  createCounter: (context: CounterContext) => new MmOwnerCounter(context),
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

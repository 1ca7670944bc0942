/**
 * `total`: one count of all entries of a large folio, `_large_mapcount` (David Hildenbrand, Linux 6.10) on its own.
 *
 * A PTE adds one, a PMD entry adds one, a batch adds its size with one atomic. "Is it mapped" and "how often" become one
 * load each, where `subpages` walks 512 struct pages; nothing is kept in the pages.
 *
 * What it says of others: at most one entry, nobody; more entries than pages, somebody, as long as each address space maps
 * the folio at most once. In between it does not know. Fewer entries than pages are a partial mapping for certain only
 * where no PMD entry can be among them, so below PMD order: one PMD entry maps 512 pages and counts one.
 */
import { type FolioColumns, HPAGE_PMD_ORDER, type Level, entriesOfBatch } from "../kernel/index.ts";
import type { Counter, CounterContext } from "./counter.ts";
import { ATOMICS, LOADS } from "./meter.ts";
import { canReuseLastReference, extraReferencesOf, pinnedOf } from "./reference-answers.ts";
import { type Answer, type AnswersAtRest, NO, type Scheme, UNKNOWN, UNKNOWN_COUNT, YES } from "./scheme.ts";
import { LAST_REFERENCE_STEPS, OWN_TABLE_LOCK_STEPS, SPLIT_PMD_STEPS } from "./kernel-steps.ts";

class TotalCounter implements Counter {
  private readonly context: CounterContext;
  private readonly entries: Int32Array;

  constructor(context: CounterContext) {
    this.context = context;
    this.entries = new Int32Array(context.frameCount);
  }

  add(folio: number, _first: number, pageCount: number, level: Level, _table: number, _vma: number, _mm: number): void {
    this.entries[folio] += entriesOfBatch(pageCount, level);
    this.charge(folio);
  }

  remove(
    folio: number,
    _first: number,
    pageCount: number,
    level: Level,
    _table: number,
    _vma: number,
    _mm: number,
  ): void {
    this.entries[folio] -= entriesOfBatch(pageCount, level);
    this.charge(folio);
  }

  private charge(folio: number): void {
    const { meter, orders } = this.context;
    if (meter === undefined) return;
    meter.chargeReferences();
    meter.charge(ATOMICS, 1);
    meter.chargeLines(0, 1, orders[folio] === 0 ? 1 : 2);
  }

  mapped(folio: number): Answer {
    return this.mappings(folio) > 0 ? YES : NO;
  }

  mappings(folio: number): number {
    this.context.meter?.charge(LOADS, 1);
    return this.entries[folio];
  }

  pageMapcount(folio: number, _pageIndex: number): number {
    this.context.meter?.charge(LOADS, 1);
    return this.context.orders[folio] === 0 || this.entries[folio] === 0 ? this.entries[folio] : UNKNOWN_COUNT;
  }

  others(folio: number, _mm: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return sharedOfTotal(this.entries[folio], this.context.orders[folio]);
  }

  otherVmas(folio: number, _vma: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return sharedOfTotal(this.entries[folio], this.context.orders[folio]);
  }

  isMaybeMappedShared(folio: number): boolean {
    this.context.meter?.charge(LOADS, 1);
    return this.entries[folio] > 1;
  }

  partial(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return partialOfTotal(this.entries[folio], this.context.orders[folio]);
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
    return this.entries[folio] > 0 ? 2 ** this.context.orders[folio] : 0;
  }
}

function sharedOfTotal(entries: number, order: number): Answer {
  if (entries <= 1) return NO;
  return entries > 2 ** order ? YES : UNKNOWN;
}

function partialOfTotal(entries: number, order: number): Answer {
  if (entries === 0 || order === 0) return NO;
  return entries < 2 ** order && order < HPAGE_PMD_ORDER ? YES : UNKNOWN;
}

/** One atomic an add or remove. */
const STEPS = `
word _large_mapcount: 0..2 * MAX_ENTRIES
# Whether PMD entries can be among the entries: then fewer entries than pages mean nothing.
const PMD_SIZED = 1

procedure add(first, n, level, m, v) {
  add _large_mapcount, level == PMD ? 1 : n
  return 1
}

procedure remove(first, n, level, m, v) {
  add _large_mapcount, level == PMD ? -1 : -n
  return 1
}
${SPLIT_PMD_STEPS}
${OWN_TABLE_LOCK_STEPS}
procedure mapped() {
  let total = load _large_mapcount
  return total > 0 ? YES : NO
}

procedure mappings() {
  let total = load _large_mapcount
  return total
}

procedure pageMapcount(p) {
  let total = load _large_mapcount
  return total == 0 ? 0 : NO_COUNT
}

procedure others(m, v) {
  let total = load _large_mapcount
  if total <= 1 { return NO }
  return total > PAGES ? YES : UNKNOWN
}

procedure partial() {
  let total = load _large_mapcount
  if total == 0 { return NO }
  return total < PAGES && !PMD_SIZED ? YES : UNKNOWN
}
${LAST_REFERENCE_STEPS}
quiet counts: _large_mapcount == entries()
`;

export const total: Scheme = {
  id: "total",
  title: "one count of all entries",
  origin: "David Hildenbrand, _large_mapcount of Linux 6.10 without the counts of pages",
  shownByDefault: false,
  stateBits: { perFolio: 32, perPage: 0 },
  smallFolios: "mapcount",
  unit: "entries",
  leafEntries: "any-part",
  looksIntoPageTables: false,
  guarantees: {
    mapped: "exact",
    mappings: "exact",
    pageMapcount: "exact-or-unknown",
    others: "one-sided",
    otherVmas: "one-sided",
    partial: "one-sided",
    canReuse: "one-sided",
    stopWalk: "exact",
    extraReferences: "exact",
    pinned: "one-sided",
  },
  rules: { privateBy: "folio-sharing", statistics: "whole-folio" },
  steps: STEPS,
  createCounter: (context) => new TotalCounter(context),
  answerAtRest(folios: FolioColumns, answers: AnswersAtRest): void {
    for (let row = 0; row < folios.count; row++) {
      const entries = folios.entries[row] + folios.mappedOutside[row];
      answers.pageMapcount[row] = -1;
      answers.shared[row] = sharedOfTotal(entries, folios.order[row]);
      answers.partial[row] = partialOfTotal(entries, folios.order[row]);
    }
  },
};

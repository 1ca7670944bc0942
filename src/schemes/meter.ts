/**
 * What counting costs, charged where it arises.
 *
 * A cost is a number of things done, not a time: atomic read-modify-writes, plain loads and stores of counters, distinct
 * 64-byte lines of struct page touched by one batch (a struct page is one line, so these are struct pages), locks taken,
 * page-table entries, tables and VMAs looked at, operations on the reference count. Which event or question caused a cost
 * is found by whoever drives the counter: the difference of `totals` before and after.
 */

/** Atomic read-modify-writes: of counters, reference counts, locks. */
export const ATOMICS = 0;
/** Plain loads of counters. */
export const LOADS = 1;
/** Plain stores to counters. */
export const STORES = 2;
/** Distinct struct pages touched. */
export const STRUCT_PAGE_LINES = 3;
/** The bit spinlock in _mm_ids that the large mapcount and the owner slots share. */
export const LARGE_MAPCOUNT_LOCKS = 4;
/** Locks of page tables other than the one that the caller holds already. */
export const PAGE_TABLE_LOCKS = 5;
/** Page-table entries looked at. */
export const ENTRIES_EXAMINED = 6;
/** VMAs visited by reverse map walks. */
export const VMAS_VISITED = 7;
/** Page tables visited. */
export const TABLES_VISITED = 8;
/** Changes of the reference count; each is one atomic, too. */
export const REFERENCE_OPERATIONS = 9;

export type Cost = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

/** Names of the costs, in order. */
export const COST_NAMES = [
  "atomics",
  "loads",
  "stores",
  "structPageLines",
  "largeMapcountLocks",
  "pageTableLocks",
  "entriesExamined",
  "vmasVisited",
  "tablesVisited",
  "referenceOperations",
] as const;

/** Adds costs up. */
export class Meter {
  /** By cost. */
  readonly totals = new Float64Array(COST_NAMES.length);

  charge(cost: Cost, times: number): void {
    this.totals[cost] += times;
  }

  /** Counters read and written without atomics. */
  chargePlain(loads: number, stores: number): void {
    this.totals[LOADS] += loads;
    this.totals[STORES] += stores;
  }

  /** One change of the folio's reference count: one atomic. */
  chargeReferences(): void {
    this.totals[REFERENCE_OPERATIONS] += 1;
    this.totals[ATOMICS] += 1;
  }

  /** The large mapcount's bit spinlock: an atomic to take it, a plain store to release it. */
  chargeLargeMapcountLock(): void {
    this.totals[LARGE_MAPCOUNT_LOCKS] += 1;
    this.totals[ATOMICS] += 1;
    this.totals[STORES] += 1;
  }

  /** Lines of struct page of a batch: its own pages, and the first `headPages` pages, where the folio's words are. */
  chargeLines(first: number, pageCount: number, headPages: number): void {
    const apart = first >= headPages ? headPages : first;
    const inside = Math.max(0, headPages - first - pageCount);
    this.totals[STRUCT_PAGE_LINES] += pageCount + apart + inside;
  }

  /** The costs since `before`, a copy of `totals`, by name. */
  since(before: Float64Array): Record<(typeof COST_NAMES)[number], number> {
    const costs: Partial<Record<(typeof COST_NAMES)[number], number>> = {};
    for (let cost = 0; cost < COST_NAMES.length; cost++) costs[COST_NAMES[cost]] = this.totals[cost] - before[cost];
    return costs as Record<(typeof COST_NAMES)[number], number>;
  }
}

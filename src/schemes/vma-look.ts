/**
 * "Does this VMA map the folio already?": the question behind every count of VMAs, and its price.
 *
 * A batch of all pages of the folio needs no look: before it there was nothing. Any other batch has to ask whether it is
 * the VMA's first or last, that is, look for another of the folio's entries in that VMA (folio_has_ptes in the mail of
 * February 2023: page_vma_mapped_walk). The look begins at the folio's first page and ends at the first entry that it
 * finds (kernel-facts 6.4); where there is none, it has seen all. Entries in the table at hand are under a lock that is held
 * already; the others are under locks of their own, taken while the first is held. In a folio above PMD size a table that
 * has none of the folio's entries is not there: one empty entry of the table above.
 *
 * Who counts pairs of a VMA and a table looks in the table at hand alone.
 */
import { HPAGE_PMD_NR, LEVEL_PTE, type Level } from "../kernel/index.ts";
import type { CounterContext, FolioPlace, PageTableView } from "./counter.ts";
import { ENTRIES_EXAMINED, PAGE_TABLE_LOCKS, TABLES_VISITED, VMAS_VISITED } from "./meter.ts";

/** The page tables of a counter that cannot count without looking. */
export function pageTablesOf(context: CounterContext, id: string): PageTableView {
  if (context.pageTables === undefined) throw new Error(`invariant: scheme ${id} counts by looking into page tables`);
  return context.pageTables;
}

/** What a look goes over. */
export interface LookCosts {
  readonly tables: number;
  /** Of tables that are not held already. */
  readonly locks: number;
  readonly entries: number;
}

/** The batch in flight: where it is, or was, in the folio and in which table, whose lock is held. */
export interface LookingBatch {
  readonly first: number;
  readonly pageCount: number;
  readonly level: Level;
  readonly table: number;
}

/**
 * True if this VMA maps any part of the folio besides the batch in flight. Where a batch goes from one VMA to another, both
 * are asked.
 */
export function isMappedInVma(context: CounterContext, folio: number, vma: number, batch: LookingBatch): boolean {
  const { pageTables, meter, orders } = context;
  if (meter !== undefined && batch.pageCount < 2 ** orders[folio]) {
    const { tables, locks, entries } = lookInVma(context, folio, vma, batch);
    meter.charge(VMAS_VISITED, 1);
    meter.charge(TABLES_VISITED, tables);
    meter.charge(PAGE_TABLE_LOCKS, locks);
    meter.charge(ENTRIES_EXAMINED, entries);
  }
  return pageTables !== undefined && pageTables.entriesOfVma(folio, vma) > 0;
}

/** The look for another entry in a VMA; see above. */
function lookInVma({ pageTables, orders }: CounterContext, folio: number, vma: number, batch: LookingBatch): LookCosts {
  const nrPages = 2 ** orders[folio];
  const { start, from, to } = rangeOf(pageTables?.placeInVma?.(folio, vma), nrPages);
  const lowest = pageTables?.lowestMapped?.(folio, vma, -1) ?? -1;
  const isFound = lowest >= 0;
  const last = isFound ? Math.max(from, start + lowest) : to - 1;
  const before = tableAt(last) - tableAt(from);
  const isElsewhere = isFound && pageTables?.lowestMapped?.(folio, vma, batch.table) !== lowest;
  if (nrPages <= HPAGE_PMD_NR || pageTables?.lowestMapped === undefined) {
    const entries = last + 1 - from - ownPages(batch, start, { from, to: last + 1 });
    return { tables: before + 1, locks: before === 0 && isElsewhere ? 1 : before, entries };
  }
  const inTable = isFound ? last % HPAGE_PMD_NR : HPAGE_PMD_NR - Math.min(HPAGE_PMD_NR, batch.pageCount);
  return { tables: 1, locks: isElsewhere ? 1 : 0, entries: before + inTable + (isFound ? 1 : 0) };
}

/** The look for another entry of the folio in the batch's table alone. */
export function lookInTable(
  { pageTables, orders }: CounterContext,
  folio: number,
  vma: number,
  batch: LookingBatch,
): LookCosts {
  const nrPages = 2 ** orders[folio];
  const { start, from, to } = rangeOf(pageTables?.placeInVma?.(folio, vma), nrPages);
  const pagesOfEntry = batch.level === LEVEL_PTE ? 1 : batch.pageCount;
  const pagesOfTable = pagesOfEntry * HPAGE_PMD_NR;
  if (batch.pageCount >= Math.min(nrPages, pagesOfTable)) return { tables: 0, locks: 0, entries: 0 };
  const at = start + batch.first;
  const tableStart = Math.max(from, at - (at % pagesOfTable));
  const tableEnd = Math.min(to, at - (at % pagesOfTable) + pagesOfTable);
  const lowest = pageTables?.lowestMapped?.(folio, vma, batch.table) ?? -1;
  const end = lowest < 0 ? tableEnd : Math.max(tableStart, start + lowest) + pagesOfEntry;
  const pages = end - tableStart - ownPages(batch, start, { from: tableStart, to: end });
  return { tables: 1, locks: 0, entries: Math.max(0, pages / pagesOfEntry) };
}

/** Pages of the batch among virtual pages [from, to): they are known and not looked at. */
function ownPages(
  { first, pageCount }: LookingBatch,
  start: number,
  { from, to }: { readonly from: number; readonly to: number },
): number {
  return Math.max(0, Math.min(to, start + first + pageCount) - Math.max(from, start + first));
}

/** The folio's pages in the VMA, as virtual pages [from, to), and where its first page is or would be. */
function rangeOf(
  place: FolioPlace | undefined,
  nrPages: number,
): { readonly start: number; readonly from: number; readonly to: number } {
  if (place === undefined) return { start: 0, from: 0, to: nrPages };
  const from = Math.max(place.first, place.start);
  const to = Math.min(place.first + nrPages, place.end);
  // A VMA that is going away has let go of these pages already.
  return from < to
    ? { start: place.first, from, to }
    : { start: place.first, from: place.first, to: place.first + nrPages };
}

/** Which PTE table a virtual page lies in. */
function tableAt(page: number): number {
  return Math.floor(page / HPAGE_PMD_NR);
}

/** True of a small folio that each VMA maps at most once, so that its VMAs are its mappings: any but a KSM page. */
export function isOneEntryPerVma({ orders, isKsm }: CounterContext, folio: number): boolean {
  return orders[folio] === 0 && (isKsm === undefined || !isKsm(folio));
}

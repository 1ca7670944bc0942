/**
 * "Does this VMA map the folio already?": the question behind every count of VMAs, and its price.
 *
 * A batch of all pages of the folio needs no look: before it there was nothing. Any other batch has to ask whether it is
 * the VMA's first or last, that is, look at the rest of the folio's entries in that VMA (folio_has_ptes in the mail of
 * February 2023). Those in the table at hand are under a lock that is held already; the others are under locks of their
 * own, taken while the first is held. The look is charged in full: all other entries of the folio, all other tables.
 */
import type { CounterContext, PageTableView } from "./counter.ts";
import { ENTRIES_EXAMINED, PAGE_TABLE_LOCKS, TABLES_VISITED, VMAS_VISITED } from "./meter.ts";

/** The page tables of a counter that cannot count without looking. */
export function pageTablesOf(context: CounterContext, id: string): PageTableView {
  if (context.pageTables === undefined) throw new Error(`invariant: scheme ${id} counts by looking into page tables`);
  return context.pageTables;
}

/**
 * True if this VMA maps any part of the folio besides the batch of `pageCount` pages in flight. Where a batch goes from one
 * VMA to another, both are asked.
 */
export function isMappedInVma(context: CounterContext, folio: number, vma: number, pageCount: number): boolean {
  const { pageTables, meter, orders } = context;
  const nrPages = 2 ** orders[folio];
  if (meter !== undefined && pageCount < nrPages) {
    const tables = pageTables?.tablesSpanned?.(folio, vma) ?? Math.ceil(nrPages / 512);
    meter.charge(VMAS_VISITED, 1);
    meter.charge(TABLES_VISITED, tables);
    meter.charge(PAGE_TABLE_LOCKS, tables - 1);
    meter.charge(ENTRIES_EXAMINED, nrPages - pageCount);
  }
  return pageTables !== undefined && pageTables.entriesOfVma(folio, vma) > 0;
}

/** True of a small folio that each VMA maps at most once, so that its VMAs are its mappings: any but a KSM page. */
export function isOneEntryPerVma({ orders, isKsm }: CounterContext, folio: number): boolean {
  return orders[folio] === 0 && (isKsm === undefined || !isKsm(folio));
}

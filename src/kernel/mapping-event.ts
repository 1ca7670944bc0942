/**
 * The vocabulary of mapping events: what page tables do to folios, in the batches the kernel uses.
 *
 * A batch is n consecutive pages of one folio in one page table and one VMA (kernel-facts 2.9-2.11). Whoever owns page
 * tables (the capture, the model) emits batches; whoever counts (a scheme) receives them. Positional integers, because
 * there are millions of them: folio, table, vma and mm are row numbers of the emitter's tables.
 */

/** The level of the page-table entries of a batch: a PTE maps 1 page, a PMD 512, a PUD 262,144. */
export const LEVEL_PTE = 0;
export const LEVEL_PMD = 1;
export const LEVEL_PUD = 2;
/** The entries were seen, their level was not (a capture without PAGEMAP_SCAN); counted as PTEs. */
export const LEVEL_UNKNOWN = 3;
export type Level = typeof LEVEL_PTE | typeof LEVEL_PMD | typeof LEVEL_PUD | typeof LEVEL_UNKNOWN;

/** Receives batches. */
export interface MappingEvents {
  /**
   * Entries that map pages [first, first + pageCount) of a folio appear.
   * At PMD and PUD level the batch is one entry and covers `pageCount` pages.
   */
  add(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void;
  /** The same entries disappear. */
  remove(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void;
}

/** Page-table entries in a batch: one at PMD or PUD level, one per page below. */
export function entriesOfBatch(pageCount: number, level: Level): number {
  return level === LEVEL_PMD || level === LEVEL_PUD ? 1 : pageCount;
}

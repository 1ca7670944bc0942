/**
 * What figures of single pages ask of whoever counts: a scheme's counter, or the page tables themselves.
 */
export interface PageCounts {
  /** Entries that map this page; at least 1 of a page that is mapped. */
  pageMapcount(folio: number, pageIndex: number): number;
  /** folio_maybe_mapped_shared. */
  isMaybeMappedShared(folio: number): boolean;
}

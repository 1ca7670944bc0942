/**
 * The vocabulary of work: what an operation on memory does besides counting, and costs time whatever is counted.
 *
 * The model counts it, a price list says what one of each takes, a study adds both up. Units: one page of 4 KiB, one
 * page-table entry (a PMD entry is one), one page table; an allocation and a freeing are one for a folio of any order, as the
 * allocator takes about as long for 2 MiB as for 4 KiB; walks are those of the reverse map.
 */
export const WORK_NAMES = [
  "fault",
  "page-copied",
  "page-zeroed",
  "page-allocated",
  "page-freed",
  "entry-copied",
  "entry-set",
  "entry-cleared",
  "table-allocated",
  "table-freed",
  "pmd-split",
  "walk-vma",
  "walk-table",
  "walk-entry",
  "page-scanned",
] as const;
export type WorkName = (typeof WORK_NAMES)[number];

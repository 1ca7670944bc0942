/**
 * What a count of mappings and a count of mapped pages say together about the levels of the entries (literature 6.18).
 *
 * With a PTEs, b PMD entries and c PUD entries: mappings = a + b + c, mapped pages = a + 512 b + 262144 c. Their difference
 * is 511 b + 262143 c, and 262143 = 511 x 513. So the two counts give b + 513 c and no more: for folios up to PMD size, all
 * anonymous ones among them, the PMD entries are exact, and AnonHugePages needs no counter of its own. Of a larger folio
 * 513 PMD entries look like one PUD entry, which two address spaces with 512 PMD entries each can bring about.
 */
import { HPAGE_PMD_NR, HPAGE_PMD_ORDER } from "../kernel/index.ts";

/** Pages that a PMD entry maps beyond the one that its mapping counts. */
const PAGES_BEYOND_ONE = HPAGE_PMD_NR - 1;
/** PMD entries that add as much to both counts as one PUD entry, but for the number of mappings: 262143 / 511. */
const PMD_ENTRIES_LIKE_A_PUD = HPAGE_PMD_NR + 1;

/** How many entries of which level map a folio. */
export interface LeafEntries {
  /** PMD entries at least and at most; equal where the counts decide it. */
  readonly pmdAtLeast: number;
  readonly pmdAtMost: number;
}

/**
 * PMD entries of a folio of this order, from its counts. O(1).
 *
 * @example 2 PMD entries and a PTE
 * ```ts
 * pmdEntriesOf(9, { mappings: 3, mappedPages: 1025 }); // { pmdAtLeast: 2, pmdAtMost: 2 }
 * ```
 */
export function pmdEntriesOf(
  order: number,
  { mappings, mappedPages }: { readonly mappings: number; readonly mappedPages: number },
): LeafEntries {
  const weight = (mappedPages - mappings) / PAGES_BEYOND_ONE;
  if (order <= HPAGE_PMD_ORDER) return { pmdAtLeast: weight, pmdAtMost: weight };
  // Every PUD entry stands for 513 PMD entries; all entries together are no more than the mappings.
  const fewestPuds = Math.max(0, Math.ceil((weight - mappings) / (PMD_ENTRIES_LIKE_A_PUD - 1)));
  const mostPuds = Math.min(Math.floor(weight / PMD_ENTRIES_LIKE_A_PUD), mappings);
  return {
    pmdAtLeast: weight - mostPuds * PMD_ENTRIES_LIKE_A_PUD,
    pmdAtMost: weight - fewestPuds * PMD_ENTRIES_LIKE_A_PUD,
  };
}

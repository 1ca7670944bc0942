/**
 * A folio's average mapcount, which stands in for the mapcount of each of its pages where no page has one.
 *
 * Rounded to the nearest integer, halves up, and at least 1 for a mapped folio (kernel-facts 2.1; RFC of April 2026 for
 * the second form). For folios up to PMD size both forms agree: a PMD entry adds exactly one to the average.
 */

/** From entries and the PMD entries among them (folio_average_page_mapcount). 0 for an unmapped folio. */
export function averageOfEntries(entries: number, pmdEntries: number, order: number): number {
  if (entries <= 0) return 0;
  if (entries <= pmdEntries) return pmdEntries;
  const nrPages = 2 ** order;
  const average = Math.floor((entries - pmdEntries + nrPages / 2) / nrPages) + pmdEntries;
  return average < 1 ? 1 : average;
}

/** From the sum of pages mapped over all entries. 0 for an unmapped folio. */
export function averageOfMappedPages(mappedPages: number, order: number): number {
  if (mappedPages <= 0) return 0;
  const nrPages = 2 ** order;
  const average = Math.floor((mappedPages + nrPages / 2) / nrPages);
  return average < 1 ? 1 : average;
}

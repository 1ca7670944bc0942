/**
 * A mapcount in every page, and what the folio adds to AnonPages or Mapped, as a CPU keeps them (kernel-facts 1.3, 2.3, 2.4).
 *
 * Two atomics in a row, without a lock: a page's count that goes between 0 and 1 changes `_nr_pages_mapped` by one, the
 * count of PMD entries that goes between 0 and 1 changes it by ENTIRELY_MAPPED. What the second atomic gives back says how
 * many pages the statistics gain or lose. Statistics are counters of each CPU, which commute: a ghost, no step. The words
 * are exact whenever nobody is at work; the statistics are not (CLAMPED), which the checker found.
 */

/** `add_pages`, `sub_pages` for a batch of PTEs, `add_entire`, `sub_entire` for a PMD entry; `pagesFit()`. */
export const PAGE_MAPCOUNTS_STEPS = `
# Whoever is between its two atomics makes _nr_pages_mapped count a page twice, and the difference that the PMD entry makes
# can be below 0. With 1, as in the kernel, it is taken for 0; then it is missing from the sum of all, and the statistics are
# left wrong by a page. 0: every difference counts.
const CLAMPED = 1
define difference(d) = CLAMPED ? max(d, 0) : d
# 0x800000 in the kernel; here more than pages can be counted at once.
const ENTIRELY_MAPPED = 2 * MAX_PAGES
word _mapcount[page]: 0..2 * MMS * VMAS
word _entire_mapcount: 0..2 * MMS * VMAS
word _nr_pages_mapped: 0..ENTIRELY_MAPPED * (MMS * VMAS + 2)
ghost nr_mapped: -2 * MAX_PAGES..2 * MAX_PAGES      # NR_ANON_MAPPED or NR_FILE_MAPPED

procedure add_pages(first, n) {
  let fresh: 0..PAGES = 0
  for q in first..first + n {
    let count = add _mapcount[q], 1
    if count == 1 { fresh = fresh + 1 }
  }
  if fresh > 0 {
    let pages = add _nr_pages_mapped, fresh
    # Under a PMD entry they are mapped already.
    if pages < ENTIRELY_MAPPED { ghost nr_mapped = nr_mapped + fresh }
  }
}

procedure sub_pages(first, n) {
  let gone: 0..PAGES = 0
  for q in first..first + n {
    let count = add _mapcount[q], -1
    if count == 0 { gone = gone + 1 }
  }
  if gone > 0 {
    let pages = add _nr_pages_mapped, -gone
    if pages < ENTIRELY_MAPPED { ghost nr_mapped = nr_mapped - gone }
  }
}

procedure add_entire() {
  let count = add _entire_mapcount, 1
  if count == 1 {
    let pages = add _nr_pages_mapped, ENTIRELY_MAPPED
    # More: it raced ahead of a removal that has yet to take its own.
    if pages < 2 * ENTIRELY_MAPPED { ghost nr_mapped = nr_mapped + difference(PAGES - pages % ENTIRELY_MAPPED) }
  }
}

procedure sub_entire() {
  let count = add _entire_mapcount, -1
  if count == 0 {
    let pages = add _nr_pages_mapped, -ENTIRELY_MAPPED
    if pages < ENTIRELY_MAPPED { ghost nr_mapped = nr_mapped - difference(PAGES - pages) }
  }
}

procedure pageMapcount(p) {
  let count = load _mapcount[p]
  let entire = load _entire_mapcount
  return count + entire
}

define ptesOf(p) = sum(o in mm: count(w in area: pte[o][w][p]))
define pagesWithPte() = count(q in page: ptesOf(q) > 0)
define pagesFit() = all(q in page: _mapcount[q] == ptesOf(q)) && _entire_mapcount == pmdEntries()
  && _nr_pages_mapped == pagesWithPte() + (pmdEntries() > 0 ? ENTIRELY_MAPPED : 0)
quiet statistics: nr_mapped == (pmdEntries() > 0 ? PAGES : pagesWithPte())
`;

/** `partial()`, where `_nr_pages_mapped` says whether a PMD maps the folio. */
export const PARTIAL_BY_PAGES_STEPS = `
procedure partial() {
  let pages = load _nr_pages_mapped
  return 0 < pages && pages < PAGES ? YES : NO
}
`;

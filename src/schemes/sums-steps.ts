/**
 * `sums` step by step: four words under the large mapcount's lock, read without it.
 *
 * Weights are symbols here, so that no sum collides: a weight of an address space is a place of a number whose digits cannot
 * carry, and so is a page's. What is shown of the steps then holds up to the collisions of sums.ts. A reader loads the total
 * before the sum: the sum alone says whether somebody else was there at that moment, since whoever is adds a part that is no
 * multiple of the asker's weight. The checker can tell up to 6 address spaces and 6 pages apart; more are refused.
 */
import { OWN_TABLE_LOCK_STEPS, SPLIT_PMD_STEPS } from "./kernel-steps.ts";

/** `Scheme.steps` of `sums`. */
export const SUMS_STEPS = `
const RECHECK = 1
lock large
word _large_mapcount: 0..2 * MAX_ENTRIES
word _total_mapped_pages: 0..2 * MAX_PAGES
ghost nr_mapped: -PAGES..2 * PAGES

# Entries of one address space are a digit of mm_sum.
const MM_BASE = MAX_ENTRIES + 1
define mmPlace(i) = i == 0 ? 1 : i == 1 ? MM_BASE : i == 2 ? MM_BASE * MM_BASE
  : i == 3 ? MM_BASE * MM_BASE * MM_BASE : i == 4 ? MM_BASE * MM_BASE * MM_BASE * MM_BASE
  : i == 5 ? MM_BASE * MM_BASE * MM_BASE * MM_BASE * MM_BASE : 0
word weight[m in mm]: 1..mmPlace(MMS - 1) = mmPlace(m)
word mm_sum: 0..2 * MAX_ENTRIES * mmPlace(MMS - 1)

# Entries that map one page are a digit of page_sum; PREFIX[i] is the sum of the weights of the pages before i.
const PAGE_BASE = 2 * MMS * VMAS + 1
index boundary 7
const PREFIX[boundary] = 0, 1, 1 + PAGE_BASE, 1 + PAGE_BASE * (1 + PAGE_BASE),
  1 + PAGE_BASE * (1 + PAGE_BASE * (1 + PAGE_BASE)),
  1 + PAGE_BASE * (1 + PAGE_BASE * (1 + PAGE_BASE * (1 + PAGE_BASE))),
  1 + PAGE_BASE * (1 + PAGE_BASE * (1 + PAGE_BASE * (1 + PAGE_BASE * (1 + PAGE_BASE))))
word page_sum: 0..2 * MAX_ENTRIES * PREFIX[PAGES]

procedure change(first, pages, entries_changed, pages_changed, m) {
  lock large
  let total = load _large_mapcount
  store _large_mapcount = total + entries_changed
  let mapped_pages = load _total_mapped_pages
  store _total_mapped_pages = mapped_pages + pages_changed
  let mine = load weight[m]
  let sum_of_mms = load mm_sum
  store mm_sum = sum_of_mms + entries_changed * mine
  let sum_of_pages = load page_sum
  let weights = PREFIX[first + pages] - PREFIX[first]
  store page_sum = sum_of_pages + (pages_changed > 0 ? weights : -weights)
  unlock large
  return total + entries_changed
}

procedure add(first, n, level, m, v) {
  let entries_added = level == PMD ? 1 : n
  let total = change(first, n, entries_added, n, m)
  if total == entries_added { ghost nr_mapped = nr_mapped + PAGES }
  return 1
}

procedure remove(first, n, level, m, v) {
  let left = change(first, n, level == PMD ? -1 : -n, -n, m)
  if left == 0 { ghost nr_mapped = nr_mapped - PAGES }
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

procedure others(m, v) {
  let total = load _large_mapcount
  if total <= 1 { return NO }
  let mine = load weight[m]
  let sum_of_mms = load mm_sum
  return sum_of_mms == total * mine ? NO : YES
}

# Exact where the folio is evenly mapped, the average elsewhere.
procedure pageMapcount(p) {
  let pages = load _total_mapped_pages
  return pages == 0 ? 0 : max((pages + PAGES / 2) / PAGES, 1)
}

procedure partial() {
  let pages = load _total_mapped_pages
  if pages == 0 || PAGES == 1 { return NO }
  if pages < PAGES { return YES }
  if pages % PAGES != 0 { return UNKNOWN }
  let sum_of_pages = load page_sum
  return sum_of_pages == pages / PAGES * PREFIX[PAGES] ? NO : UNKNOWN
}

procedure canReuse(m) {
  let total = load _large_mapcount
  if total <= 1 { return NO }
  let mine = load weight[m]
  let sum_of_mms = load mm_sum
  if sum_of_mms != total * mine { return NO }
  let references = load refcount
  if references != total { return NO }
  if RECHECK {
    lock large
    let answer: bool = NO
    let total_now = load _large_mapcount
    let sum_now = load mm_sum
    let references_now = load refcount
    if sum_now == total_now * mine && references_now == total_now { answer = YES }
    unlock large
    return answer
  }
  return YES
}

define sumOfMms() = sum(o in mm: entriesOf(o) * weight[o])
define sumOfPages() = sum(q in page: pageEntries(q) * (PREFIX[q + 1] - PREFIX[q]))
quiet counts: _large_mapcount == entries() && _total_mapped_pages == pteEntries() + PAGES * pmdEntries()
  && mm_sum == sumOfMms() && page_sum == sumOfPages()
quiet statistics: nr_mapped == (entries() > 0 ? PAGES : 0)
`;

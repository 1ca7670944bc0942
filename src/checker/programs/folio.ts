/**
 * What every checked system begins with: one folio, the page tables that map it, the locks and the truth.
 *
 * Address space m has VMAS areas (VMAs) that map the folio; area v of m reaches page p through an entry in page table
 * tableOf(p) of that area, guarded by that table's lock (split PTL, kernel-facts 6.5), or the whole folio through one PMD
 * entry, guarded by the lock of table 0 (TABLES is 1 then: while a PMD maps the folio there is no table of PTEs). The
 * words of the page tables are the truth; a scheme's words beside them are what it makes of it. A scheme's text declares
 * its words and the procedures below; programs call them at the places where the kernel does (kernel-facts 2.9):
 *
 *     add(first, n, level, m, v)      under the lock of the entries' table; the batch lies in one table
 *     remove(first, n, level, m, v)   likewise
 *     split_pmd(m, v)                 the PMD entry becomes PAGES PTEs, under all of its locks
 *     lock_tables(m, v, t)  unlock_tables(m, v, t)
 *                                     the page table lock(s) that an add or remove in table t wants held
 *     mapped()  mappings()  pageMapcount(p)  others(m, v)  partial()  canReuse(m)
 *                                     answers: NO, YES or UNKNOWN; counts, or NO_COUNT
 *
 * add and remove give 1, or 0 if they changed nothing and want every lock dropped and all begun again. As in the kernel,
 * add is called before the entries are set and remove after they are cleared (under one hold of the lock): what is counted
 * is never less than what is mapped, and a look into the page tables does not see the batch itself.
 *
 * And one property `quiet counts: ...` that says what its words are when nobody is at work.
 */
export const FOLIO_TEXT = `
# One folio and all that maps it.
const MMS = 2
const VMAS = 1                      # areas an address space
const PAGES = 2
const TABLES = 1                    # page tables that an area's entries lie in
set mm MMS
index area VMAS
index page PAGES
index table TABLES

const PTE = 0
const PMD = 1
const NO = 0
const YES = 1
const UNKNOWN = 3
const NO_COUNT = -1
# No count can pass what all entries together make.
const MAX_ENTRIES = MMS * VMAS * (PAGES + 1)
const MAX_PAGES = MMS * VMAS * PAGES * 2
# References: one an entry, raised before the entry is counted and put after it is counted off (kernel-facts 1.7), and
# those of caches, walkers and pins. Programs change it; a scheme's canReuse reads it.
const EXTRA_REFERENCES = 2
const MAX_REFERENCES = MAX_ENTRIES + EXTRA_REFERENCES

define tableOf(p) = TABLES == 1 ? 0 : p * TABLES / PAGES
define firstOf(t) = (t * PAGES + TABLES - 1) / TABLES
define endOf(t) = firstOf(t + 1)

word pte[mm][area][page]: bool
word pmd[mm][area]: bool
lock ptl[mm][area][table]
word refcount: 0..MAX_REFERENCES

# The truth.
define pmdEntries() = sum(o in mm: count(w in area: pmd[o][w]))
define pteEntries() = sum(o in mm: sum(w in area: count(q in page: pte[o][w][q])))
define entries() = pteEntries() + pmdEntries()
define entriesOf(m) = sum(w in area: pmd[m][w] + count(q in page: pte[m][w][q]))
define mapsAny(m) = entriesOf(m) > 0
define areaMaps(m, v) = pmd[m][v] || any(q in page: pte[m][v][q])
define pageEntries(p) = pmdEntries() + sum(o in mm: count(w in area: pte[o][w][p]))
define pagesMapped() = count(q in page: pageEntries(q) > 0)
define mappers() = count(o in mm: mapsAny(o))
define exclusiveTo(m) = all(o in mm: o == m || !mapsAny(o))
`;

/**
 * Step texts that schemes share because the kernel around them does the same: page table locks, the split of a PMD entry,
 * reuse by the last reference.
 *
 * A scheme's text (`Scheme.steps`, docs/step-language.md) is put together from these and its own words. Invariant: these
 * declare procedures and constants only, no word and no lock, so a scheme without counts has no state.
 */

/** An add or remove wants the lock of its own table and no other (split PTL, kernel-facts 6.5). */
export const OWN_TABLE_LOCK_STEPS = `
procedure lock_tables(m, v, t) {
  lock ptl[m][v][t]
}
procedure unlock_tables(m, v, t) {
  unlock ptl[m][v][t]
}
`;

/** A PMD entry is split: its PTEs are counted, then the entry is counted off (kernel-facts 2.9). */
export const SPLIT_PMD_STEPS = `
procedure split_pmd(m, v) {
  add(0, PAGES, PTE, m, v)
  remove(0, PAGES, PMD, m, v)
}
`;

/** Reuse by the rule of 5.9: the mapping that asks holds the only reference. Sufficient, not necessary. */
export const LAST_REFERENCE_STEPS = `
procedure canReuse(m) {
  let references = load refcount
  return references == 1 ? YES : NO
}
`;

/**
 * "Does this VMA map the folio already?" as a CPU asks it: `vma-look.ts` step by step, with the page table locks.
 *
 * The asker holds the lock of the table that its batch lies in. folio_has_ptes goes through all tables of the VMA in the
 * order of addresses and stops at the first entry. The mail of February 2023 sees both problems itself: the walk wants a
 * lock that is held already, and two walkers that hold one table each want the other's. What it asks (which remedy holds?)
 * is the constant REMEDY, which the scheme's own text declares:
 *
 *     0  plain: every table's lock is taken, that of the table at hand too
 *     1  the table at hand is excluded; the other locks are taken while its lock is held
 *     2  excluded, and the others are only tried: if one is not free, everything is given up and begun again
 *     3  lock_tables takes the locks of all of the area's tables beforehand, in the order of addresses
 *
 * PEEK 1 is page_vma_mapped_walk without PVMW_SYNC (kernel-facts 6.4): a table is read without its lock first, and
 * locked only if it shows an entry.
 */

/** `folio_has_ptes(m, v, at)`: 1, 0 or GIVE_UP; `lock_tables`, `unlock_tables` and `areas()`, the VMAs that map. */
export const VMA_LOOK_STEPS = `
const PEEK = 0
const GIVE_UP = 2

procedure lock_tables(m, v, t) {
  if REMEDY == 3 {
    for each in 0..TABLES { lock ptl[m][v][each] }
  } else {
    lock ptl[m][v][t]
  }
}
procedure unlock_tables(m, v, t) {
  if REMEDY == 3 {
    for each in 0..TABLES { unlock ptl[m][v][each] }
  } else {
    unlock ptl[m][v][t]
  }
}

procedure table_has_ptes(m, v, t) {
  for q in firstOf(t)..endOf(t) {
    let present = load pte[m][v][q]
    if present { return 1 }
  }
  return 0
}

# 0: not got, and nothing may be waited for.
procedure enter_table(m, v, t, at) {
  if REMEDY == 3 || REMEDY != 0 && t == at { return 1 }
  if REMEDY == 2 {
    let got = trylock ptl[m][v][t]
    return got
  }
  lock ptl[m][v][t]
  return 1
}
procedure leave_table(m, v, t, at) {
  if REMEDY == 0 || REMEDY != 3 && t != at { unlock ptl[m][v][t] }
}

# Whether the area maps any part of the folio besides the batch in flight, which lies in table "at".
procedure folio_has_ptes(m, v, at) {
  for t in 0..TABLES {
    let looks: bool = 1
    if PEEK { looks = table_has_ptes(m, v, t) }
    if looks {
      let entered = enter_table(m, v, t, at)
      if !entered { return GIVE_UP }
      let has = table_has_ptes(m, v, t)
      leave_table(m, v, t, at)
      if has { return 1 }
    }
  }
  return 0
}

define areas() = sum(o in mm: count(w in area: areaMaps(o, w)))
`;

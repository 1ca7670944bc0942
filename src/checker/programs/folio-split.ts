/**
 * Splitting an anonymous folio: every entry becomes a migration entry, the reference count is frozen, the pieces are remapped.
 *
 * kernel-facts 2.8: under the folio lock and the anon_vma lock for writing, with a reference of its own, split_folio first asks
 * whether anything but mappings refers to the folio (mapcount == refcount - 1), replaces all entries, and then freezes
 * the reference count at exactly its own. If that fails the entries are put back. PRECHECK 0 leaves out the question,
 * FREEZE 0 the freeze: the question alone is not enough, because GUP-fast raises the count at any time.
 *
 * After a split the folio is gone: its pieces are folios of their own, outside of what is looked at. fork is left out.
 */
export const FOLIO_SPLIT_TEXT = `
const ANONYMOUS = 1
const PRECHECK = 1
const FREEZE = 1
lock anon_vma
lock folio
word migration[mm][page]: bool      # area 0
ghost split_now: bool
ghost put_back: bool

procedure to_migration_entry(m, q) {
  lock_tables(m, 0, tableOf(q))
  let there = entries_in(m, 0, q, 1)
  if there == 1 {
    clear_entries(m, 0, q, 1)
    count_off(q, 1, PTE, m, 0)
    store migration[m][q] = 1
  }
  unlock_tables(m, 0, tableOf(q))
  if there == 1 { put_references(1) }
}

procedure from_migration_entry(m, q) {
  lock_tables(m, 0, tableOf(q))
  let waits = load migration[m][q]
  if waits == 1 {
    get_references(1)
    count_on(q, 1, PTE, m, 0)
    set_entries(m, 0, q, 1)
    store migration[m][q] = 0
  }
  unlock_tables(m, 0, tableOf(q))
}

procedure is_only_mapped() {
  if PRECHECK == 0 { return 1 }
  let n = mappings()
  let all = load refcount
  return n == NO_COUNT || n == all - 1
}

procedure split() {
  lock folio
  add refcount, 1
  lock anon_vma
  let may = is_only_mapped()
  let done = 0
  if may == 1 {
    for i in 0..MMS {
      for q in 0..PAGES { to_migration_entry(element(mm, i), q) }
    }
    if FREEZE {
      let frozen = cas refcount, 1, 0
      done = frozen
    } else { done = 1 }
    if done == 1 {
      assert split_unmapped: entries() == 0
      assert split_while_held: holders == 0
      ghost split_now = 1
    } else {
      for i in 0..MMS {
        for q in 0..PAGES { from_migration_entry(element(mm, i), q) }
      }
      ghost put_back = 1
    }
  }
  unlock anon_vma
  ghost put_back = 0
  unlock folio
  if done == 0 { put_references(1) }
  return done
}

initially {
  for i in 0..MMS {
    for t in 0..TABLES { map_batch(element(mm, i), 0, firstOf(t), endOf(t) - firstOf(t)) }
  }
}

thread splitter {
  op split { split() }
}

never split_and_referenced: FREEZE && split_now && refcount > 0
sometimes split_done: split_now == 1
sometimes split_put_back: put_back == 1
`;

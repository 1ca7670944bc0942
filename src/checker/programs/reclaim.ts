/**
 * Reclaim's walk: unmap an anonymous folio everywhere, then free it.
 *
 * shrink_folio_list holds a reference (isolation) and the folio lock; the walk holds the anon_vma lock for reading and
 * visits each area, oldest address space first (a child is linked behind its parent, kernel-facts 6.1, 6.3), taking the
 * lock of each table; it stops early when the count says that nothing is mapped (4.5 "stop walk"). What is left unmapped is
 * freed only by freezing the reference count: it must be exactly the walker's own (FREEZE 1). FREEZE 0 trusts the walk and
 * the count alone. The folio is clean and lazily freeable, so nothing is written and no swap entry is left behind.
 *
 * Beside it the first address space forks, zaps, and takes references without locks (GUP-fast), which it uses later.
 * ORDER 1 walks the youngest first: then a fork can carry an entry from before the walk to behind it, and only a count
 * notices.
 */
export const RECLAIM_TEXT = `
const ANONYMOUS = 1
const FREEZE = 1
const EARLY = 1
const ORDER = 0
const FORKS = 1
lock anon_vma
lock folio
ghost freed_now: bool
ghost kept: bool
ghost stopped_early: bool

define oldest(i) = element(mm, ORDER == 1 ? MMS - 1 - i : i)

procedure unmap_area(m, v, t) {
  for q in 0..PAGES {
    if q >= firstOf(t) && q < endOf(t) { unmap_batch(m, v, q, 1) }
  }
}

# Everything is unmapped, area by area, until the count says that nothing is left.
procedure walk() {
  lock_shared anon_vma
  let more = YES
  for i in 0..MMS {
    for v in 0..VMAS {
      if more != NO {
        for t in 0..TABLES { unmap_area(oldest(i), v, t) }
        if EARLY {
          let r = mapped()
          more = r
        }
      }
    }
    if i < MMS - 1 && more == NO { ghost stopped_early = 1 }
  }
  unlock_shared anon_vma
  ghost stopped_early = 0
  return more
}

procedure reclaim() {
  let got = trylock folio
  if got == 0 { return 0 }
  add refcount, 1
  walk()
  let left = mapped()
  assert walk_is_complete: left != NO || entries() == 0
  let done = 0
  if left != YES {
    if FREEZE {
      let frozen = cas refcount, 1, 0
      done = frozen
    } else {
      done = 1
    }
  }
  if done == 1 {
    assert freed: entries() == 0
    assert freed_while_held: holders == 0
    ghost freed_now = 1
  } else {
    add refcount, -1
    ghost kept = 1
  }
  unlock folio
  ghost kept = 0
  return done
}

procedure copy_page(m, c, q) {
  lock_tables(c, 0, tableOf(q))
  lock_tables(m, 0, tableOf(q))
  let there = entries_in(m, 0, q, 1)
  if there == 1 {
    get_references(1)
    let done = count_on(q, 1, PTE, c, 0)
    if done == 1 { set_entries(c, 0, q, 1) }
  }
  unlock_tables(m, 0, tableOf(q))
  unlock_tables(c, 0, tableOf(q))
}

initially {
  for i in 0..MMS - FORKS {
    for t in 0..TABLES { map_batch(element(mm, i), 0, firstOf(t), endOf(t) - firstOf(t)) }
  }
}

thread reclaimer {
  op reclaim { reclaim() }
}

# The first address space forks the last one.
thread forker {
  repeat FORKS {
    op fork {
      lock mmap[first()]
      lock anon_vma                 # the child's area is linked in, then its tables are filled
      unlock anon_vma
      for q in 0..PAGES { copy_page(first(), element(mm, MMS - 1), q) }
      unlock mmap[first()]
    }
  }
}

never freed_and_referenced: FREEZE && freed_now && refcount > 0
sometimes freed_by_reclaim: freed_now == 1
sometimes kept_by_reclaim: kept == 1
sometimes walk_stops_early: stopped_early == 1
`;

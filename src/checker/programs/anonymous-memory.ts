/**
 * Anonymous memory: new sharers come by fork of an address space that maps the folio, and in no other way.
 *
 * fork holds the parent's mmap lock for writing and both table locks (kernel-facts 2.10, 6.5); MADV_DONTNEED, the COW
 * fault's unmapping and madvise's question hold it for reading and the table's lock. So the answer NO, once true, stays true
 * as long as the asker holds its mmap lock, and who acts on it may: `no_false_exclusive` is asserted under the table's
 * lock, `still_exclusive` after it was dropped, where madvise_free goes on to split the folio (4.4). A child is an
 * address space that maps nothing: for counting it is as good as new.
 *
 * The locks of two tables of different address spaces are taken child first, then parent, as copy_pte_range does.
 */
export const ANONYMOUS_MEMORY_TEXT = `
const ANONYMOUS = 1
const THREADS = 2
const OPERATIONS = 2
const FORK_WAITS = 1                # 0: fork holds the parent's mmap lock for reading only
lock mmap[mm]
lock folio

ghost latest_answer: -1..3 = -1     # the latest answer, until the table's lock is dropped
ghost acting: bool                  # somebody was told NO and acts on it

# The run of entries of m from page first on.
procedure run_at(m, v, first, end) {
  let n = 0
  let going = 1
  for q in 0..PAGES {
    if q >= first && q < end && going == 1 {
      let e = load pte[m][v][q]
      if e == 1 { n = n + 1 } else { going = 0 }
    }
  }
  return n
}

# All runs of one table, each counted at once. What has to be given up is begun again where it stopped.
procedure copy_table(m, c, v, t) {
  let next = firstOf(t)
  loop {
    lock_tables(c, v, t)
    lock_tables(m, v, t)
    let done = 1
    for q in 0..PAGES {
      if done == 1 && q >= next && q < endOf(t) {
        let n = run_at(m, v, q, endOf(t))
        if n > 0 {
          get_references(n)
          done = count_on(q, n, PTE, c, v)
          if done == 1 {
            set_entries(c, v, q, n)
            next = q + n
          } else {
            put_references(n)
          }
        }
      }
    }
    unlock_tables(m, v, t)
    unlock_tables(c, v, t)
    if done == 1 { return 1 }
  }
}

procedure fork(m, c) {
  if FORK_WAITS {
    lock mmap[m]
  } else {
    lock_shared mmap[m]
  }
  let free = trylock mmap[c]
  if free == 1 {
    let used = 0
    for v in 0..VMAS {
      let n = entries_in(c, v, 0, PAGES)
      used = used + n
    }
    if used == 0 {
      for v in 0..VMAS {
        for t in 0..TABLES { copy_table(m, c, v, t) }
      }
    }
    unlock mmap[c]
  }
  if FORK_WAITS {
    unlock mmap[m]
  } else {
    unlock_shared mmap[m]
  }
}

# madvise_free: who is told NO takes the folio lock if it is free, drops the table's lock and splits the folio.
procedure ask(m, v, p) {
  lock_shared mmap[m]
  lock_tables(m, v, tableOf(p))
  let there = entries_in(m, v, p, 1)
  let acts = 0
  if there == 1 {
    let r = others(m, v)
    ghost latest_answer = r
    assert no_false_exclusive: r != NO || exclusiveTo(m)
    if r == NO {
      let got = trylock folio
      acts = got
      ghost acting = got
    }
  }
  unlock_tables(m, v, tableOf(p))
  ghost latest_answer = -1
  if acts == 1 {
    unlock folio
    assert still_exclusive: exclusiveTo(m)
    ghost acting = 0
  }
  unlock_shared mmap[m]
}

initially {
  for v in 0..VMAS {
    for t in 0..TABLES { map_batch(element(mm, 0), v, firstOf(t), endOf(t) - firstOf(t)) }
  }
}

thread worker * THREADS {
  repeat OPERATIONS {
    choose {
      op fork {
        pick m in mm
        pick c in mm where c != m
        fork(m, c)
      }
    } or {
      op unmap {
        pick m in mm
        pick v in area
        pick b in 0..PAGES * PAGES where isBatch(b)
        lock_shared mmap[m]
        unmap_batch(m, v, batchFirst(b), batchPages(b))
        unlock_shared mmap[m]
      }
    } or {
      op ask {
        pick m in mm
        pick v in area
        pick p in page
        ask(m, v, p)
      }
    }
  }
}

sometimes two_count_at_once: counting >= 2
sometimes answered_no: latest_answer == NO
sometimes answered_yes: latest_answer == YES
sometimes somebody_acts: acting == 1
sometimes mapped_by_two: mappers() >= 2
`;

/**
 * Setting and clearing entries, as every program does it: a reference, the count, the entry; and back in the other order.
 *
 * The order is the kernel's (kernel-facts 1.7, 2.9): under the table's lock a mapping raises the reference count, is
 * counted and then set; an unmapping is cleared, counted off, and its reference put only after the lock is dropped (the
 * zap gathers pages and puts them later). So references >= counts >= entries for anyone who looks without locks.
 *
 * The ghosts let programs ask "did nobody else map it at some moment since the question began?": `asking` is the address
 * space that asks, `was_alone` whether the answer NO would be true of some moment since. One question at a time is
 * enough: a question changes nothing, so another one beside it adds nothing.
 */
export const ENTRIES_TEXT = `
# Entries and their counting.
const REFERENCES = 0                # 1: the reference count is kept, too
const PMDS = 0                      # 1: there may be PMD entries

const BATCHES = 1                   # 0: one page at a time

const SERIAL = 0                    # 1: operations that say so do not overlap
lock one_at_a_time

ghost counting: 0..16               # threads inside add or remove
ghost asking: mm?
ghost was_alone: bool

# First page and page count of a batch from one choice.
define batchFirst(b) = b / PAGES
define batchPages(b) = b % PAGES + 1
define isBatch(b) = batchFirst(b) + batchPages(b) <= endOf(tableOf(batchFirst(b))) && (BATCHES || batchPages(b) == 1)

procedure begin_serial() {
  if SERIAL {
    lock one_at_a_time
  }
}

procedure end_serial() {
  if SERIAL {
    unlock one_at_a_time
  }
}

procedure get_references(n) {
  if REFERENCES {
    add refcount, n
  }
}

procedure put_references(n) {
  if REFERENCES {
    let left = add refcount, 0 - n
    assert freed: left > 0 || entries() == 0      # the last reference frees the folio
  }
}

procedure is_huge(m, v) {
  let huge = 0
  if PMDS {
    let h = load pmd[m][v]
    huge = h
  }
  return huge
}

# How many of these entries are there; read under their lock.
procedure entries_in(m, v, first, n) {
  let found = 0
  for q in 0..PAGES {
    if q >= first && q < first + n {
      let e = load pte[m][v][q]
      found = found + e
    }
  }
  return found
}

procedure set_entries(m, v, first, n) {
  for q in 0..PAGES {
    if q >= first && q < first + n {
      store pte[m][v][q] = 1
    }
  }
}

procedure clear_entries(m, v, first, n) {
  for q in 0..PAGES {
    if q >= first && q < first + n {
      store pte[m][v][q] = 0
      ghost was_alone = asking != none && (was_alone || exclusiveTo(asking))
    }
  }
}

procedure count_on(first, n, level, m, v) {
  ghost counting = counting + 1
  let done = add(first, n, level, m, v)
  ghost counting = counting - 1
  return done
}

procedure count_off(first, n, level, m, v) {
  ghost counting = counting + 1
  let done = remove(first, n, level, m, v)
  ghost counting = counting - 1
  return done
}

# Maps n pages from first on, in one table, unless some are mapped or a PMD maps them all. 1: mapped.
procedure map_batch(m, v, first, n) {
  loop {
    lock_tables(m, v, tableOf(first))
    let huge = is_huge(m, v)
    let there = entries_in(m, v, first, n)
    if huge == 1 || there > 0 {
      unlock_tables(m, v, tableOf(first))
      return 0
    }
    get_references(n)
    let done = count_on(first, n, PTE, m, v)
    if done == 1 { set_entries(m, v, first, n) }
    unlock_tables(m, v, tableOf(first))
    if done == 1 { return 1 }
    put_references(n)
  }
}

# Unmaps them if all are mapped. 1: unmapped.
procedure unmap_batch(m, v, first, n) {
  loop {
    lock_tables(m, v, tableOf(first))
    let there = entries_in(m, v, first, n)
    if there < n {
      unlock_tables(m, v, tableOf(first))
      return 0
    }
    clear_entries(m, v, first, n)
    let done = count_off(first, n, PTE, m, v)
    if done == 0 { set_entries(m, v, first, n) }
    unlock_tables(m, v, tableOf(first))
    if done == 1 {
      put_references(n)
      return 1
    }
  }
}

# The whole folio through one PMD entry, unless something of it is mapped in that area.
procedure map_huge(m, v) {
  loop {
    lock_tables(m, v, 0)
    let huge = is_huge(m, v)
    let there = entries_in(m, v, 0, PAGES)
    if huge == 1 || there > 0 {
      unlock_tables(m, v, 0)
      return 0
    }
    get_references(1)
    let done = count_on(0, PAGES, PMD, m, v)
    if done == 1 {
      store pmd[m][v] = 1
    }
    unlock_tables(m, v, 0)
    if done == 1 { return 1 }
    put_references(1)
  }
}

procedure unmap_huge(m, v) {
  loop {
    lock_tables(m, v, 0)
    let huge = is_huge(m, v)
    if huge == 0 {
      unlock_tables(m, v, 0)
      return 0
    }
    store pmd[m][v] = 0
    ghost was_alone = asking != none && (was_alone || exclusiveTo(asking))
    let done = count_off(0, PAGES, PMD, m, v)
    if done == 0 {
      store pmd[m][v] = 1
    }
    unlock_tables(m, v, 0)
    if done == 1 {
      put_references(1)
      return 1
    }
  }
}

# The PMD entry of an anonymous folio becomes PAGES PTEs: counted, then seen all at once (the table is hung in by one store).
procedure split_huge(m, v) {
  lock_tables(m, v, 0)
  let huge = is_huge(m, v)
  if huge == 1 {
    get_references(PAGES - 1)
    ghost counting = counting + 1
    split_pmd(m, v)
    ghost counting = counting - 1
    set_entries(m, v, 0, PAGES)
    store pmd[m][v] = 0
  }
  unlock_tables(m, v, 0)
  return huge
}
`;

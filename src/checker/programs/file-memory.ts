/**
 * File memory: any address space may map the folio's pages at any time, and unmap them.
 *
 * Threads fault pages in batches (fault-around, kernel-facts 2.9, 2.11), unmap them, and ask "does anybody else map it?"
 * with the table of an own entry locked, as smaps and madvise do. Nothing keeps another address space from mapping the
 * folio right after the answer NO, so all that a user of it can rely on is: at some moment since the question began nobody
 * else mapped it (`no_false_exclusive`). The mmap lock is left out: faults, madvise and the reader take it for reading
 * only, and here nobody takes it for writing. References are left out unless REFERENCES is 1: the page cache holds one
 * of its own, so nothing can be freed here.
 */
export const FILE_MEMORY_TEXT = `
const ANONYMOUS = 0
const THREADS = 2
const OPERATIONS = 2
const ASKS = 1                      # 1: threads also ask
const SPLITS = 0                    # 1: a PMD entry may be split into PTEs (as anonymous memory does it)

ghost latest_answer: -1..3 = -1     # the latest answer, until the lock is dropped

procedure ask(m, v, p) {
  await asking == none
  ghost asking = m
  lock_tables(m, v, tableOf(p))
  let there = entries_in(m, v, p, 1)
  let huge = is_huge(m, v)
  if there + huge > 0 {
    ghost was_alone = exclusiveTo(m)
    let r = others(m, v)
    ghost latest_answer = r
    assert no_false_exclusive: r != NO || was_alone
  }
  ghost asking = none
  ghost was_alone = 0
  unlock_tables(m, v, tableOf(p))
  ghost latest_answer = -1
}

initially {
  if REFERENCES { add refcount, 1 }
}

thread worker * THREADS {
  repeat OPERATIONS {
    choose {
      op map {
        pick m in mm
        pick v in area
        pick b in 0..PAGES * PAGES where isBatch(b)
        map_batch(m, v, batchFirst(b), batchPages(b))
      }
    } or {
      op unmap {
        pick m in mm
        pick v in area
        pick b in 0..PAGES * PAGES where isBatch(b)
        unmap_batch(m, v, batchFirst(b), batchPages(b))
      }
    } or {
      if ASKS {
        op ask {
          pick m in mm
          pick v in area
          pick p in page
          ask(m, v, p)
        }
      }
    } or {
      if PMDS {
        op map_huge {
          pick m in mm
          pick v in area
          map_huge(m, v)
        }
      }
    } or {
      if PMDS {
        op unmap_huge {
          pick m in mm
          pick v in area
          unmap_huge(m, v)
        }
      }
    } or {
      if SPLITS {
        op split_huge {
          pick m in mm
          pick v in area
          split_huge(m, v)
        }
      }
    }
  }
}

sometimes two_count_at_once: counting >= 2
sometimes answered_no: latest_answer == NO
sometimes answered_yes: latest_answer == YES
sometimes mapped_by_two: mappers() >= 2
`;

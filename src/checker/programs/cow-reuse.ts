/**
 * Copy-on-write: may the parent write to its page in place, or must it copy? And does the child's reference see it?
 *
 * Parent and child map an anonymous folio read-only since a fork (kernel-facts 2.10), so nobody's page is exclusive. The
 * child takes a reference to a page (vmsplice, FOLL_GET), remembers what it holds, unmaps and looks again: it must
 * never see what the parent wrote after the fork (`leak`; CVE-2020-29374, 5.2, literature 2.1). The parent's writer
 * faults under the table's lock; its other thread zaps pages of the same folio at the same time (MADV_DONTNEED holds
 * the mmap lock for reading only, as the fault does, so the lock is left out).
 *
 * SERIAL 1: operations do not overlap, as in a scenario. RULE: 0 what the scheme's canReuse says (4.1); 1 the page's mapcount is 1 (until 5.7); 2 the folio's reference count is 1
 * (5.9). With 0 and TABLES 2 the race that the re-check under the large lock is for can happen: the mapcount is read, the
 * other thread zaps an entry in the other table and puts its reference, and the reference count read then equals the
 * stale mapcount although the child's reference is among it.
 */
export const COW_REUSE_TEXT = `
const ANONYMOUS = 1
const RULE = 0
const WRITES = 1
const ZAPS = 1
define parent() = element(mm, 0)
define child() = element(mm, 1)

word content[page]: bool            # 1: what the parent wrote after the fork
ghost reused: bool                  # a page was written in place, until the lock is dropped
ghost copied: bool
ghost holding: bool                 # the child holds its reference
ghost held_unmapped: bool           # ... and maps nothing

procedure may_reuse(m, p) {
  if RULE == 0 {
    let r = canReuse(m)
    return r
  }
  if RULE == 1 {
    let n = pageMapcount(p)
    return n == 1 ? YES : NO
  }
  let n = load refcount
  return n == 1 ? YES : NO
}

procedure write_fault(m, p) {
  loop {
    lock_tables(m, 0, tableOf(p))
    let there = entries_in(m, 0, p, 1)
    if there == 0 {
      unlock_tables(m, 0, tableOf(p))
      return 0
    }
    let r = may_reuse(m, p)
    if r == YES {
      store content[p] = 1
      ghost reused = 1
      unlock_tables(m, 0, tableOf(p))
      ghost reused = 0
      return 1
    }
    # The copy replaces the entry.
    clear_entries(m, 0, p, 1)
    ghost copied = 1
    let done = count_off(p, 1, PTE, m, 0)
    if done == 0 { set_entries(m, 0, p, 1) }
    unlock_tables(m, 0, tableOf(p))
    ghost copied = 0
    if done == 1 {
      put_references(1)
      return 1
    }
  }
}

initially {
  for i in 0..MMS {
    for t in 0..TABLES { map_batch(element(mm, i), 0, firstOf(t), endOf(t) - firstOf(t)) }
  }
}

thread writer {
  repeat WRITES {
    op write {
      begin_serial()
      pick p in page
      write_fault(parent(), p)
      end_serial()
    }
  }
}

thread zapper {
  repeat ZAPS {
    op dontneed {
      begin_serial()
      pick p in page
      unmap_batch(parent(), 0, p, 1)
      end_serial()
    }
  }
}

thread holder {
  pick p in page
  let seen: bool = 0
  op splice {
    begin_serial()
    lock_tables(child(), 0, tableOf(p))
    let there = entries_in(child(), 0, p, 1)
    if there == 1 {
      add refcount, 1
      ghost holding = 1
    }
    unlock_tables(child(), 0, tableOf(p))
    let data = load content[p]
    seen = data
    end_serial()
  }
  op unmap {
    begin_serial()
    for t in 0..TABLES { unmap_batch(child(), 0, firstOf(t), endOf(t) - firstOf(t)) }
    ghost held_unmapped = 1
    end_serial()
  }
  op look {
    begin_serial()
    let now = load content[p]
    assert leak: now == seen
    ghost holding = 0
    put_references(1)
    end_serial()
  }
}

sometimes reused_in_place: reused == 1
sometimes copied_instead: copied == 1
sometimes writes_while_held: copied == 1 && holding == 1 && held_unmapped == 1
`;

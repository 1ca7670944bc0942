/**
 * GUP-fast against fork: a page that is pinned must stay its owner's alone.
 *
 * GUP-fast takes no lock: it reads the entry, takes a reference and a pin, reads the entry again, asks PageAnonExclusive
 * if the entry is read-only (gup_must_unshare, kernel-facts 4.2), and at last whether write_protect_seq has moved; what
 * fails is undone and goes the slow way. fork (2.10), under the mmap lock for writing, raises the sequence, takes both
 * table locks, copies the page for the child if it may be pinned, and else clears the exclusive flags,
 * write-protects the parent's entries and sets the child's. If both succeed a pinned page is shared, and the owner's next
 * write goes to a copy that the pin does not see (`pinned_stays_exclusive`).
 *
 * SEQUENCE: 0 none; 1 as the kernel; 2 the sequence is raised inside the table locks, where no locked instruction stands
 * between it and the look at the pin count: under TSO the store then reaches memory after that look.
 * The parent never unmaps here, so its entry is told by the write bit. The child's mm is new: nobody else knows it.
 */
export const GUP_FAST_FORK_TEXT = `
const ANONYMOUS = 1
const SEQUENCE = 1
const GUPS = 1
const FORKS = 1
define parent() = element(mm, 0)
define child() = element(mm, 1)

word write_protect_seq: 0..FORKS * 2
word has_pinned: bool               # MMF_HAS_PINNED
word pincount: 0..GUPS
word writable: bool = 1             # the write bit of the parent's entry for page 0
word anon_exclusive: bool = 1       # PageAnonExclusive of page 0
ghost pinned: bool                  # a pin was given out
ghost refused: bool                 # GUP-fast gave up
ghost copied: bool                  # fork made the child a copy

procedure unpin() {
  add pincount, -1
  add refcount, -1
  ghost refused = 1
}

procedure pin_fast(writes) {
  let begun = 0
  if SEQUENCE {
    let s = load write_protect_seq
    begun = s
    if begun % 2 == 1 {
      ghost refused = 1
      return 0
    }
  }
  store has_pinned = 1
  fence                             # the flag is set by a locked instruction
  let entry = load writable
  if writes == 1 && entry == 0 {
    ghost refused = 1
    return 0
  }
  add refcount, 1
  add pincount, 1
  let again = load writable
  if again != entry {
    unpin()
    return 0
  }
  if entry == 0 {
    let exclusive = load anon_exclusive
    if exclusive == 0 {
      unpin()
      return 0
    }
  }
  if SEQUENCE {
    let ended = load write_protect_seq
    if ended != begun {
      unpin()
      return 0
    }
  }
  ghost pinned = 1
  return 1
}

procedure fork() {
  let s = 0
  if SEQUENCE == 1 {
    let now = load write_protect_seq
    s = now
    store write_protect_seq = s + 1
  }
  lock_tables(child(), 0, 0)
  lock_tables(parent(), 0, 0)
  if SEQUENCE == 2 {
    let now = load write_protect_seq
    s = now
    store write_protect_seq = s + 1
  }
  let pins = 0
  let ever = load has_pinned
  if ever == 1 {
    let n = load pincount
    pins = n
  }
  let exclusive = load anon_exclusive
  if pins > 0 && exclusive == 1 {
    ghost copied = 1                # another folio for the child
  } else {
    store anon_exclusive = 0
    get_references(1)
    count_on(0, 1, PTE, child(), 0)
    store writable = 0
    set_entries(child(), 0, 0, 1)
  }
  if SEQUENCE == 2 { store write_protect_seq = s + 2 }
  unlock_tables(parent(), 0, 0)
  unlock_tables(child(), 0, 0)
  if SEQUENCE == 1 { store write_protect_seq = s + 2 }
}

initially {
  map_batch(parent(), 0, 0, PAGES)
}

thread gup {
  repeat GUPS {
    op pin {
      pick writes in 0..2
      pin_fast(writes)
    }
  }
}

thread forker {
  repeat FORKS {
    op fork { fork() }
  }
}

quiet pinned_stays_exclusive: !pinned || !pte[child()][0][0]
sometimes shared: pte[child()][0][0] == 1
sometimes pin_given: pinned == 1
sometimes pin_refused: refused == 1
sometimes copied_for_the_child: copied == 1
`;

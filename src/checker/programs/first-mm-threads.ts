/**
 * What other threads of the first address space do while somebody works on the folio: zap a page, take a reference.
 *
 * MADV_DONTNEED holds the mmap lock for reading and the table's lock (kernel-facts 6.5). GUP-fast holds no lock: it reads
 * the entry, raises the reference count unless that is 0 (try_get), and keeps the reference if the entry is still
 * there; whoever frees or splits the folio meanwhile must notice. A reference that was got is never given back here:
 * `holders` counts them.
 */
export const FIRST_MM_THREADS_TEXT = `
const ZAPS = 1
const GUPS = 1
lock mmap[mm]
ghost holders: 0..GUPS

define first() = element(mm, 0)

thread zapper {
  repeat ZAPS {
    op dontneed {
      pick q in page
      lock_shared mmap[first()]
      unmap_batch(first(), 0, q, 1)
      unlock_shared mmap[first()]
    }
  }
}

thread user {
  repeat GUPS {
    op get {
      let there = load pte[first()][0][0]
      if there == 1 {
        let n = load refcount
        if n > 0 {
          let got = cas refcount, n, n + 1
          if got == 1 {
            let again = load pte[first()][0][0]
            if again == 1 { ghost holders = holders + 1 } else { put_references(1) }
          }
        }
      }
    }
  }
}

sometimes held_by_user: holders > 0
`;

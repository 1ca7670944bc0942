/**
 * The two owner slots and the shared bit as a CPU changes them (kernel-facts 2.2, 4.1): `owner-slots.ts` step by step.
 *
 * All words but the reads of `_large_mapcount` and the bit are under the bit spinlock `large`. The kernel packs both ids,
 * the bit and the lock into `_mm_ids`; no CPU but the lock's holder changes any of them, so here they are words of their own.
 * Counts are natural numbers as in owner-slots.ts, where the kernel stores them minus one: a slot that loses more than it
 * has (it was under-counted) is left at nothing, which the kernel writes as -1 in a second store under the same lock.
 */

/**
 * `slots_add(n, m)`, `slots_sub(n, m)` under the lock, `add_large`, `sub_large` with it; each gives the new total. The
 * questions that the total and the bit answer alone. `slotsFit()` for a scheme's `quiet counts`.
 */
export const OWNER_SLOTS_STEPS = `
# How many entries map the folio, and for two address spaces how many of them are theirs.
index mm_id_slot 2
lock large
word _large_mapcount: 0..2 * MAX_ENTRIES
word _mm_id[mm_id_slot]: mm?
word _mm_id_mapcount[mm_id_slot]: 0..2 * MAX_ENTRIES
word mm_ids_shared: bool

procedure slots_add(n, m) {
  let before = load _large_mapcount
  store _large_mapcount = before + n
  let first_owner = load _mm_id[0]
  if first_owner == m {
    let count = load _mm_id_mapcount[0]
    store _mm_id_mapcount[0] = count + n
  } else {
    let second_owner = load _mm_id[1]
    if second_owner == m {
      let count = load _mm_id_mapcount[1]
      store _mm_id_mapcount[1] = count + n
    } else {
      if first_owner == none {
        store _mm_id[0] = m
        store _mm_id_mapcount[0] = n
        # Somebody without a slot has entries.
        if before != 0 { store mm_ids_shared = 1 }
      } else {
        if second_owner == none {
          store _mm_id[1] = m
          store _mm_id_mapcount[1] = n
          store mm_ids_shared = 1
        }
      }
    }
  }
  return before + n
}

procedure slots_sub(n, m) {
  let before = load _large_mapcount
  let left = before - n
  store _large_mapcount = left
  let mine: 0..2 = 2            # 2: this address space has no slot
  let first_owner = load _mm_id[0]
  if first_owner == m {
    mine = 0
  } else {
    let second_owner = load _mm_id[1]
    if second_owner == m { mine = 1 }
  }
  if mine < 2 {
    let count = load _mm_id_mapcount[mine]
    if count > n {
      # A slot that still has entries ends the call: the bit is not looked at again.
      store _mm_id_mapcount[mine] = count - n
      return left
    }
    store _mm_id_mapcount[mine] = 0
    store _mm_id[mine] = none
  }
  let first_count = load _mm_id_mapcount[0]
  let second_count = load _mm_id_mapcount[1]
  # One slot has all, or nobody has anything.
  if first_count == left || second_count == left { store mm_ids_shared = 0 }
  return left
}

procedure add_large(n, m) {
  lock large
  let total = slots_add(n, m)
  unlock large
  return total
}

procedure sub_large(n, m) {
  lock large
  let total = slots_sub(n, m)
  unlock large
  return total
}

procedure mapped() {
  let total = load _large_mapcount
  return total > 0 ? YES : NO
}

procedure mappings() {
  let total = load _large_mapcount
  return total
}

# folio_maybe_mapped_shared: one entry is never shared, whatever the bit says.
procedure others(m, v) {
  let total = load _large_mapcount
  if total <= 1 { return NO }
  let shared = load mm_ids_shared
  return shared ? YES : NO
}

# Between the count and the reference count another thread may unmap and a third may get a reference: so both are asked
# again while no entry can be counted. 0: without that.
const RECHECK = 1
procedure canReuse(m) {
  let total = load _large_mapcount
  # One entry is copied on purpose, so that the folio can be freed.
  if total <= 1 { return NO }
  let shared = load mm_ids_shared
  if shared { return NO }
  let references = load refcount
  if total != references { return NO }
  if RECHECK {
    lock large
    let answer: bool = NO
    let shared_now = load mm_ids_shared
    if !shared_now {
      let total_now = load _large_mapcount
      let references_now = load refcount
      if total_now == references_now { answer = YES }
    }
    unlock large
    return answer
  }
  return YES
}

# A slot is free exactly when it counts nothing; it never counts more than its owner has. No bit: one slot has all.
define slotFits(i) = (_mm_id[i] == none) == (_mm_id_mapcount[i] == 0)
  && all(o in mm: _mm_id[i] != o || _mm_id_mapcount[i] <= entriesOf(o))
define slotsFit() = _large_mapcount == entries() && all(i in mm_id_slot: slotFits(i))
  && (_mm_id[0] == none || _mm_id[0] != _mm_id[1])
  && (mm_ids_shared || any(i in mm_id_slot: _mm_id_mapcount[i] == _large_mapcount))
  && (!mm_ids_shared || _large_mapcount > 0)
`;

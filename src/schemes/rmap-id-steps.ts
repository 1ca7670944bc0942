/**
 * `rmap-id` step by step: writers in turn under a sequence count, odd while one writes; readers retry.
 *
 * Readers begin again until the count is even and the same before and after (RETRY 0: they do not, and believe what they
 * find). A checked folio needs one value; with VALUES 2 the bits of the id are dealt to two in turn, so that a reader can meet
 * values that do not belong together. SEQUENCES bounds the count: a reader that sleeps through so many changes of it would be
 * taken in, as one that sleeps through 2^32 would be in the kernel.
 */
import { OWN_TABLE_LOCK_STEPS, SPLIT_PMD_STEPS } from "./kernel-steps.ts";

/** `Scheme.steps` of `rmap-id`. */
export const RMAP_ID_STEPS = `
const VALUES = 1
const RETRY = 1
const RECHECK = 1
const SEQUENCES = 16
index value VALUES
lock large
word sequence: 0..SEQUENCES - 1
word _large_mapcount: 0..2 * MAX_ENTRIES

# The bits of an id as digits in base PAGES + 1: no sum of at most PAGES sub-ids is taken for another.
const MAX_SUB_ID = (PAGES + 1) * (PAGES + 1) + PAGES + 2
define place(j) = j == 0 ? 1 : j == 1 ? PAGES + 1 : (PAGES + 1) * (PAGES + 1)
define bit(i, j) = i / (j == 0 ? 1 : j == 1 ? 2 : 4) % 2
# Three bits: of more than 8 address spaces the last have none, which the range refuses.
define subId(i, k) = i > 7 ? -1 : sum(j in 0..3: j % VALUES == k ? bit(i, j) * place(j / VALUES) : 0)
word sub_id[m in mm][k in value]: 0..MAX_SUB_ID = subId(m, k)
word rmap_value[value]: 0..2 * MAX_ENTRIES * MAX_SUB_ID

procedure change(entries_changed, m) {
  lock large
  let number = load sequence
  store sequence = (number + 1) % SEQUENCES
  let total = load _large_mapcount
  store _large_mapcount = total + entries_changed
  for k in 0..VALUES {
    let id = load sub_id[m][k]
    let sum_of_ids = load rmap_value[k]
    store rmap_value[k] = sum_of_ids + entries_changed * id
  }
  store sequence = (number + 2) % SEQUENCES
  unlock large
}

procedure add(first, n, level, m, v) {
  change(level == PMD ? 1 : n, m)
  return 1
}

procedure remove(first, n, level, m, v) {
  change(level == PMD ? -1 : -n, m)
  return 1
}
${SPLIT_PMD_STEPS}
${OWN_TABLE_LOCK_STEPS}
procedure mapped() {
  let total = load _large_mapcount
  return total > 0 ? YES : NO
}

procedure mappings() {
  let total = load _large_mapcount
  return total
}

procedure pageMapcount(p) {
  let total = load _large_mapcount
  return total == 0 ? 0 : NO_COUNT
}

# What the total and the values say, if nobody writes.
procedure read_others(m) {
  let total = load _large_mapcount
  if total <= 1 { return NO }
  if total > PAGES { return YES }
  for k in 0..VALUES {
    let id = load sub_id[m][k]
    let sum_of_ids = load rmap_value[k]
    if sum_of_ids != total * id { return YES }
  }
  return NO
}

procedure others(m, v) {
  loop {
    let before = load sequence
    if before % 2 == 0 || !RETRY {
      let answer = read_others(m)
      let after = load sequence
      if after == before || !RETRY { return answer }
    }
  }
}

procedure partial() {
  let total = load _large_mapcount
  return total == 0 || PAGES == 1 ? NO : UNKNOWN
}

procedure canReuse(m) {
  let total = load _large_mapcount
  if total <= 1 { return NO }
  let shared = others(m, 0)
  if shared == YES { return NO }
  let references = load refcount
  if references != total { return NO }
  if RECHECK {
    lock large
    let answer: bool = NO
    let shared_now = read_others(m)
    if shared_now == NO {
      let total_now = load _large_mapcount
      let references_now = load refcount
      if total_now == references_now { answer = YES }
    }
    unlock large
    return answer
  }
  return YES
}

define sumOfIds(k) = sum(o in mm: entriesOf(o) * sub_id[o][k])
quiet counts: _large_mapcount == entries() && all(k in value: rmap_value[k] == sumOfIds(k)) && sequence % 2 == 0
`;

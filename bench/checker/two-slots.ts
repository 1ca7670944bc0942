/**
 * The question of the benchmark: the two owner slots of a large folio, with more address spaces than slots.
 *
 * Every mm maps and unmaps one page at a time, at most MOST at once, as often as it likes; the counting is that of
 * folio_add_return_large_mapcount and folio_sub_return_large_mapcount (kernel-facts 2.2) without the bias of -1, under the bit
 * spinlock. What must hold whenever the lock is given back: the total is the truth, a slot never has more than its mm, and
 * if the shared bit is clear, one mm has all mappings.
 *
 * All that a thread does is under the lock, so that one critical section is one transition: 3,546,036 states and 30,395,280
 * transitions for 5 mms of at most 6 mappings (computed apart from this project, by a breadth-first search written for it).
 */
import type { CheckConfiguration } from "../../src/checker/index.ts";

const TEXT = `
const MMS = 5
const MOST = 6
set mm MMS
word total: 0..MMS * MOST
word owner0: mm?
word owner1: mm?
word count0: 0..MOST
word count1: 0..MOST
word shared: bool
lock large
ghost mapped[mm]: 0..MOST         # the truth

procedure check() {
  assert total: total == sum(m in mm: mapped[m])
  assert slots: all(m in mm: (owner0 != m || count0 <= mapped[m]) && (owner1 != m || count1 <= mapped[m]))
  assert exclusive: shared || total == 0 || any(m in mm: mapped[m] == total)
}

procedure add(m) {
  lock large
  let now = add total, 1
  let first = load owner0
  let second = load owner1
  if first == m {
    add count0, 1
  } else { if second == m {
    add count1, 1
  } else { if first == none {
    store owner0 = m
    store count0 = 1
    if now != 1 { store shared = 1 }
  } else { if second == none {
    store owner1 = m
    store count1 = 1
    store shared = 1
  } } } }
  ghost mapped[m] = mapped[m] + 1
  check()
  unlock large
}

procedure remove(m) {
  lock large
  let now = add total, -1
  let first = load owner0
  let second = load owner1
  let left = 0
  if first == m {
    left = add count0, -1
    if left == 0 { store owner0 = none }
  } else { if second == m {
    left = add count1, -1
    if left == 0 { store owner1 = none }
  } }
  if left == 0 {
    let one = load count0
    let two = load count1
    if one == now || two == now { store shared = 0 }
  }
  ghost mapped[m] = mapped[m] - 1
  check()
  unlock large
}

thread mapper[m in mm] {
  let own: 0..MOST = 0
  loop {
    pick isAdd in 0..2 where isAdd ? own < MOST : own > 0
    if isAdd {
      add(m)
      own = own + 1
    } else {
      remove(m)
      own = own - 1
    }
  }
}
`;

/** `mms` address spaces of at most `most` mappings each. */
export function twoSlots(mms: number, most: number): CheckConfiguration {
  return {
    name: `two slots, ${mms} mms of at most ${most} mappings`,
    texts: [{ name: "two-slots", text: TEXT }],
    constants: { MMS: mms, MOST: most },
  };
}

/**
 * Sets of address spaces, each kept once: thousands of pages are mapped by the same few, so a set is a small integer.
 *
 * A set in the making (`MmTally`) counts how many of the runs under the sweep each mm has and carries a hash that an mm
 * changes by exclusive or when it comes and when it goes: O(1) a change. Looking the set up costs its size, because a hash
 * that agrees is believed only when every member does.
 *
 *     set        0         1       2
 *     members    3 7 12  | 3     | 0 3 7      rows ascending, one after the other in one pool
 */

/** Members of all sets together: 128 MiB. */
const MEMBER_WORDS_MAX = 2 ** 25;
const FIRST_SETS = 1024;
const FIRST_MEMBERS = 8192;

/** There are more sets of address spaces than this program holds; in one sentence. */
export class TooManySharingSets extends Error {
  constructor(words: number) {
    super(`The address spaces share memory in too many different ways: over ${words} memberships of sharing sets.`);
    this.name = "TooManySharingSets";
  }
}

/** A 32-bit mix of a row: what the row does to a hash. */
function weightOf(row: number, seed: number): number {
  let word = Math.imul(row + 1, 0x9e37_79b1) ^ seed;
  word = Math.imul(word ^ (word >>> 16), 0x85eb_ca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2_ae35);
  return word ^ (word >>> 16);
}

/** A set in the making, by counts: row r is a member while counts[r] > 0. */
export class MmTally {
  readonly counts: Int32Array;
  size = 0;
  hashLow = 0;
  hashHigh = 0;

  constructor(rows: number) {
    this.counts = new Int32Array(rows);
  }

  /** One more run of the row. */
  enter(row: number): void {
    if (this.counts[row]++ === 0) this.toggle(row, 1);
  }

  /** One run fewer; the row must have one. */
  leave(row: number): void {
    if (--this.counts[row] === 0) this.toggle(row, -1);
  }

  private toggle(row: number, sizeChange: 1 | -1): void {
    this.size += sizeChange;
    this.hashLow ^= weightOf(row, 0x2545_f491);
    this.hashHigh ^= weightOf(row, 0x6c07_8965);
  }
}

/** The sets found so far. */
export class MmSets {
  count = 0;
  /** members[firstMember[set]] to members[firstMember[set + 1] - 1]. */
  firstMember = new Int32Array(FIRST_SETS + 1);
  members = new Int32Array(FIRST_MEMBERS);
  private hashLow = new Int32Array(FIRST_SETS);
  private hashHigh = new Int32Array(FIRST_SETS);
  /** Open addressing: set + 1, 0 where empty. At least twice as many as sets. */
  private slots = new Int32Array(4 * FIRST_SETS);
  private readonly memberWordsMax: number;

  constructor(memberWordsMax = MEMBER_WORDS_MAX) {
    this.memberWordsMax = memberWordsMax;
  }

  /**
   * The number of the set that a tally has become; a new one if it has not been seen. O(members), for a new set O(rows).
   * Throws TooManySharingSets.
   */
  find(tally: MmTally): number {
    const { slots } = this;
    const mask = slots.length - 1;
    let slot = tally.hashLow & mask;
    for (; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const set = slots[slot] - 1;
      if (this.hashLow[set] === tally.hashLow && this.hashHigh[set] === tally.hashHigh && this.equals(set, tally)) {
        return set;
      }
    }
    slots[slot] = this.add(tally) + 1;
    if (this.count * 2 > slots.length) this.growSlots();
    return this.count - 1;
  }

  private equals(set: number, { counts, size }: MmTally): boolean {
    const { firstMember, members } = this;
    const end = firstMember[set + 1];
    if (end - firstMember[set] !== size) return false;
    for (let at = firstMember[set]; at < end; at++) if (counts[members[at]] === 0) return false;
    return true;
  }

  private add({ counts, size, hashLow, hashHigh }: MmTally): number {
    const set = this.count;
    let end = this.firstMember[set];
    if (end + size > this.memberWordsMax) throw new TooManySharingSets(this.memberWordsMax);
    if (set === this.hashLow.length) this.growSets();
    if (end + size > this.members.length) {
      this.members = widened(this.members, Math.max(end + size, this.members.length * 2));
    }
    this.hashLow[set] = hashLow;
    this.hashHigh[set] = hashHigh;
    for (let row = 0; row < counts.length; row++) if (counts[row] > 0) this.members[end++] = row;
    this.firstMember[set + 1] = end;
    this.count++;
    return set;
  }

  private growSets(): void {
    const length = this.hashLow.length * 2;
    this.hashLow = widened(this.hashLow, length);
    this.hashHigh = widened(this.hashHigh, length);
    this.firstMember = widened(this.firstMember, length + 1);
  }

  private growSlots(): void {
    const slots = new Int32Array(this.slots.length * 2);
    const mask = slots.length - 1;
    for (let set = 0; set < this.count; set++) {
      let slot = this.hashLow[set] & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = set + 1;
    }
    this.slots = slots;
  }
}

/** A longer copy. */
function widened(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(length);
  to.set(from);
  return to;
}

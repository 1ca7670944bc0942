/**
 * Every state that was found, once: exact, in the order of discovery, with the state it was found from.
 *
 * States stand one behind the other in chunks that never move; state number k is the k-th that was found. An open-addressing
 * table says which ones are known. States of one or two words are in the table themselves (one cache line to know them); of
 * longer ones it holds a fingerprint and the number, and the words decide. Nothing is ever taken for known by its hash alone.
 *
 *     table, up to 2 words:   [w0, w1 + 1] a slot, last word 0: free
 *     table, more words:      [fingerprint, number + 1] a slot, 0: free
 *     chunks of 2^k states:   words of state | words of state | ...        parents: number of the state before, -1 at first
 *
 * The table is doubled at 5/8. A doubling that would go beyond the limit of bytes is left out until 15/16 are in use; then
 * the store is full, and says so.
 */
/** Words of a chunk, as a power of two, and its parents. */
const CHUNK_WORD_BITS = 16;
const FIRST_SLOTS = 1 << 12;
/** Typed arrays hold up to 2^32 elements; slot times two must stay an int32. */
const MAX_SLOTS = 2 ** 29;

export interface StoreOptions {
  /** 32-bit words of a state. */
  readonly words: number;
  /** Whether the highest bit of the last word is never set. */
  readonly hasSpareBit: boolean;
  /** Whether states are to be found again by their words (`numberOf`). */
  readonly isNumbered?: boolean;
  readonly memoryLimitBytes: number;
  readonly stateLimit: number;
}

export class StateStore {
  /** States kept. */
  count = 0;
  /** Set when a new state could not be kept, with the reason. */
  full: "memory-limit" | "state-limit" | undefined;
  private readonly words: number;
  private readonly isNarrow: boolean;
  private memoryLimitBytes: number;
  private readonly stateLimit: number;
  private readonly slotWords: number;
  private readonly chunkBits: number;
  private readonly chunkStates: number;
  private readonly chunkMask: number;
  private readonly chunks: Int32Array[] = [];
  private readonly parents: Int32Array[] = [];
  private table: Int32Array;
  private slots = FIRST_SLOTS;
  private room: number;
  /** Kept so that no engine leaves out the reads that it comes from. */
  private touched = 0;

  constructor({ words, hasSpareBit, isNumbered = false, memoryLimitBytes, stateLimit }: StoreOptions) {
    this.words = words;
    this.isNarrow = words <= 2 && hasSpareBit && !isNumbered;
    this.slotWords = words === 1 && this.isNarrow ? 1 : 2;
    this.chunkBits = Math.max(4, CHUNK_WORD_BITS - (32 - Math.clz32(words)));
    this.chunkStates = 1 << this.chunkBits;
    this.chunkMask = this.chunkStates - 1;
    this.memoryLimitBytes = memoryLimitBytes;
    this.stateLimit = stateLimit;
    this.table = new Int32Array(this.slots * this.slotWords);
    this.room = this.roomIn(this.slots);
  }

  /** Bytes kept for the states: words, parents and table. */
  get bytes(): number {
    return (
      (this.table.length + this.chunks.length * this.chunkStates * (this.words + 1)) * Int32Array.BYTES_PER_ELEMENT
    );
  }

  /** Takes bytes that the search needs beside the states from the limit. */
  reserve(bytes: number): void {
    this.memoryLimitBytes -= bytes;
    this.room = Math.min(this.room, this.statesWithin(this.slots));
  }

  /** The array in which state `number` stands, and where; valid for as long as the store. */
  chunkOf(number: number): Int32Array {
    return this.chunks[number >>> this.chunkBits];
  }

  indexOf(number: number): number {
    return (number & this.chunkMask) * this.words;
  }

  /** The first state of the next chunk: up to there states stand one behind the other. */
  chunkEnd(number: number): number {
    return (number | this.chunkMask) + 1;
  }

  /** The words of a state: a view, valid for as long as the store. */
  wordsOf(number: number): Int32Array {
    const from = this.indexOf(number);
    return this.chunkOf(number).subarray(from, from + this.words);
  }

  /** The number of the state whose words stand in `out` at `from`, or -1. Only of a store made with `isNumbered`. */
  numberOf(out: Int32Array, from: number): number {
    if (this.isNarrow) throw new Error("this store does not number its states");
    const hash = hashOf(out, from, this.words);
    const fingerprint = fingerprintOf(hash);
    const mask = this.slots - 1;
    for (let slot = hash & mask; this.table[slot * 2 + 1] !== 0; slot = (slot + 1) & mask) {
      const number = this.table[slot * 2 + 1] - 1;
      if (this.table[slot * 2] === fingerprint && this.isState(number, out, from)) return number;
    }
    return -1;
  }

  parentOf(number: number): number {
    return this.parents[number >>> this.chunkBits][number & this.chunkMask];
  }

  /**
   * Adds the states that stand in `out` from index 0 to below `end` and are not yet known; `parents[k]` is the state behind
   * which the k-th of them was found, `hashes` room for as many numbers. `full` tells if there was no room for all.
   */
  addAll(out: Int32Array, end: number, parents: Int32Array, hashes: Int32Array): void {
    const { words } = this;
    const states = end / words;
    hashAll(out, words, states, hashes);
    this.touched ^= touchAll(this.table, this.slots - 1, this.slotWords, hashes, states);
    for (let from = 0; ;) {
      from = this.isNarrow
        ? words === 1
          ? this.addOneWord(out, from, states, parents, hashes)
          : this.addTwoWords(out, from, states, parents, hashes)
        : this.addLong(out, from, states, parents, hashes);
      if (from === states || !this.makeRoom()) return;
    }
  }

  /** As `addAll`, from state `from` on until a new one finds no room; its number in the batch, or `states`. */
  private addOneWord(out: Int32Array, from: number, states: number, parents: Int32Array, hashes: Int32Array): number {
    const { table, room } = this;
    const mask = this.slots - 1;
    for (let k = from; k < states; k++) {
      const word = (out[k] + 1) | 0;
      let slot = hashes[k] & mask;
      while (table[slot] !== 0 && table[slot] !== word) slot = (slot + 1) & mask;
      if (table[slot] !== 0) continue;
      if (this.count >= room) return k;
      table[slot] = word;
      this.append(out, k, parents[k]);
    }
    return states;
  }

  private addTwoWords(out: Int32Array, from: number, states: number, parents: Int32Array, hashes: Int32Array): number {
    const { table, room } = this;
    const mask = this.slots * 2 - 1;
    const slotMask = this.slots - 1;
    for (let k = from; k < states; k++) {
      const low = out[k * 2];
      const high = (out[k * 2 + 1] + 1) | 0;
      let slot = (hashes[k] & slotMask) << 1;
      while (table[slot + 1] !== 0 && (table[slot] !== low || table[slot + 1] !== high)) slot = (slot + 2) & mask;
      if (table[slot + 1] !== 0) continue;
      if (this.count >= room) return k;
      table[slot] = low;
      table[slot + 1] = high;
      this.append(out, k, parents[k]);
    }
    return states;
  }

  private addLong(out: Int32Array, from: number, states: number, parents: Int32Array, hashes: Int32Array): number {
    const { table, room } = this;
    const mask = this.slots * 2 - 1;
    const slotMask = this.slots - 1;
    for (let k = from; k < states; k++) {
      const fingerprint = fingerprintOf(hashes[k]);
      let slot = (hashes[k] & slotMask) << 1;
      while (
        table[slot + 1] !== 0 &&
        !(table[slot] === fingerprint && this.isState(table[slot + 1] - 1, out, k * this.words))
      ) {
        slot = (slot + 2) & mask;
      }
      if (table[slot + 1] !== 0) continue;
      if (this.count >= room) return k;
      table[slot] = fingerprint;
      table[slot + 1] = this.count + 1;
      this.append(out, k, parents[k]);
    }
    return states;
  }

  private isState(number: number, out: Int32Array, from: number): boolean {
    const { words } = this;
    const chunk = this.chunks[number >>> this.chunkBits];
    const at = (number & this.chunkMask) * words;
    for (let word = 0; word < words; word++) if (chunk[at + word] !== out[from + word]) return false;
    return true;
  }

  private append(out: Int32Array, k: number, parent: number): void {
    const { words, count } = this;
    const within = count & this.chunkMask;
    if (within === 0) {
      this.chunks.push(new Int32Array(this.chunkStates * words));
      this.parents.push(new Int32Array(this.chunkStates));
    }
    const chunk = this.chunks[count >>> this.chunkBits];
    const at = within * words;
    const from = k * words;
    for (let word = 0; word < words; word++) chunk[at + word] = out[from + word];
    this.parents[count >>> this.chunkBits][within] = parent;
    this.count = count + 1;
  }

  /** States up to which a table of so many slots, or the limits, leave room; a chunk is allotted whole. */
  private roomIn(slots: number): number {
    return Math.min(Math.floor((slots * 5) / 8), this.stateLimit, this.statesWithin(slots));
  }

  /** States whose chunks fit beside a table of so many slots. */
  private statesWithin(slots: number): number {
    const left = this.memoryLimitBytes - slots * this.slotWords * Int32Array.BYTES_PER_ELEMENT;
    const chunkBytes = this.chunkStates * (this.words + 1) * Int32Array.BYTES_PER_ELEMENT;
    return Math.max(0, Math.floor(left / chunkBytes)) * this.chunkStates;
  }

  private makeRoom(): boolean {
    if (this.count >= this.stateLimit) {
      this.full = "state-limit";
      return false;
    }
    const doubled = this.slots * 2;
    if (doubled <= MAX_SLOTS && this.roomIn(doubled) > this.count) {
      this.rebuild(doubled);
      return true;
    }
    this.room = Math.min(Math.floor((this.slots * 15) / 16), this.stateLimit, this.statesWithin(this.slots));
    if (this.count < this.room) return true;
    this.full = "memory-limit";
    return false;
  }

  /** A table of so many slots, filled from the chunks: the old one is let go first. */
  private rebuild(slots: number): void {
    this.slots = slots;
    this.table = new Int32Array(0);
    this.table = new Int32Array(slots * this.slotWords);
    this.room = this.roomIn(slots);
    const hashes = new Int32Array(this.chunkStates);
    for (const [number, chunk] of this.chunks.entries()) {
      const states = Math.min(this.chunkStates, this.count - number * this.chunkStates);
      hashAll(chunk, this.words, states, hashes);
      this.touched ^= touchAll(this.table, slots - 1, this.slotWords, hashes, states);
      if (!this.isNarrow) refillLong(this.table, slots - 1, hashes, states, number * this.chunkStates);
      else if (this.words === 1) refillOneWord(this.table, slots - 1, hashes, states, chunk);
      else refillTwoWords(this.table, slots - 1, hashes, states, chunk);
    }
  }
}

/** Enters states of a chunk, none of which is in the table, where their hashes say. */
function refillOneWord(table: Int32Array, mask: number, hashes: Int32Array, states: number, chunk: Int32Array): void {
  for (let k = 0; k < states; k++) {
    let slot = hashes[k] & mask;
    while (table[slot] !== 0) slot = (slot + 1) & mask;
    table[slot] = (chunk[k] + 1) | 0;
  }
}

function refillTwoWords(table: Int32Array, mask: number, hashes: Int32Array, states: number, chunk: Int32Array): void {
  for (let k = 0; k < states; k++) {
    let slot = hashes[k] & mask;
    while (table[slot * 2 + 1] !== 0) slot = (slot + 1) & mask;
    table[slot * 2] = chunk[k * 2];
    table[slot * 2 + 1] = (chunk[k * 2 + 1] + 1) | 0;
  }
}

function refillLong(table: Int32Array, mask: number, hashes: Int32Array, states: number, first: number): void {
  for (let k = 0; k < states; k++) {
    let slot = hashes[k] & mask;
    while (table[slot * 2 + 1] !== 0) slot = (slot + 1) & mask;
    table[slot * 2] = fingerprintOf(hashes[k]);
    table[slot * 2 + 1] = first + k + 1;
  }
}

/** A hash whose low bits are as good as its high ones: multiply, fold, multiply. */
export function hashOf(out: Int32Array, from: number, words: number): number {
  let hash = 0;
  for (let word = 0; word < words; word++) hash = Math.imul(hash ^ (hash >>> 15) ^ out[from + word], 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3ca5);
  return hash ^ (hash >>> 13);
}

function hashAll(out: Int32Array, words: number, states: number, hashes: Int32Array): void {
  for (let k = 0; k < states; k++) hashes[k] = hashOf(out, k * words, words);
}

/** Other bits than those that choose the slot of a table of up to 2^16, mixed. */
function fingerprintOf(hash: number): number {
  return Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) | 0;
}

/** Reads the slots that will be asked for, all at once: their cache misses overlap, as the probes' would not. */
function touchAll(table: Int32Array, mask: number, slotWords: number, hashes: Int32Array, states: number): number {
  let sink = 0;
  for (let k = 0; k < states; k++) sink ^= table[(hashes[k] & mask) * slotWords];
  return sink;
}

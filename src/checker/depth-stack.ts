/**
 * What a depth-first search still has to look up: states with where they came from and how deep they are, newest first.
 *
 * It holds the siblings of every state on the way down, so that it grows with depth times choices; each doubling is reported,
 * as these bytes count as the states' do.
 */

/** A stack of packed states, each with its parent and depth. */
export class DepthStack {
  length = 0;
  private entries: Int32Array;
  private readonly words: number;
  private readonly reserve: (bytes: number) => void;

  constructor(words: number, reserve: (bytes: number) => void) {
    this.words = words;
    this.reserve = reserve;
    this.entries = new Int32Array(1024 * (words + 2));
  }

  push(states: Int32Array, end: number, parent: number, depth: number): void {
    const { words } = this;
    const size = words + 2;
    while ((this.length + end / words) * size > this.entries.length) {
      const grown = new Int32Array(this.entries.length * 2);
      this.reserve(this.entries.byteLength);
      grown.set(this.entries);
      this.entries = grown;
    }
    for (let from = 0; from < end; from += words) {
      const at = this.length++ * size;
      for (let word = 0; word < words; word++) this.entries[at + word] = states[from + word];
      this.entries[at + words] = parent;
      this.entries[at + words + 1] = depth;
    }
  }

  /** Takes the newest off: its words to `state`, its parent to `parents[0]`. Its depth. */
  pop(state: Int32Array, parents: Int32Array): number {
    const { words, entries } = this;
    const at = --this.length * (words + 2);
    for (let word = 0; word < words; word++) state[word] = entries[at + word];
    parents[0] = entries[at + words];
    return entries[at + words + 1];
  }
}

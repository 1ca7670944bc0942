/**
 * Which row of one list is which row of another: rows with equal keys are matched in their order, first by the key that
 * says most and then by weaker ones.
 *
 * Invariant: a row is matched at most once, and exchanging the lists exchanges the answer.
 */

/** Rows of two lists that are the same thing. */
export class RowMatching {
  /** By row of A: the row of B, -1 if none. */
  readonly ofA: Int32Array;
  /** By row of B: the row of A, -1 if none. */
  readonly ofB: Int32Array;

  constructor(countA: number, countB: number) {
    this.ofA = new Int32Array(countA).fill(-1);
    this.ofB = new Int32Array(countB).fill(-1);
  }

  /** Matches two rows. */
  match(rowA: number, rowB: number): void {
    if (this.ofA[rowA] >= 0 || this.ofB[rowB] >= 0) throw new Error("a row is matched at most once");
    this.ofA[rowA] = rowB;
    this.ofB[rowB] = rowA;
  }

  /** Matches what is left and has equal keys, in the order of rows; undefined: no key. O(rows). */
  matchInOrder(keyOfA: (row: number) => string | undefined, keyOfB: (row: number) => string | undefined): void {
    const waiting = new Map<string, { readonly rows: number[]; next: number }>();
    for (let row = 0; row < this.ofA.length; row++) {
      const key = this.ofA[row] < 0 ? keyOfA(row) : undefined;
      if (key === undefined) continue;
      const queue = waiting.get(key);
      if (queue === undefined) waiting.set(key, { rows: [row], next: 0 });
      else queue.rows.push(row);
    }
    for (let row = 0; row < this.ofB.length; row++) {
      const key = this.ofB[row] < 0 ? keyOfB(row) : undefined;
      const queue = key === undefined ? undefined : waiting.get(key);
      if (queue !== undefined && queue.next < queue.rows.length) this.match(queue.rows[queue.next++], row);
    }
  }

  /** All rows: pairs and those of A alone in the order of A, then those of B alone. -1: none. */
  pairs(): (readonly [rowA: number, rowB: number])[] {
    const all: [number, number][] = Array.from(this.ofA, (rowB, rowA) => [rowA, rowB]);
    for (const [rowB, rowA] of this.ofB.entries()) if (rowA < 0) all.push([-1, rowB]);
    return all;
  }
}

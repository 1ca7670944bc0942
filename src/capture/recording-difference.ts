/**
 * The difference between two tables of one schema: which stretches of rows the new one copies from the old one, and the
 * rows between them that are new. Applied to the old table it gives the new one, row for row.
 *
 *     old   a b c d e f        steps   copy 0-1, insert 1       new rows   X
 *     new   a b X d e f g              copy 3-5, insert 1                  g
 *
 * Rows are found again by their content: first a few rows on from where the last stretch ended, then anywhere by a hash.
 * A wrong guess makes the difference larger, never wrong, because rows are copied only where every column is equal. So
 * nothing needs to be known about who is who: a process that forked, moved up or executed another program is just rows.
 */
import { textAt } from "./coded-texts.ts";
import { type RecordedTable, TableBuilder } from "./recording-table.ts";

/** What to do, step by step: copy `copyRows` rows from row `copyFrom` on, then insert the next `insertRows` new rows. */
export interface TableSteps {
  readonly copyFrom: Int32Array;
  readonly copyRows: Int32Array;
  readonly insertRows: Int32Array;
}

/** A table as the difference to another. */
export interface TableDifference {
  readonly steps: TableSteps;
  readonly inserted: RecordedTable;
}

/** Rows looked at behind the end of the last stretch before the hash is asked. */
const LOOK_AHEAD_ROWS = 8;
/** Rows of one hash that are compared; tables of shared memory repeat their rows in every process. */
const CANDIDATES_MAX = 64;

/** The difference that makes `next` out of `base`. O(rows of both). */
export function differenceOf(base: RecordedTable, next: RecordedTable): TableDifference {
  const steps = new StepList();
  const insertedRows: number[] = [];
  let index: RowIndex | undefined;
  let expected = 0;
  for (let row = 0; row < next.rows; row++) {
    let found = findNear(base, expected, next, row);
    if (found < 0) {
      index ??= new RowIndex(base);
      found = index.find(next, row, expected);
    }
    if (found < 0) {
      steps.insert();
      insertedRows.push(row);
    } else {
      steps.copy(found);
      expected = found + 1;
    }
  }
  const builder = new TableBuilder(next.schema, insertedRows.length);
  for (let at = 0; at < insertedRows.length;) {
    let behind = at + 1;
    while (insertedRows[behind] === insertedRows[at] + behind - at) behind++;
    builder.append(next, insertedRows[at], insertedRows[at] + behind - at);
    at = behind;
  }
  return { steps: steps.finish(), inserted: builder.finish() };
}

/**
 * The table that a difference makes out of `base`. The caller has checked the steps (checkSteps).
 * @example applyDifference(base, differenceOf(base, next)) // equals next
 */
export function applyDifference(base: RecordedTable, { steps, inserted }: TableDifference): RecordedTable {
  const { copyFrom, copyRows, insertRows } = steps;
  // Most tables of most captures: nothing changed, and nothing needs to be copied.
  if (copyFrom.length === 1 && copyRows[0] === base.rows && inserted.rows === 0) return base;
  let rows = inserted.rows;
  for (const copied of copyRows) rows += copied;
  const builder = new TableBuilder(base.schema, rows);
  let next = 0;
  for (let step = 0; step < copyFrom.length; step++) {
    builder.append(base, copyFrom[step], copyFrom[step] + copyRows[step]);
    builder.append(inserted, next, next + insertRows[step]);
    next += insertRows[step];
  }
  return builder.finish();
}

/** What is wrong with steps that were read from a file; undefined if they make a table of `rows` rows. */
export function checkSteps(
  { copyFrom, copyRows, insertRows }: TableSteps,
  { baseRows, inserted, rows }: { readonly baseRows: number; readonly inserted: number; readonly rows: number },
): string | undefined {
  let made = 0;
  let taken = 0;
  for (let step = 0; step < copyFrom.length; step++) {
    if (copyFrom[step] < 0 || copyRows[step] < 0 || insertRows[step] < 0) return "a step with a negative number";
    if (copyFrom[step] + copyRows[step] > baseRows) return "a step that copies rows which do not exist";
    made += copyRows[step] + insertRows[step];
    taken += insertRows[step];
  }
  if (taken !== inserted) return "steps that insert another number of rows than there are";
  return made === rows ? undefined : "steps that make another number of rows than the capture has";
}

class StepList {
  private readonly copyFrom: number[] = [];
  private readonly copyRows: number[] = [];
  private readonly insertRows: number[] = [];

  copy(row: number): void {
    const last = this.copyFrom.length - 1;
    if (last >= 0 && this.insertRows[last] === 0 && this.copyFrom[last] + this.copyRows[last] === row) {
      this.copyRows[last]++;
      return;
    }
    this.copyFrom.push(row);
    this.copyRows.push(1);
    this.insertRows.push(0);
  }

  insert(): void {
    if (this.copyFrom.length === 0) {
      this.copyFrom.push(0);
      this.copyRows.push(0);
      this.insertRows.push(0);
    }
    this.insertRows[this.insertRows.length - 1]++;
  }

  finish(): TableSteps {
    return {
      copyFrom: Int32Array.from(this.copyFrom),
      copyRows: Int32Array.from(this.copyRows),
      insertRows: Int32Array.from(this.insertRows),
    };
  }
}

function findNear(base: RecordedTable, expected: number, next: RecordedTable, row: number): number {
  const end = Math.min(base.rows, expected + LOOK_AHEAD_ROWS);
  for (let candidate = expected; candidate < end; candidate++)
    if (areEqual(base, candidate, next, row)) return candidate;
  return -1;
}

function areEqual(base: RecordedTable, baseRow: number, next: RecordedTable, row: number): boolean {
  const { columns } = base;
  for (let index = 0; index < columns.length; index++) {
    const ours = columns[index];
    const theirs = next.columns[index];
    if ("words" in ours) {
      if (!("words" in theirs)) return false;
      const { words, width } = ours;
      if (words[baseRow * width] !== theirs.words[row * width]) return false;
      if (width === 2 && words[baseRow * 2 + 1] !== theirs.words[row * 2 + 1]) return false;
    } else if (!("texts" in theirs) || textAt(ours.texts, baseRow) !== textAt(theirs.texts, row)) return false;
  }
  return true;
}

/** Rows by a hash of their content; rows of one hash are chained in ascending order. */
class RowIndex {
  private readonly table: RecordedTable;
  private readonly mask: number;
  private readonly head: Int32Array;
  private readonly following: Int32Array;

  constructor(table: RecordedTable) {
    this.table = table;
    let buckets = 64;
    while (buckets < table.rows) buckets *= 2;
    this.mask = buckets - 1;
    this.head = new Int32Array(buckets).fill(-1);
    this.following = new Int32Array(table.rows);
    for (let row = table.rows - 1; row >= 0; row--) {
      const bucket = hashRow(table, row) & this.mask;
      this.following[row] = this.head[bucket];
      this.head[bucket] = row;
    }
  }

  /** An equal row, at or behind the expected place if one is found there; or -1. */
  find(next: RecordedTable, row: number, expected: number): number {
    let before = -1;
    let candidate = this.head[hashRow(next, row) & this.mask];
    for (let seen = 0; candidate >= 0 && seen < CANDIDATES_MAX; seen++) {
      if (areEqual(this.table, candidate, next, row)) {
        if (candidate >= expected) return candidate;
        if (before < 0) before = candidate;
      }
      candidate = this.following[candidate];
    }
    return before;
  }
}

const HASH_PRIME = 0x01000193;
const HASH_MIX = 0x85ebca6b;

/** A 32-bit hash of all columns of a row (FNV-1a over words, mixed at the end). */
function hashRow({ columns }: RecordedTable, row: number): number {
  let hash = 0x811c9dc5 | 0;
  for (const column of columns) {
    if ("words" in column) {
      const { words, width } = column;
      hash = Math.imul(hash ^ words[row * width], HASH_PRIME);
      hash = hash ^ (hash >>> 15);
      if (width === 2) hash = Math.imul(hash ^ words[row * 2 + 1], HASH_PRIME);
    } else {
      const text = textAt(column.texts, row) ?? "";
      for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), HASH_PRIME);
      hash = Math.imul(hash ^ text.length, HASH_PRIME);
    }
  }
  hash = Math.imul(hash ^ (hash >>> 16), HASH_MIX);
  return hash ^ (hash >>> 13);
}

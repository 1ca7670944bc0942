/**
 * Page tables: tables of 512 entries in one pool, four levels as on x86-64, leaves at PTE, PMD and PUD level.
 *
 *     entry  31                          7  6     5     4     3     2     1 0
 *            | frame                     | uffd | soft | young| dirty| write| 01 |   present leaf
 *            | offset         | type 9-7 | uffd | soft |   -  |   -  | excl | 10 |   not present: swap, marker, ...
 *            | table                                                 | -    | 11 |   a table one level below
 *            0                                                                       nothing
 *
 * A PTE table whose 512 entries map consecutive frames with equal flags is kept as its first entry only: a *run*. The
 * first differing write spreads it out. A folio of 2 MiB mapped by PTEs, or pages faulted in order, so cost one word
 * a table to copy at fork and nothing to store. Readers go through `get`; who changes whole tables asks `runOf` first.
 *
 * Table 0 does not exist and means "none".
 */
import { assert } from "./assert.ts";
import type { OperationWatch } from "./kernel-decisions.ts";

export const ENTRIES_PER_TABLE = 512;

/** Tags: what an entry is. */
export const TAG_MASK = 3;
export const TAG_PRESENT = 1;
export const TAG_NOT_PRESENT = 2;
export const TAG_TABLE = 3;

/** Bits of a present leaf. */
export const PTE_WRITE = 1 << 2;
export const PTE_DIRTY = 1 << 3;
export const PTE_YOUNG = 1 << 4;
export const PTE_SOFT_DIRTY = 1 << 5;
export const PTE_UFFD_WP = 1 << 6;
const FRAME_SHIFT = 7;
/** Adding this to a present leaf moves it to the next frame. */
export const NEXT_FRAME = 1 << FRAME_SHIFT;
export const LEAF_FLAGS = NEXT_FRAME - 1;
/** Frames that an entry can name: 2^25 (128 GiB). */
export const FRAME_LIMIT = 2 ** 25;

/** Bits of an entry that is not present. Soft-dirty and uffd-wp lie where a present leaf has them. */
export const SWP_EXCLUSIVE = 1 << 2;
export const TYPE_SWAP = 0;
/** A frame follows: the page is being moved or is poisoned (kernel-facts 3.2). */
export const TYPE_HWPOISON = 1;
export const TYPE_MIGRATION = 2;
/** Markers hold a place and nothing else (kernel-facts 3.7). */
export const TYPE_MARKER_UFFD_WP = 3;
export const TYPE_MARKER_GUARD = 4;
export const TYPE_MARKER_POISONED = 5;
export type NotPresentType = 0 | 1 | 2 | 3 | 4 | 5;
const TYPE_SHIFT = 7;
const OFFSET_SHIFT = 10;

/** A present leaf of this frame. */
export function presentEntry(frame: number, flags: number): number {
  return (frame << FRAME_SHIFT) | flags | TAG_PRESENT;
}

export function frameOfEntry(entry: number): number {
  return entry >>> FRAME_SHIFT;
}

export function isPresent(entry: number): boolean {
  return (entry & TAG_MASK) === TAG_PRESENT;
}

export function isTable(entry: number): boolean {
  return (entry & TAG_MASK) === TAG_TABLE;
}

/** An entry that is not present; `offset` is a swap slot or a frame, below 2^22 or 2^22 frames of the machine. */
export function notPresentEntry(type: NotPresentType, offset: number, flags: number): number {
  return (offset << OFFSET_SHIFT) | (type << TYPE_SHIFT) | flags | TAG_NOT_PRESENT;
}

export function isNotPresent(entry: number): boolean {
  return (entry & TAG_MASK) === TAG_NOT_PRESENT;
}

export function isSwapEntry(entry: number): boolean {
  return (entry & (TAG_MASK | (7 << TYPE_SHIFT))) === TAG_NOT_PRESENT;
}

export function typeOfEntry(entry: number): NotPresentType {
  return ((entry >>> TYPE_SHIFT) & 7) as NotPresentType;
}

/** The same entry for the next slot. */
export function nextSwapEntry(entry: number): number {
  return (entry + (1 << OFFSET_SHIFT)) | 0;
}

export function offsetOfEntry(entry: number): number {
  return entry >>> OFFSET_SHIFT;
}

/** An entry that points to a table of the next level. */
export function tableEntry(table: number): number {
  return (table << 2) | TAG_TABLE;
}

export function tableOfEntry(entry: number): number {
  return entry >>> 2;
}

/** Stored in place of a run: the table's entries are spread out. */
const SPREAD = 0;
const NO_STORAGE = -1;

/** All page tables of the machine. */
export class PageTables {
  /** The words of spread tables: storage row r has words [512 r, 512 r + 512). */
  private words = new Int32Array(ENTRIES_PER_TABLE * 64);
  private rowCount = 0;
  private readonly freeRows: number[] = [];
  private readonly freeTables: number[] = [];
  private tableCount = 1;
  /** Row of a spread table, or NO_STORAGE: empty, or a run. */
  private row = new Int32Array(256).fill(NO_STORAGE);
  /** First entry of a run, or SPREAD. */
  private run = new Int32Array(256);
  /** Entries that are not empty. */
  private used = new Uint16Array(256);
  private readonly watch: OperationWatch | undefined;

  /** `watch` is told of tables that come and go. */
  constructor(watch?: OperationWatch) {
    this.watch = watch;
  }

  /** A new empty table. */
  allocate(): number {
    const table = this.freeTables.pop() ?? this.tableCount++;
    if (table >= this.row.length) this.growHeaders();
    this.row[table] = NO_STORAGE;
    this.run[table] = SPREAD;
    this.used[table] = 0;
    this.watch?.did("table-allocated", 1);
    return table;
  }

  /** Frees a table; what its entries named is the caller's business. */
  free(table: number): void {
    this.releaseRow(table);
    this.run[table] = SPREAD;
    this.used[table] = 0;
    this.freeTables.push(table);
    this.watch?.did("table-freed", 1);
  }

  /** Entries of the table that are not empty. */
  usedEntries(table: number): number {
    return this.used[table];
  }

  /** The first entry, if all 512 map consecutive frames with equal flags; else 0. */
  runOf(table: number): number {
    return this.run[table];
  }

  get(table: number, index: number): number {
    const row = this.row[table];
    if (row >= 0) return this.words[row * ENTRIES_PER_TABLE + index];
    const first = this.run[table];
    return first === SPREAD ? 0 : (first + index * NEXT_FRAME) | 0;
  }

  set(table: number, index: number, entry: number): void {
    let row = this.row[table];
    if (row < 0) row = this.spread(table);
    const at = row * ENTRIES_PER_TABLE + index;
    const before = this.words[at];
    this.words[at] = entry;
    if (before === 0) {
      if (entry !== 0) this.used[table]++;
    } else if (entry === 0) this.used[table]--;
  }

  /** Writes `n` present leaves of consecutive frames from `index` on, over whatever is there; 512 of them become a run. */
  setBatch(table: number, index: number, n: number, first: number): void {
    if (n === ENTRIES_PER_TABLE) {
      this.setRun(table, first);
      return;
    }
    for (let i = 0; i < n; i++) this.set(table, index + i, first + i * NEXT_FRAME);
  }

  /** Empties `n` entries. */
  clearBatch(table: number, index: number, n: number): void {
    if (n === ENTRIES_PER_TABLE) {
      this.releaseRow(table);
      this.run[table] = SPREAD;
      this.used[table] = 0;
      return;
    }
    if (this.used[table] === 0) return;
    const at = this.wordsAt(table) + index;
    const { words } = this;
    let gone = 0;
    for (let i = at; i < at + n; i++) {
      if (words[i] === 0) continue;
      words[i] = 0;
      gone++;
    }
    this.used[table] -= gone;
  }

  /** Makes the table a run of 512 leaves, whatever it was. */
  setRun(table: number, first: number): void {
    this.releaseRow(table);
    this.run[table] = first;
    this.used[table] = ENTRIES_PER_TABLE;
  }

  /** Makes the table a run if its entries have become one: worth a look after a change of the whole table. */
  fold(table: number): void {
    const row = this.row[table];
    if (row < 0 || this.used[table] !== ENTRIES_PER_TABLE) return;
    const { words } = this;
    const at = row * ENTRIES_PER_TABLE;
    let expected = words[at];
    if (!isPresent(expected)) return;
    for (let i = 1; i < ENTRIES_PER_TABLE; i++) {
      expected = (expected + NEXT_FRAME) | 0;
      if (words[at + i] !== expected) return;
    }
    this.setRun(table, words[at]);
  }

  /** Where the table's 512 words begin in `allWords`; spreads the table out. */
  wordsAt(table: number): number {
    const row = this.row[table];
    return (row < 0 ? this.spread(table) : row) * ENTRIES_PER_TABLE;
  }

  /** The words of all spread tables, for loops over one: another array may take its place when a table is spread out. */
  get allWords(): Int32Array {
    return this.words;
  }

  /** Who writes to `allWords` says how many entries of the table came or went. */
  changeUsed(table: number, difference: number): void {
    this.used[table] += difference;
    if (this.used[table] === 0) this.releaseRow(table);
  }

  /** Bytes of tables in use: the model's own memory. */
  usedBytes(): number {
    const tables = this.tableCount - 1 - this.freeTables.length;
    return (this.rowCount - this.freeRows.length) * ENTRIES_PER_TABLE * 4 + tables * 10;
  }

  private spread(table: number): number {
    const row = this.freeRows.pop() ?? this.rowCount++;
    const at = row * ENTRIES_PER_TABLE;
    if (at >= this.words.length) {
      const words = new Int32Array(this.words.length * 2);
      words.set(this.words);
      this.words = words;
    }
    const { words } = this;
    const first = this.run[table];
    if (first === SPREAD) words.fill(0, at, at + ENTRIES_PER_TABLE);
    else for (let i = 0; i < ENTRIES_PER_TABLE; i++) words[at + i] = first + i * NEXT_FRAME;
    this.run[table] = SPREAD;
    this.row[table] = row;
    return row;
  }

  private releaseRow(table: number): void {
    const row = this.row[table];
    if (row >= 0) this.freeRows.push(row);
    this.row[table] = NO_STORAGE;
  }

  private growHeaders(): void {
    const length = this.row.length * 2;
    assert(length <= 2 ** 29, "a table's number fits an entry");
    const row = new Int32Array(length).fill(NO_STORAGE);
    row.set(this.row);
    const run = new Int32Array(length);
    run.set(this.run);
    const used = new Uint16Array(length);
    used.set(this.used);
    this.row = row;
    this.run = run;
    this.used = used;
  }
}

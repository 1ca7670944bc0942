/**
 * The page tables of the entry machine, as far as counts need them: which entries lie in one table, under one lock.
 *
 * A PTE's table covers 512 pages of its address space, a PMD's page 2^18, a PUD's page 2^27. A table is here while it
 * holds an entry that maps memory; upper tables that only lead to lower ones are not. A table has a row number, which is
 * used again when it is gone.
 */
import { LEVEL_PMD, LEVEL_PTE, LEVEL_PUD, type Level } from "../kernel/index.ts";

/** Pages that one table covers, by level of its entries. */
const PAGES_OF_TABLE: Readonly<Record<Level, number>> = { 0: 2 ** 9, 1: 2 ** 18, 2: 2 ** 27, 3: 2 ** 9 };
/** Numbers between tables of one place at different levels. */
const LEVELS = 3;

/** Which tables exist, and how many mapping entries each has. */
export class EntryTables {
  /** By mm: rows by the table's place. */
  private readonly places: Map<number, number>[] = [];
  private readonly mms: number[] = [];
  private readonly keys: number[] = [];
  private readonly entries: number[] = [];
  private readonly free: number[] = [];
  private readonly work: Record<"table-allocated" | "table-freed", number>;

  /** `work`: where tables that are made and freed are counted. */
  constructor(work: Record<"table-allocated" | "table-freed", number>) {
    this.work = work;
  }

  /** The table that the entry of this level for this virtual page lies in; it is made if there is none. */
  tableFor(mm: number, page: number, level: Level): number {
    const places = (this.places[mm] ??= new Map<number, number>());
    const key =
      Math.floor(page / PAGES_OF_TABLE[level]) * LEVELS +
      (level === LEVEL_PMD || level === LEVEL_PUD ? level : LEVEL_PTE);
    const known = places.get(key);
    if (known !== undefined) return known;
    const table = this.free.pop() ?? this.keys.length;
    this.mms[table] = mm;
    this.keys[table] = key;
    this.entries[table] = 0;
    places.set(key, table);
    this.work["table-allocated"] += 1;
    return table;
  }

  put(table: number, entries: number): void {
    this.entries[table] += entries;
  }

  /** Takes entries out; an empty table is freed. */
  take(table: number, entries: number): void {
    this.entries[table] -= entries;
    if (this.entries[table] > 0) return;
    this.places[this.mms[table]].delete(this.keys[table]);
    this.free.push(table);
    this.work["table-freed"] += 1;
  }
}

/** Pages from this one to the end of its page table of PTEs. */
export function pagesLeftInTable(page: number): number {
  return PAGES_OF_TABLE[LEVEL_PTE] - (page % PAGES_OF_TABLE[LEVEL_PTE]);
}

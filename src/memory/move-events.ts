/**
 * Entries that change their VMA without coming or going: VMAs split or merged, page tables moved by mremap.
 *
 * No count of the kernel notices. Schemes that count per VMA or per table do, and are told batch by batch: consecutive
 * pages of one folio in one table.
 */
import { HPAGE_PMD_NR, LEVEL_PMD, LEVEL_PTE } from "../kernel/index.ts";
import type { Memory } from "./memory.ts";
import { ENTRIES_PER_TABLE, frameOfEntry, isPresent, isTable, tableOfEntry } from "./page-table.ts";
import { isNormalPage } from "./pte-batch.ts";
import { PMD_TABLE_PAGES, findPmdTable, nextPmd, pmdIndex, pteIndex } from "./table-walk.ts";
import type { Vma } from "./vma.ts";

/** The entries of pages [start, end) of `from` belong to `to` from now on, in the tables where they are. */
export function tellVmaChange(memory: Memory, start: number, end: number, from: Vma, to: Vma): void {
  if (memory.events.ignoresMoves === true) return;
  for (let page = start; page < end;) {
    const pmdTable = findPmdTable(memory, to.mm, page);
    const pmdEnd = Math.min(end, page - (page % PMD_TABLE_PAGES) + PMD_TABLE_PAGES);
    if (pmdTable === 0) {
      page = pmdEnd;
      continue;
    }
    for (; page < pmdEnd; page = Math.min(pmdEnd, nextPmd(page))) {
      const entry = memory.tables.get(pmdTable, pmdIndex(page));
      if (isTable(entry)) {
        const table = tableOfEntry(entry);
        const count = Math.min(pmdEnd, nextPmd(page)) - page;
        tellPtesMoved(memory, table, pteIndex(page), count, table, from, to);
      } else tellPmdMoved(memory, entry, pmdTable, from, pmdTable, to);
    }
  }
}

/** A PMD leaf (or nothing) that was in `fromTable` is in `toTable`. */
export function tellPmdMoved(
  memory: Memory,
  entry: number,
  fromTable: number,
  from: Vma,
  toTable: number,
  to: Vma,
): void {
  if (memory.events.ignoresMoves === true || !isNormalPage(memory, entry)) return;
  const head = frameOfEntry(entry);
  memory.events.move(head, 0, HPAGE_PMD_NR, LEVEL_PMD, fromTable, from.id, toTable, to.id, to.mm.id);
}

/** `count` entries from `index` of `table`, which came from `fromTable` (the same table, if it was moved as a whole). */
export function tellPtesMoved(
  memory: Memory,
  table: number,
  index: number,
  count: number,
  fromTable: number,
  from: Vma,
  to: Vma,
): void {
  const { frames, tables, events } = memory;
  if (events.ignoresMoves === true || tables.usedEntries(table) === 0) return;
  const end = index + count;
  const isRun = tables.runOf(table) !== 0;
  for (let at = index; at < end;) {
    const entry = tables.get(table, at);
    if (!isNormalPage(memory, entry)) {
      at++;
      continue;
    }
    const frame = frameOfEntry(entry);
    const head = frames.headOf(frame);
    const most = Math.min(end - at, head + (1 << frames.order[head]) - frame);
    const n = isRun ? most : consecutive(memory, table, at, frame, most);
    events.move(head, frame - head, n, LEVEL_PTE, fromTable, from.id, table, to.id, to.mm.id);
    at += n;
  }
}

function consecutive(memory: Memory, table: number, index: number, frame: number, most: number): number {
  let n = 1;
  for (; n < most && index + n < ENTRIES_PER_TABLE; n++) {
    const entry = memory.tables.get(table, index + n);
    if (!isPresent(entry) || frameOfEntry(entry) !== frame + n) break;
  }
  return n;
}

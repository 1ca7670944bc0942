/**
 * free_pgtables: which page tables go with the VMAs above them, and which stay.
 *
 * A table is freed if no other VMA can use it: its range, widened to the table's own borders, must lie between the end of
 * the VMA below (floor) and the start of the VMA above (ceiling). What stays matters: an empty PTE table that is left
 * behind keeps the next fault there from mapping a PMD. Zapping alone frees no table (the kernel lab's kernels are built
 * without CONFIG_PT_RECLAIM).
 */
import { assert } from "./assert.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { isTable, tableOfEntry } from "./page-table.ts";
import { PMD_TABLE_PAGES, PTE_TABLE_PAGES, PUD_TABLE_PAGES } from "./table-walk.ts";
import type { Vma } from "./vma.ts";

/** Pages under one entry of a table, by the table's level: PMD table, PUD table, PGD. */
const PAGES_PER_ENTRY = [PTE_TABLE_PAGES, PMD_TABLE_PAGES, PUD_TABLE_PAGES] as const;
type UpperLevel = 0 | 1 | 2;

/** free_pgtables for VMAs that are going, in address order; their entries are cleared already. */
export function freePageTables(memory: Memory, mm: Mm, vmas: readonly Vma[], floor: number, ceiling: number): void {
  for (let at = 0; at < vmas.length;) {
    const first = vmas[at];
    let last = first;
    at++;
    // Nearby VMAs go in one call, so that a table between them is freed.
    while (!first.isHugetlb && at < vmas.length && isNear(last, vmas[at])) {
      last = vmas[at];
      at++;
    }
    const next: Vma | undefined = vmas[at];
    freeTablesInRange(memory, mm, first.start, last.end, floor, next === undefined ? ceiling : next.start);
  }
}

function isNear(vma: Vma, next: Vma): boolean {
  return next.start <= vma.end + PTE_TABLE_PAGES && !next.isHugetlb;
}

/** free_pgd_range. */
export function freeTablesInRange(
  memory: Memory,
  mm: Mm,
  start: number,
  end: number,
  floor: number,
  ceiling: number,
): void {
  let first = alignDown(start, PTE_TABLE_PAGES);
  if (first < floor) first += PTE_TABLE_PAGES;
  const top = alignDown(ceiling, PTE_TABLE_PAGES);
  const last = end > top ? end - PTE_TABLE_PAGES : end;
  if (first < last) freeBelow(memory, mm.pgd, 2, first, last, floor, top);
}

/** Frees what hangs under entries [start, end) of one table. */
function freeBelow(
  memory: Memory,
  table: number,
  level: UpperLevel,
  start: number,
  end: number,
  floor: number,
  ceiling: number,
): void {
  const { tables } = memory;
  const size = PAGES_PER_ENTRY[level];
  for (let page = start, next = 0; page < end; page = next) {
    const base = alignDown(page, size);
    next = Math.min(end, base + size);
    const index = Math.floor(base / size) % 512;
    const entry = tables.get(table, index);
    if (!isTable(entry)) continue;
    const below = tableOfEntry(entry);
    if (level > 0) {
      freeBelow(memory, below, level === 2 ? 1 : 0, page, next, floor, ceiling);
      if (base < floor || next > alignDown(ceiling, size)) continue;
    }
    assert(tables.usedEntries(below) === 0, "only an empty page table is freed");
    tables.set(table, index, 0);
    tables.free(below);
  }
}

function alignDown(page: number, size: number): number {
  return page - (page % size);
}

/**
 * move_page_tables: entries go to another address of the same address space; no mapcount changes.
 *
 * Whole page tables are hung elsewhere where old and new address agree in their place within a table: 1 GiB, 2 MiB, PMD
 * leaves. Both ends may be widened to a table's border if nothing else lies there. The rest is moved entry by entry; what
 * moves becomes soft-dirty. A userfaultfd without remap events (the only sort here) loses its write protection.
 */
import type { Memory } from "./memory.ts";
import { tellPmdMoved, tellPtesMoved, tellVmaChange } from "./move-events.ts";
import {
  PTE_SOFT_DIRTY,
  PTE_UFFD_WP,
  TYPE_MARKER_UFFD_WP,
  isNotPresent,
  isPresent,
  isSwapEntry,
  isTable,
  tableOfEntry,
  typeOfEntry,
} from "./page-table.ts";
import { splitPmd } from "./split-pmd.ts";
import {
  PMD_TABLE_PAGES,
  PTE_TABLE_PAGES,
  findPmdTable,
  findPudTable,
  makePmdTable,
  makePteTable,
  makePudTable,
  pmdIndex,
  pteIndex,
  pudIndex,
} from "./table-walk.ts";
import { VM_UFFD_WP, type Vma } from "./vma.ts";

/** Moves the entries of `count` pages from `oldStart` in `from` to `newStart` in `to`. */
export function movePageTables(
  memory: Memory,
  from: Vma,
  to: Vma,
  oldStart: number,
  newStart: number,
  count: number,
): void {
  const oldEnd = oldStart + count;
  const widened = mayRealign(from, to, oldStart, newStart, count) ? oldStart % PTE_TABLE_PAGES : 0;
  const distance = newStart - oldStart;
  for (let old = oldStart - widened, extent = 0; old < oldEnd; old += extent) {
    const page = old + distance;
    extent = extentOf(old, page, oldEnd, PMD_TABLE_PAGES);
    const oldPudTable = findPudTable(memory, from.mm, old);
    if (oldPudTable === 0 || memory.tables.get(oldPudTable, pudIndex(old)) === 0) continue;
    if (extent === PMD_TABLE_PAGES && movePmdTable(memory, from, to, oldPudTable, old, page)) continue;
    extent = extentOf(old, page, oldEnd, PTE_TABLE_PAGES);
    movePmd(memory, from, to, old, page, extent);
  }
}

/** try_realign_addr: both addresses lie alike in a PTE table that is theirs alone, and the range reaches its end. */
function mayRealign(from: Vma, to: Vma, oldStart: number, newStart: number, count: number): boolean {
  const offset = oldStart % PTE_TABLE_PAGES;
  if (from.isHugetlb || offset === 0 || offset !== newStart % PTE_TABLE_PAGES) return false;
  if (count < PTE_TABLE_PAGES - offset) return false;
  return mayAlignDown(from, oldStart, offset) && mayAlignDown(to, newStart, offset);
}

function mayAlignDown(vma: Vma, page: number, offset: number): boolean {
  return vma.start === page && vma.mm.vmasIn(page - offset, page).length === 0;
}

/** get_extent: up to the next border of either side. */
function extentOf(old: number, page: number, oldEnd: number, size: number): number {
  return Math.min(size - (old % size), size - (page % size), oldEnd - old);
}

/** move_normal_pud: a PMD table goes as it is. */
function movePmdTable(memory: Memory, from: Vma, to: Vma, oldPudTable: number, old: number, page: number): boolean {
  const { tables } = memory;
  const entry = tables.get(oldPudTable, pudIndex(old));
  const pudTable = makePudTable(memory, to.mm, page);
  if (!isTable(entry) || from.has(VM_UFFD_WP) || tables.get(pudTable, pudIndex(page)) !== 0) return false;
  tables.set(oldPudTable, pudIndex(old), 0);
  tables.set(pudTable, pudIndex(page), entry);
  tellVmaChange(memory, page, page + PMD_TABLE_PAGES, from, to);
  return true;
}

/** One PMD entry, or `extent` pages of it. */
function movePmd(memory: Memory, from: Vma, to: Vma, old: number, page: number, extent: number): void {
  const { tables } = memory;
  const oldPmdTable = findPmdTable(memory, from.mm, old);
  if (oldPmdTable === 0) return;
  let entry = tables.get(oldPmdTable, pmdIndex(old));
  if (entry === 0) return;
  const pmdTable = makePmdTable(memory, to.mm, page);
  const isWhole = extent === PTE_TABLE_PAGES && tables.get(pmdTable, pmdIndex(page)) === 0;
  if (isPresent(entry)) {
    if (isWhole) {
      const moved = movedEntry(memory, from, entry);
      tables.set(oldPmdTable, pmdIndex(old), 0);
      tables.set(pmdTable, pmdIndex(page), moved);
      tellPmdMoved(memory, moved, oldPmdTable, from, pmdTable, to);
      return;
    }
    splitPmd(memory, from, old);
    entry = tables.get(oldPmdTable, pmdIndex(old));
  } else if (isWhole && !from.has(VM_UFFD_WP)) {
    const table = tableOfEntry(entry);
    tables.set(oldPmdTable, pmdIndex(old), 0);
    tables.set(pmdTable, pmdIndex(page), entry);
    tellPtesMoved(memory, table, 0, PTE_TABLE_PAGES, table, from, to);
    return;
  }
  if (!isTable(entry)) return;
  movePtes(memory, from, to, tableOfEntry(entry), makePteTable(memory, to.mm, page), old, page, extent);
}

/** move_ptes. */
function movePtes(
  memory: Memory,
  from: Vma,
  to: Vma,
  oldTable: number,
  table: number,
  old: number,
  page: number,
  extent: number,
): void {
  const { tables } = memory;
  if (tables.usedEntries(oldTable) === 0) return;
  const oldBase = tables.wordsAt(oldTable) + pteIndex(old);
  const base = tables.wordsAt(table) + pteIndex(page);
  const words = tables.allWords;
  let taken = 0;
  let placed = 0;
  for (let i = 0; i < extent; i++) {
    const entry = words[oldBase + i];
    if (entry === 0) continue;
    const moved = movedEntry(memory, from, entry);
    words[oldBase + i] = 0;
    words[base + i] = moved;
    taken++;
    if (moved !== 0) placed++;
  }
  // In this order: the two may be one table, which must not look empty in between.
  tables.changeUsed(table, placed);
  tables.changeUsed(oldTable, -taken);
  tellPtesMoved(memory, table, pteIndex(page), extent, oldTable, from, to);
}

/** move_soft_dirty_pte, and uffd-wp goes; a marker that says nothing else goes whole. */
function movedEntry(memory: Memory, from: Vma, entry: number): number {
  const isReal = isPresent(entry) || isSwapEntry(entry);
  const marked = isReal && memory.hasSoftDirty ? entry | PTE_SOFT_DIRTY : entry;
  if (!from.has(VM_UFFD_WP)) return marked;
  if (isNotPresent(entry) && typeOfEntry(entry) === TYPE_MARKER_UFFD_WP) return 0;
  return isReal ? marked & ~PTE_UFFD_WP : marked;
}

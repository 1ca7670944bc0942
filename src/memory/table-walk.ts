/**
 * From an address to its page-table entry: PGD, PUD, PMD and PTE tables of 512 entries, nine bits of the page number each.
 *
 *     page number   35 ... 27 | 26 ... 18 | 17 ... 9 | 8 ... 0
 *                     PGD         PUD         PMD        PTE
 *
 * A PMD entry may be a leaf (2 MiB), a PUD entry too (1 GiB).
 */
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { ENTRIES_PER_TABLE, isTable, tableEntry, tableOfEntry } from "./page-table.ts";

/** Pages under one PTE table, PMD table, PUD table. */
export const PTE_TABLE_PAGES = 512;
export const PMD_TABLE_PAGES = 512 * 512;
export const PUD_TABLE_PAGES = 512 * 512 * 512;
/** Pages of an address space: 2^36 (48 bits of address). */
export const ADDRESS_SPACE_PAGES = 2 ** 36;

export function pteIndex(page: number): number {
  return page % ENTRIES_PER_TABLE;
}

export function pmdIndex(page: number): number {
  return Math.floor(page / PTE_TABLE_PAGES) % ENTRIES_PER_TABLE;
}

export function pudIndex(page: number): number {
  return Math.floor(page / PMD_TABLE_PAGES) % ENTRIES_PER_TABLE;
}

export function pgdIndex(page: number): number {
  return Math.floor(page / PUD_TABLE_PAGES) % ENTRIES_PER_TABLE;
}

/** The first page that the next PTE table maps: pmd_addr_end. */
export function nextPmd(page: number): number {
  return page - (page % PTE_TABLE_PAGES) + PTE_TABLE_PAGES;
}

/** The PUD table above this page, or 0. */
export function findPudTable(memory: Memory, mm: Mm, page: number): number {
  const entry = memory.tables.get(mm.pgd, pgdIndex(page));
  return isTable(entry) ? tableOfEntry(entry) : 0;
}

/** The PMD table above this page, or 0 (also under a PUD leaf). */
export function findPmdTable(memory: Memory, mm: Mm, page: number): number {
  const pudTable = findPudTable(memory, mm, page);
  if (pudTable === 0) return 0;
  const entry = memory.tables.get(pudTable, pudIndex(page));
  return isTable(entry) ? tableOfEntry(entry) : 0;
}

/** The PMD entry above this page: nothing, a leaf, an entry that is not present, or a PTE table. */
export function pmdEntryOf(memory: Memory, mm: Mm, page: number): number {
  const pmdTable = findPmdTable(memory, mm, page);
  return pmdTable === 0 ? 0 : memory.tables.get(pmdTable, pmdIndex(page));
}

/** The PTE table of this page, or 0. */
export function findPteTable(memory: Memory, mm: Mm, page: number): number {
  const entry = pmdEntryOf(memory, mm, page);
  return isTable(entry) ? tableOfEntry(entry) : 0;
}

/** The PTE of this page; 0 where there is no PTE table (also under a PMD leaf). */
export function pteOf(memory: Memory, mm: Mm, page: number): number {
  const table = findPteTable(memory, mm, page);
  return table === 0 ? 0 : memory.tables.get(table, pteIndex(page));
}

function descend(memory: Memory, table: number, index: number): number {
  const entry = memory.tables.get(table, index);
  if (isTable(entry)) return tableOfEntry(entry);
  const below = memory.tables.allocate();
  memory.tables.set(table, index, tableEntry(below));
  return below;
}

/** The PUD table above this page; made if missing. */
export function makePudTable(memory: Memory, mm: Mm, page: number): number {
  return descend(memory, mm.pgd, pgdIndex(page));
}

/** The PMD table above this page; made if missing. The PUD entry is no leaf. */
export function makePmdTable(memory: Memory, mm: Mm, page: number): number {
  return descend(memory, makePudTable(memory, mm, page), pudIndex(page));
}

/** The PTE table of this page; made if missing. The PMD entry is empty or a table already. */
export function makePteTable(memory: Memory, mm: Mm, page: number): number {
  return descend(memory, makePmdTable(memory, mm, page), pmdIndex(page));
}

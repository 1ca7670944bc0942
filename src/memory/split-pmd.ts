/**
 * __split_huge_pmd: one PMD leaf becomes 512 PTEs, or nothing (kernel-facts 2.6, 2.9).
 *
 * Anonymous memory: 512 PTEs are counted, then the PMD entry is not any more; PageAnonExclusive goes from the head to each
 * page, a dirty PMD makes the folio dirty. Files: the entry is dropped and faulted in again page by page. The huge zero
 * folio: 512 PTEs of the zero page. The folio itself stays whole.
 */
import { HPAGE_PMD_NR } from "../kernel/index.ts";
import { assert } from "./assert.ts";
import { freeIfUnused } from "./folio-references.ts";
import { DIRTY, OWNER_2, REFERENCED, ZERO } from "./frames.ts";
import { type Memory, ZERO_FRAME } from "./memory.ts";
import { markDirty } from "./page-cache.ts";
import {
  LEAF_FLAGS,
  PTE_DIRTY,
  PTE_SOFT_DIRTY,
  PTE_UFFD_WP,
  PTE_YOUNG,
  TAG_MASK,
  frameOfEntry,
  isPresent,
  presentEntry,
  tableEntry,
} from "./page-table.ts";
import { addAnonRmapPtes, removeRmapPmd } from "./rmap.ts";
import { findPmdTable, pmdIndex, pteIndex } from "./table-walk.ts";
import type { Vma } from "./vma.ts";

/** split_huge_pmd: the PMD leaf above `page` of the VMA; nothing happens if there is none. */
export function splitPmd(memory: Memory, vma: Vma, page: number): void {
  const { tables } = memory;
  const pmdTable = findPmdTable(memory, vma.mm, page);
  if (pmdTable === 0) return;
  const index = pmdIndex(page);
  const entry = tables.get(pmdTable, index);
  if (!isPresent(entry)) return;
  memory.statistics.count("thp_split_pmd");
  memory.watch?.did("pmd-split", 1);
  const head = frameOfEntry(entry);
  if (!vma.isAnonymous) dropFilePmd(memory, vma, pmdTable, index, entry);
  else if (memory.frames.kindOf(head) === ZERO) splitZeroPmd(memory, pmdTable, index, entry);
  else splitAnonPmd(memory, vma, pmdTable, index, entry);
}

function splitAnonPmd(memory: Memory, vma: Vma, pmdTable: number, index: number, entry: number): void {
  const { frames, tables } = memory;
  const head = frameOfEntry(entry);
  assert(frames.headOf(head) === head, "a PMD maps a folio from its first page on");
  let flags = entry & LEAF_FLAGS & ~TAG_MASK;
  if ((flags & PTE_DIRTY) !== 0) {
    frames.set(head, DIRTY);
    if (memory.hasSoftDirty) flags |= PTE_SOFT_DIRTY;
  }
  const table = tables.allocate();
  addAnonRmapPtes(memory, head, HPAGE_PMD_NR, vma, table, frames.has(head, OWNER_2));
  tables.setRun(table, presentEntry(head, flags));
  tables.set(pmdTable, index, tableEntry(table));
  removeRmapPmd(memory, head, vma, pmdTable);
}

function dropFilePmd(memory: Memory, vma: Vma, pmdTable: number, index: number, entry: number): void {
  const { frames } = memory;
  const head = frameOfEntry(entry);
  memory.tables.set(pmdTable, index, 0);
  if ((entry & PTE_DIRTY) !== 0 && !frames.has(head, DIRTY)) markDirty(memory, head);
  if ((entry & PTE_YOUNG) !== 0) frames.set(head, REFERENCED);
  removeRmapPmd(memory, head, vma, pmdTable);
  freeIfUnused(memory, head);
}

/** __split_huge_zero_page_pmd: uffd-wp is all that the entries inherit. */
function splitZeroPmd(memory: Memory, pmdTable: number, index: number, entry: number): void {
  const { tables } = memory;
  const table = tables.allocate();
  const zero = presentEntry(ZERO_FRAME, PTE_YOUNG | (entry & PTE_UFFD_WP));
  for (let i = 0; i < HPAGE_PMD_NR; i++) tables.set(table, i, zero);
  tables.set(pmdTable, index, tableEntry(table));
}

/** split_huge_pmd_if_needed: an edge of a VMA may not lie within a PMD leaf (vma_adjust_trans_huge). */
export function splitPmdAtEdge(memory: Memory, vma: Vma, page: number): void {
  const offset = pteIndex(page);
  if (offset === 0 || vma.isHugetlb) return;
  const first = page - offset;
  if (first >= vma.start && first + HPAGE_PMD_NR <= vma.end) splitPmd(memory, vma, page);
}

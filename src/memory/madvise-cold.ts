/**
 * MADV_COLD and MADV_PAGEOUT: pages that the process alone maps go to the inactive list, or out at once
 * (madvise_cold_or_pageout_pte_range; kernel-facts 4.4, 4.6).
 *
 * Pages that others map, too, are left alone: small folios and large ones that are mapped whole by their mapcount, a PMD or
 * a part of a large folio by what the kernel believes about sharing. A large folio of which only a part is meant is split
 * first. Each PMD's worth of pages is reclaimed before the next is looked at.
 */
import { HPAGE_PMD_NR } from "../kernel/index.ts";
import { EINVAL } from "./errno.ts";
import { ACTIVE, LRU, REFERENCED, UNEVICTABLE, ZERO } from "./frames.ts";
import { drainLru, joinBatch } from "./lru-batches.ts";
import type { Memory } from "./memory.ts";
import { PTE_YOUNG, frameOfEntry, isPresent, isTable, tableOfEntry } from "./page-table.ts";
import { IGNORE_ALL, flagsOfBatch, isNormalPage, pteBatch } from "./pte-batch.ts";
import { splitFolio } from "./split-folio.ts";
import { reclaimFolios } from "./swap-out.ts";
import { findPmdTable, nextPmd, pmdIndex, pteIndex } from "./table-walk.ts";
import { VM_HUGETLB, VM_LOCKED, type Vma } from "./vma.ts";

/** madvise_cold, madvise_pageout for pages [start, end) of one VMA: 0 or -errno. */
export function ageRange(memory: Memory, vma: Vma, start: number, end: number, isPageout: boolean): number {
  if (vma.has(VM_LOCKED | VM_HUGETLB)) return -EINVAL;
  drainLru(memory);
  for (let page = start; page < end;) {
    const next = Math.min(end, nextPmd(page));
    const isolated: number[] = [];
    agePmd(memory, vma, page, next, isPageout, isolated);
    reclaimFolios(memory, isolated);
    page = next;
  }
  return 0;
}

function agePmd(memory: Memory, vma: Vma, page: number, end: number, isPageout: boolean, isolated: number[]): void {
  const { frames, tables } = memory;
  const pmdTable = findPmdTable(memory, vma.mm, page);
  if (pmdTable === 0) return;
  let pmd = tables.get(pmdTable, pmdIndex(page));
  if (isPresent(pmd)) {
    const head = frameOfEntry(pmd);
    if (frames.kindOf(head) === ZERO || !memory.decisions.decide("age-pmd", head, vma.mm.id, vma.id, 1)) return;
    if (end - page === HPAGE_PMD_NR) {
      if (!isPageout) tables.set(pmdTable, pmdIndex(page), pmd & ~PTE_YOUNG);
      ageFolio(memory, head, isPageout, isolated);
      return;
    }
    if (splitFolio(memory, head, 0) < 0) return;
    pmd = tables.get(pmdTable, pmdIndex(page));
  }
  if (isTable(pmd)) agePtes(memory, vma, tableOfEntry(pmd), page, end, isPageout, isolated);
}

function agePtes(
  memory: Memory,
  vma: Vma,
  table: number,
  page: number,
  end: number,
  isPageout: boolean,
  isolated: number[],
): void {
  // prettier-ignore
  const { decisions, frames, tables } = memory;
  const { mm } = vma;
  const last = pteIndex(page) + end - page;
  for (let index = pteIndex(page), n = 1; index < last; index += n) {
    n = 1;
    const entry = tables.get(table, index);
    if (!isNormalPage(memory, entry)) continue;
    const head = frames.headOf(frameOfEntry(entry));
    const pages = 2 ** frames.order[head];
    if (pages > 1) {
      n = pteBatch(memory, table, index, entry, last - index, IGNORE_ALL);
      if (n < pages) {
        if (decisions.decide("age-part", head, mm.id, vma.id, n) && splitFolio(memory, head, 0) === 0) n = 0;
        continue;
      }
    }
    if (!frames.has(head, LRU) || !decisions.decide("age-whole", head, mm.id, vma.id, n)) continue;
    if (!isPageout && (flagsOfBatch(memory, table, index, n) & PTE_YOUNG) !== 0)
      clearBits(memory, table, index, n, PTE_YOUNG);
    ageFolio(memory, head, isPageout, isolated);
  }
}

/** The folio is forgotten to be in use; it is isolated for reclaim, or deactivated (folio_deactivate). */
function ageFolio(memory: Memory, head: number, isPageout: boolean, isolated: number[]): void {
  const { frames } = memory;
  frames.clear(head, REFERENCED);
  if (frames.has(head, UNEVICTABLE)) return;
  if (isPageout) {
    if (frames.has(head, LRU)) isolated.push(head);
  } else if (frames.has(head, ACTIVE)) joinBatch(memory, "deactivate", head);
}

/** clear_young_dirty_ptes. */
export function clearBits(memory: Memory, table: number, index: number, n: number, bits: number): void {
  const { tables } = memory;
  const run = tables.runOf(table);
  if (run !== 0 && n === HPAGE_PMD_NR) {
    tables.setRun(table, run & ~bits);
    return;
  }
  for (let i = 0; i < n; i++) tables.set(table, index + i, tables.get(table, index + i) & ~bits);
}

/**
 * The advice that gives memory up: MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_FREE and MADV_REMOVE.
 *
 * Page tables that become empty stay (the kernel lab's kernels are built without CONFIG_PT_RECLAIM).
 * MADV_FREE leaves anonymous pages in place, clean, old and without swap backing: reclaim may drop them as long as nobody
 * writes. A large folio of which only a part is meant is split unless others seem to map it. Whether a small page is shared
 * is asked only if it is dirty or in the swap cache (kernel-facts trap 24).
 */
import { HPAGE_PMD_NR, PAGE_SIZE_BYTES } from "../kernel/index.ts";
import { EACCES, EINVAL } from "./errno.ts";
import { DIRTY, LRU, SWAPBACKED, SWAPCACHE, UNEVICTABLE, ZERO } from "./frames.ts";
import { drainLru, joinBatch } from "./lru-batches.ts";
import { clearBits } from "./madvise-cold.ts";
import type { Memory } from "./memory.ts";
import {
  PTE_DIRTY, PTE_YOUNG, TYPE_HWPOISON, TYPE_MARKER_POISONED, frameOfEntry, isNotPresent, isPresent, isSwapEntry, isTable,
  offsetOfEntry, tableOfEntry, typeOfEntry,
} from "./page-table.ts"; // prettier-ignore
import { IGNORE_ALL, isNormalPage, pteBatch } from "./pte-batch.ts";
import { splitFolio } from "./split-folio.ts";
import { freeFolioSwap } from "./swap-cache.ts";
import { freeSwapEntries } from "./swap.ts";
import { PTE_TABLE_PAGES, findPmdTable, nextPmd, pmdIndex, pteIndex } from "./table-walk.ts";
import { fallocateFile } from "./truncate.ts";
import { VM_LOCKED, VM_MAYWRITE, VM_SHARED, type Vma } from "./vma.ts";
import { zapVmaRange } from "./zap.ts";

export type DiscardAdvice = "dontneed" | "dontneed_locked" | "free";

/** madvise_dontneed_free for pages [start, end) of one VMA: 0 or -errno. */
export function discardRange(memory: Memory, vma: Vma, start: number, end: number, advice: DiscardAdvice): number {
  if (vma.isHugetlb) {
    if (advice === "free" || start % PTE_TABLE_PAGES !== 0) return -EINVAL;
    const wholeEnd = end - (end % PTE_TABLE_PAGES);
    if (wholeEnd > start) zapVmaRange(memory, vma, start, wholeEnd, {});
    return 0;
  }
  if (advice !== "dontneed_locked" && vma.has(VM_LOCKED)) return -EINVAL;
  if (advice !== "free") {
    zapVmaRange(memory, vma, start, end, {});
    return 0;
  }
  if (!vma.isAnonymous) return -EINVAL;
  drainLru(memory);
  for (let page = start; page < end;) {
    const next = Math.min(end, nextPmd(page));
    freePmd(memory, vma, page, next);
    page = next;
  }
  return 0;
}

/** madvise_remove: punches a hole into the file. */
export function removeRange(memory: Memory, vma: Vma, start: number, end: number): number {
  if (vma.has(VM_LOCKED) || vma.file === undefined) return -EINVAL;
  if (!vma.has(VM_SHARED) || !vma.has(VM_MAYWRITE)) return -EACCES;
  return fallocateFile(memory, vma.file, vma.indexOf(start) * PAGE_SIZE_BYTES, (end - start) * PAGE_SIZE_BYTES, true);
}

function freePmd(memory: Memory, vma: Vma, page: number, end: number): void {
  const { tables } = memory;
  const pmdTable = findPmdTable(memory, vma.mm, page);
  if (pmdTable === 0) return;
  let pmd = tables.get(pmdTable, pmdIndex(page));
  if (isPresent(pmd)) {
    freeHugePmd(memory, vma, pmdTable, page, end, pmd);
    pmd = tables.get(pmdTable, pmdIndex(page));
  }
  if (isTable(pmd)) freePtes(memory, vma, tableOfEntry(pmd), page, end);
}

/** madvise_free_huge_pmd: the whole leaf, or the folio is split and its pages are next. */
function freeHugePmd(memory: Memory, vma: Vma, pmdTable: number, page: number, end: number, pmd: number): void {
  const { frames } = memory;
  const head = frameOfEntry(pmd);
  if (frames.kindOf(head) === ZERO || !memory.decisions.decide("lazyfree-pmd", head, vma.mm.id, vma.id, 1)) return;
  if (end - page < HPAGE_PMD_NR) {
    splitFolio(memory, head, 0);
    return;
  }
  frames.clear(head, DIRTY);
  memory.tables.set(pmdTable, pmdIndex(page), pmd & ~(PTE_YOUNG | PTE_DIRTY));
  markLazyfree(memory, head);
}

function freePtes(memory: Memory, vma: Vma, table: number, page: number, end: number): void {
  const { decisions, frames, tables } = memory;
  const { mm } = vma;
  const last = pteIndex(page) + end - page;
  for (let index = pteIndex(page), n = 1; index < last; index += n) {
    n = 1;
    const entry = tables.get(table, index);
    if (isNotPresent(entry)) freeNotPresent(memory, table, index, entry);
    if (!isNormalPage(memory, entry)) continue;
    const head = frames.headOf(frameOfEntry(entry));
    const pages = 2 ** frames.order[head];
    if (pages > 1) {
      n = pteBatch(memory, table, index, entry, last - index, IGNORE_ALL);
      if (n < pages) {
        if (decisions.decide("lazyfree-part", head, mm.id, vma.id, n) && splitFolio(memory, head, 0) === 0) n = 0;
        continue;
      }
    }
    if (frames.has(head, SWAPCACHE | DIRTY)) {
      if (!decisions.decide("lazyfree-whole", head, mm.id, vma.id, n)) continue;
      if (frames.has(head, SWAPCACHE) && !freeFolioSwap(memory, head)) continue;
      frames.clear(head, DIRTY);
    }
    clearBits(memory, table, index, n, PTE_YOUNG | PTE_DIRTY);
    markLazyfree(memory, head);
  }
}

/** A page on swap is worth less than a new page of zeros; a poisoned one is forgotten. */
function freeNotPresent(memory: Memory, table: number, index: number, entry: number): void {
  const type = typeOfEntry(entry);
  if (isSwapEntry(entry)) {
    memory.tables.set(table, index, 0);
    freeSwapEntries(memory, offsetOfEntry(entry), 1);
  } else if (type === TYPE_HWPOISON || type === TYPE_MARKER_POISONED) memory.tables.set(table, index, 0);
}

/** folio_mark_lazyfree. */
function markLazyfree(memory: Memory, head: number): void {
  const { frames } = memory;
  if (!frames.has(head, SWAPBACKED) || !frames.has(head, LRU) || frames.has(head, SWAPCACHE | UNEVICTABLE)) return;
  joinBatch(memory, "lazyfree", head);
}

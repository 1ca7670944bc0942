/**
 * mlock, mlock2(MLOCK_ONFAULT), munlock (mm/mlock.c, kernel-facts 2.12).
 *
 * Flags change VMA by VMA; pages that are mapped already are counted as mlocked there and then: a large folio only if it
 * lies in the range whole and one batch maps all of it. Afterwards mlock faults in what is missing.
 */
import { EAGAIN, EFAULT, ENOMEM } from "./errno.ts";
import { ZERO } from "./frames.ts";
import { drainLru } from "./lru-batches.ts";
import { mlockFolio, munlockFolio } from "./lru.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { frameOfEntry, isPresent, isTable, tableOfEntry } from "./page-table.ts";
import { populateRange } from "./gup.ts";
import { IGNORE_ALL, pteBatch } from "./pte-batch.ts";
import { findPmdTable, nextPmd, pmdIndex, pteIndex } from "./table-walk.ts";
import { modifyVmaFlags } from "./vma-change.ts";
import { VM_DROPPABLE, VM_LOCKED, VM_LOCKONFAULT, type Vma } from "./vma.ts";

const VM_LOCKED_MASK = VM_LOCKED | VM_LOCKONFAULT;

/** mlock(2), or mlock2 with MLOCK_ONFAULT, of `pageCount` pages. */
export function mlockRange(
  memory: Memory,
  mm: Mm,
  start: number,
  pageCount: number,
  { onFault }: { readonly onFault: boolean },
): number {
  const error = applyLockFlags(memory, mm, start, pageCount, onFault ? VM_LOCKED_MASK : VM_LOCKED);
  if (error < 0) return error;
  const populated = populateRange(memory, mm, start, start + pageCount, true);
  // __mlock_posix_error_return
  if (populated === -EFAULT) return -ENOMEM;
  return populated === -ENOMEM ? -EAGAIN : Math.min(populated, 0);
}

/** munlock(2). */
export function munlockRange(memory: Memory, mm: Mm, start: number, pageCount: number): number {
  return applyLockFlags(memory, mm, start, pageCount, 0);
}

/** apply_vma_lock_flags. */
function applyLockFlags(memory: Memory, mm: Mm, start: number, pageCount: number, lockFlags: number): number {
  const end = start + pageCount;
  for (let page = start; page < end;) {
    const vma = mm.findVma(page);
    if (vma === undefined) return -ENOMEM;
    const stop = Math.min(end, vma.end);
    const flags = (vma.flags & ~VM_LOCKED_MASK) | lockFlags;
    if (flags === vma.flags || vma.isHugetlb || vma.has(VM_DROPPABLE)) {
      page = stop;
      continue;
    }
    const wasLocked = vma.has(VM_LOCKED);
    const changed = modifyVmaFlags(memory, vma, page, stop, flags);
    if (typeof changed === "number") return changed;
    if (!wasLocked || lockFlags === 0) lockMappedPages(memory, changed, page, stop);
    page = changed.end;
  }
  return 0;
}

/** mlock_vma_pages_range: counts what is mapped in [start, end), whose flags have changed, as locked or no more. */
function lockMappedPages(memory: Memory, vma: Vma, start: number, end: number): void {
  const { frames, tables } = memory;
  const change = vma.has(VM_LOCKED) ? mlockFolio : munlockFolio;
  drainLru(memory);
  for (let page = start, next = 0; page < end; page = next) {
    next = Math.min(end, nextPmd(page));
    const pmdTable = findPmdTable(memory, vma.mm, page);
    if (pmdTable === 0) continue;
    const entry = tables.get(pmdTable, pmdIndex(page));
    if (isPresent(entry)) {
      const head = frames.headOf(frameOfEntry(entry));
      if (frames.kindOf(head) !== ZERO) change(memory, head);
    } else if (isTable(entry)) lockMappedPtes(memory, vma, tableOfEntry(entry), page, next);
  }
  drainLru(memory);
}

/** mlock_pte_range. */
function lockMappedPtes(memory: Memory, vma: Vma, table: number, start: number, end: number): void {
  const { frames, tables } = memory;
  if (tables.usedEntries(table) === 0) return;
  for (let page = start, n = 1; page < end; page += n) {
    n = 1;
    const entry = tables.get(table, pteIndex(page));
    if (!isPresent(entry)) continue;
    const head = frames.headOf(frameOfEntry(entry));
    if (frames.kindOf(head) === ZERO) continue;
    n = pteBatch(memory, table, pteIndex(page), entry, end - page, IGNORE_ALL);
    if (!vma.has(VM_LOCKED)) munlockFolio(memory, head);
    else if (mayMlock(memory, head, vma, start, end, n)) mlockFolio(memory, head);
  }
}

/** allow_mlock_munlock: a large folio must lie in [start, end) of the VMA and be mapped by this one batch. */
function mayMlock(memory: Memory, head: number, vma: Vma, start: number, end: number, batch: number): boolean {
  const { frames, keys } = memory;
  const n = 2 ** frames.order[head];
  if (n === 1) return true;
  const page = vma.pageOf(keys.indexOf(frames.rmapKey[head]));
  return page >= Math.max(start, vma.start) && page + n <= Math.min(end, vma.end) && batch === n;
}

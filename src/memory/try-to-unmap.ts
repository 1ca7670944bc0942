/**
 * try_to_unmap: reclaim takes all mappings of a folio away (kernel-facts 2.9).
 *
 * An anonymous folio has its slots already: each PTE becomes a swap entry that remembers whether the page was exclusive. A
 * lazily freed one (no SWAPBACKED) is dropped if it is still clean and nobody else refers to it, else it is swap-backed
 * again. Entries of files vanish. PMD entries are split first. VMAs that are locked keep their entries.
 */
import { HPAGE_PMD_ORDER, LEVEL_PMD } from "../kernel/index.ts";
import { DIRTY, OWNER_2, SWAPBACKED } from "./frames.ts";
import { drainMlock } from "./lru-batches.ts";
import { mlockFolio } from "./lru.ts";
import type { Memory } from "./memory.ts";
import {
  PTE_DIRTY,
  PTE_SOFT_DIRTY,
  PTE_UFFD_WP,
  PTE_YOUNG,
  SWP_EXCLUSIVE,
  TYPE_SWAP,
  frameOfEntry,
  notPresentEntry,
} from "./page-table.ts";
import { flagsOfBatch } from "./pte-batch.ts";
import { type FolioMapping, candidateVmas, mappingsInVma } from "./rmap-walk.ts";
import { removeRmapPmd, removeRmapPtes, tryShareAnonRmap } from "./rmap.ts";
import { splitPmd } from "./split-pmd.ts";
import { swapSlotOf } from "./swap-cache.ts";
import { duplicateSwapEntry, putSwapEntries, rememberSwappedMm } from "./swap.ts";
import { pmdIndex, pteIndex } from "./table-walk.ts";
import { unmapFileFolio } from "./unmap-file-folio.ts";
import { VM_DROPPABLE, VM_LOCKED, type Vma } from "./vma.ts";

/** Unmaps the folio as far as it may be; ask its mapcount whether that was all. The folio is not freed. */
export function tryToUnmap(memory: Memory, head: number): void {
  if (!memory.frames.isAnon(head)) {
    // The walk ends at the locked VMA, and may have unmapped others before it.
    if (isMappedLocked(memory, head)) memory.watch?.willWalk("unmap", head);
    else unmapFileFolio(memory, head);
    return;
  }
  memory.watch?.willWalk("unmap", head);
  for (const { vma, index } of candidateVmas(memory, head)) {
    if (!unmapInVma(memory, head, vma, index) || memory.decisions.decide("stop-unmap-walk", head, -1, -1, 0)) return;
  }
}

function isMappedLocked(memory: Memory, head: number): boolean {
  return candidateVmas(memory, head).some(
    ({ vma, index }) => vma.has(VM_LOCKED) && batchesOf(memory, head, vma, index).length > 0,
  );
}

function batchesOf(memory: Memory, head: number, vma: Vma, index: number): FolioMapping[] {
  const batches: FolioMapping[] = [];
  mappingsInVma(memory, head, vma, index, batches);
  return batches;
}

/** try_to_unmap_one. False: give up on the folio. */
function unmapInVma(memory: Memory, head: number, vma: Vma, index: number): boolean {
  const { frames } = memory;
  let batches = batchesOf(memory, head, vma, index);
  if (batches.length === 0) return true;
  if (vma.has(VM_LOCKED)) {
    if (batches[0].pageCount === 2 ** frames.order[head]) mlockFolio(memory, head);
    return false;
  }
  const pmd = frames.order[head] >= HPAGE_PMD_ORDER ? batches.find(({ level }) => level === LEVEL_PMD) : undefined;
  if (pmd !== undefined) {
    if (!frames.has(head, SWAPBACKED)) return discardPmd(memory, head, pmd);
    splitPmd(memory, vma, pmd.page);
    batches = batchesOf(memory, head, vma, index);
  }
  const unmap = frames.has(head, SWAPBACKED) ? swapOutBatch : discardBatch;
  for (const batch of batches) if (!unmap(memory, head, batch)) return false;
  return true;
}

/** One PTE after the other becomes a swap entry. */
function swapOutBatch(memory: Memory, head: number, { vma, page, table, pageCount }: FolioMapping): boolean {
  const { frames, tables } = memory;
  for (let i = 0; i < pageCount; i++) {
    const index = pteIndex(page + i);
    const entry = tables.get(table, index);
    const frame = frameOfEntry(entry);
    if ((entry & PTE_DIRTY) !== 0) frames.set(head, DIRTY);
    const slot = swapSlotOf(memory, frame);
    const isExclusive = memory.cow.hasExclusivePages && frames.has(frame, OWNER_2);
    duplicateSwapEntry(memory, slot);
    if (!tryShareAnonRmap(memory, frame)) {
      putSwapEntries(memory, slot, 1);
      return false;
    }
    rememberSwappedMm(memory, vma.mm);
    const kept = entry & (PTE_SOFT_DIRTY | PTE_UFFD_WP);
    tables.set(table, index, notPresentEntry(TYPE_SWAP, slot, kept | (isExclusive ? SWP_EXCLUSIVE : 0)));
    removeRmapPtes(memory, frame, 1, vma, table);
    if (vma.has(VM_LOCKED)) drainMlock(memory, head);
  }
  return true;
}

/** May a lazily freed folio be dropped? If it was written since, it is swap-backed again, but for droppable memory. */
function mayDiscard(memory: Memory, head: number, vma: Vma, isEntryDirty: boolean, isPmd: boolean): boolean {
  const { decisions, frames } = memory;
  if (isEntryDirty) frames.set(head, DIRTY);
  if (!frames.has(head, DIRTY) || vma.has(VM_DROPPABLE)) {
    return decisions.decide(isPmd ? "discard-lazyfree-pmd" : "discard-lazyfree", head, vma.mm.id, vma.id, 0);
  }
  frames.set(head, SWAPBACKED);
  return false;
}

/**
 * A large folio that is mapped whole goes at once, else page after page. What was cleared at once and must stay comes back
 * with the accessed and dirty bits of all of its entries in each.
 */
function discardBatch(memory: Memory, head: number, { vma, page, table, pageCount }: FolioMapping): boolean {
  const { frames, tables } = memory;
  const step = pageCount === 2 ** frames.order[head] ? pageCount : 1;
  for (let i = 0; i < pageCount; i += step) {
    const index = pteIndex(page + i);
    const entry = tables.get(table, index);
    const flags = flagsOfBatch(memory, table, index, step) & (PTE_DIRTY | PTE_YOUNG);
    if (!mayDiscard(memory, head, vma, (flags & PTE_DIRTY) !== 0, false)) {
      const softDirty = (flags & PTE_DIRTY) !== 0 && memory.hasSoftDirty ? PTE_SOFT_DIRTY : 0;
      if (step > 1) tables.setBatch(table, index, step, entry | flags | softDirty);
      return false;
    }
    tables.clearBatch(table, index, step);
    removeRmapPtes(memory, frameOfEntry(entry), step, vma, table);
    if (vma.has(VM_LOCKED)) drainMlock(memory, head);
  }
  return true;
}

/** unmap_huge_pmd_locked. */
function discardPmd(memory: Memory, head: number, { vma, page, table }: FolioMapping): boolean {
  const entry = memory.tables.get(table, pmdIndex(page));
  if (!mayDiscard(memory, head, vma, (entry & PTE_DIRTY) !== 0, true)) return false;
  memory.tables.set(table, pmdIndex(page), 0);
  removeRmapPmd(memory, head, vma, table);
  return true;
}

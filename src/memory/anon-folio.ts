/**
 * New anonymous folios for a fault, and the entries that map them.
 *
 * x86-64's page protections include the accessed bit, so every new entry is young; a written one is dirty, soft-dirty where
 * the kernel tracks that, and writable if the VMA is.
 */
import { LEVEL_PTE } from "../kernel/index.ts";
import type { Memory } from "./memory.ts";
import { prepareAnonVma } from "./anon-vma.ts";
import { assert } from "./assert.ts";
import { ANON, LRU, OWNER_2, SWAPBACKED, UPTODATE } from "./frames.ts";
import { mlockNewFolio } from "./lru.ts";
import { PTE_DIRTY, PTE_SOFT_DIRTY, PTE_WRITE, PTE_YOUNG } from "./page-table.ts";
import { createAnonFolio } from "./rmap.ts";
import type { Mm } from "./mm.ts";
import { tellZeroed } from "./new-page-content.ts";
import { VM_DROPPABLE, VM_LOCKED, VM_WRITE, type Vma } from "./vma.ts";

/** The node of a new page: the process's binding, else the node of the one processor. */
export function nodeOfMm(mm: Mm): number {
  return mm.boundNode < 0 ? 0 : mm.boundNode;
}

/** A folio of zeros for this VMA, which gets its anon_vma if it has none (vmf_anon_prepare, vma_alloc_folio). */
export function newFolioOfVma(memory: Memory, vma: Vma, order: number): number {
  if (vma.anonVma === undefined) prepareAnonVma(vma);
  tellZeroed(memory, 2 ** order);
  return createAnonFolio(memory, order, nodeOfMm(vma.mm));
}

/**
 * createAnonFolio, addNewAnonRmap and folio_add_lru_vma in one for the commonest folio: one page, exclusive, mapped by the
 * PTE that the caller writes next.
 */
export function newExclusivePage(memory: Memory, vma: Vma, page: number, table: number): number {
  const { frames, events } = memory;
  const anonVma = vma.anonVma ?? prepareAnonVma(vma);
  const frame = memory.allocator.allocate(0, ANON, nodeOfMm(vma.mm));
  assert(frames.rmapKey[frame] === 0, "a free frame has no mapping");
  events.created(frame, 0, false);
  const backed = vma.has(VM_DROPPABLE) ? 0 : SWAPBACKED;
  frames.state[frame] = ANON | UPTODATE | LRU | OWNER_2 | backed;
  frames.rmapKey[frame] = memory.keys.acquire(anonVma, vma.indexOf(page));
  events.add(frame, 0, 1, LEVEL_PTE, table, vma.id, vma.mm.id);
  if (vma.has(VM_LOCKED)) mlockNewFolio(memory, frame);
  else memory.lruBatches.add(frame);
  return frame;
}

/** pte_mkyoung, pte_mkdirty, and pte_mkwrite where the VMA allows it. */
export function writtenLeafFlags(memory: Memory, vma: Vma): number {
  const flags = memory.hasSoftDirty ? PTE_YOUNG | PTE_DIRTY | PTE_SOFT_DIRTY : PTE_YOUNG | PTE_DIRTY;
  return vma.has(VM_WRITE) ? flags | PTE_WRITE : flags;
}

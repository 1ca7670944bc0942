/**
 * The LRU lists as far as flags show them: inactive, active, unevictable, and mlock's count (kernel-facts 2.12).
 *
 * Lists have no order here. What waits in a batch of the processor is in lru-batches.ts.
 */
import { ACTIVE, LRU, MLOCKED, REFERENCED, UNEVICTABLE } from "./frames.ts";
import { joinBatch, joinMlockBatch } from "./lru-batches.ts";
import type { Memory } from "./memory.ts";

/** folio_add_lru: a new folio goes to the inactive list. */
export function addToLru(memory: Memory, head: number): void {
  memory.frames.set(head, LRU);
  if (memory.frames.order[head] === 0) memory.lruBatches.add(head);
  else memory.lruBatches.forgetAdded();
}

/** mlock_new_folio: straight to the unevictable list. */
export function mlockNewFolio(memory: Memory, head: number): void {
  memory.frames.set(head, LRU | MLOCKED);
  memory.lruBatches.mlockedNew.add(head);
  joinMlockBatch(memory, "lockNew", head);
}

/** folio_mark_accessed: the second access of an inactive folio activates it. */
export function markAccessed(memory: Memory, head: number): void {
  const { frames } = memory;
  if (!frames.has(head, REFERENCED)) {
    frames.set(head, REFERENCED);
    return;
  }
  if (frames.has(head, UNEVICTABLE) || frames.has(head, ACTIVE)) return;
  if (memory.lruBatches.isNew(head)) frames.set(head, ACTIVE);
  else joinBatch(memory, "activate", head);
  frames.clear(head, REFERENCED);
}

/** mlock_folio: counts one VM_LOCKED mapping, and takes the folio to the unevictable list when the batch is worked off. */
export function mlockFolio(memory: Memory, head: number): void {
  memory.frames.set(head, MLOCKED);
  joinMlockBatch(memory, "lock", head);
}

/** munlock_folio: one VM_LOCKED mapping less; with the last the folio is evictable again. */
export function munlockFolio(memory: Memory, head: number): void {
  joinMlockBatch(memory, "unlock", head);
}

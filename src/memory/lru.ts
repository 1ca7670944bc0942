/**
 * The LRU lists as far as flags show them: inactive, active, unevictable, and mlock's count (kernel-facts 2.12).
 *
 * Lists have no order here and per-CPU batches are always drained: what a batch would do later is done at once.
 */
import { ACTIVE, LRU, MLOCKED, REFERENCED, UNEVICTABLE } from "./frames.ts";
import type { Memory } from "./memory.ts";
import { VM_LOCKED, type Vma } from "./vma.ts";

/** folio_add_lru: a new folio goes to the inactive list. */
export function addToLru(memory: Memory, head: number): void {
  memory.frames.set(head, LRU);
}

/** folio_add_lru_vma: in a VM_LOCKED VMA a new folio is mlocked at once. */
export function addToLruOfVma(memory: Memory, head: number, vma: Vma): void {
  memory.frames.set(head, LRU);
  if (vma.has(VM_LOCKED)) mlockFolio(memory, head);
}

/** folio_mark_accessed: the second access of an inactive folio activates it. */
export function markAccessed(memory: Memory, head: number): void {
  const { frames } = memory;
  if (!frames.has(head, REFERENCED)) {
    frames.set(head, REFERENCED);
    return;
  }
  if (frames.has(head, UNEVICTABLE) || frames.has(head, ACTIVE)) return;
  frames.set(head, ACTIVE);
  frames.clear(head, REFERENCED);
}

/** mlock_folio: counts one VM_LOCKED mapping. */
export function mlockFolio(memory: Memory, head: number): void {
  const { frames } = memory;
  frames.set(head, MLOCKED);
  if (!frames.has(head, LRU)) return;
  if (frames.has(head, UNEVICTABLE)) {
    frames.changeExtra(head, (extra) => (extra.mlockCount += 1));
    return;
  }
  frames.clear(head, ACTIVE);
  frames.set(head, UNEVICTABLE);
  frames.changeExtra(head, (extra) => (extra.mlockCount = 1));
}

/** munlock_folio: one VM_LOCKED mapping less; with the last the folio is evictable again. */
export function munlockFolio(memory: Memory, head: number): void {
  const { frames } = memory;
  if (frames.has(head, LRU) && frames.has(head, UNEVICTABLE)) {
    const count = frames.extraOf(head)?.mlockCount ?? 0;
    if (count > 0) frames.changeExtra(head, (extra) => (extra.mlockCount -= 1));
    if (count > 1) return;
  }
  if (!frames.has(head, MLOCKED)) return;
  frames.clear(head, MLOCKED | UNEVICTABLE);
}

/**
 * The swap cache: folios that are on swap and in memory at once (mm/swap_state.c).
 *
 * Membership is the flag SWAPCACHE on the head and, for each page, its frame beside its slot. Slots of a folio are
 * consecutive. When the folio leaves, slots that no entry names are free.
 */
import { assert } from "./assert.ts";
import { DIRTY, SWAPCACHE } from "./frames.ts";
import type { Memory } from "./memory.ts";

/** Enters a folio at its slots. */
export function addToSwapCache(memory: Memory, head: number, slot: number): void {
  const { frames, swap } = memory;
  const n = 2 ** frames.order[head];
  for (let i = 0; i < n; i++) swap.cache[slot + i] = head + i;
  swap.slotOfFolio.set(head, slot);
  frames.set(head, SWAPCACHE);
}

/** Takes a folio out; `shadow` stays at its slots. */
export function deleteFromSwapCache(memory: Memory, head: number, shadow: number): void {
  const { frames, swap } = memory;
  const slot = swapSlotOf(memory, head);
  const n = 2 ** frames.order[head];
  for (let i = 0; i < n; i++) {
    swap.cache[slot + i] = 0;
    swap.shadows[slot + i] = shadow;
    swap.releaseIfUnused(slot + i);
  }
  swap.slotOfFolio.delete(head);
  frames.clear(head, SWAPCACHE);
}

/** page_swap_entry: the slot of a frame whose folio is in the swap cache. */
export function swapSlotOf(memory: Memory, frame: number): number {
  const head = memory.frames.headOf(frame);
  const slot = memory.swap.slotOfFolio.get(head);
  assert(slot !== undefined, "a folio of the swap cache has slots");
  return slot + frame - head;
}

/** The folio was split into folios of `newOrder`: each has its part of the slots. */
export function splitInSwapCache(memory: Memory, head: number, pageCount: number, newOrder: number): void {
  const { frames, swap } = memory;
  const slot = swap.slotOfFolio.get(head);
  if (slot === undefined) return;
  for (let i = 0; i < pageCount; i += 2 ** newOrder) {
    swap.slotOfFolio.set(head + i, slot + i);
    frames.set(head + i, SWAPCACHE);
  }
}

/** folio_free_swap: gives up the folio's slots if no entry names one. The folio must be written again then. */
export function freeFolioSwap(memory: Memory, head: number): boolean {
  const { frames, swap } = memory;
  if (!frames.has(head, SWAPCACHE)) return false;
  const slot = swapSlotOf(memory, head);
  const n = 2 ** frames.order[head];
  for (let i = 0; i < n; i++) if (swap.entries[slot + i] > 0) return false;
  deleteFromSwapCache(memory, head, 0);
  frames.set(head, DIRTY);
  return true;
}

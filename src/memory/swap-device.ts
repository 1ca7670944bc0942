/**
 * A swap device: slots, how many swap entries name each, and the swap cache.
 *
 * A folio in the swap cache holds one reference per page through it (kernel-facts 1.7). A slot is free when no entry names
 * it and no folio caches it. Slots are handed out in clusters of 512, a cluster serving one order, lowest first: the
 * offsets that pagemap prints come from there.
 */

/** Slots per cluster (SWAPFILE_CLUSTER with THP_SWAP). */
export const SWAP_CLUSTER_SLOTS = 512;

export class SwapDevice {
  /** Slots of the device; 0: no swapon yet. Slot 0 holds the header and is never used. */
  slotCount = 0;
  /** swap_map: entries that name the slot. */
  readonly entries: number[] = [];
  /** Frame that caches the slot, or 0. */
  readonly cache: number[] = [];
  /** What was written to the slot (page-contents.ts). */
  readonly contents: number[] = [];
  /** Order that each cluster serves, or -1: free or not yet used. */
  readonly clusterOrder: number[] = [];
  isOn = false;
}

/**
 * A swap device: slots, how many swap entries name each, the swap cache, and what is written there.
 *
 * A folio in the swap cache holds one reference per page through it (kernel-facts 1.7). A slot is free when no entry names
 * it and no folio caches it; which one is handed out next, swap-clusters.ts knows.
 */
import type { FileMapping } from "./file-mapping.ts";
import type { Mm } from "./mm.ts";
import { NO_SLOT, SwapClusters } from "./swap-clusters.ts";

export class SwapDevice {
  /** Slots of the device; 0: no swapon yet. Slot 0 holds the header and is never used. */
  slotCount = 0;
  /** swap_map: entries that name the slot. */
  entries = new Int32Array(0);
  /** Frame that caches the slot, or 0. */
  cache = new Int32Array(0);
  /** What was written to the slot (page-contents.ts). */
  contents = new Int32Array(0);
  /** zeromap: pages of a folio of zeros are not written, the slot only says so. */
  isZero = new Uint8Array(0);
  /** workingset_eviction's mark (workingset.ts), or 0. */
  shadows = new Float64Array(0);
  /** Slots whose entry in a shmem file stands for 2^order pages: the order, on each of them. */
  shmemOrder = new Uint8Array(0);
  isOn = false;
  /** SWP_WRITEOK: swapoff takes it away first. */
  isWritable = false;
  /** First slot of each folio in the swap cache (folio->swap), by its head. */
  readonly slotOfFolio = new Map<number, number>();
  /** init_mm.mmlist: address spaces that have or had swap entries, as swapoff visits them. */
  readonly swappedMms: Mm[] = [];
  /** shmem_swaplist: files with pages on swap. */
  readonly swappedFiles = new Set<FileMapping>();
  private clusters: SwapClusters | undefined;
  private usedSlots = 0;

  /** A new device of so many slots, or with 0 none. */
  reset(slotCount: number): void {
    this.slotCount = slotCount;
    this.entries = new Int32Array(slotCount);
    this.cache = new Int32Array(slotCount);
    this.contents = new Int32Array(slotCount);
    this.isZero = new Uint8Array(slotCount);
    this.shadows = new Float64Array(slotCount);
    this.shmemOrder = new Uint8Array(slotCount);
    this.isOn = slotCount > 0;
    this.isWritable = this.isOn;
    this.usedSlots = 0;
    this.clusters = this.isOn ? new SwapClusters(slotCount, (slot) => this.isTaken(slot)) : undefined;
  }

  /** Takes 2^order slots that nobody names yet: the caller puts a folio into the swap cache there. NO_SLOT if there are none. */
  allocate(order: number): number {
    if (!this.isWritable || this.clusters === undefined) return NO_SLOT;
    const slot = this.clusters.allocate(order);
    if (slot !== NO_SLOT) this.usedSlots += 2 ** order;
    return slot;
  }

  /** Gives the slot back if neither an entry nor a folio needs it. */
  releaseIfUnused(slot: number): void {
    if (this.entries[slot] > 0 || this.cache[slot] !== 0) return;
    this.isZero[slot] = 0;
    this.shadows[slot] = 0;
    this.shmemOrder[slot] = 0;
    this.usedSlots--;
    this.clusters?.release(slot);
  }

  /** The address space is gone: swapoff need not look there. */
  forgetMm(mm: Mm): void {
    const at = this.swappedMms.indexOf(mm);
    if (at >= 0) this.swappedMms.splice(at, 1);
  }

  /** vm_swap_full: more than half of the slots are in use (all of none, too). */
  get isFull(): boolean {
    const total = this.isWritable ? this.slotCount - 1 : 0;
    return (total - this.usedSlots) * 2 < total;
  }

  /** Slots in use. */
  get usedSlotCount(): number {
    return this.usedSlots;
  }

  private isTaken(slot: number): boolean {
    return slot === 0 || slot >= this.slotCount || this.entries[slot] > 0 || this.cache[slot] !== 0;
  }
}

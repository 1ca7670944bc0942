/**
 * Swap entries: how they come and go, and what happens to the slot and to the folio that caches it (mm/swapfile.c).
 *
 * An entry counts once at its slot. Whoever clears an entry gives the count back; with the last one the slot is free, or,
 * if a folio caches it, as soon as that folio is unmapped.
 */
import { assert } from "./assert.ts";
import { EBUSY, EINVAL } from "./errno.ts";
import { freeIfUnused } from "./folio-references.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { PTE_UFFD_WP, SWP_EXCLUSIVE, offsetOfEntry } from "./page-table.ts";
import { freeFolioSwap } from "./swap-cache.ts";

export { freeFolioSwap } from "./swap-cache.ts";

/** /dev/ram1: 128 MiB. /dev/ram0 carries the ext4 file system. */
const RAM_DISK_SLOTS = 32_768;

/** swapon(2) of the one device that there is: 0 or -errno. */
export function swapOn(memory: Memory, path = "/dev/ram1"): number {
  if (path === "/dev/ram0") return -EBUSY;
  if (path !== "/dev/ram1") return -EINVAL;
  if (memory.swap.isOn) return -EBUSY;
  memory.swap.reset(RAM_DISK_SLOTS);
  return 0;
}

/** swap_duplicate: one more entry names the slot. */
export function duplicateSwapEntry(memory: Memory, slot: number): void {
  assert(slot > 0 && slot < memory.swap.slotCount, "a swap entry names a slot of the device");
  memory.swap.entries[slot]++;
}

/** swap_free_nr: `n` entries for consecutive slots are replaced by mappings. */
export function putSwapEntries(memory: Memory, slot: number, n: number): void {
  const { swap } = memory;
  for (let at = slot; at < slot + n; at++) {
    assert(swap.entries[at] > 0, "a swap entry is counted at its slot");
    swap.entries[at]--;
    swap.releaseIfUnused(at);
  }
}

/** free_swap_and_cache_nr: `n` entries for consecutive slots are gone; folios that only they needed go too. */
export function freeSwapEntries(memory: Memory, slot: number, n: number): void {
  const { frames, swap } = memory;
  putSwapEntries(memory, slot, n);
  for (let at = slot; at < slot + n; at++) {
    const frame = swap.cache[at];
    if (frame === 0 || swap.entries[at] > 0) continue;
    const head = frames.headOf(frame);
    if (!memory.decisions.decide("drop-swap-cache", head, -1, -1, 0) && !swap.isFull) continue;
    if (freeFolioSwap(memory, head)) freeIfUnused(memory, head);
  }
}

/** The address space has swap entries from now on: swapoff will look for them there. */
export function rememberSwappedMm(memory: Memory, mm: Mm): void {
  const { swappedMms } = memory.swap;
  if (!swappedMms.includes(mm)) swappedMms.unshift(mm);
}

/** The address space is gone. */
export function forgetSwappedMm(memory: Memory, mm: Mm): void {
  memory.swap.forgetMm(mm);
}

/** The child is to be looked at by swapoff right after its parent (copy_nonpresent_pte). */
export function rememberSwappedChild(memory: Memory, parent: Mm, child: Mm): void {
  const { swappedMms } = memory.swap;
  if (swappedMms.includes(child)) return;
  swappedMms.splice(swappedMms.indexOf(parent) + 1, 0, child);
}

/**
 * copy_nonpresent_pte for a swap entry: the child's entry. The parent's becomes `entry & ~SWP_EXCLUSIVE`: neither has the
 * page for itself any more. uffd-wp stays with who is registered.
 */
export function copySwapEntry(memory: Memory, entry: number, parent: Mm, child: Mm, keepUffdWp: boolean): number {
  duplicateSwapEntry(memory, offsetOfEntry(entry));
  rememberSwappedChild(memory, parent, child);
  return entry & ~(keepUffdWp ? SWP_EXCLUSIVE : SWP_EXCLUSIVE | PTE_UFFD_WP);
}

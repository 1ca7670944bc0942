/**
 * The bits of a /proc/PID/pagemap entry, and what the type of a swap entry means.
 *
 *     high word  31      30    29    28 27  26     25       24         23          22 ......... 0
 *                PRESENT SWAP  FILE   0  0  GUARD  UFFD_WP  EXCLUSIVE  SOFT_DIRTY  PFN bits 32-54
 *     low word   present: PFN bits 0-31;  swap: type in bits 0-4, offset bits 0-26 above it
 *
 * Invariant: an entry is two 32-bit words, never one number: masks named ..._HIGH apply to the high word, which may be
 * signed or unsigned (`&` makes it signed; compare with 0, not with the mask). SWAP means "not empty and not present":
 * migration, device, hwpoison and marker entries too. What a type means depends on three build options, because the
 * special types lie at the top, in this order, and true swap areas take what is left.
 * Kernel: kernel-facts 3.7.
 *
 *     type 31        PTE marker
 *     below          device entries, if CONFIG_DEVICE_PRIVATE
 *     below          migration: read, read exclusive, write, if CONFIG_MIGRATION
 *     below          hwpoison, if CONFIG_MEMORY_FAILURE
 *     0 and up       swap areas
 */

import type { KernelConfig } from "./kernel-config-text.ts";

/** Bit 63: a present entry; the frame is a PFN. */
export const PM_PRESENT_HIGH = 0x80000000 | 0;
/** Bit 62: neither empty nor present. */
export const PM_SWAP_HIGH = 1 << 30;
/** Bit 61: the page is known and not anonymous. */
export const PM_FILE_HIGH = 1 << 29;
/** Bit 58: a guard region's marker. */
export const PM_GUARD_HIGH = 1 << 26;
/** Bit 57: write-protected through userfaultfd. */
export const PM_UFFD_WP_HIGH = 1 << 25;
/** Bit 56, MMAP_EXCLUSIVE: the page has one mapping; under a PMD the first page answers for all 512. */
export const PM_EXCLUSIVE_HIGH = 1 << 24;
/** Bit 55: written since clear_refs. */
export const PM_SOFT_DIRTY_HIGH = 1 << 23;
/** Bits 32-54: the high part of the PFN or of the swap offset. */
export const PM_FRAME_HIGH = 0x7fffff;

/** Bytes of one entry. */
export const PAGEMAP_ENTRY_BYTES = 8;
/** Bits of a swap entry's type (the kernel's MAX_SWAPFILES_SHIFT). */
export const SWAP_TYPE_BITS = 5;
export const SWAP_TYPE_MASK = 0x1f;
export const SWAP_TYPES = 32;

const WORD = 2 ** 32;
/** What a step of the high word adds to a swap offset: its low word holds 27 bits of it. */
const SWAP_OFFSET_WORD = 2 ** 27;

/** The PFN of a present entry; 0 if the reader lacked CAP_SYS_ADMIN. */
export function pagemapPfn(low: number, high: number): number {
  return (low >>> 0) + (high & PM_FRAME_HIGH) * WORD;
}

/** The type of a swap entry, 0 to 31. */
export function pagemapSwapType(low: number): number {
  return low & SWAP_TYPE_MASK;
}

/** The offset of a swap entry: a slot, a PFN (migration, device, hwpoison) or a marker's bits. */
export function pagemapSwapOffset(low: number, high: number): number {
  return (low >>> SWAP_TYPE_BITS) + (high & PM_FRAME_HIGH) * SWAP_OFFSET_WORD;
}

/** Bits of a PTE marker's offset. */
export const PTE_MARKER_UFFD_WP = 1;
export const PTE_MARKER_POISONED = 2;
export const PTE_MARKER_GUARD = 4;

/** How many types each special kind takes from the top; one more is always the PTE marker. */
export interface SwapLayout {
  /** 0 without CONFIG_DEVICE_PRIVATE, else 3 or 4, depending on the kernel's version. */
  readonly deviceNum: 0 | 3 | 4;
  readonly migrationNum: 0 | 3;
  readonly hwpoisonNum: 0 | 1;
}

/** What a swap entry is; "special" where the layout is unknown: some kind that is not surely a swap area. */
export type SwapEntryKind =
  | "swap"
  | "hwpoison"
  | "migration-read"
  | "migration-read-exclusive"
  | "migration-write"
  | "device"
  | "marker"
  | "special";

/** The same as small integers, for columns and loops: the index is the code. */
export const SWAP_ENTRY_KINDS: readonly SwapEntryKind[] = [
  "swap",
  "hwpoison",
  "migration-read",
  "migration-read-exclusive",
  "migration-write",
  "device",
  "marker",
  "special",
];
export const SWAP_KIND_SWAP = 0;
export const SWAP_KIND_HWPOISON = 1;
export const SWAP_KIND_MIGRATION_READ = 2;
export const SWAP_KIND_MIGRATION_READ_EXCLUSIVE = 3;
export const SWAP_KIND_MIGRATION_WRITE = 4;
export const SWAP_KIND_DEVICE = 5;
export const SWAP_KIND_MARKER = 6;
export const SWAP_KIND_SPECIAL = 7;

/** Swap areas under the fullest layout: types below are swap under every layout. */
const SWAP_AREAS_MIN = 23;

/**
 * The layout that a configuration gives. How many device types there are depends on the kernel's version, which the
 * configuration does not tell, so the caller says it.
 */
export function swapLayoutFromConfig(config: KernelConfig, kernel: { readonly deviceTypes: 3 | 4 }): SwapLayout {
  const isSet = (option: string): boolean => config.get(option) === "y";
  return {
    deviceNum: isSet("CONFIG_DEVICE_PRIVATE") ? kernel.deviceTypes : 0,
    migrationNum: isSet("CONFIG_MIGRATION") ? 3 : 0,
    hwpoisonNum: isSet("CONFIG_MEMORY_FAILURE") ? 1 : 0,
  };
}

/** The kind (SWAP_KIND_...) of each of the 32 types, for loops over entries. Without a layout, the sure part only. */
export function swapTypeTable(layout: SwapLayout | undefined): Uint8Array {
  const table = new Uint8Array(SWAP_TYPES).fill(SWAP_KIND_SWAP);
  let next = SWAP_TYPES - 1;
  table[next] = SWAP_KIND_MARKER;
  if (layout === undefined) return table.fill(SWAP_KIND_SPECIAL, SWAP_AREAS_MIN, next);
  next -= layout.deviceNum;
  table.fill(SWAP_KIND_DEVICE, next, SWAP_TYPES - 1);
  next -= layout.migrationNum;
  if (layout.migrationNum > 0) {
    table[next] = SWAP_KIND_MIGRATION_READ;
    table[next + 1] = SWAP_KIND_MIGRATION_READ_EXCLUSIVE;
    table[next + 2] = SWAP_KIND_MIGRATION_WRITE;
  }
  next -= layout.hwpoisonNum;
  if (layout.hwpoisonNum > 0) table[next] = SWAP_KIND_HWPOISON;
  return table;
}

/** What a swap entry of this type (0 to 31) is under a layout, or without one as far as that is sure. */
export function decodeSwapType(type: number, layout: SwapLayout | undefined): SwapEntryKind {
  const kind = SWAP_ENTRY_KINDS[swapTypeTable(layout)[type]];
  if (kind === undefined) throw new RangeError(`a swap type is 0 to 31, not ${type}`);
  return kind;
}

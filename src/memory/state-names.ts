/**
 * The bits of page-table entries and folios by name, for those who print them.
 */
import {
  ACTIVE, DIRTY, LRU, MLOCKED, OWNER_2, PARTIALLY_MAPPED, RECLAIM, REFERENCED, SWAPBACKED, SWAPCACHE, UNEVICTABLE, UPTODATE,
} from "./frames.ts"; // prettier-ignore
import type { Memory } from "./memory.ts";
import { PTE_DIRTY, PTE_SOFT_DIRTY, PTE_UFFD_WP, PTE_WRITE, PTE_YOUNG } from "./page-table.ts";

const ENTRY_FLAGS = {
  write: PTE_WRITE,
  dirty: PTE_DIRTY,
  young: PTE_YOUNG,
  softDirty: PTE_SOFT_DIRTY,
  uffdWp: PTE_UFFD_WP,
} as const;

/** Is the bit set in the entry? Soft-dirty and uffd-wp are those of swap entries too. */
export function hasEntryFlag(entry: number, name: keyof typeof ENTRY_FLAGS): boolean {
  return (entry & ENTRY_FLAGS[name]) !== 0;
}

const FOLIO_FLAGS = {
  /** PageAnonExclusive of this very page; mappedtodisk of a file's folio. */
  owner2: OWNER_2,
  dirty: DIRTY,
  referenced: REFERENCED,
  lru: LRU,
  active: ACTIVE,
  swapBacked: SWAPBACKED,
  unevictable: UNEVICTABLE,
  mlocked: MLOCKED,
  swapCache: SWAPCACHE,
  uptodate: UPTODATE,
  partiallyMapped: PARTIALLY_MAPPED,
  reclaim: RECLAIM,
} as const;

/** Is the flag set in struct page of this frame? All but owner2 are kept on the head. */
export function hasFolioFlag(memory: Memory, frame: number, name: keyof typeof FOLIO_FLAGS): boolean {
  return memory.frames.has(frame, FOLIO_FLAGS[name]);
}

/**
 * The bits of a /proc/kpageflags entry, and what kind of memory a frame with these bits is.
 *
 * An entry is two 32-bit words: bare names are masks of the low word (bits 0-31), names ending in _HIGH of the high
 * word. All bits but BUDDY, HEAD/TAIL, HWPOISON and ZERO_PAGE come from the folio's head, so a tail shows its head's.
 *
 * Invariant: the kind never trusts ANON or KSM before it has excluded slab, page tables and free frames, whose words
 * alias the mapping pointer (6.18 prints slab pages as "slab,anonymous,ksm"). Kinds up to KIND_HUGETLB are those of
 * folio columns with the same codes; the others are mapped by nothing, or mapped and never counted.
 * Kernel: kernel-facts 3.9 and 10 (traps 13, 14, 15, 29); KSM on every anonymous page: 6.18.15 (a parameter here).
 */

import {
  FOLIO_KIND_NAMES,
  type FolioKind,
  KIND_ANON,
  KIND_FILE,
  KIND_HUGETLB,
  KIND_KSM,
  KIND_SHMEM,
  KIND_UNCOUNTED,
} from "./folio-columns.ts";

export const KPF_LOCKED = 1 << 0;
/** Never set by current kernels. */
export const KPF_ERROR = 1 << 1;
export const KPF_REFERENCED = 1 << 2;
export const KPF_UPTODATE = 1 << 3;
export const KPF_DIRTY = 1 << 4;
export const KPF_LRU = 1 << 5;
export const KPF_ACTIVE = 1 << 6;
export const KPF_SLAB = 1 << 7;
export const KPF_WRITEBACK = 1 << 8;
export const KPF_RECLAIM = 1 << 9;
/** This frame lies in a free block. */
export const KPF_BUDDY = 1 << 10;
/** The folio is mapped, which this page of it need not be. */
export const KPF_MMAP = 1 << 11;
/** Stays set after the last unmap until the folio is free; KSM pages have it too. */
export const KPF_ANON = 1 << 12;
export const KPF_SWAPCACHE = 1 << 13;
export const KPF_SWAPBACKED = 1 << 14;
export const KPF_COMPOUND_HEAD = 1 << 15;
export const KPF_COMPOUND_TAIL = 1 << 16;
/** hugetlb. */
export const KPF_HUGE = 1 << 17;
export const KPF_UNEVICTABLE = 1 << 18;
export const KPF_HWPOISON = 1 << 19;
/** No page here; 6.18 and later print 0 instead. */
export const KPF_NOPAGE = 1 << 20;
export const KPF_KSM = 1 << 21;
/** A large folio of any order, 8 KiB included, or the huge zero folio. */
export const KPF_THP = 1 << 22;
export const KPF_OFFLINE = 1 << 23;
/** The zero page, or a page of the huge zero folio. */
export const KPF_ZERO_PAGE = 1 << 24;
export const KPF_IDLE = 1 << 25;
export const KPF_PGTABLE = 1 << 26;

/** Bit 32. */
export const KPF_RESERVED_HIGH = 1 << 0;
/** Bit 33. */
export const KPF_MLOCKED_HIGH = 1 << 1;
/** Bit 34: PG_owner_2 of the head page: AnonExclusive for anonymous memory, mappedtodisk for files. */
export const KPF_OWNER_2_HIGH = 1 << 2;
/** Bit 35. */
export const KPF_PRIVATE_HIGH = 1 << 3;
/** Bit 36. */
export const KPF_PRIVATE_2_HIGH = 1 << 4;
/** Bit 37: shares its bit with the swap cache. */
export const KPF_OWNER_PRIVATE_HIGH = 1 << 5;
/** Bit 38. */
export const KPF_ARCH_HIGH = 1 << 6;
/** Bit 40: never set by current kernels. */
export const KPF_SOFTDIRTY_HIGH = 1 << 8;
/** Bit 41. */
export const KPF_ARCH_2_HIGH = 1 << 9;
/** Bit 42. */
export const KPF_ARCH_3_HIGH = 1 << 10;

/** Bytes of one entry. */
export const KPAGEFLAGS_ENTRY_BYTES = 8;

/** Names by bit, "" where a bit has none. */
export const KPF_NAMES: readonly string[] = (
  "LOCKED ERROR REFERENCED UPTODATE DIRTY LRU ACTIVE SLAB WRITEBACK RECLAIM BUDDY MMAP ANON SWAPCACHE SWAPBACKED " +
  "COMPOUND_HEAD COMPOUND_TAIL HUGE UNEVICTABLE HWPOISON NOPAGE KSM THP OFFLINE ZERO_PAGE IDLE PGTABLE - - - - - " +
  "RESERVED MLOCKED OWNER_2 PRIVATE PRIVATE_2 OWNER_PRIVATE ARCH - SOFTDIRTY ARCH_2 ARCH_3"
)
  .split(" ")
  .map((name) => (name === "-" ? "" : name));

/** Kinds of frames beyond those that folio columns hold. */
export const KIND_ZERO = 7;
export const KIND_SLAB = 8;
export const KIND_PGTABLE = 9;
export const KIND_OFFLINE = 10;
export const KIND_BUDDY = 11;
export const KIND_OTHER = 12;

/** Names by code, the folio columns' first. */
export const FRAME_KIND_NAMES = [...FOLIO_KIND_NAMES, "zero", "slab", "pgtable", "offline", "buddy", "other"] as const;

/** The code of a frame's kind: an index of FRAME_KIND_NAMES. */
export type FrameKind = Exclude<FolioKind, 0 | 6> | 7 | 8 | 9 | 10 | 11 | 12;

/** One rule of precedence: all bits of `low` and `high` set (the KSM bit only where it means KSM) give `kind`. */
export interface FrameKindRule {
  readonly low: number;
  readonly high: number;
  readonly kind: FrameKind;
}

/** The first rule that holds decides; the last always holds. `folioKindOf` is the same, unrolled. */
export const FRAME_KIND_RULES: readonly FrameKindRule[] = [
  { low: KPF_ZERO_PAGE, high: 0, kind: KIND_ZERO },
  { low: KPF_SLAB, high: 0, kind: KIND_SLAB },
  { low: KPF_PGTABLE, high: 0, kind: KIND_PGTABLE },
  { low: KPF_OFFLINE, high: 0, kind: KIND_OFFLINE },
  { low: KPF_BUDDY, high: 0, kind: KIND_BUDDY },
  // A reserved frame is no folio of ours; mapped (vdso), the kernel counts it as a file page.
  { low: KPF_MMAP, high: KPF_RESERVED_HIGH, kind: KIND_FILE },
  { low: 0, high: KPF_RESERVED_HIGH, kind: KIND_OTHER },
  { low: KPF_HUGE, high: 0, kind: KIND_HUGETLB },
  { low: KPF_ANON | KPF_KSM, high: 0, kind: KIND_KSM },
  { low: KPF_ANON, high: 0, kind: KIND_ANON },
  { low: KPF_SWAPBACKED, high: 0, kind: KIND_SHMEM },
  { low: KPF_LRU, high: 0, kind: KIND_FILE },
  { low: KPF_MMAP, high: 0, kind: KIND_FILE },
  { low: 0, high: 0, kind: KIND_OTHER },
];

const NO_FOLIO_OF_PROCESSES = KPF_ZERO_PAGE | KPF_SLAB | KPF_PGTABLE | KPF_OFFLINE | KPF_BUDDY;

function kindOutsideProcesses(low: number): FrameKind {
  if ((low & KPF_ZERO_PAGE) !== 0) return KIND_ZERO;
  if ((low & KPF_SLAB) !== 0) return KIND_SLAB;
  if ((low & KPF_PGTABLE) !== 0) return KIND_PGTABLE;
  return (low & KPF_OFFLINE) !== 0 ? KIND_OFFLINE : KIND_BUDDY;
}

/**
 * The kind of memory behind a kpageflags entry, a few comparisons per frame. Pass `ksmBitMeansKsm` false on a kernel
 * that sets KSM on every anonymous page: KSM pages are anonymous in every figure, only the name is lost.
 */
export function folioKindOf(low: number, high: number, ksmBitMeansKsm: boolean): FrameKind {
  if ((low & NO_FOLIO_OF_PROCESSES) !== 0) return kindOutsideProcesses(low);
  if ((high & KPF_RESERVED_HIGH) !== 0) return (low & KPF_MMAP) !== 0 ? KIND_FILE : KIND_OTHER;
  if ((low & KPF_HUGE) !== 0) return KIND_HUGETLB;
  if ((low & KPF_ANON) !== 0) return ksmBitMeansKsm && (low & KPF_KSM) !== 0 ? KIND_KSM : KIND_ANON;
  if ((low & KPF_SWAPBACKED) !== 0) return KIND_SHMEM;
  return (low & (KPF_LRU | KPF_MMAP)) !== 0 ? KIND_FILE : KIND_OTHER;
}

/**
 * The kind of a frame that a page table maps, as folio columns hold it: what is mapped and never counted (a zero page, a
 * frame without flags), or was freed since the page table was read, is KIND_UNCOUNTED. Never KIND_NONE.
 */
export function frameKind(low: number, high: number, ksmBitMeansKsm: boolean): FolioKind {
  const kind = folioKindOf(low, high, ksmBitMeansKsm);
  return kind <= KIND_HUGETLB ? (kind as FolioKind) : KIND_UNCOUNTED;
}

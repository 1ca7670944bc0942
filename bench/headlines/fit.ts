/**
 * Prices from published rows: which row fixes which unit.
 *
 * Each price is the solution of the equation that its row is, so these rows come out by construction and are marked
 * "fitted"; every other row of the tables is predicted. Per page of 1 GiB, with n pages a folio, A an atomic:
 *
 *     fork before   = copied + 2 A + single                       pages' and folio's atomic for each page, a call
 *     fork after    = copied + A + (A + batch) / n                one reference and one call a batch
 *     munmap before = cleared + 3 A + single + freed / n          ... and _nr_pages_mapped for each page
 *     munmap after  = cleared + 2 A + (A + batch + freed) / n
 *     munmap after 3.3 = cleared + A + (2 A + batch + freed) / n
 */
import {
  FORK_SECONDS,
  GIB_PAGES,
  MUNMAP_SECONDS,
  NR_PAGES_MAPPED_SPEEDUP,
  OWNER_TRACKING,
  RMAP_ID_INTEL,
  RMAP_ID_THROUGHPUT,
} from "./published.ts";

/** What the kernel's own loop takes: for a call that handles a batch, and for one that handles a page alone. */
export interface LoopPrice {
  readonly batch: number;
  readonly single: number;
}

/** Nanoseconds. */
export interface FittedPrices {
  readonly atomic: number;
  readonly lock: number;
  readonly contendedAtomic: number;
  readonly entryCopied: number;
  readonly entryCleared: number;
  readonly entrySet: number;
  readonly fault: number;
  /** A page allocated and copied into. */
  readonly copy: number;
  readonly smallFreed: number;
  readonly largeFreed: number;
  /** The whole page written by its user, not one byte. */
  readonly pageWritten: number;
  /** madvise of one page: entering the kernel, finding the VMA, flushing. */
  readonly call: number;
  readonly fork: LoopPrice;
  readonly zap: LoopPrice;
  readonly remap: LoopPrice;
}

/** The rows that fix each price, as they are cited. */
export const PRICE_SOURCES: readonly (readonly [
  name: string,
  read: (prices: FittedPrices) => number,
  source: string,
])[] = [
  ["an atomic", (p) => p.atomic, "3.3, 2 MiB (with 3.2, after, 2 MiB)"],
  ["the large mapcount's lock, beside its atomic and words", (p) => p.lock, "3.5, fork with owner slots, 16 KiB"],
  ["an atomic on another core's line", (p) => p.contendedAtomic, "3.7, anon-cow-seq, total mapcount only"],
  ["an entry copied", (p) => p.entryCopied, "3.1, after, 2 MiB"],
  ["fork: a call for a batch", (p) => p.fork.batch, "3.1, after, 16 KiB"],
  ["fork: a call for a page alone", (p) => p.fork.single, "3.1, before, 2 MiB"],
  ["an entry cleared", (p) => p.entryCleared, "3.2, after, 2 MiB"],
  ["munmap: a call for a batch", (p) => p.zap.batch, "3.2, after, 16 KiB"],
  ["munmap: a call for a page alone, its flush and its freeing list", (p) => p.zap.single, "3.2, before, 2 MiB"],
  ["a large folio freed", (p) => p.largeFreed, "3.2, before, 16 KiB"],
  ["a small page freed", (p) => p.smallFreed, "3.2, before, 4 KiB"],
  ["an entry set", (p) => p.entrySet, "3.7, remap, total mapcount only and + batch remap"],
  ["remap: a call for a page alone", (p) => p.remap.single, "3.7, remap, + batch remap"],
  ["a write fault that reuses", (p) => p.fault, "3.5, reuse-byte, 2 MiB"],
  ["a page allocated and copied into", (p) => p.copy, "3.7, cow-byte, + rmap-id"],
  ["a page written by its user", (p) => p.pageWritten, "3.7, reuse, + rmap-id"],
  ["madvise of one page", (p) => p.call, "3.7, pte-dontneed, + 1/2/3 values"],
];

/** Assumed: a cycle of 2.4 GHz, for a plain load or store of a word that is in the first cache. */
export const PLAIN_NS = 0.42;

/** Places in ALL_ORDERS: 4 KiB, 16 KiB, 2 MiB. */
const SMALL = 0;
const KIB_16 = 1;
const MIB_2 = 8;
const PAGES_OF = { 1: 4, 8: 512 } as const;

/** Loads and stores that `page` and `mm-owner` charge for the owner slots, the lock's release included. */
const SLOT_WORDS = 6;
/** Atomics that "+ rmap-id" adds: the total, twice the sequence count, six values; "+ 1/2/3 values" has three values. */
const RMAP_ID_ATOMICS = 9;
const RMAP_ID_ATOMICS_LESS = 6;

function pageNs(seconds: number): number {
  return (seconds * 1e9) / GIB_PAGES;
}

/** The constant and the part by 1 / pages of a folio, from 16 KiB and 2 MiB. */
function lineThrough(seconds: readonly number[]): { perPage: number; perFolio: number } {
  const small = pageNs(seconds[KIB_16]);
  const large = pageNs(seconds[MIB_2]);
  const perFolio = (small - large) / (1 / PAGES_OF[KIB_16] - 1 / PAGES_OF[MIB_2]);
  return { perPage: large - perFolio / PAGES_OF[MIB_2], perFolio };
}

/** Prices of the Xeon Silver 4210R. */
export function fitPrices(): FittedPrices {
  // 3.3, 2 MiB, with 3.2's time before it.
  const munmapAfter = lineThrough(MUNMAP_SECONDS.after);
  const speedup = NR_PAGES_MAPPED_SPEEDUP[NR_PAGES_MAPPED_SPEEDUP.length - 1] / 100;
  const atomic = pageNs(MUNMAP_SECONDS.after[MIB_2]) * (1 - 1 / (1 + speedup));
  // 3.1 after, 16 KiB and 2 MiB; before, 2 MiB.
  const forkAfter = lineThrough(FORK_SECONDS.after);
  const entryCopied = forkAfter.perPage - atomic;
  const fork = {
    batch: forkAfter.perFolio - atomic,
    single: pageNs(FORK_SECONDS.before[MIB_2]) - entryCopied - 2 * atomic,
  };
  // 3.2 after and before, 16 KiB and 2 MiB; before, 4 KiB.
  const munmapBefore = lineThrough(MUNMAP_SECONDS.before);
  const entryCleared = munmapAfter.perPage - 2 * atomic;
  const zapSingle = munmapBefore.perPage - entryCleared - 3 * atomic;
  const largeFreed = munmapBefore.perFolio;
  const zap = { batch: munmapAfter.perFolio - largeFreed - atomic, single: zapSingle };
  const smallFreed = pageNs(MUNMAP_SECONDS.before[SMALL]) - entryCleared - 2 * atomic - zapSingle;
  // 3.5 fork with owner slots, 16 KiB: the lock replaces the total's atomic by its own.
  const forkOfFolio = PAGES_OF[KIB_16] * pageNs(FORK_SECONDS.after[KIB_16]) + atomic;
  const lock = (OWNER_TRACKING.forkMmId[KIB_16] / 100) * forkOfFolio - SLOT_WORDS * PLAIN_NS;
  return {
    atomic,
    lock,
    entryCopied,
    entryCleared,
    smallFreed,
    largeFreed,
    fork,
    zap,
    ...fitFaults(atomic, entryCleared),
    ...fitRemap(atomic),
    call: (RMAP_ID_ATOMICS_LESS * atomic) / (RMAP_ID_INTEL[2][7] / 100) - entryCleared - 3 * atomic - zapSingle,
  };
}

/** 3.7 cow-byte "+ rmap-id" is nine atomics; 3.5 reuse-byte of 2 MiB is the same without its copy; 3.7 reuse writes all. */
function fitFaults(
  atomic: number,
  entryCleared: number,
): Pick<FittedPrices, "fault" | "copy" | "pageWritten" | "contendedAtomic"> {
  const copying = (RMAP_ID_ATOMICS * atomic) / (RMAP_ID_INTEL[1][4] / 100);
  // 3.5's kernel has a total already: one atomic more to remove.
  const reusing = (copying + atomic) * (1 + OWNER_TRACKING.reuseByte[MIB_2] / 100);
  // The new page is counted with two atomics and its entry set, the old one loses a mapping with two and its entry.
  const copy = copying - reusing - 4 * atomic - fitRemap(atomic).entrySet - entryCleared;
  const pageWritten = ((1 + RMAP_ID_INTEL[1][5] / 100) * copying - reusing) / (-RMAP_ID_INTEL[1][5] / 100);
  // 3.7, 20 children: what is one contended line more. Two lines are contended before: reference count, page mapcount.
  const slower = 1 / (1 + RMAP_ID_THROUGHPUT.intel[0] / 100) - 1;
  const contendedAtomic = (slower * (copying - 2 * atomic)) / (1 - 2 * slower);
  return { fault: reusing, copy, pageWritten, contendedAtomic };
}

/** 3.7 remap: "total mapcount only" is one atomic more a page, "+ batch remap" one call for 512 pages. */
function fitRemap(atomic: number): Pick<FittedPrices, "entrySet" | "remap"> {
  const before = atomic / (RMAP_ID_INTEL[0][0] / 100);
  const batched = before * (1 + RMAP_ID_INTEL[3][0] / 100);
  const entrySet = batched - 2 * atomic;
  return { entrySet, remap: { batch: 0, single: before - batched } };
}

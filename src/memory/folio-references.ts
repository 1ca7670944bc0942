/**
 * Reference counts: not stored but summed, because every reference has a known holder (kernel-facts 1.7).
 *
 * refcount = mappings + (page cache or swap cache ? pages : 0) + PG_private + pins + plain references. LRU lists hold none;
 * the processor's LRU batches hold one of a folio that waits to be moved (lru-batches.ts).
 */
import { assert } from "./assert.ts";
import { FILE, HUGETLB_FILE, PARTIALLY_MAPPED, SHMEM, SWAPCACHE, ZERO } from "./frames.ts";
import { returnToHugetlbPool } from "./hugetlb-pool.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { freeFolioSwap } from "./swap-cache.ts";

/** Pages of the folio if a page cache or the swap cache holds it, else 0. */
export function cacheReferences(memory: Memory, head: number): number {
  const { frames } = memory;
  const kind = frames.kindOf(head);
  const isCached =
    kind === FILE || kind === SHMEM || kind === HUGETLB_FILE ? frames.rmapKey[head] !== 0 : frames.has(head, SWAPCACHE);
  return isCached ? 1 << frames.order[head] : 0;
}

/** folio_ref_count. */
export function refcount(memory: Memory, head: number): number {
  return memory.counts.mapcount(head) + cacheReferences(memory, head) + memory.frames.extraReferences(head);
}

/** folio_maybe_dma_pinned (decisions/pins.ts). */
export function isMaybeDmaPinned(memory: Memory, head: number): boolean {
  return memory.decisions.decide("maybe-pinned", head, -1, -1, 0);
}

/** fork: does the child of `parent` need a copy of an anonymous page at once, because it may be pinned? */
export function mustCopyAtFork(memory: Memory, head: number, parent: Mm, isExclusive: boolean): boolean {
  const { cow } = memory;
  if (!parent.hasPinned || !cow.copiesPinnedAtFork) return false;
  return (isExclusive || !cow.hasExclusivePages) && isMaybeDmaPinned(memory, head);
}

/**
 * folio_put of the last known holder: frees the folio if nothing refers to it any more. A folio that is no longer mapped
 * leaves the swap cache if no swap entry names it (free_swap_cache).
 */
export function freeIfUnused(memory: Memory, head: number): void {
  if (memory.frames.has(head, SWAPCACHE) && memory.decisions.decide("drop-swap-cache", head, -1, -1, 0)) {
    freeFolioSwap(memory, head);
  }
  if (memory.counts.mapcount(head) === 0 && refcount(memory, head) === 0) freeFolio(memory, head);
}

/** Frees a folio without references: leaves the deferred split queue and the statistics of its size. */
export function freeFolio(memory: Memory, head: number): void {
  const { frames, keys, statistics } = memory;
  const kind = frames.kindOf(head);
  assert(kind !== ZERO, "the zero page is never freed");
  assert(memory.counts.mapcount(head) === 0, "a mapped folio is not freed");
  memory.decisions.noted("free-folio", head, true);
  forgetPartiallyMapped(memory, head);
  const order = frames.order[head];
  if (order > 0 && frames.isAnon(head) && !frames.isHugetlb(head)) statistics.mthp.nrAnon[order]--;
  keys.release(frames.rmapKey[head]);
  frames.rmapKey[head] = 0;
  if (frames.extraOf(head) !== undefined) frames.changeExtra(head, (extra) => (extra.mlockCount = 0));
  if (frames.isHugetlb(head)) returnToHugetlbPool(memory, head);
  memory.events.freed(head);
  memory.allocator.free(head);
}

/** Takes the folio off the deferred split queue and out of nr_anon_partially_mapped (kernel-facts 2.7). */
export function forgetPartiallyMapped(memory: Memory, head: number): void {
  const { frames, statistics } = memory;
  if (!frames.has(head, PARTIALLY_MAPPED)) return;
  frames.clear(head, PARTIALLY_MAPPED);
  statistics.mthp.nrAnonPartiallyMapped[frames.order[head]]--;
}
/** Changes the pins of a folio by `n` (FOLL_PIN). */
export function changePins(memory: Memory, head: number, n: number): void {
  memory.frames.changeExtra(head, (extra) => (extra.pins += n));
}

/** Changes the plain references of a folio by `n` (FOLL_GET). */
export function changeGets(memory: Memory, head: number, n: number): void {
  memory.frames.changeExtra(head, (extra) => (extra.gets += n));
}

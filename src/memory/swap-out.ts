/**
 * shrink_folio_list as far as MADV_PAGEOUT shows it: isolated folios are unmapped, written and freed (mm/vmscan.c).
 *
 * Anonymous folios get slots of their own order; without room for a large one it is split and its pages go one by one.
 * Pinned ones stay as they are; those with other references lose their mappings and stay in the swap cache. Dirty pages of
 * a disk's files are left to the flusher. What cannot be reclaimed goes back, some to the active list.
 */
import { FileMapping } from "./file-mapping.ts";
import { freeFolio, isMaybeDmaPinned } from "./folio-references.ts";
import { ACTIVE, DIRTY, MLOCKED, PARTIALLY_MAPPED, RECLAIM, SHMEM, SWAPBACKED, SWAPCACHE } from "./frames.ts";
import { addToLru } from "./lru.ts";
import type { Memory } from "./memory.ts";
import { canSplitFolio, releasePrivate, splitFolio } from "./split-folio.ts";
import { swapOutShmem } from "./shmem-swap.ts";
import { addToSwapCache, deleteFromSwapCache, freeFolioSwap, swapSlotOf } from "./swap-cache.ts";
import { NO_SLOT } from "./swap-clusters.ts";
import { writeToSwap } from "./swap-io.ts";
import { tryToUnmap } from "./try-to-unmap.ts";
import { evictFromWorkingset } from "./workingset.ts";

/** What becomes of a folio: it is gone, goes back where it was, or to the active list. */
type Outcome = "gone" | "keep" | "activate";

/** reclaim_pages: tries to reclaim these folios, in this order. Pages freed. */
export function reclaimFolios(memory: Memory, heads: readonly number[]): number {
  const { frames } = memory;
  for (const head of heads) frames.clear(head, ACTIVE);
  const left = heads.toReversed();
  let reclaimed = 0;
  for (let head = left.pop(); head !== undefined; head = left.pop()) {
    const pages = 2 ** frames.order[head];
    const pieces: number[] = [];
    const outcome = reclaim(memory, head, pieces);
    left.push(...pieces.toReversed());
    if (outcome === "gone") {
      reclaimed += pages;
      continue;
    }
    if (outcome === "activate") activate(memory, head);
    addToLru(memory, head);
  }
  return reclaimed;
}

/** activate_locked: not a candidate for reclaim; swap space that it holds is given up if that is scarce. */
function activate(memory: Memory, head: number): void {
  const { frames } = memory;
  if (frames.has(head, SWAPCACHE) && (memory.swap.isFull || frames.has(head, MLOCKED))) freeFolioSwap(memory, head);
  if (!frames.has(head, MLOCKED)) frames.set(head, ACTIVE);
}

/** One folio. If it is split the other pieces are added to `pieces`, to be tried next. */
function reclaim(memory: Memory, head: number, pieces: number[]): Outcome {
  const { cow, decisions, frames } = memory;
  if (frames.isAnon(head) && frames.has(head, SWAPBACKED) && !frames.has(head, SWAPCACHE)) {
    if (cow.sparesPinned && isMaybeDmaPinned(memory, head)) return "keep";
    if (!allocateSwap(memory, head, pieces)) return "activate";
  }
  if (decisions.decide("reclaim-unmap", head, -1, -1, 0)) {
    tryToUnmap(memory, head);
    if (decisions.decide("reclaim-still-mapped", head, -1, -1, 0)) return "activate";
  }
  if (cow.sparesPinned && isMaybeDmaPinned(memory, head)) return "activate";
  if (frames.isAnon(head)) return finishAnon(memory, head);
  return frames.kindOf(head) === SHMEM ? finishShmem(memory, head, pieces) : finishFile(memory, head);
}

/** folio_alloc_swap, for a large folio that is worth it or can be split. False: it stays in memory. */
function allocateSwap(memory: Memory, head: number, pieces: number[]): boolean {
  const { frames, swap } = memory;
  if (frames.order[head] > 0) {
    if (!canSplitFolio(memory, head)) return false;
    const isPartial = frames.has(head, PARTIALLY_MAPPED);
    memory.decisions.noted("reclaim-split-partial", head, isPartial);
    if (isPartial && !splitIntoPages(memory, head, pieces)) return false;
  }
  let slot = swap.allocate(frames.order[head]);
  if (slot === NO_SLOT && frames.order[head] > 0) {
    if (!splitIntoPages(memory, head, pieces)) return false;
    slot = swap.allocate(0);
  }
  if (slot === NO_SLOT) return false;
  addToSwapCache(memory, head, slot);
  frames.set(head, DIRTY);
  return true;
}

/** split_folio_to_list: the pages that are still mapped, but for the first; the list is taken from its end. */
function splitIntoPages(memory: Memory, head: number, pieces: number[]): boolean {
  const end = head + 2 ** memory.frames.order[head];
  if (splitFolio(memory, head, 0) < 0) return false;
  for (let piece = end - 1; piece > head; piece--) if (memory.counts.mapcount(piece) > 0) pieces.push(piece);
  return true;
}

/** Nobody but the swap cache and the isolation may refer to a folio that is written and freed. */
function finishAnon(memory: Memory, head: number): Outcome {
  const { frames } = memory;
  const isUnused = frames.extraReferences(head) === 0;
  if (!frames.has(head, SWAPBACKED)) {
    if (!isUnused) return "keep";
    freeFolio(memory, head);
    return "gone";
  }
  if (!isUnused) return "keep";
  if (frames.has(head, DIRTY)) writeToSwap(memory, head, swapSlotOf(memory, head));
  deleteFromSwapCache(memory, head, evictFromWorkingset(memory, head));
  freeFolio(memory, head);
  return "gone";
}

function finishShmem(memory: Memory, head: number, pieces: number[]): Outcome {
  const { frames } = memory;
  if (frames.extraReferences(head) > 0) return "keep";
  if (!frames.has(head, DIRTY)) {
    dropFromCache(memory, head);
    return "gone";
  }
  const left = swapOutShmem(memory, head);
  if (left === undefined) return "activate";
  if (left[0] === head) {
    pieces.push(...left.slice(1));
    return "activate";
  }
  pieces.push(...left);
  return "gone";
}

function finishFile(memory: Memory, head: number): Outcome {
  const { frames } = memory;
  if (frames.has(head, DIRTY)) {
    frames.set(head, RECLAIM);
    return "activate";
  }
  if (!releasePrivate(memory, head)) return "activate";
  if (frames.extraReferences(head) > 0) return "keep";
  dropFromCache(memory, head);
  return "gone";
}

/** __remove_mapping of a clean page cache folio. */
function dropFromCache(memory: Memory, head: number): void {
  const { frames, keys } = memory;
  const key = frames.rmapKey[head];
  const file = keys.mappingOf(key);
  if (!(file instanceof FileMapping)) return;
  const first = keys.indexOf(key);
  const end = first + 2 ** frames.order[head];
  if (frames.kindOf(head) !== SHMEM) {
    const shadow = evictFromWorkingset(memory, head);
    for (let index = first; index < end; index++) file.shadows.set(index, shadow);
  }
  file.clear(first, end - first);
  freeFolio(memory, head);
}

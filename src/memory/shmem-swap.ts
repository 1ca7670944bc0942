/**
 * Pages of shared memory on swap: shmem_writeout and shmem_swapin_folio of Linux 6.18.
 *
 * The file's own entry takes the place of a swap entry in page tables: nobody maps the page any more, each mapper finds it
 * through the file. A large folio goes out whole and leaves one entry for all of its pages, and comes back whole unless one
 * of them is in the swap cache already; then the entry falls apart around the page that is wanted.
 */
import { HPAGE_PMD_ORDER, PAGE_SIZE_BYTES } from "../kernel/index.ts";
import { assert } from "./assert.ts";
import { FileMapping } from "./file-mapping.ts";
import { freeFolio } from "./folio-references.ts";
import { DIRTY, SHMEM } from "./frames.ts";
import type { Memory } from "./memory.ts";
import { splitFolio } from "./split-folio.ts";
import { deleteFromSwapCache } from "./swap-cache.ts";
import { NO_SLOT } from "./swap-clusters.ts";
import { readFromSwap, writeToSwap } from "./swap-io.ts";
import { putSwapEntries } from "./swap.ts";
import { NO_SHADOW, evictFromWorkingset } from "./workingset.ts";

/**
 * shmem_writeout of an unmapped dirty folio that only the page cache holds. The pieces that are left to be written if the
 * folio had to be split, or undefined: it stays in memory, dirty.
 */
export function swapOutShmem(memory: Memory, head: number): readonly number[] | undefined {
  const { frames, swap } = memory;
  if (!swap.isWritable) return undefined;
  const order = frames.order[head];
  if (order > 0 && crossesEnd(memory, head)) return splitAndSwapOut(memory, head);
  const slot = swap.allocate(order);
  if (slot === NO_SLOT) return order > 0 ? splitAndSwapOut(memory, head) : undefined;
  const file = fileOf(memory, head);
  const index = memory.keys.indexOf(frames.rmapKey[head]);
  for (let i = 0; i < 2 ** order; i++) {
    swap.entries[slot + i] = 1;
    swap.shmemOrder[slot + i] = order;
    file.setSwapSlot(index + i, slot + i);
  }
  swap.swappedFiles.add(file);
  writeToSwap(memory, head, slot);
  swap.shadows.fill(evictFromWorkingset(memory, head), slot, slot + 2 ** order);
  freeFolio(memory, head);
  return [];
}

/** Does the file end within the folio? Then its pages behind the end must not go to swap. */
function crossesEnd(memory: Memory, head: number): boolean {
  const index = memory.keys.indexOf(memory.frames.rmapKey[head]);
  const end = Math.ceil(fileOf(memory, head).sizeBytes / PAGE_SIZE_BYTES);
  return end > index && end < index + 2 ** memory.frames.order[head];
}

function splitAndSwapOut(memory: Memory, head: number): readonly number[] | undefined {
  const { frames } = memory;
  const end = head + 2 ** frames.order[head];
  const file = fileOf(memory, head);
  frames.set(head, DIRTY);
  if (splitFolio(memory, head, 0) < 0) return undefined;
  const left: number[] = [];
  for (let piece = end - 1; piece > head; piece--) {
    if (memory.keys.mappingOf(frames.rmapKey[piece]) === file) left.push(piece);
  }
  return swapOutShmem(memory, head) === undefined ? [head, ...left] : left;
}

function fileOf(memory: Memory, head: number): FileMapping {
  const mapping = memory.keys.mappingOf(memory.frames.rmapKey[head]);
  assert(mapping instanceof FileMapping, "a shmem folio belongs to a file");
  return mapping;
}

/**
 * shmem_swapin_folio: brings page `index` of the file back, which is on swap. The folio that caches it now. `mayBeLarge` is
 * false where userfaultfd wants each page on its own.
 */
export function swapInShmem(memory: Memory, file: FileMapping, index: number, node: number, mayBeLarge = true): number {
  const { frames, swap, keys } = memory;
  const slot = file.swapSlotAt(index);
  assert(slot > 0, "a page of the file is on swap");
  const cached = swap.cache[slot];
  const order = cached === 0 && mayBeLarge ? uncachedOrder(memory, slot) : 0;
  const n = 2 ** order;
  const firstIndex = index - (slot % n);
  const first = slot - (slot % n);
  if (order < swap.shmemOrder[slot]) splitLargeEntry(memory, slot, order);
  const head = cached === 0 ? readFromSwap(memory, first, order, SHMEM, node) : cached;
  if (cached !== 0) {
    deleteFromSwapCache(memory, head, NO_SHADOW);
    frames.setKind(head, SHMEM);
  }
  keys.release(frames.rmapKey[head]);
  frames.rmapKey[head] = keys.acquire(file, firstIndex);
  file.setFrames(firstIndex, head, n);
  frames.set(head, DIRTY);
  putSwapEntries(memory, first, n);
  if (file.swappedPages === 0) swap.swappedFiles.delete(file);
  return head;
}

/**
 * shmem_partial_swap_usage: pages on swap by the entries that begin in or reach into pages [first, end) of the file. A
 * large folio's entry counts with all of its pages even if only one of them is asked for.
 */
export function swappedPagesIn(memory: Memory, file: FileMapping, first: number, end: number): number {
  let swapped = 0;
  for (let index = first; index < Math.min(end, file.indexLimit);) {
    const slot = file.swapSlotAt(index);
    const n = slot < 0 ? 1 : 2 ** memory.swap.shmemOrder[slot];
    if (slot >= 0) swapped += n;
    index += slot < 0 ? 1 : n - (slot % n);
  }
  return swapped;
}

/** The order of the entry's folio, or 0 if one of its slots is in the swap cache or they differ in the zeromap. */
function uncachedOrder(memory: Memory, slot: number): number {
  const { swap } = memory;
  const n = 2 ** swap.shmemOrder[slot];
  const first = slot - (slot % n);
  for (let at = first; at < first + n; at++) if (swap.cache[at] !== 0) return 0;
  return swap.shmemOrder[slot];
}

/** Nodes of the xarray hold 64 entries: an entry of a higher order falls apart at these orders first. */
const XARRAY_CHUNK_ORDER = 6;

/** shmem_split_large_entry: the entry that holds `slot` falls apart until its part of it has the order. */
function splitLargeEntry(memory: Memory, slot: number, order: number): void {
  const { shmemOrder } = memory.swap;
  for (let current = shmemOrder[slot]; current > order;) {
    const next = current % XARRAY_CHUNK_ORDER === 0 ? current - 1 : current - (current % XARRAY_CHUNK_ORDER);
    const n = 2 ** current;
    const first = slot - (slot % n);
    shmemOrder.fill(Math.max(next, 0), first, first + n);
    current = next;
  }
  assert(shmemOrder[slot] <= HPAGE_PMD_ORDER, "an entry stands for at most one PMD");
}

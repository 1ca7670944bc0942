/**
 * Reading swap into the swap cache, with neighbours (swap_vma_readahead, mm/swap_state.c).
 *
 * Around the page that is wanted a window of the VMA is read; it doubles with hits and halves without. Each VMA remembers
 * its last read. Pages read in advance carry PG_readahead (RECLAIM's bit) until somebody finds them.
 */
import { ANON, RECLAIM } from "./frames.ts";
import { drainLru } from "./lru-batches.ts";
import type { Memory } from "./memory.ts";
import { isSwapEntry, offsetOfEntry } from "./page-table.ts";
import { addToSwapCache } from "./swap-cache.ts";
import { readFromSwap } from "./swap-io.ts";
import { findPteTable, nextPmd, pteIndex } from "./table-walk.ts";
import type { SwapReadahead, Vma } from "./vma.ts";

/** 1 << vm.page_cluster. */
const MAX_WINDOW = 8;
const MAX_HITS = 63;
/** A VMA that was never read for begins with hits, as if readahead had served it well. */
const FIRST_READ: SwapReadahead = { page: 0, window: 0, hits: 4 };

/** __read_swap_cache_async: the frame that caches the slot, read if it is not there; 0 if no entry names the slot. */
export function readIntoSwapCache(memory: Memory, slot: number, node: number): { frame: number; isNew: boolean } {
  const { swap } = memory;
  const cached = swap.cache[slot];
  if (cached !== 0) return { frame: cached, isNew: false };
  if (swap.entries[slot] === 0) return { frame: 0, isNew: false };
  const frame = readFromSwap(memory, slot, 0, ANON, node);
  addToSwapCache(memory, frame, slot);
  return { frame, isNew: true };
}

/** swapin_readahead: the frame of `slot`, which the entry of `page` names, in the swap cache. New pages lie on `node`. */
export function readWithNeighbours(memory: Memory, vma: Vma, page: number, slot: number, node: number): number {
  const before = vma.swapReadahead ?? FIRST_READ;
  const window = windowFor(before, page);
  vma.swapReadahead = { page, window, hits: 0 };
  if (window > 1) {
    const first = firstOfWindow(before.page, page, window);
    const start = Math.max(first, vma.start, nextPmd(page) - 512);
    const end = Math.min(first + window, vma.end, nextPmd(page));
    const table = findPteTable(memory, vma.mm, page);
    for (let at = start; at < end; at++) {
      const entry = memory.tables.get(table, pteIndex(at));
      if (!isSwapEntry(entry)) continue;
      const { frame, isNew } = readIntoSwapCache(memory, offsetOfEntry(entry), node);
      if (isNew && at !== page) memory.frames.set(frame, RECLAIM);
    }
    drainLru(memory);
  }
  return readIntoSwapCache(memory, slot, node).frame;
}

/** __swapin_nr_pages. */
function windowFor({ page: lastPage, window, hits }: SwapReadahead, page: number): number {
  let pages = hits + 2;
  if (hits === 0) {
    if (page !== lastPage + 1 && page !== lastPage - 1) pages = 1;
  } else {
    let rounded = 4;
    while (rounded < pages) rounded *= 2;
    pages = rounded;
  }
  return Math.max(Math.min(pages, MAX_WINDOW), Math.floor(window / 2));
}

function firstOfWindow(lastPage: number, page: number, window: number): number {
  if (page === lastPage + 1) return page;
  if (lastPage === page + 1) return page - window + 1;
  return page - Math.floor((window - 1) / 2);
}

/** swap_update_readahead: a fault at `page` found its page in the swap cache. */
export function noteReadaheadHit(memory: Memory, vma: Vma, page: number, head: number): void {
  const { frames } = memory;
  if (frames.order[head] > 0) return;
  const { window, hits } = vma.swapReadahead ?? FIRST_READ;
  const isHit = frames.has(head, RECLAIM);
  frames.clear(head, RECLAIM);
  vma.swapReadahead = { page, window, hits: isHit ? Math.min(hits + 1, MAX_HITS) : hits };
}

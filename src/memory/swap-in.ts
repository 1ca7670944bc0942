/**
 * do_swap_page: a fault meets a swap entry (kernel-facts 4.3).
 *
 * The ram disk is synchronous: a slot that one entry names is read straight into a new folio of the process, which may be
 * large if neighbouring entries continue the slots. Others go through the swap cache, where every process finds the page.
 * The page is exclusive again if the entry says so, if it was read by this fault alone, or if nobody else refers to it.
 */
import { HPAGE_PMD_ORDER } from "../kernel/index.ts";
import { nodeOfMm } from "./anon-folio.ts";
import type { FaultAccess, FaultResult } from "./fault-types.ts";
import { refcount } from "./folio-references.ts";
import { ANON, KSM, MLOCKED, SWAPCACHE } from "./frames.ts";
import { drainLru } from "./lru-batches.ts";
import type { Memory } from "./memory.ts";
import {
  NEXT_FRAME, PTE_DIRTY, PTE_SOFT_DIRTY, PTE_UFFD_WP, PTE_WRITE, PTE_YOUNG, SWP_EXCLUSIVE,
  nextSwapEntry, offsetOfEntry, presentEntry,
} from "./page-table.ts"; // prettier-ignore
import { addAnonRmapPtes, addNewAnonRmap } from "./rmap.ts";
import { freeFolioSwap } from "./swap-cache.ts";
import { readFromSwap } from "./swap-io.ts";
import { noteReadaheadHit, readWithNeighbours } from "./swap-readahead.ts";
import { putSwapEntries } from "./swap.ts";
import { findPteTable, nextPmd, pteIndex } from "./table-walk.ts";
import { allowableOrders, highestOrder, suitableOrders } from "./thp-orders.ts";
import { VM_LOCKED, VM_UFFD_WP, VM_WRITE, type Vma } from "./vma.ts";

/** Brings in the page that the swap entry of `page` names. A write may still find it shared and fault again. */
export function swapIn(memory: Memory, vma: Vma, page: number, access: FaultAccess): FaultResult {
  const { frames, swap } = memory;
  const table = findPteTable(memory, vma.mm, page);
  const entry = memory.tables.get(table, pteIndex(page));
  const slot = offsetOfEntry(entry);
  let frame = swap.cache[slot];
  if (frame === 0) {
    if (swap.entries[slot] === 1) {
      swapInAlone(memory, vma, table, page, entry, access);
      return "ok";
    }
    frame = readWithNeighbours(memory, vma, page, slot, nodeOfMm(vma.mm));
  } else noteReadaheadHit(memory, vma, page, frames.headOf(frame));
  mapFromSwapCache(memory, vma, table, page, entry, frame, access);
  return "ok";
}

/** The entry is the only one of its slot: a fresh folio that the swap cache never sees. */
function swapInAlone(memory: Memory, vma: Vma, table: number, page: number, entry: number, access: FaultAccess): void {
  const order = orderToSwapIn(memory, vma, table, page, entry);
  const n = 2 ** order;
  const firstPage = page - (page % n);
  const firstEntry = memory.tables.get(table, pteIndex(firstPage));
  const slot = offsetOfEntry(firstEntry);
  const head = readFromSwap(memory, slot, order, ANON, nodeOfMm(vma.mm));
  putSwapEntries(memory, slot, n);
  addNewAnonRmap(memory, head, vma, firstPage, table, true);
  const isWritable = memory.cow.hasExclusivePages || access === "write";
  const flags = swappedInFlags(memory, vma, entry, isWritable, access);
  memory.tables.setBatch(table, pteIndex(firstPage), n, presentEntry(head, flags));
}

/** alloc_swap_folio: the largest allowed order whose aligned block holds the entries of one run of slots, all on swap only. */
function orderToSwapIn(memory: Memory, vma: Vma, table: number, page: number, entry: number): number {
  if (vma.has(VM_UFFD_WP)) return 0;
  const belowPmd = (1 << HPAGE_PMD_ORDER) - 1;
  let orders = suitableOrders(vma, page, allowableOrders(memory, vma, "fault") & belowPmd);
  const slot = offsetOfEntry(entry);
  while (orders !== 0 && page % 2 ** highestOrder(orders) !== slot % 2 ** highestOrder(orders)) {
    orders &= ~(1 << highestOrder(orders));
  }
  for (; orders !== 0; orders &= ~(1 << highestOrder(orders))) {
    const order = highestOrder(orders);
    if (isRunOfSlots(memory, table, page, entry, 2 ** order)) return order;
  }
  return 0;
}

/** can_swapin_thp. */
function isRunOfSlots(memory: Memory, table: number, page: number, entry: number, n: number): boolean {
  const { swap } = memory;
  const index = pteIndex(page - (page % n));
  const first = memory.tables.get(table, index);
  if (offsetOfEntry(first) !== offsetOfEntry(entry) - (page % n) || !areConsecutive(memory, table, index, n))
    return false;
  const slot = offsetOfEntry(first);
  for (let i = 0; i < n; i++) {
    if (swap.cache[slot + i] !== 0 || swap.isZero[slot + i] !== swap.isZero[slot]) return false;
  }
  return (
    (first & (SWP_EXCLUSIVE | PTE_SOFT_DIRTY | PTE_UFFD_WP)) ===
    (entry & (SWP_EXCLUSIVE | PTE_SOFT_DIRTY | PTE_UFFD_WP))
  );
}

/** swap_pte_batch: `n` entries that name consecutive slots and agree otherwise. */
function areConsecutive(memory: Memory, table: number, index: number, n: number): boolean {
  let expected = memory.tables.get(table, index);
  for (let i = 1; i < n; i++) {
    expected = nextSwapEntry(expected);
    if (memory.tables.get(table, index + i) !== expected) return false;
  }
  return true;
}

/** Maps a folio of the swap cache: whole if it is large and the entries of all its pages are there, else the one page. */
function mapFromSwapCache(
  memory: Memory,
  vma: Vma,
  table: number,
  page: number,
  entry: number,
  frame: number,
  access: FaultAccess,
): void {
  // prettier-ignore
  const { frames } = memory;
  const head = frames.headOf(frame);
  if (access === "write" && memory.lruBatches.isNew(head)) drainLru(memory);
  const isKsm = frames.kindOf(head) === KSM;
  const isWhole = isWholeFolioSwapped(memory, vma, table, page, entry, head, frame);
  const n = isWhole ? 2 ** frames.order[head] : 1;
  const back = isWhole ? frame - head : 0;
  putSwapEntries(memory, offsetOfEntry(entry) - back, n);
  if (shouldFreeSwap(memory, vma, head, access)) freeFolioSwap(memory, head);
  const isExclusive = !isKsm && isOwnAgain(memory, vma, head, entry, access);
  if (frames.rmapKey[head] === 0) addNewAnonRmap(memory, head, vma, page - back, table, isExclusive);
  else addAnonRmapPtes(memory, frame - back, n, vma, table, isExclusive);
  const first = presentEntry(frame - back, swappedInFlags(memory, vma, entry, isExclusive, access));
  for (let i = 0; i < n; i++) memory.tables.set(table, pteIndex(page - back) + i, first + i * NEXT_FRAME);
}

/** The entry says so, or nobody else refers to it (decisions/cow.ts); before 5.19 only a write fault asked. */
function isOwnAgain(memory: Memory, vma: Vma, head: number, entry: number, access: FaultAccess): boolean {
  const { hasExclusivePages } = memory.cow;
  if (hasExclusivePages && (entry & SWP_EXCLUSIVE) !== 0) return true;
  if (!hasExclusivePages && access !== "write") return false;
  return memory.decisions.decide("swap-in-exclusive", head, vma.mm.id, vma.id, 0);
}

function isWholeFolioSwapped(
  memory: Memory,
  vma: Vma,
  table: number,
  page: number,
  entry: number,
  head: number,
  frame: number,
): boolean {
  // prettier-ignore
  const n = 2 ** memory.frames.order[head];
  if (n === 1) return false;
  const start = page - (frame - head);
  if (start < Math.max(nextPmd(page) - 512, vma.start) || start + n > Math.min(nextPmd(page), vma.end)) return false;
  const first = memory.tables.get(table, pteIndex(start));
  if (offsetOfEntry(first) !== offsetOfEntry(entry) - (frame - head)) return false;
  return areConsecutive(memory, table, pteIndex(start), n);
}

/** should_try_to_free_swap: the slots are wanted back, or the writer would have the page for itself without them. */
function shouldFreeSwap(memory: Memory, vma: Vma, head: number, access: FaultAccess): boolean {
  const { frames } = memory;
  if (!frames.has(head, SWAPCACHE)) return false;
  if (memory.swap.isFull || vma.has(VM_LOCKED) || frames.has(head, MLOCKED)) return true;
  return access === "write" && frames.kindOf(head) !== KSM && refcount(memory, head) === 2 ** frames.order[head];
}

/** Bits of the new entries: an exclusive page may be written at once where the VMA allows it. */
function swappedInFlags(memory: Memory, vma: Vma, entry: number, isExclusive: boolean, access: FaultAccess): number {
  const flags = PTE_YOUNG | (entry & (PTE_SOFT_DIRTY | PTE_UFFD_WP));
  const isWriteProtected = vma.has(VM_UFFD_WP) && (entry & PTE_UFFD_WP) !== 0;
  if (!isExclusive || !vma.has(VM_WRITE) || isWriteProtected) return flags;
  if (access !== "write") return flags | PTE_WRITE;
  return flags | PTE_WRITE | PTE_DIRTY | (memory.hasSoftDirty ? PTE_SOFT_DIRTY : 0);
}

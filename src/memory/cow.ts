/**
 * do_wp_page: a write, or a pin that must not share, meets an entry that is present and read-only (kernel-facts 4.1).
 *
 * Shared mappings become writable and are never copied. A private page is reused in place if it is an anonymous page that
 * this entry alone maps: PageAnonExclusive says so, or the rules "reuse-small" and "reuse-large" (decisions/cow.ts) after
 * what stands in their way has been given up: batches of the LRU and swap slots. Else it is copied into a new page of
 * order 0. How older kernels decided is in cow-rule.ts.
 */
import { newExclusivePage, writtenLeafFlags } from "./anon-folio.ts";
import { assert } from "./assert.ts";
import type { FaultAccess, FaultMode, FaultResult } from "./fault-types.ts";
import { makePageWritable } from "./file-fault.ts";
import { cacheReferences, freeIfUnused, refcount } from "./folio-references.ts";
import { DIRTY, KSM, OWNER_2, SWAPCACHE } from "./frames.ts";
import { drainLru } from "./lru-batches.ts";
import { type Memory, ZERO_FRAME } from "./memory.ts";
import { copyPages, tellZeroed } from "./new-page-content.ts";
import { PTE_SOFT_DIRTY, PTE_UFFD_WP, PTE_YOUNG, frameOfEntry, presentEntry } from "./page-table.ts";
import { removeRmapPtes } from "./rmap.ts";
import { freeFolioSwap } from "./swap-cache.ts";
import { pteIndex } from "./table-walk.ts";
import { Unsupported } from "./unsupported.ts";
import { VM_MAYSHARE, VM_SHARED, VM_UFFD_WP, type Vma } from "./vma.ts";

/** handle_userfault: nobody answers. The kernel's own accesses fail; a process would wait for ever. */
export function waitForUserfault(mode: FaultMode): FaultResult {
  if (mode === "kernel") return "sigbus";
  throw new Unsupported("touch", "userfaultfd protects the page from writing, and the process would wait for ever");
}

/** The fault of `page`, whose present and read-only entry lies in the PTE table `table`. */
export function doWpPage(
  memory: Memory,
  vma: Vma,
  page: number,
  table: number,
  access: FaultAccess,
  mode: FaultMode,
): FaultResult {
  const { frames, tables } = memory;
  const index = pteIndex(page);
  const entry = tables.get(table, index);
  if ((entry & PTE_UFFD_WP) !== 0 && access === "write" && vma.has(VM_UFFD_WP)) return waitForUserfault(mode);
  const frame = frameOfEntry(entry);
  if (vma.has(VM_SHARED | VM_MAYSHARE)) return wpPageShared(memory, vma, page, table, entry);
  if (frame !== ZERO_FRAME) {
    const head = frames.headOf(frame);
    const isOwn = memory.cow.hasExclusivePages && frames.has(frame, OWNER_2);
    if (frames.isAnon(head) && (isOwn || canReuseAnonFolio(memory, head, vma))) {
      frames.set(frame, OWNER_2);
      if (access === "write") tables.set(table, index, entry | writtenLeafFlags(memory, vma));
      return "ok";
    }
  }
  copyPage(memory, vma, page, table, entry, access);
  return "ok";
}

/** wp_page_shared: the file system may want to know first; then the entry becomes writable and the folio dirty. */
function wpPageShared(memory: Memory, vma: Vma, page: number, table: number, entry: number): FaultResult {
  const head = memory.frames.headOf(frameOfEntry(entry));
  const result = makePageWritable(memory, vma, head, vma.indexOf(page));
  if (result !== "ok") return result;
  memory.tables.set(table, pteIndex(page), entry | writtenLeafFlags(memory, vma));
  memory.frames.set(head, DIRTY);
  return "ok";
}

/** wp_can_reuse_anon_folio. */
function canReuseAnonFolio(memory: Memory, head: number, vma: Vma): boolean {
  const { decisions, frames } = memory;
  if (frames.order[head] > 0) {
    freeSwapOfLarge(memory, head);
    return decisions.decide("reuse-large", head, vma.mm.id, vma.id, 1);
  }
  if (frames.kindOf(head) === KSM) return false;
  leaveBatchesAndSwap(memory, head);
  if (!decisions.decide("reuse-small", head, vma.mm.id, vma.id, 1)) return false;
  moveAnonRmap(memory, head, vma);
  return true;
}

/** What the kernel does between two looks at the reference count of a small folio: its own other references go. */
function leaveBatchesAndSwap(memory: Memory, head: number): void {
  const { counts, frames, lruBatches } = memory;
  // More than three references are known to be too many before the batches are drained.
  if (lruBatches.isNew(head) && counts.mapcount(head) + cacheReferences(memory, head) <= 2) drainLru(memory);
  // reuse_swap_page, before 5.18, looked at nobody's references.
  const isLimited = memory.cow.rule !== "mapcount";
  if (memory.cow.freesSwapForReuse && frames.has(head, SWAPCACHE) && (!isLimited || refcount(memory, head) <= 2)) {
    freeFolioSwap(memory, head);
  }
}

/** __wp_can_reuse_large_anon_folio gives up swap slots if the count allows reuse, before it looks at references. */
function freeSwapOfLarge(memory: Memory, head: number): void {
  const { counts, cow, frames } = memory;
  if (!cow.freesSwapForReuse || cow.rule === "exclusive" || !frames.has(head, SWAPCACHE)) return;
  const isOneMm = counts.mapcount(head) > 1 && !counts.sharedBit(head);
  if (cow.rule === "mapcount" || isOneMm) freeFolioSwap(memory, head);
}

/** folio_move_anon_rmap: new users can only come through this VMA, so the folio moves to its own anon_vma. */
export function moveAnonRmap(memory: Memory, head: number, vma: Vma): void {
  const { anonVma } = vma;
  assert(anonVma !== undefined, "a VMA that maps anonymous pages has its anon_vma");
  const { frames, keys } = memory;
  const key = frames.rmapKey[head];
  if (keys.mappingOf(key) === anonVma) return;
  frames.rmapKey[head] = keys.acquire(anonVma, keys.indexOf(key));
  keys.release(key);
}

/** wp_page_copy: a new page takes the entry over; unsharing leaves it read-only and as clean as it was written. */
function copyPage(memory: Memory, vma: Vma, page: number, table: number, entry: number, access: FaultAccess): void {
  const { frames } = memory;
  const frame = frameOfEntry(entry);
  const old = frames.headOf(frame);
  if (frame !== ZERO_FRAME && frames.kindOf(old) === KSM) memory.statistics.count("cow_ksm");
  const copy = newExclusivePage(memory, vma, page, table);
  if (frame === ZERO_FRAME) tellZeroed(memory, 1);
  else copyPages(memory, frame, copy, 1);
  const flags =
    access === "write" ? writtenLeafFlags(memory, vma) : PTE_YOUNG | (entry & (PTE_SOFT_DIRTY | PTE_UFFD_WP));
  memory.tables.set(table, pteIndex(page), presentEntry(copy, flags));
  if (frame === ZERO_FRAME) return;
  removeRmapPtes(memory, frame, 1, vma, table);
  freeIfUnused(memory, old);
}

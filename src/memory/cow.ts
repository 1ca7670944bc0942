/**
 * do_wp_page: a write, or a pin that must not share, meets an entry that is present and read-only (kernel-facts 4.1).
 *
 * Shared mappings become writable and are never copied. A private page is reused in place if it is an anonymous page that
 * this entry alone maps: PageAnonExclusive says so, or references prove it. Else it is copied into a new page of order 0.
 * Reference counts decide about small folios, the mapcount and the raw shared bit about large ones; a large folio with one
 * mapping left is copied on purpose, so that it can be freed.
 */
import { newExclusivePage, writtenLeafFlags } from "./anon-folio.ts";
import { assert } from "./assert.ts";
import type { FaultAccess, FaultMode, FaultResult } from "./fault-types.ts";
import { makePageWritable } from "./file-fault.ts";
import { cacheReferences, freeIfUnused, refcount } from "./folio-references.ts";
import { DIRTY, KSM, OWNER_2, SWAPCACHE } from "./frames.ts";
import { drainLru } from "./lru-batches.ts";
import { type Memory, ZERO_FRAME } from "./memory.ts";
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
    if (frames.isAnon(head) && (frames.has(frame, OWNER_2) || canReuseAnonFolio(memory, head, vma))) {
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
  const { frames } = memory;
  if (frames.order[head] > 0) return canReuseLargeAnonFolio(memory, head);
  if (frames.kindOf(head) === KSM) return false;
  const mapcount = memory.counts.mapcount(head);
  // More than three references are known to be too many before the batches are drained.
  if (mapcount <= 2 && memory.lruBatches.isNew(head) && mapcount + cacheReferences(memory, head) <= 2) drainLru(memory);
  if (mapcount > 1) return false;
  const references = refcount(memory, head);
  if (frames.has(head, SWAPCACHE)) {
    if (references > 2) return false;
    freeFolioSwap(memory, head);
    if (refcount(memory, head) !== 1) return false;
  } else if (references !== 1) return false;
  moveAnonRmap(memory, head, vma);
  return true;
}

/** __wp_can_reuse_large_anon_folio: the raw bit, not folio_maybe_mapped_shared, and no reference beside the mappings. */
function canReuseLargeAnonFolio(memory: Memory, head: number): boolean {
  const mapcount = memory.counts.mapcount(head);
  if (mapcount <= 1 || memory.counts.sharedBit(head)) return false;
  if (memory.frames.has(head, SWAPCACHE)) freeFolioSwap(memory, head);
  return mapcount === refcount(memory, head);
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
  if (frame !== ZERO_FRAME) memory.contents.copy(frame, copy, 1);
  const flags =
    access === "write" ? writtenLeafFlags(memory, vma) : PTE_YOUNG | (entry & (PTE_SOFT_DIRTY | PTE_UFFD_WP));
  memory.tables.set(table, pteIndex(page), presentEntry(copy, flags));
  if (frame === ZERO_FRAME) return;
  removeRmapPtes(memory, frame, 1, vma, table);
  if (memory.counts.mapcount(old) > 0) return;
  if (frames.has(old, SWAPCACHE)) freeFolioSwap(memory, old);
  freeIfUnused(memory, old);
}

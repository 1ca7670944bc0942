/**
 * Adding and removing mappings: the few functions through which every page-table entry of a folio comes and goes.
 *
 * Each tells those who count of one batch (kernel-facts 2.3, 2.4), keeps PageAnonExclusive, and after a removal looks
 * whether the folio became partially mapped. Writing the entry itself is the caller's business: an add comes before its
 * entries are written, a remove after they are cleared. References need no word: each mapping holds one (kernel-facts 1.7),
 * and whoever removes the last calls freeIfUnused.
 */
import { HPAGE_PMD_NR, HPAGE_PMD_ORDER, LEVEL_PMD, LEVEL_PTE } from "../kernel/index.ts";
import type { AnonVma } from "./anon-vma.ts";
import { assert } from "./assert.ts";
import { isMaybeDmaPinned, mustCopyAtFork } from "./folio-references.ts";
import { ANON, OWNER_2, PARTIALLY_MAPPED, SWAPBACKED, SWAPCACHE, UPTODATE } from "./frames.ts";
import { addToLru, mlockFolio, munlockFolio } from "./lru.ts";
import type { Memory } from "./memory.ts";
import { VM_DROPPABLE, VM_LOCKED, type Vma } from "./vma.ts";

/** __folio_set_anon: from now on this is an anonymous folio of that anon_vma, found at `page` of `vma`. */
export function setAnonRmap(memory: Memory, head: number, anonVma: AnonVma, index: number): void {
  const { frames, keys } = memory;
  keys.release(frames.rmapKey[head]);
  frames.rmapKey[head] = keys.acquire(anonVma, index);
}

/**
 * folio_add_new_anon_rmap: the first mapping of a new folio, whole, at `page` of `vma` in page table `table`.
 *
 * Orders of 9 and above count as mapped by one PMD, smaller ones by PTEs. Not exclusive (swap-in of a page that other swap
 * entries share): the folio belongs to the root anon_vma.
 */
export function addNewAnonRmap(
  memory: Memory,
  head: number,
  vma: Vma,
  page: number,
  table: number,
  exclusive: boolean,
): void {
  const { frames, events, statistics } = memory;
  const { anonVma } = vma;
  assert(anonVma !== undefined, "a VMA has its anon_vma before it has anonymous pages");
  const order = frames.order[head];
  const n = 1 << order;
  setAnonRmap(memory, head, exclusive ? anonVma : anonVma.root, vma.indexOf(page));
  if (!vma.has(VM_DROPPABLE)) frames.set(head, SWAPBACKED);
  if (order >= HPAGE_PMD_ORDER) {
    if (exclusive) frames.set(head, OWNER_2);
    events.add(head, 0, n, LEVEL_PMD, table, vma.id, vma.mm.id);
  } else {
    if (exclusive) frames.setRange(head, n, OWNER_2);
    events.add(head, 0, n, LEVEL_PTE, table, vma.id, vma.mm.id);
  }
  if (order > 0) statistics.mthp.nrAnon[order]++;
}

/** Allocates an anonymous folio, tells those who count that it exists, and puts it on the LRU list. */
export function createAnonFolio(memory: Memory, order: number, node: number): number {
  const head = memory.allocator.allocate(order, ANON, node);
  memory.events.created(head, order, false);
  memory.frames.set(head, UPTODATE);
  addToLru(memory, head);
  return head;
}

/** folio_add_anon_rmap_ptes: `n` PTEs for pages of one anonymous folio, from frame `first` on. */
export function addAnonRmapPtes(
  memory: Memory,
  first: number,
  n: number,
  vma: Vma,
  table: number,
  exclusive: boolean,
): void {
  const head = memory.frames.headOf(first);
  memory.events.add(head, first - head, n, LEVEL_PTE, table, vma.id, vma.mm.id);
  if (exclusive) memory.frames.setRange(first, n, OWNER_2);
  mlockIfWhole(memory, head, n, vma);
}

/** folio_add_anon_rmap_pmd. */
export function addAnonRmapPmd(memory: Memory, head: number, vma: Vma, table: number, exclusive: boolean): void {
  memory.events.add(head, 0, HPAGE_PMD_NR, LEVEL_PMD, table, vma.id, vma.mm.id);
  if (exclusive) memory.frames.set(head, OWNER_2);
  mlockIfWhole(memory, head, HPAGE_PMD_NR, vma);
}

/** folio_add_file_rmap_ptes: file, shmem. */
export function addFileRmapPtes(memory: Memory, first: number, n: number, vma: Vma, table: number): void {
  const head = memory.frames.headOf(first);
  memory.events.add(head, first - head, n, LEVEL_PTE, table, vma.id, vma.mm.id);
  mlockIfWhole(memory, head, n, vma);
}

/** folio_add_file_rmap_pmd. Also hugetlb_add_file_rmap and hugetlb_add_anon_rmap, which know no other level. */
export function addFileRmapPmd(memory: Memory, head: number, vma: Vma, table: number): void {
  memory.events.add(head, 0, HPAGE_PMD_NR, LEVEL_PMD, table, vma.id, vma.mm.id);
  if (!memory.frames.isHugetlb(head)) mlockIfWhole(memory, head, HPAGE_PMD_NR, vma);
}

function mlockIfWhole(memory: Memory, head: number, n: number, vma: Vma): void {
  if (vma.has(VM_LOCKED) && n === 1 << memory.frames.order[head]) mlockFolio(memory, head);
}

/** folio_dup_file_rmap_ptes: fork copies file PTEs into `vma` of the child. */
export function dupFileRmapPtes(memory: Memory, first: number, n: number, vma: Vma, table: number): void {
  const head = memory.frames.headOf(first);
  memory.events.dup(head, first - head, n, LEVEL_PTE, table, vma.id, vma.mm.id);
}

/** hugetlb_add_file_rmap at fork. */
export function dupFileRmapPmd(memory: Memory, head: number, vma: Vma, table: number): void {
  memory.events.dup(head, 0, HPAGE_PMD_NR, LEVEL_PMD, table, vma.id, vma.mm.id);
}

/**
 * folio_try_dup_anon_rmap_ptes: fork shares `n` pages with the child, nobody has them exclusively any more. False, and
 * nothing done, if one of them is exclusive and may be pinned: the child must get a copy. `source`: the parent's VMA.
 */
export function tryDupAnonRmapPtes(
  memory: Memory,
  first: number,
  n: number,
  source: Vma,
  vma: Vma,
  table: number,
): boolean {
  const { frames } = memory;
  const head = frames.headOf(first);
  if (source.mm.hasPinned) {
    let isExclusive = false;
    for (let frame = first; frame < first + n; frame++) isExclusive ||= frames.has(frame, OWNER_2);
    if (mustCopyAtFork(memory, head, source.mm, isExclusive)) return false;
  }
  frames.clearRange(first, n, OWNER_2);
  memory.events.dup(head, first - head, n, LEVEL_PTE, table, vma.id, vma.mm.id);
  return true;
}

/** folio_try_dup_anon_rmap_pmd. */
export function tryDupAnonRmapPmd(memory: Memory, head: number, source: Vma, vma: Vma, table: number): boolean {
  const { frames } = memory;
  if (mustCopyAtFork(memory, head, source.mm, frames.has(head, OWNER_2))) return false;
  frames.clear(head, OWNER_2);
  memory.events.dup(head, 0, HPAGE_PMD_NR, LEVEL_PMD, table, vma.id, vma.mm.id);
  return true;
}

/**
 * folio_try_share_anon_rmap_pte: before a page is merged, moved or swapped out it must not be exclusive. False, and nothing
 * done, if it may be pinned. The entry is cleared already.
 */
export function tryShareAnonRmap(memory: Memory, frame: number): boolean {
  const { cow, frames } = memory;
  const isExclusive = cow.hasExclusivePages && frames.has(frame, OWNER_2);
  if (isExclusive && isMaybeDmaPinned(memory, frames.headOf(frame))) return false;
  frames.clear(frame, OWNER_2);
  return true;
}

/** folio_remove_rmap_ptes: `n` PTEs for pages of one folio are gone. The caller frees the folio if it was the last use. */
export function removeRmapPtes(memory: Memory, first: number, n: number, vma: Vma, table: number): void {
  const { frames } = memory;
  const head = frames.headOf(first);
  if (frames.order[head] === 0) {
    memory.events.remove(head, 0, 1, LEVEL_PTE, table, vma.id, vma.mm.id);
    if (vma.has(VM_LOCKED)) munlockFolio(memory, head);
    return;
  }
  const before = memory.counts.statisticsPages(head);
  memory.events.remove(head, first - head, n, LEVEL_PTE, table, vma.id, vma.mm.id);
  noticePartial(memory, head, before);
  if (vma.has(VM_LOCKED)) munlockFolio(memory, head);
}

/** folio_remove_rmap_pmd; also hugetlb_remove_rmap. */
export function removeRmapPmd(memory: Memory, head: number, vma: Vma, table: number): void {
  const before = memory.counts.statisticsPages(head);
  memory.events.remove(head, 0, HPAGE_PMD_NR, LEVEL_PMD, table, vma.id, vma.mm.id);
  if (memory.frames.isHugetlb(head)) return;
  noticePartial(memory, head, before);
  if (vma.has(VM_LOCKED)) munlockFolio(memory, head);
}

/** deferred_split_folio(folio, true): flags an anonymous folio as partially mapped, once (kernel-facts 2.4, 2.7). */
function noticePartial(memory: Memory, head: number, statisticsBefore: number): void {
  const { frames, statistics } = memory;
  if (!frames.isAnon(head) || frames.has(head, PARTIALLY_MAPPED | SWAPCACHE)) return;
  const order = frames.order[head];
  if (order <= 1) return;
  const isSeen = memory.counts.becamePartial(head, statisticsBefore);
  memory.decisions.noted("defer-split", head, isSeen);
  if (!isSeen) return;
  frames.set(head, PARTIALLY_MAPPED);
  statistics.mthp.splitDeferred[order]++;
  statistics.mthp.nrAnonPartiallyMapped[order]++;
  if (order >= HPAGE_PMD_ORDER) statistics.count("thp_deferred_split_page");
}

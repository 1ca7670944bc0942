/**
 * ksmd: full scans over all address spaces with mergeable memory (mm/ksm.c).
 *
 * A page whose content did not change since the last scan is looked up, first among the merged pages (stable tree), then
 * among the candidates of this scan (unstable tree); two candidates become one merged page. So equal pages need two scans.
 * A page that was looked at in three scans in vain is skipped now and then (smart scan). What ksmd remembers of places that
 * are gone it forgets when a scan comes by.
 */
import { EBUSY, EINVAL } from "./errno.ts";
import { KSM } from "./frames.ts";
import { breakKsm, findMergeableVma, isKsmZeroEntry, isNodeAlive, mergePage, stableNodeOf } from "./ksm-merge.ts";
import { KsmItem, type KsmReport, type KsmSlot, type KsmStableNode } from "./ksm-state.ts";
import { drainLru } from "./lru-batches.ts";
import type { Comparison } from "./ksm-unstable-tree.ts";
import { type Memory, ZERO_FRAME } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { presentFrame } from "./move-pages.ts";
import { ZERO_CONTENT } from "./page-contents.ts";
import { isTable, tableOfEntry } from "./page-table.ts";
import { splitFolio } from "./split-folio.ts";
import { findPmdTable, nextPmd, pmdIndex, pteIndex } from "./table-walk.ts";
import { Unsupported } from "./unsupported.ts";
import { VM_DONTEXPAND, VM_HUGETLB, VM_MAYSHARE, VM_MERGEABLE, VM_SHARED, type Vma } from "./vma.ts";

/** Runs ksmd for so many full scans. How many it made: none once no address space is left to scan. */
export function ksmScan(memory: Memory, scans: number): number {
  let done = 0;
  while (done < scans && memory.ksm.slots.length > 0) {
    scanAll(memory);
    done++;
  }
  return done;
}

/** One full scan: scan_get_next_rmap_item until it says that there is none. */
function scanAll(memory: Memory): void {
  const { ksm } = memory;
  drainLru(memory);
  ksm.unstable.clear();
  for (const slot of ksm.slots.slice()) {
    const isLeft = slot.hasExited ? forgetItems(memory, slot, []) : scanSlot(memory, slot);
    if (!isLeft) ksm.slots.splice(ksm.slots.indexOf(slot), 1);
  }
  ksm.sequence++;
}

/** Forgets the items that are not among `kept`. Always false: the slot can go. */
function forgetItems(memory: Memory, slot: KsmSlot, kept: KsmItem[]): false {
  const old = slot.items;
  slot.items = kept;
  for (const item of old) removeFromTree(memory, item);
  return false;
}

/** The mergeable VMAs of one address space. False if it has none any more. */
function scanSlot(memory: Memory, slot: KsmSlot): boolean {
  const { mm } = slot;
  const old = slot.items;
  const items: KsmItem[] = [];
  let next = 0;
  let isMergeable = false;
  for (const vma of mm.vmas) {
    if (!vma.has(VM_MERGEABLE)) continue;
    isMergeable = true;
    if (vma.anonVma === undefined) continue;
    for (let page = vma.start; page < vma.end; page++) {
      const frame = presentFrame(memory, mm, page);
      if (frame === 0 || !memory.frames.isAnon(memory.frames.headOf(frame))) continue;
      while (next < old.length && old[next].page < page) removeFromTree(memory, old[next++]);
      const item = next < old.length && old[next].page === page ? old[next++] : new KsmItem(mm, page);
      items.push(item);
      if (!shouldSkip(memory, item, frame)) compareAndMerge(memory, item, frame);
    }
  }
  while (next < old.length) removeFromTree(memory, old[next++]);
  slot.items = items;
  return isMergeable;
}

/** should_skip_rmap_item: a page that stays alone is looked at less and less often. */
function shouldSkip(memory: Memory, item: KsmItem, frame: number): boolean {
  if (!memory.ksm.smartScan || memory.frames.kindOf(frame) === KSM) return false;
  const { age } = item;
  if (age < 255) item.age++;
  if (age < 3) return false;
  if (item.remainingSkips === 0) {
    item.remainingSkips = skipsAtAge(age);
    return false;
  }
  item.remainingSkips--;
  removeFromTree(memory, item);
  return true;
}

function skipsAtAge(age: number): number {
  if (age <= 3) return 1;
  if (age <= 5) return 2;
  return age <= 8 ? 4 : 8;
}

/** cmp_and_merge_page. */
function compareAndMerge(memory: Memory, item: KsmItem, frame: number): void {
  const { contents, ksm } = memory;
  const own = stableNodeOf(memory, memory.frames.headOf(frame));
  if (own !== undefined) {
    // A page merged before, seen at a place that ksmd does not know yet: a child has it from fork.
    if (item.node === own) return;
    removeFromTree(memory, item);
    mergeIntoNode(memory, item, frame, own);
    return;
  }
  removeFromTree(memory, item);
  const content = contents.of(frame);
  if (item.checksum !== content) {
    item.checksum = content;
    return;
  }
  if (content < 0) return;
  if (ksm.useZeroPages && content === ZERO_CONTENT && mergeWithZeroPage(memory, item, frame)) return;
  const node = findStableNode(memory, content);
  if (node === undefined) mergeWithUnstable(memory, item, frame, content);
  else mergeIntoNode(memory, item, frame, node);
}

/** try_to_merge_with_zero_page. True: nothing more is to be done. */
function mergeWithZeroPage(memory: Memory, item: KsmItem, frame: number): boolean {
  const vma = findMergeableVma(item.mm, item.page);
  return vma === undefined || mergePage(memory, vma, item, frame, { frame: ZERO_FRAME, heldReferences: 0 });
}

/** stable_tree_search: the merged page of this content that most places share and that can take one more. */
function findStableNode(memory: Memory, content: number): KsmStableNode | undefined {
  const { ksm } = memory;
  let found: KsmStableNode | undefined;
  for (const node of ksm.stableNodes.get(content)?.slice() ?? []) {
    if (!isNodeAlive(memory, node)) ksm.removeNode(node);
    else if (ksm.mayShareMore(node) && (found === undefined || node.items.size > found.items.size)) found = node;
  }
  return found;
}

/** try_to_merge_with_ksm_page, stable_tree_append. */
function mergeIntoNode(memory: Memory, item: KsmItem, frame: number, node: KsmStableNode): void {
  if (mergeAt(memory, item, frame, node.frame, 0)) memory.ksm.addToNode(item, node);
}

/** try_to_merge_with_ksm_page: `target` undefined makes the page itself the KSM page. */
function mergeAt(
  memory: Memory,
  item: KsmItem,
  frame: number,
  target: number | undefined,
  heldReferences: number,
): boolean {
  // prettier-ignore
  const vma = findMergeableVma(item.mm, item.page);
  if (vma === undefined || !mergePage(memory, vma, item, frame, { frame: target, heldReferences })) return false;
  removeFromTree(memory, item);
  item.anonVma = vma.anonVma;
  return true;
}

/** unstable_tree_search_insert, try_to_merge_two_pages. */
function mergeWithUnstable(memory: Memory, item: KsmItem, frame: number, content: number): void {
  const { frames, ksm } = memory;
  const other = ksm.unstable.findOrInsert(item, (candidate) => compareWith(memory, candidate, frame, content));
  if (other === "gone") return;
  if (other === undefined) {
    item.unstableSince = ksm.sequence;
    ksm.pagesUnshared++;
    return;
  }
  const otherFrame = mergeableFrame(memory, other);
  // ksmd holds a reference for each of the two pages: a folio with both cannot be split.
  const isSameFolio = frames.headOf(frame) === frames.headOf(otherFrame);
  if (mergeAt(memory, item, frame, undefined, isSameFolio ? 1 : 0)) {
    const node = stableNodeOf(memory, frame);
    if (node === undefined) return;
    if (!mergeAt(memory, other, otherFrame, frame, 0)) {
      breakPlace(memory, item);
      return;
    }
    ksm.enterNode(node);
    ksm.addToNode(other, node);
    ksm.addToNode(item, node);
    return;
  }
  // Both pages are still of one folio: it is split now, and the next scan merges them.
  const head = frames.headOf(frame);
  if (frames.order[head] > 0 && head === frames.headOf(otherFrame)) splitFolio(memory, head, 0);
}

/** memcmp_pages. A page that both places have already, from a fork, ends the search as a page that is gone does. */
function compareWith(memory: Memory, candidate: KsmItem, frame: number, content: number): Comparison {
  const other = mergeableFrame(memory, candidate);
  if (other === 0 || other === frame) return "gone";
  const order = memory.contents.compare(content, memory.contents.of(other));
  if (order === 0) return "equal";
  return order < 0 ? "before" : "behind";
}

/** get_mergeable_page. */
function mergeableFrame(memory: Memory, item: KsmItem): number {
  if (findMergeableVma(item.mm, item.page) === undefined) return 0;
  const frame = presentFrame(memory, item.mm, item.page);
  return frame !== 0 && memory.frames.isAnon(memory.frames.headOf(frame)) ? frame : 0;
}

/** break_cow: a place that was made a KSM page in vain. */
function breakPlace(memory: Memory, item: KsmItem): void {
  const vma = findMergeableVma(item.mm, item.page);
  if (vma !== undefined) breakKsm(memory, vma, item.page);
}

/** remove_rmap_item_from_tree. */
function removeFromTree(memory: Memory, item: KsmItem): void {
  const { ksm } = memory;
  const { node } = item;
  if (node !== undefined) {
    if (isNodeAlive(memory, node)) ksm.removeFromNode(item, node);
    else ksm.removeNode(node);
  } else if (item.unstableSince >= 0) {
    // What an older scan put into its tree went with that tree.
    if (item.unstableSince === ksm.sequence && item.treeNode !== undefined) ksm.unstable.erase(item.treeNode);
    item.treeNode = undefined;
    item.unstableSince = -1;
    ksm.pagesUnshared--;
  }
}

/** __ksm_enter: ksmd scans the address space from the next scan on. */
function ksmEnter(memory: Memory, mm: Mm): void {
  memory.ksm.slots.push({ mm, items: [], hasExited: false });
}

/** ksm_fork: the child of a registered address space is registered. */
export function ksmFork(memory: Memory, parent: Mm, child: Mm): void {
  if (memory.ksm.slotOf(parent) !== undefined) ksmEnter(memory, child);
}

/** __ksm_exit: what ksmd knows of the address space goes first in the next scan. */
export function ksmExit(memory: Memory, mm: Mm): void {
  const { slots } = memory.ksm;
  const slot = memory.ksm.slotOf(mm);
  if (slot === undefined) return;
  slots.splice(slots.indexOf(slot), 1);
  slot.hasExited = true;
  if (slot.items.length > 0) slots.unshift(slot);
}

/** vma_ksm_compatible: private memory that is not hugetlb's. */
function isCompatible(vma: Vma): boolean {
  return !vma.has(VM_SHARED | VM_MAYSHARE | VM_HUGETLB | VM_DONTEXPAND);
}

/** MADV_MERGEABLE for one VMA: its new flags. */
export function ksmMergeable(memory: Memory, vma: Vma): number {
  if (vma.has(VM_MERGEABLE) || !isCompatible(vma)) return vma.flags;
  if (memory.ksm.slotOf(vma.mm) === undefined) ksmEnter(memory, vma.mm);
  return vma.flags | VM_MERGEABLE;
}

/** MADV_UNMERGEABLE for pages [start, end) of one VMA: its new flags. Merged pages are copied at once. */
export function ksmUnmergeable(memory: Memory, vma: Vma, start: number, end: number): number {
  if (!vma.has(VM_MERGEABLE)) return vma.flags;
  ksmBreakRange(memory, vma, start, end);
  return vma.flags & ~VM_MERGEABLE;
}

/** Gives every merged page of the range a page of its own; mremap does so before it moves a mergeable VMA. */
export function ksmBreakRange(memory: Memory, vma: Vma, start: number, end: number): void {
  if (vma.anonVma === undefined) return;
  for (let page = start; page < end; page++) breakKsm(memory, vma, page);
}

/** unmerge_and_remove_all_rmap_items: writing 2 to "run". */
function unmergeAll(memory: Memory): void {
  const { ksm } = memory;
  for (const slot of ksm.slots.slice()) {
    if (!slot.hasExited) {
      for (const vma of slot.mm.vmas) {
        if (vma.has(VM_MERGEABLE)) ksmBreakRange(memory, vma, vma.start, vma.end);
      }
    }
    forgetItems(memory, slot, []);
  }
  ksm.slots.splice(0, ksm.slots.length, ...ksm.slots.filter(({ hasExited }) => !hasExited));
  removeUnmappedNodes(memory);
  ksm.sequence = 0;
}

/** remove_all_stable_nodes. False if a merged page is still mapped. */
function removeUnmappedNodes(memory: Memory): boolean {
  const { ksm } = memory;
  let areAllGone = true;
  for (const node of [...ksm.stableNodes.values()].flat()) {
    if (isNodeAlive(memory, node)) areAllGone = false;
    else ksm.removeNode(node);
  }
  return areAllGone;
}

/** Writes to /sys/kernel/mm/ksm: 0 or -errno. */
export function changeKsmSetting(memory: Memory, name: string, value: number): number {
  const { ksm } = memory;
  switch (name) {
    case "run":
      if (value === 1)
        throw new Unsupported("sys /sys/kernel/mm/ksm/run 1", "ksmd scans by itself then; ksmscan runs it");
      if (value > 2) return -EINVAL;
      if (value === 2) unmergeAll(memory);
      return 0;
    case "use_zero_pages":
      ksm.useZeroPages = value !== 0;
      return 0;
    case "smart_scan":
      ksm.smartScan = value !== 0;
      return 0;
    case "max_page_sharing":
      if (value < 2) return -EINVAL;
      if (value === ksm.maxPageSharing) return 0;
      if (ksm.pagesShared > 0 || !removeUnmappedNodes(memory)) return -EBUSY;
      ksm.maxPageSharing = value;
      return 0;
    case "pages_to_scan":
    case "sleep_millisecs":
      return 0;
    default:
      throw new Unsupported(`sys /sys/kernel/mm/ksm/${name}`, "this setting is not in the model");
  }
}

/** The counters of /sys/kernel/mm/ksm. */
export function ksmReport(memory: Memory): KsmReport {
  const { ksm } = memory;
  return {
    pages_shared: ksm.pagesShared,
    pages_sharing: ksm.pagesSharing,
    pages_unshared: ksm.pagesUnshared,
    ksm_zero_pages: countZeroPages(memory),
  };
}

/** Entries that ksmd replaced by the zero page: known by their dirty bit. */
function countZeroPages(memory: Memory): number {
  if (!memory.ksm.useZeroPages) return 0;
  let count = 0;
  for (const mm of memory.mms.values()) {
    for (const vma of mm.vmas) if (vma.anonVma !== undefined) count += zeroPagesOf(memory, vma);
  }
  return count;
}

function zeroPagesOf(memory: Memory, vma: Vma): number {
  const { tables } = memory;
  let count = 0;
  for (let page = vma.start, end = 0; page < vma.end; page = end) {
    end = Math.min(vma.end, nextPmd(page));
    const pmdTable = findPmdTable(memory, vma.mm, page);
    const pmd = pmdTable === 0 ? 0 : tables.get(pmdTable, pmdIndex(page));
    if (!isTable(pmd)) continue;
    for (let at = page; at < end; at++)
      if (isKsmZeroEntry(memory, tables.get(tableOfEntry(pmd), pteIndex(at)))) count++;
  }
  return count;
}

/**
 * Merging one page into another (mm/ksm.c): write protection, replacement, and the way back.
 *
 * A page is merged only if nobody but mappings and the swap cache refers to it, and it is not pinned. A large folio is split
 * first. The first page of a content becomes the KSM page itself: it stays where it is, accessed and dirty, so that reclaim
 * does not lose it. Others give their entry to it, clean and read-only.
 */
import { freeIfUnused } from "./folio-references.ts";
import { DIRTY, KSM, OWNER_2, ZERO } from "./frames.ts";
import { handleVmaFault } from "./fault.ts";
import { type KsmItem, KsmStableNode } from "./ksm-state.ts";
import { markAccessed } from "./lru.ts";
import { type Memory, ZERO_FRAME } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { presentFrame } from "./move-pages.ts";
import { PTE_DIRTY, PTE_WRITE, PTE_YOUNG, frameOfEntry, isPresent, presentEntry } from "./page-table.ts";
import { addAnonRmapPtes, removeRmapPtes, tryShareAnonRmap } from "./rmap.ts";
import { splitFolio } from "./split-folio.ts";
import { findPteTable, pteIndex, pteOf } from "./table-walk.ts";
import { VM_MERGEABLE, type Vma } from "./vma.ts";

/** find_mergeable_vma. */
export function findMergeableVma(mm: Mm, page: number): Vma | undefined {
  const vma = mm.findVma(page);
  return vma !== undefined && vma.has(VM_MERGEABLE) && vma.anonVma !== undefined ? vma : undefined;
}

/** folio_stable_node: the node of a KSM page, or undefined. */
export function stableNodeOf(memory: Memory, head: number): KsmStableNode | undefined {
  const mapping = memory.frames.kindOf(head) === KSM ? memory.keys.mappingOf(memory.frames.rmapKey[head]) : undefined;
  return mapping instanceof KsmStableNode ? mapping : undefined;
}

/** ksm_get_folio: is the page of the node still the page that was merged? */
export function isNodeAlive(memory: Memory, node: KsmStableNode): boolean {
  return stableNodeOf(memory, node.frame) === node;
}

export interface MergeTarget {
  /** The KSM page, or the zero page; undefined: the page becomes the KSM page. */
  readonly frame: number | undefined;
  /** References to the page's large folio that ksmd holds beside its usual one. */
  readonly heldReferences: number;
}

/** try_to_merge_one_page: the page at the item's place and the target become one. False if it cannot be. */
export function mergePage(memory: Memory, vma: Vma, item: KsmItem, frame: number, target: MergeTarget): boolean {
  const { frames } = memory;
  if (frame === target.frame) return true;
  let head = frames.headOf(frame);
  if (!frames.isAnon(head)) return false;
  if (frames.order[head] > 0) {
    if (splitFolio(memory, head, 0, { heldReferences: target.heldReferences }) !== 0) return false;
    head = frame;
  }
  if (!writeProtectPage(memory, vma, item.page, head)) return false;
  if (target.frame === undefined) {
    becomeKsmPage(memory, head);
    return true;
  }
  if (memory.contents.of(head) !== memory.contents.of(target.frame)) return false;
  replacePage(memory, vma, item.page, head, target.frame);
  return true;
}

/** write_protect_page: the entry becomes read-only and clean, the page dirty and nobody's own. */
function writeProtectPage(memory: Memory, vma: Vma, page: number, head: number): boolean {
  const { frames, tables } = memory;
  const table = findPteTable(memory, vma.mm, page);
  if (table === 0) return false;
  const entry = tables.get(table, pteIndex(page));
  if (!isPresent(entry) || frameOfEntry(entry) !== head) return false;
  if ((entry & (PTE_WRITE | PTE_DIRTY)) === 0 && !frames.has(head, OWNER_2)) return true;
  if (!memory.decisions.decide("ksm-write-protect", head, vma.mm.id, vma.id, 1)) return false;
  if (!tryShareAnonRmap(memory, head)) return false;
  if ((entry & PTE_DIRTY) !== 0) frames.set(head, DIRTY);
  tables.set(table, pteIndex(page), entry & ~(PTE_WRITE | PTE_DIRTY));
  return true;
}

/** folio_set_stable_node. */
function becomeKsmPage(memory: Memory, head: number): void {
  const { frames, keys } = memory;
  keys.release(frames.rmapKey[head]);
  frames.rmapKey[head] = keys.acquire(new KsmStableNode(head, memory.contents.of(head)), 0);
  frames.setKind(head, KSM);
  markAccessed(memory, head);
  frames.set(head, DIRTY);
}

/** replace_page: the entry of `page` goes from the old page to the KSM page, or to the zero page. */
function replacePage(memory: Memory, vma: Vma, page: number, old: number, target: number): void {
  const { tables } = memory;
  const table = findPteTable(memory, vma.mm, page);
  if (target === ZERO_FRAME) {
    // The dirty bit tells ksmd's zero pages from all others.
    tables.set(table, pteIndex(page), presentEntry(ZERO_FRAME, PTE_YOUNG | PTE_DIRTY));
  } else {
    addAnonRmapPtes(memory, target, 1, vma, table, false);
    tables.set(table, pteIndex(page), presentEntry(target, PTE_YOUNG));
  }
  removeRmapPtes(memory, old, 1, vma, table);
  freeIfUnused(memory, old);
}

/** is_ksm_zero_pte. */
export function isKsmZeroEntry(memory: Memory, entry: number): boolean {
  return isPresent(entry) && (entry & PTE_DIRTY) !== 0 && memory.frames.kindOf(frameOfEntry(entry)) === ZERO;
}

/** break_ksm: the place gets a page of its own again, read-only and clean (FAULT_FLAG_UNSHARE). */
export function breakKsm(memory: Memory, vma: Vma, page: number): void {
  const entry = pteOf(memory, vma.mm, page);
  const frame = presentFrame(memory, vma.mm, page);
  const isMerged = frame !== 0 && memory.frames.kindOf(frame) === KSM;
  if (isMerged || isKsmZeroEntry(memory, entry)) handleVmaFault(memory, vma, page, "unshare", "kernel");
}

/**
 * KSM: what ksmd remembers (kernel-facts 2.9, 6.2).
 *
 * A stable node is the mapping of a merged page; its items name the places (address space, page) that were merged into
 * it. The unstable tree holds places with equal content that were not merged yet, and is built anew by every scan. ksmd
 * learns late: a merged page that is freed leaves its node behind, and the counters of /sys/kernel/mm/ksm count it until
 * the next scan comes by.
 */
import type { AnonVma } from "./anon-vma.ts";
import { type TreeNode, UnstableTree } from "./ksm-unstable-tree.ts";
import type { Mm } from "./mm.ts";
import type { Mapping } from "./rmap-key.ts";

/** Before the first look at a page: no content has this number. */
export const NEVER_SCANNED = -2;

/** rmap_item: one place that ksmd has looked at. */
export class KsmItem {
  readonly mm: Mm;
  readonly page: number;
  /** Of the VMA where it was merged: the reverse map finds the place through it. */
  anonVma: AnonVma | undefined;
  /** The merged page that this place belongs to. */
  node: KsmStableNode | undefined;
  /** The scan that put it into the unstable tree, or -1, and where it lies there. */
  unstableSince = -1;
  treeNode: TreeNode | undefined;
  /** Content when last scanned: the checksum. */
  checksum = NEVER_SCANNED;
  /** Scans that it has seen, up to 255, and how many it may still be skipped (smart_scan). */
  age = 0;
  remainingSkips = 0;

  constructor(mm: Mm, page: number) {
    this.mm = mm;
    this.page = page;
  }
}

/** ksm_stable_node, with at most max_page_sharing items; equal pages beyond that have nodes of their own. */
export class KsmStableNode implements Mapping {
  readonly kind = "ksm";
  readonly spans = new Map<number, number>();
  readonly items = new Set<KsmItem>();
  readonly content: number;
  /** The merged page; migration moves it. */
  frame: number;

  constructor(frame: number, content: number) {
    this.frame = frame;
    this.content = content;
  }
}

/** ksm_mm_slot: an address space with mergeable memory, and its items in page order. */
export interface KsmSlot {
  readonly mm: Mm;
  items: KsmItem[];
  /** The address space is gone; ksmd has not noticed yet. */
  hasExited: boolean;
}

/** /sys/kernel/mm/ksm. */
export interface KsmReport {
  readonly pages_shared: number;
  readonly pages_sharing: number;
  readonly pages_unshared: number;
  readonly ksm_zero_pages: number;
}

export class KsmState {
  /** Address spaces in the order in which ksmd visits them. */
  readonly slots: KsmSlot[] = [];
  /** Stable tree: nodes by content, several only if one is full. */
  readonly stableNodes = new Map<number, KsmStableNode[]>();
  readonly unstable = new UnstableTree();
  /** Number of the scan. */
  sequence = 0;
  pagesShared = 0;
  pagesSharing = 0;
  pagesUnshared = 0;
  useZeroPages = false;
  smartScan = true;
  maxPageSharing = 256;

  /** The slot of an address space that is registered with ksmd (MMF_VM_MERGEABLE). */
  slotOf(mm: Mm): KsmSlot | undefined {
    return this.slots.find((slot) => slot.mm === mm && !slot.hasExited);
  }

  /** A stable node of its own for a page that has just become a KSM page; it enters the tree later. */
  enterNode(node: KsmStableNode): void {
    const chain = this.stableNodes.get(node.content);
    if (chain === undefined) this.stableNodes.set(node.content, [node]);
    else chain.unshift(node);
  }

  /** remove_node_from_stable_tree: its places are ordinary again. */
  removeNode(node: KsmStableNode): void {
    for (const item of node.items) this.removeFromNode(item, node);
    const chain = this.stableNodes.get(node.content);
    if (chain === undefined) return;
    const at = chain.indexOf(node);
    if (at >= 0) chain.splice(at, 1);
    if (chain.length === 0) this.stableNodes.delete(node.content);
  }

  /** stable_tree_append. */
  addToNode(item: KsmItem, node: KsmStableNode): void {
    item.node = node;
    if (node.items.size > 0) this.pagesSharing++;
    else this.pagesShared++;
    node.items.add(item);
  }

  /** One place less; the last one makes the page no longer "shared". */
  removeFromNode(item: KsmItem, node: KsmStableNode): void {
    node.items.delete(item);
    item.node = undefined;
    item.anonVma = undefined;
    if (node.items.size > 0) this.pagesSharing--;
    else this.pagesShared--;
  }

  /** Whether one more place may be merged into the page (is_page_sharing_candidate). */
  mayShareMore(node: KsmStableNode): boolean {
    return node.items.size > 0 && node.items.size < this.maxPageSharing;
  }
}

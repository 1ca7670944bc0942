/**
 * KSM: what ksmd remembers (kernel-facts 2.9, 6.2).
 *
 * A stable node is the mapping of a merged page; its items name the places (address space, page) that were merged into
 * it. The unstable tree is only content, rebuilt at every scan.
 */
import type { AnonVma } from "./anon-vma.ts";
import type { Mm } from "./mm.ts";
import type { Mapping } from "./rmap-key.ts";

/** One place that ksmd has looked at. */
export interface KsmItem {
  readonly mm: Mm;
  readonly page: number;
  anonVma: AnonVma | undefined;
  node: KsmStableNode | undefined;
  /** Content when last scanned (the checksum), or -1. */
  checksum: number;
}

export class KsmStableNode implements Mapping {
  readonly kind = "ksm";
  readonly spans = new Map<number, number>();
  readonly items = new Set<KsmItem>();
  /** The merged page. */
  readonly frame: number;

  constructor(frame: number) {
    this.frame = frame;
  }
}

export class KsmState {
  /** Items by address space, in page order. */
  readonly items = new Map<Mm, Map<number, KsmItem>>();
  /** By the frame of the merged page. */
  readonly stableNodes = new Map<number, KsmStableNode>();
  pagesUnshared = 0;

  /** remove_stable_node: the merged page is freed, its places are ordinary again. */
  forgetNode(frame: number): void {
    const node = this.stableNodes.get(frame);
    if (node === undefined) return;
    for (const item of node.items) item.node = undefined;
    this.stableNodes.delete(frame);
  }
}

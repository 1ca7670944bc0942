/**
 * Which slots of a swap device a folio gets: clusters of 512 slots, each serving one order (mm/swapfile.c of Linux 6.18).
 *
 * Every cluster that is not in use by the processor lies on one list: free, nonfull of its order (slots came back), frag of
 * its order (allocated from since), or full. Each order remembers where it stopped; when that cluster is of no more use the
 * search goes on in nonfull, free and frag clusters, and for single slots in those of other orders. Lists are queues, and a
 * list's own order decides the offsets that pagemap prints.
 */
import { HPAGE_PMD_ORDER } from "../kernel/index.ts";

/** Slots per cluster (SWAPFILE_CLUSTER with THP_SWAP). */
export const SWAP_CLUSTER_SLOTS = 512;
/** No slot: slot 0 holds the device's header. */
export const NO_SLOT = 0;

type ClusterList = number[];

function listPerOrder(): ClusterList[] {
  return Array.from({ length: HPAGE_PMD_ORDER + 1 }, () => []);
}

export class SwapClusters {
  /** Slots in use, the header's among them. */
  private readonly used: Uint16Array;
  private readonly order: Uint8Array;
  private readonly home: (ClusterList | undefined)[];
  private readonly free: ClusterList = [];
  private readonly full: ClusterList = [];
  private readonly nonfull = listPerOrder();
  private readonly frag = listPerOrder();
  /** Per order: the slot where the processor's cluster goes on, or NO_SLOT. */
  private readonly next = new Int32Array(HPAGE_PMD_ORDER + 1);
  private readonly isTaken: (slot: number) => boolean;

  /** `isTaken` says whether a slot is in use; the clusters only count. */
  constructor(slotCount: number, isTaken: (slot: number) => boolean) {
    const clusterCount = Math.ceil(slotCount / SWAP_CLUSTER_SLOTS);
    this.used = new Uint16Array(clusterCount);
    this.order = new Uint8Array(clusterCount);
    this.home = Array.from({ length: clusterCount }, () => undefined);
    this.isTaken = isTaken;
    const beyondEnd = clusterCount * SWAP_CLUSTER_SLOTS - slotCount;
    this.used[0] = 1;
    this.used[clusterCount - 1] += beyondEnd;
    for (let cluster = 0; cluster < clusterCount; cluster++) {
      this.moveTo(cluster, this.used[cluster] > 0 ? this.nonfull[0] : this.free);
    }
  }

  /** Takes 2^order consecutive aligned slots: the first of them, or NO_SLOT. */
  allocate(order: number): number {
    const from = this.next[order];
    if (from !== NO_SLOT) {
      const cluster = Math.floor(from / SWAP_CLUSTER_SLOTS);
      if (this.isUsable(cluster, order)) {
        const found = this.scan(cluster, from, order);
        if (found !== NO_SLOT) return found;
      }
    }
    return this.allocateElsewhere(order);
  }

  /** A slot is free again. */
  release(slot: number): void {
    const cluster = Math.floor(slot / SWAP_CLUSTER_SLOTS);
    this.used[cluster]--;
    if (this.used[cluster] === 0) this.moveToFree(cluster);
    else if (this.home[cluster] !== this.nonfull[this.order[cluster]]) {
      this.moveTo(cluster, this.nonfull[this.order[cluster]]);
    }
  }

  /** A free cluster has no table of slots and must be taken from its list. */
  private isUsable(cluster: number, order: number): boolean {
    const home = this.home[cluster];
    if (home === this.free || home === this.full) return false;
    return order === 0 || this.order[cluster] === order;
  }

  private allocateElsewhere(order: number): number {
    const isPmd = order === HPAGE_PMD_ORDER;
    let found = isPmd ? NO_SLOT : this.scanList(this.nonfull[order], order, true);
    if (found === NO_SLOT) found = this.scanList(this.free, order, false);
    if (found === NO_SLOT && !isPmd) found = this.scanList(this.frag[order], order, false);
    return found === NO_SLOT && order === 0 ? this.steal() : found;
  }

  /** A single slot from a cluster of a larger order. */
  private steal(): number {
    let found = NO_SLOT;
    for (let other = 1; found === NO_SLOT && other <= HPAGE_PMD_ORDER; other++) {
      found = this.scanList(this.frag[other], 0, true);
      if (found === NO_SLOT) found = this.scanList(this.nonfull[other], 0, true);
    }
    return found;
  }

  private scanList(list: ClusterList, order: number, all: boolean): number {
    for (let left = all ? list.length : 1; left > 0; left--) {
      const cluster = list.shift();
      if (cluster === undefined) return NO_SLOT;
      this.home[cluster] = undefined;
      const found = this.scan(cluster, cluster * SWAP_CLUSTER_SLOTS, order);
      if (found !== NO_SLOT) return found;
    }
    return NO_SLOT;
  }

  /** alloc_swap_scan_cluster: the first free block of the order from `from` on. */
  private scan(cluster: number, from: number, order: number): number {
    const n = 2 ** order;
    const last = (cluster + 1) * SWAP_CLUSTER_SLOTS - n;
    let found = NO_SLOT;
    this.next[order] = NO_SLOT;
    for (let slot = from; this.used[cluster] + n <= SWAP_CLUSTER_SLOTS && slot <= last; slot += n) {
      if (!this.isFreeBlock(slot, n)) continue;
      if (this.used[cluster] === 0) this.order[cluster] = order;
      this.used[cluster] += n;
      found = slot;
      if (this.used[cluster] < SWAP_CLUSTER_SLOTS && slot + n <= last) this.next[order] = slot + n;
      break;
    }
    this.relocate(cluster);
    return found;
  }

  private isFreeBlock(slot: number, n: number): boolean {
    for (let i = 0; i < n; i++) if (this.isTaken(slot + i)) return false;
    return true;
  }

  private relocate(cluster: number): void {
    const used = this.used[cluster];
    if (used === 0) this.moveToFree(cluster);
    else this.moveTo(cluster, used === SWAP_CLUSTER_SLOTS ? this.full : this.frag[this.order[cluster]]);
  }

  private moveToFree(cluster: number): void {
    this.order[cluster] = 0;
    this.moveTo(cluster, this.free);
  }

  /** Puts the cluster at the end of the list, unless it is there already. */
  private moveTo(cluster: number, list: ClusterList): void {
    const home = this.home[cluster];
    if (home === list) return;
    if (home !== undefined) home.splice(home.indexOf(cluster), 1);
    list.push(cluster);
    this.home[cluster] = list;
  }
}

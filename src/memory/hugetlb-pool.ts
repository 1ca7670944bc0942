/**
 * The hugetlb pool: huge pages set aside, and how many of them are promised (struct hstate, mm/hugetlb.c).
 *
 * A page that nobody promised may be taken only while more are free than promised. Free pages keep the flags with which they
 * came back, and the last that came is the first to go. They have frames of the model only while they are in use.
 */
import { HPAGE_PMD_ORDER } from "../kernel/index.ts";
import { DIRTY, type FrameKind, REFERENCED, UPTODATE } from "./frames.ts";
import type { Memory } from "./memory.ts";

/** Flags that survive in the pool. */
const KEPT_FLAGS = DIRTY | REFERENCED;

export class HugetlbPool {
  /** resv_huge_pages: promised to mappings that have not used them yet. */
  reserved = 0;
  /** HPG_restore_reserve: folios whose end gives a promise back. */
  readonly restoring = new Set<number>();
  /** HPG_temporary: folios that leave the pool at their end. */
  readonly temporary = new Set<number>();
  /** The flags of each free page, by node; the last is taken first. */
  private readonly freeOfNode: number[][];
  /** nr_huge_pages: free or in use. */
  private pageCount = 0;
  /** Which node gets the next new page, and which gives the next one up. */
  private nextToGrow = 0;
  private nextToShrink = 0;

  constructor(pageCount: number, nodeCount: number) {
    this.freeOfNode = Array.from({ length: nodeCount }, () => []);
    this.resize(pageCount);
  }

  /** nr_hugepages is written. False, and nothing done, if pages in use or promised would be too many. */
  resize(pageCount: number): boolean {
    const nodes = this.freeOfNode;
    if (this.pageCount - pageCount > this.available) return false;
    for (; this.pageCount < pageCount; this.pageCount++) {
      nodes[this.nextToGrow].push(0);
      this.nextToGrow = (this.nextToGrow + 1) % nodes.length;
    }
    while (this.pageCount > pageCount) {
      if (nodes[this.nextToShrink].pop() !== undefined) this.pageCount--;
      this.nextToShrink = (this.nextToShrink + 1) % nodes.length;
    }
    return true;
  }

  /** free_huge_pages. */
  get free(): number {
    return this.freeOfNode.reduce((sum, pages) => sum + pages.length, 0);
  }

  /** available_huge_pages: free and not promised. */
  get available(): number {
    return this.free - this.reserved;
  }

  /**
   * hugetlb_acct_memory: promises `n` more, or takes promises back. False, and nothing done, if there are too few, or too few
   * on the node to which the process is bound (-1: none).
   */
  reserve(n: number, boundNode = -1): boolean {
    if (n > 0 && n > this.available) return false;
    if (boundNode >= 0 && n > this.freeOfNode[boundNode].length) return false;
    this.reserved += n;
    return true;
  }

  /** Takes a page of the node: its flags, or -1. */
  take(node: number): number {
    return this.freeOfNode[node].pop() ?? -1;
  }

  /** Puts a page back. */
  put(node: number, flags: number): void {
    this.freeOfNode[node].push(flags & KEPT_FLAGS);
  }
}

/** Where a huge page is looked for: `node` first, then the others unless it must be that one. */
export interface HugetlbPlace {
  readonly node: number;
  readonly isBound: boolean;
}

/**
 * dequeue_hugetlb_folio: a folio of the pool, or -1. `isPromised`: a promise is used up with it, else only a page that
 * nobody was promised may be taken.
 */
export function takeHugetlbFolio(memory: Memory, kind: FrameKind, place: HugetlbPlace, isPromised: boolean): number {
  const { allocator, frames, hugetlb } = memory;
  if (!isPromised && hugetlb.available <= 0) return -1;
  const nodes = [place.node];
  if (!place.isBound)
    for (let other = 0; other < allocator.nodeCount; other++) if (other !== place.node) nodes.push(other);
  for (const node of nodes) {
    const flags = hugetlb.take(node);
    if (flags < 0) continue;
    const head = allocator.allocate(HPAGE_PMD_ORDER, kind, node);
    memory.events.created(head, HPAGE_PMD_ORDER, true);
    frames.set(head, flags | UPTODATE);
    if (isPromised) hugetlb.reserved--;
    return head;
  }
  return -1;
}

/** free_huge_folio: the page goes back to the pool; the frames are freed by the caller. */
export function returnToHugetlbPool(memory: Memory, head: number): void {
  const { allocator, frames, hugetlb } = memory;
  if (hugetlb.restoring.delete(head)) hugetlb.reserved++;
  if (hugetlb.temporary.delete(head)) return;
  hugetlb.put(allocator.nodeOf(head), frames.state[head]);
}

/**
 * alloc_hugetlb_folio_nodemask: where a huge page is to move, or -1. If nothing of the node's pool may be taken it is new, and
 * the old page leaves the pool in its place.
 */
export function takeMigrationTarget(memory: Memory, head: number, node: number): number {
  const { allocator, frames, hugetlb } = memory;
  const target = allocator.allocateOnNode(HPAGE_PMD_ORDER, frames.kindOf(head), node);
  if (target < 0) return -1;
  const flags = hugetlb.available > 0 ? hugetlb.take(node) : -1;
  if (flags < 0) hugetlb.temporary.add(target);
  else frames.set(target, flags);
  return target;
}

/** move_hugetlb_state: the old page is the temporary one now. */
export function moveHugetlbState(memory: Memory, from: number, to: number): void {
  if (memory.hugetlb.temporary.delete(to)) memory.hugetlb.temporary.add(from);
}

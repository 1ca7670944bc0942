/**
 * Refaults: a page that comes back soon after it was reclaimed goes to the active list (mm/workingset.c).
 *
 * Each node counts the pages that left its inactive lists. Reclaim leaves the count of that moment where the page was (its
 * shadow); when the page comes back, the pages that left meanwhile tell whether a larger inactive list would have kept it.
 */
import { ACTIVE } from "./frames.ts";
import type { Memory } from "./memory.ts";

/** No shadow. */
export const NO_SHADOW = 0;

/**
 * Pages that the rest of the machine has on its LRU lists, as the kernel lab's guest had in its first seconds: so far back a
 * page of the first node may have been reclaimed and still be active when it returns. Other nodes are empty. A page that
 * was on swap is measured by the files' lists and, while there is swap, by the active anonymous one.
 */
const FILE_PAGES = 3;
const ACTIVE_ANON_PAGES = 520;

export class Workingset {
  /** nonresident_age of each node. */
  readonly ages: number[];

  constructor(nodeCount: number) {
    this.ages = Array.from({ length: nodeCount }, () => 0);
  }
}

/** workingset_eviction: the folio is being reclaimed; the shadow to leave in its place. */
export function evictFromWorkingset(memory: Memory, head: number): number {
  const { ages } = memory.workingset;
  const node = memory.allocator.nodeOf(head);
  const shadow = ages[node] * ages.length + node + 1;
  ages[node] += 2 ** memory.frames.order[head];
  return shadow;
}

/** The size that a refault's distance is compared with. All that others have lies on node 0. */
function pagesOfOthers(memory: Memory, node: number): number {
  if (node > 0) return 0;
  return memory.swap.isWritable ? FILE_PAGES + ACTIVE_ANON_PAGES : FILE_PAGES;
}

/** workingset_refault: a new folio holds what left that shadow. */
export function refaultToWorkingset(memory: Memory, head: number, shadow: number): void {
  if (shadow === NO_SHADOW) return;
  const { ages } = memory.workingset;
  const evictedFrom = (shadow - 1) % ages.length;
  const distance = ages[evictedFrom] - Math.floor((shadow - 1) / ages.length);
  if (distance > pagesOfOthers(memory, evictedFrom)) return;
  memory.frames.set(head, ACTIVE);
  ages[memory.allocator.nodeOf(head)] += 2 ** memory.frames.order[head];
}

/**
 * What a reverse map walk looks at on its way, found or not: the words in which those who walk tell those who charge.
 *
 * A walk takes the lock of an interval tree, passes nodes, visits each VMA that overlaps the folio's range, and in it looks
 * at every entry of the range, table by table (kernel-facts 6.3, 6.4). The trees only name candidates: a VMA whose page was
 * copied or never faulted in is visited for nothing, and that costs, too.
 */

/** Counts of a walk; those who walk add to them as they go, so that a walk that ends early has only what it saw. */
export interface WalkCosts {
  /** Interval trees locked: one, or one a place of a KSM page and pass. */
  treeLocks: number;
  /** Nodes of interval trees looked at. */
  treeNodes: number;
  /** VMAs visited: candidates, whether they map the folio or not. */
  vmas: number;
  /** Page tables looked into: PTE tables, and PMD tables where a PMD entry maps or nothing is below. */
  tables: number;
  /** Locks of page tables taken: at a table's first present entry; without one the walk only peeks. */
  tableLocks: number;
  /** Entries looked at. */
  entries: number;
}

/** Nothing looked at yet. */
export function noWalkCosts(): WalkCosts {
  return { treeLocks: 0, treeNodes: 0, vmas: 0, tables: 0, tableLocks: 0, entries: 0 };
}

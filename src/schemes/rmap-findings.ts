/**
 * Asking the reverse map: what is done where a scheme says UNKNOWN, and what it costs.
 *
 * The walk visits every VMA that may map the folio, and in each looks at every entry of the folio's range (kernel-facts 6.3,
 * 6.4). Every answer it gives is the truth. It charges what it looked at, found or not: nodes of the tree, VMAs, tables and
 * their locks, entries. A counter that had lost count may learn from a full walk; a walk that was stopped early has not
 * seen all and teaches nothing.
 */
import type { Counter, PageTableView, RmapVisitor } from "./counter.ts";
import {
  ATOMICS,
  ENTRIES_EXAMINED,
  LOADS,
  type Meter,
  PAGE_TABLE_LOCKS,
  TABLES_VISITED,
  VMAS_VISITED,
} from "./meter.ts";
import { type WalkCosts, entriesOfBatch, noWalkCosts } from "../kernel/index.ts";

/** What a walk has found. */
export interface RmapFindings {
  /** Page-table entries that map any part. */
  readonly entries: number;
  /** Pairs of a VMA and a page table with at least one of them. */
  readonly tables: number;
  readonly vmas: number;
  readonly addressSpaces: number;
  /** The last VMA with an entry; -1 if there is none. Where `vmas` is 1, the only one. */
  readonly lastVma: number;
  /** False: the walk was stopped before its end. */
  readonly isComplete: boolean;
}

/** Who asks, and who may learn. */
export interface RmapQuestion {
  readonly pageTables: PageTableView;
  readonly meter?: Meter | undefined;
  /** Told what a full walk has found. */
  readonly counter?: Counter | undefined;
  /** Looks at each batch found; false ends the walk. Absent: a full walk. */
  readonly visit?: RmapVisitor | undefined;
}

/** Walks the reverse map of a folio and charges the walk. */
export function askRmap(folio: number, { pageTables, meter, counter, visit }: RmapQuestion): RmapFindings {
  const vmas = new Set<number>();
  const tables = new Set<string>();
  const addressSpaces = new Set<number>();
  let entries = 0;
  let lastVma = -1;
  let isComplete = true;
  const costs = noWalkCosts();
  pageTables.walk(
    folio,
    (first, pageCount, level, table, vma, mm) => {
      vmas.add(vma);
      tables.add(`${vma} ${table}`);
      addressSpaces.add(mm);
      lastVma = vma;
      isComplete = visit === undefined || visit(first, pageCount, level, table, vma, mm);
      // Whom one entry satisfies looks at no other of the batch.
      entries += isComplete ? entriesOfBatch(pageCount, level) : 1;
      return isComplete;
    },
    costs,
  );
  const findings: RmapFindings = {
    entries,
    tables: tables.size,
    vmas: vmas.size,
    addressSpaces: addressSpaces.size,
    lastVma,
    isComplete,
  };
  // A view that does not say what it looks at has at least looked at what it found.
  if (costs.vmas === 0) chargeFound(meter, findings);
  else if (meter !== undefined) chargeWalk(meter, costs);
  if (isComplete) counter?.learn?.(folio, findings);
  return findings;
}

function chargeFound(meter: Meter | undefined, { entries, tables, vmas }: RmapFindings): void {
  meter?.charge(VMAS_VISITED, vmas);
  meter?.charge(TABLES_VISITED, tables);
  meter?.charge(PAGE_TABLE_LOCKS, tables);
  meter?.charge(ENTRIES_EXAMINED, entries);
}

/**
 * Charges a walk: each lock of a tree is taken and released by an atomic (a semaphore held for reading), each node looked at
 * is a load.
 */
export function chargeWalk(meter: Meter, { treeLocks, treeNodes, vmas, tables, tableLocks, entries }: WalkCosts): void {
  meter.charge(ATOMICS, 2 * treeLocks);
  meter.charge(LOADS, treeNodes);
  meter.charge(VMAS_VISITED, vmas);
  meter.charge(TABLES_VISITED, tables);
  meter.charge(PAGE_TABLE_LOCKS, tableLocks);
  meter.charge(ENTRIES_EXAMINED, entries);
}

/** `others` by the reverse map: stops at the first entry of another address space. */
export function askRmapForOthers(folio: number, mm: number, question: RmapQuestion): boolean {
  return !askRmap(folio, { ...question, visit: (_first, _count, _level, _table, _vma, found) => found === mm })
    .isComplete;
}

/** `otherVmas` by the reverse map: stops at the first entry of another VMA. */
export function askRmapForOtherVmas(folio: number, vma: number, question: RmapQuestion): boolean {
  return !askRmap(folio, { ...question, visit: (_first, _count, _level, _table, found) => found === vma }).isComplete;
}

/** `pageMapcount` by the reverse map. */
export function askRmapForPageMapcount(folio: number, pageIndex: number, question: RmapQuestion): number {
  let mapcount = 0;
  askRmap(folio, {
    ...question,
    visit: (first, pageCount) => {
      if (pageIndex >= first && pageIndex < first + pageCount) mapcount++;
      return true;
    },
  });
  return mapcount;
}

/** `partial` by the reverse map, of a folio of `nrPages` pages. */
export function askRmapForPartial(folio: number, nrPages: number, question: RmapQuestion): boolean {
  const mapped = new Uint8Array(nrPages);
  let pagesMapped = 0;
  const { entries } = askRmap(folio, {
    ...question,
    visit: (first, pageCount) => {
      for (let page = first; page < first + pageCount; page++) {
        if (mapped[page] === 0) pagesMapped++;
        mapped[page] = 1;
      }
      return true;
    },
  });
  return entries > 0 && pagesMapped < nrPages;
}

/** `extraReferences` by the reverse map, for a scheme that cannot tell mappings from other references. */
export function askRmapForExtraReferences(
  folio: number,
  { refcount, cacheReferences }: { readonly refcount: number; readonly cacheReferences: number },
  question: RmapQuestion,
): number {
  return refcount - cacheReferences - askRmap(folio, question).entries;
}

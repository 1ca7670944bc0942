/**
 * Asking the reverse map: what is done where a scheme says UNKNOWN, and what it costs.
 *
 * The walk visits every VMA that may map the folio, and in each the page tables and entries (kernel-facts 6.3, 6.4). Every
 * answer it gives is the truth. It charges VMAs, tables (each with its lock) and entries. A counter that had lost count
 * may learn from a full walk; a walk that was stopped early has not seen all and teaches nothing.
 */
import type { Counter, PageTableView, RmapVisitor } from "./counter.ts";
import { ENTRIES_EXAMINED, type Meter, PAGE_TABLE_LOCKS, TABLES_VISITED, VMAS_VISITED } from "./meter.ts";
import { entriesOfBatch } from "../kernel/index.ts";

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
  pageTables.walk(folio, (first, pageCount, level, table, vma, mm) => {
    entries += entriesOfBatch(pageCount, level);
    vmas.add(vma);
    tables.add(`${vma} ${table}`);
    addressSpaces.add(mm);
    lastVma = vma;
    isComplete = visit === undefined || visit(first, pageCount, level, table, vma, mm);
    return isComplete;
  });
  meter?.charge(VMAS_VISITED, vmas.size);
  meter?.charge(TABLES_VISITED, tables.size);
  meter?.charge(PAGE_TABLE_LOCKS, tables.size);
  meter?.charge(ENTRIES_EXAMINED, entries);
  const findings: RmapFindings = {
    entries,
    tables: tables.size,
    vmas: vmas.size,
    addressSpaces: addressSpaces.size,
    lastVma,
    isComplete,
  };
  if (isComplete) counter?.learn?.(folio, findings);
  return findings;
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

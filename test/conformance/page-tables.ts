/**
 * The truth, obviously right and slow: a set of page-table entries, asked by looking at every one.
 *
 * An entry is (folio, first page, pages, level, mm, vma). A VMA maps a page of a folio at most once at each level; both
 * levels at once is the moment between the two halves of a PMD split. Every change says which events the kernel would
 * emit: batches of consecutive pages (kernel-facts 2.9-2.11).
 */
import { LEVEL_PMD, LEVEL_PTE, type Level, type MappingEvents } from "../../src/kernel/index.ts";

/** One page-table entry. */
export interface Entry {
  readonly folio: number;
  readonly first: number;
  readonly pageCount: number;
  readonly level: Level;
  readonly mm: number;
  readonly vma: number;
}

/** A batch of entries that appear or disappear. */
export interface MappingEvent {
  readonly type: "add" | "remove";
  readonly folio: number;
  readonly first: number;
  readonly pageCount: number;
  readonly level: Level;
  readonly mm: number;
  readonly vma: number;
}

/** What is true of a folio. */
export interface FolioTruth {
  readonly entries: number;
  readonly pmdEntries: number;
  readonly mappedPages: number;
  readonly pageMapcounts: readonly number[];
  /** Pages with at least one entry. */
  readonly pagesMapped: number;
  readonly entriesOfMm: ReadonlyMap<number, number>;
}

/** The set. */
export class PageTables {
  readonly orders: readonly number[];
  /** One set a folio. */
  private readonly entries: readonly Map<string, Entry>[];

  constructor(orders: readonly number[]) {
    this.orders = orders;
    this.entries = orders.map(() => new Map<string, Entry>());
  }

  pageCount(folio: number): number {
    return 2 ** this.orders[folio];
  }

  isMapped(folio: number, page: number, level: Level, vma: number): boolean {
    return this.entries[folio].has(keyOf({ first: page, level, vma }));
  }

  /** Applies one batch; a batch that breaks a rule of page tables is a bug of the test. */
  apply(event: MappingEvent): void {
    const { type, folio, first, pageCount, level, mm, vma } = event;
    const entries: Entry[] =
      level === LEVEL_PTE
        ? Array.from({ length: pageCount }, (_, i) => ({ folio, first: first + i, pageCount: 1, level, mm, vma }))
        : [{ folio, first, pageCount, level, mm, vma }];
    for (const entry of entries) {
      const key = keyOf(entry);
      if (entry.first + entry.pageCount > this.pageCount(folio)) throw new Error(`${key} lies outside of its folio`);
      const known = this.entries[folio];
      if (type === "add" ? known.has(key) : !known.delete(key)) throw new Error(`${type} ${key} twice`);
      if (type === "add") known.set(key, entry);
    }
  }

  /** The folio's entries, in no order. */
  entriesOf(folio: number): Entry[] {
    return [...this.entries[folio].values()];
  }

  truth(folio: number): FolioTruth {
    const pageMapcounts = Array<number>(this.pageCount(folio)).fill(0);
    const entriesOfMm = new Map<number, number>();
    const entries = this.entriesOf(folio);
    for (const { first, pageCount, mm } of entries) {
      for (let page = first; page < first + pageCount; page++) pageMapcounts[page] += 1;
      entriesOfMm.set(mm, (entriesOfMm.get(mm) ?? 0) + 1);
    }
    return {
      entries: entries.length,
      pmdEntries: entries.filter(({ level }) => level === LEVEL_PMD).length,
      mappedPages: pageMapcounts.reduce((sum, count) => sum + count, 0),
      pageMapcounts,
      pagesMapped: pageMapcounts.filter((count) => count > 0).length,
      entriesOfMm,
    };
  }
}

function keyOf({ first, level, vma }: Pick<Entry, "first" | "level" | "vma">): string {
  return `vma ${vma} page ${first} level ${level}`;
}

/** Hands an event to a counter. A VMA of these tests maps a folio through one page table, its own. */
export function emit(events: MappingEvents, event: MappingEvent): void {
  const { type, folio, first, pageCount, level, mm, vma } = event;
  if (type === "add") events.add(folio, first, pageCount, level, vma, vma, mm);
  else events.remove(folio, first, pageCount, level, vma, vma, mm);
}

/**
 * Which pages of a folio each VMA maps in each page table, kept from the events themselves.
 *
 * Schemes that count VMAs or tables look into page tables at every batch, and must see them as they are between two
 * batches: without the one in flight, and with those of a VMA's split that were not yet told under the old VMA. The page
 * tables change whole VMAs at once; the ledger follows the events, one by one. `checkMachine` holds it against the tables.
 * Which pages are mapped is kept apart from how many entries there are only once a table maps some of them and not others.
 */
import { type Level, entriesOfBatch } from "../kernel/index.ts";

/** A VMA's entries of a folio in one table. */
interface TableEntries {
  entries: number;
  /** Batches of all pages of the folio. */
  wholes: number;
  /** Mapcounts of the pages by batches of some of them; undefined: there never were any. */
  parts: Uint8Array | undefined;
}

export class EntryLedger {
  /** Folio, VMA, table. */
  private readonly folios = new Map<number, Map<number, Map<number, TableEntries>>>();
  private readonly orders: ArrayLike<number>;

  /** `orders`: of folios, by head, as they are now. */
  constructor(orders: ArrayLike<number>) {
    this.orders = orders;
  }

  add(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number): void {
    let vmas = this.folios.get(folio);
    if (vmas === undefined) this.folios.set(folio, (vmas = new Map<number, Map<number, TableEntries>>()));
    let tables = vmas.get(vma);
    if (tables === undefined) vmas.set(vma, (tables = new Map<number, TableEntries>()));
    let of = tables.get(table);
    if (of === undefined) tables.set(table, (of = { entries: 0, wholes: 0, parts: undefined }));
    of.entries += entriesOfBatch(pageCount, level);
    this.changePages(of, folio, first, pageCount, 1);
  }

  remove(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number): void {
    const tables = this.folios.get(folio)?.get(vma);
    const of = tables?.get(table);
    const entries = entriesOfBatch(pageCount, level);
    if (tables === undefined || of === undefined || of.entries < entries) {
      throw new Error(`invariant broken: folio ${folio} loses entries that VMA ${vma} does not have in table ${table}`);
    }
    of.entries -= entries;
    if (of.entries > 0) {
      this.changePages(of, folio, first, pageCount, -1);
      return;
    }
    tables.delete(table);
    if (tables.size === 0) this.folios.get(folio)?.delete(vma);
  }

  freed(folio: number): void {
    this.folios.delete(folio);
  }

  entriesOfVma(folio: number, vma: number): number {
    let entries = 0;
    for (const of of this.folios.get(folio)?.get(vma)?.values() ?? []) entries += of.entries;
    return entries;
  }

  entriesOfTable(folio: number, vma: number, table: number): number {
    return this.folios.get(folio)?.get(vma)?.get(table)?.entries ?? 0;
  }

  /** The lowest page of the folio that the VMA maps, in this table alone unless `table` is -1; -1: none. */
  lowestMapped(folio: number, vma: number, table: number): number {
    const tables = this.folios.get(folio)?.get(vma);
    let lowest = -1;
    for (const [id, of] of tables ?? []) {
      const page = table === -1 || table === id ? lowestOf(of) : -1;
      if (page >= 0 && (lowest < 0 || page < lowest)) lowest = page;
    }
    return lowest;
  }

  /** Every folio's VMAs with entries and how many, for checks. */
  *vmasOf(folio: number): Generator<[vma: number, entries: number]> {
    for (const vma of this.folios.get(folio)?.keys() ?? []) yield [vma, this.entriesOfVma(folio, vma)];
  }

  /** A batch of all pages may go in parts, and one of parts be removed at once. */
  private changePages(of: TableEntries, folio: number, first: number, pageCount: number, change: 1 | -1): void {
    const nrPages = 2 ** this.orders[folio];
    if (of.parts === undefined && pageCount === nrPages) {
      of.wholes += change;
      return;
    }
    of.parts ??= new Uint8Array(nrPages).fill(of.wholes);
    of.wholes = 0;
    for (let page = first; page < first + pageCount; page++) of.parts[page] += change;
  }
}

function lowestOf({ wholes, parts }: TableEntries): number {
  return wholes > 0 ? 0 : (parts?.findIndex((mapcount) => mapcount > 0) ?? -1);
}

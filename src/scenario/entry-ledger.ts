/**
 * How many entries of a folio each VMA has in each page table, kept from the events themselves.
 *
 * Schemes that count VMAs or tables look into page tables at every batch, and must see them as they are between two
 * batches: without the one in flight, and with those of a VMA's split that were not yet told under the old VMA. The page
 * tables change whole VMAs at once; the ledger follows the events, one by one. `checkMachine` holds it against the tables.
 */
import { type Level, entriesOfBatch } from "../kernel/index.ts";

export class EntryLedger {
  /** Folio, VMA, table: entries. */
  private readonly folios = new Map<number, Map<number, Map<number, number>>>();

  add(folio: number, pageCount: number, level: Level, table: number, vma: number): void {
    this.change(folio, entriesOfBatch(pageCount, level), table, vma);
  }

  remove(folio: number, pageCount: number, level: Level, table: number, vma: number): void {
    this.change(folio, -entriesOfBatch(pageCount, level), table, vma);
  }

  freed(folio: number): void {
    this.folios.delete(folio);
  }

  entriesOfVma(folio: number, vma: number): number {
    let entries = 0;
    for (const count of this.folios.get(folio)?.get(vma)?.values() ?? []) entries += count;
    return entries;
  }

  entriesOfTable(folio: number, vma: number, table: number): number {
    return this.folios.get(folio)?.get(vma)?.get(table) ?? 0;
  }

  /** Every folio's VMAs with entries and how many, for checks. */
  *vmasOf(folio: number): Generator<[vma: number, entries: number]> {
    for (const vma of this.folios.get(folio)?.keys() ?? []) yield [vma, this.entriesOfVma(folio, vma)];
  }

  private change(folio: number, entries: number, table: number, vma: number): void {
    let vmas = this.folios.get(folio);
    if (vmas === undefined) this.folios.set(folio, (vmas = new Map<number, Map<number, number>>()));
    let tables = vmas.get(vma);
    if (tables === undefined) vmas.set(vma, (tables = new Map<number, number>()));
    const left = (tables.get(table) ?? 0) + entries;
    if (left < 0)
      throw new Error(`invariant broken: folio ${folio} loses entries that VMA ${vma} does not have in table ${table}`);
    if (left > 0) tables.set(table, left);
    else tables.delete(table);
    if (tables.size === 0) vmas.delete(vma);
  }
}

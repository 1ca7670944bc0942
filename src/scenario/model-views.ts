/**
 * What counters may look at on a machine of the model: its page tables and who holds references.
 *
 * The views look at the machine, which needs the counters first: they are made before it, and connected last.
 */
import type { WalkCosts } from "../kernel/index.ts";
import { type MappingVisitor, type Memory, cacheReferences, walkRmap } from "../memory/index.ts";
import type { PageTableView, ReferenceView, RmapVisitor } from "../schemes/index.ts";
import type { EntryLedger } from "./entry-ledger.ts";

export interface MachineViews {
  readonly pageTables: PageTableView;
  readonly references: ReferenceView;
}

/** Both views of a machine that need not be built yet. */
export function viewsOf(connection: { memory?: Memory }, ledger: EntryLedger): MachineViews {
  const machine = (): Memory => {
    if (connection.memory === undefined) throw new Error("a counter looked at a machine that is not built yet");
    return connection.memory;
  };
  return { pageTables: new ModelPageTables(machine, ledger), references: new ModelReferences(machine) };
}

/** Entries by the ledger, between two events; the walk over the model's own page tables, at rest. */
class ModelPageTables implements PageTableView {
  private readonly machine: () => Memory;
  private readonly ledger: EntryLedger;

  constructor(machine: () => Memory, ledger: EntryLedger) {
    this.machine = machine;
    this.ledger = ledger;
  }

  entriesOfVma(folio: number, vma: number): number {
    return this.ledger.entriesOfVma(folio, vma);
  }

  entriesOfTable(folio: number, vma: number, table: number): number {
    return this.ledger.entriesOfTable(folio, vma, table);
  }

  walk(folio: number, visit: RmapVisitor, costs?: WalkCosts): void {
    const visitBatch: MappingVisitor = ({ first, pageCount, level, table, vma }) =>
      visit(first, pageCount, level, table, vma.id, vma.mm.id);
    walkRmap(this.machine(), folio, visitBatch, costs);
  }
}

class ModelReferences implements ReferenceView {
  private readonly machine: () => Memory;

  constructor(machine: () => Memory) {
    this.machine = machine;
  }

  references(folio: number): number {
    return cacheReferences(this.machine(), folio) + this.machine().frames.extraReferences(folio);
  }

  cacheReferences(folio: number): number {
    const hasPrivate = this.machine().frames.extraOf(folio)?.hasPrivate ?? false;
    return cacheReferences(this.machine(), folio) + (hasPrivate ? 1 : 0);
  }

  pins(folio: number): number {
    return this.machine().frames.extraOf(folio)?.pins ?? 0;
  }
}

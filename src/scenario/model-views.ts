/**
 * What counters may look at on a machine of the model: its page tables and who holds references.
 *
 * The views look at the machine, which needs the counters first: they are made before it, and connected last.
 */
import type { WalkCosts } from "../kernel/index.ts";
import {
  type MappingVisitor,
  type Memory,
  type Vma,
  cacheReferences,
  candidateVmas,
  walkRmap,
} from "../memory/index.ts";
import type { FolioPlace, PageTableView, ReferenceView, RmapVisitor } from "../schemes/index.ts";
import type { EntryLedger } from "./entry-ledger.ts";

/** How many VMAs a view remembers: more than a folio is mapped by, as a rule. */
const KNOWN_VMAS = 4096;

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
  /** VMAs by id, as far as they were asked for of late. */
  private readonly known = new Map<number, Vma>();

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

  lowestMapped(folio: number, vma: number, table: number): number {
    return this.ledger.lowestMapped(folio, vma, table);
  }

  /** Undefined where the VMA is none that may map the folio: it is going away. */
  placeInVma(folio: number, vmaId: number): FolioPlace | undefined {
    const { frames, keys } = this.machine();
    const vma = this.known.get(vmaId) ?? this.findVma(folio, vmaId);
    if (vma === undefined) return undefined;
    const { start, end, pgoff } = vma;
    return { first: start + keys.indexOf(frames.rmapKey[folio]) - pgoff, start, end };
  }

  private findVma(folio: number, vmaId: number): Vma | undefined {
    const found = candidateVmas(this.machine(), folio).find(({ vma }) => vma.id === vmaId);
    if (found === undefined) return undefined;
    if (this.known.size >= KNOWN_VMAS) this.known.clear();
    this.known.set(vmaId, found.vma);
    return found.vma;
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

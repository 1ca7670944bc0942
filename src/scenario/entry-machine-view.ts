/**
 * What counters see of the entry machine's page tables: the entries of a folio by VMA and by table, and the reverse map.
 *
 * Everything is read from the chain of the folio's runs, so it is exact between two events: whoever changes entries takes
 * a run out of its chain before a remove is told, and puts it in after an add was.
 */
import { LEVEL_PTE } from "../kernel/index.ts";
import type { FolioPlace, PageTableView, RmapVisitor } from "../schemes/index.ts";
import type { EntryFolios } from "./entry-machine-folios.ts";
import type { EntryRuns } from "./entry-machine-runs.ts";
import type { EntrySpaces } from "./entry-machine-spaces.ts";

/** Where the batch in flight has its folio: its VMA may have no entry of it yet, or none any more. */
export interface FlyingBatch {
  folio: number;
  vma: number;
  /** Virtual page of the folio's first page. */
  start: number;
  /** Of a move: where it comes from; -1 else. */
  fromVma: number;
  fromStart: number;
}

/** The page tables of an entry machine. */
export class EntryView implements PageTableView {
  private readonly runs: EntryRuns;
  private readonly folios: EntryFolios;
  private readonly spaces: EntrySpaces;
  readonly flying: FlyingBatch = { folio: -1, vma: -1, start: 0, fromVma: -1, fromStart: 0 };

  constructor(runs: EntryRuns, folios: EntryFolios, spaces: EntrySpaces) {
    this.runs = runs;
    this.folios = folios;
    this.spaces = spaces;
  }

  entriesOfVma(folio: number, vma: number): number {
    return this.count(folio, vma, -1);
  }

  entriesOfTable(folio: number, vma: number, table: number): number {
    return this.count(folio, vma, table);
  }

  placeInVma(folio: number, vma: number): FolioPlace {
    const { startPage, endPage } = this.spaces.vmaOf(vma);
    return { first: this.startOf(folio, vma), start: startPage, end: endPage };
  }

  lowestMapped(folio: number, vma: number, table: number): number {
    const { runs } = this;
    const size = 2 ** this.folios.orders[folio];
    let lowest = -1;
    for (let run = runs.firstOf(folio); run >= 0; run = runs.nextOf(run)) {
      if (runs.vma[run] !== vma || (table >= 0 && runs.table[run] !== table) || !runs.maps(run, folio, size)) continue;
      const first = Math.max(0, runs.lowestOf(run) - folio);
      if (lowest < 0 || first < lowest) lowest = first;
    }
    return lowest;
  }

  walk(folio: number, visit: RmapVisitor): void {
    const { runs, spaces } = this;
    const isSmall = this.folios.orders[folio] === 0;
    for (const run of this.runsOf(folio)) {
      const vma = runs.vma[run];
      const first = isSmall ? 0 : runs.lowestOf(run) - folio;
      const pages = isSmall ? 1 : runs.pages[run];
      if (!visit(first, pages, runs.levelOf(run), runs.table[run], vma, spaces.vmaOf(vma).mm)) return;
    }
  }

  /** Rows of the runs that map a part of the folio: VMA after VMA, each one's in the order of pages. */
  runsOf(folio: number): number[] {
    const { runs } = this;
    const size = 2 ** this.folios.orders[folio];
    const found: number[] = [];
    for (let run = runs.firstOf(folio); run >= 0; run = runs.nextOf(run)) {
      if (runs.maps(run, folio, size)) found.push(run);
    }
    if (found.length < 2) return found;
    return found.sort((a, b) => runs.vma[a] - runs.vma[b] || runs.page[a] - runs.page[b]);
  }

  private count(folio: number, vma: number, table: number): number {
    const { runs } = this;
    const isSmall = this.folios.orders[folio] === 0;
    const size = 2 ** this.folios.orders[folio];
    let entries = 0;
    for (let run = runs.firstOf(folio); run >= 0; run = runs.nextOf(run)) {
      if (runs.vma[run] !== vma || (table >= 0 && runs.table[run] !== table) || !runs.maps(run, folio, size)) continue;
      entries += isSmall || runs.levelOf(run) !== LEVEL_PTE ? 1 : runs.pages[run];
    }
    return entries;
  }

  /** Virtual page at which the VMA has, or is about to have, the folio's first page. */
  private startOf(folio: number, vma: number): number {
    const { runs, flying } = this;
    if (flying.folio === folio && flying.vma === vma) return flying.start;
    if (flying.folio === folio && flying.fromVma === vma) return flying.fromStart;
    const size = 2 ** this.folios.orders[folio];
    for (let run = runs.firstOf(folio); run >= 0; run = runs.nextOf(run)) {
      if (runs.vma[run] === vma && runs.maps(run, folio, size)) {
        return runs.page[run] - runs.stepOf(run) * (runs.frame[run] - folio);
      }
    }
    throw new Error(`invariant: VMA ${vma} has or had entries of folio ${folio} when its tables are asked for`);
  }
}

/**
 * The page tables of one folio of a few pages, small enough to go through all their states.
 *
 * The truth that a stepwise text and its fast counter are driven with side by side: the text has it in its words `pte` and
 * `pmd`, the counter sees it as PageTableView and ReferenceView. As in src/checker/programs/folio.ts: address space m has
 * areas (VMAs), an area maps page p in table tableOf(p), or the whole folio through one PMD entry.
 */
import { LEVEL_PMD, LEVEL_PTE, type Level } from "../../src/kernel/index.ts";
import type { PageTableView, ReferenceView, RmapFindings, RmapVisitor } from "../../src/schemes/index.ts";

/** How many of what. Pages are a power of two. */
export interface Shape {
  readonly mms: number;
  readonly areas: number;
  readonly pages: number;
  readonly tables: number;
}

/** Entries of one table of one area: n PTEs from page `first` on, or the PMD entry. */
export interface SmallBatch {
  readonly mm: number;
  readonly area: number;
  readonly first: number;
  readonly n: number;
  readonly level: typeof LEVEL_PTE | typeof LEVEL_PMD;
}

/** What happens next. */
export type SmallEvent =
  | ({ readonly kind: "add" | "remove" } & SmallBatch)
  | { readonly kind: "split"; readonly mm: number; readonly area: number }
  | { readonly kind: "walk" };

export class SmallTables implements PageTableView, ReferenceView {
  readonly shape: Shape;
  /** By VMA (mm * areas + area): a bit a page, and PMD_BIT. */
  readonly entries: Uint8Array;
  /** References beside those of mappings. */
  extra = 0;

  constructor(shape: Shape) {
    this.shape = shape;
    this.entries = new Uint8Array(shape.mms * shape.areas);
  }

  tableOf(page: number): number {
    return Math.floor((page * this.shape.tables) / this.shape.pages);
  }

  /** Number of a table among all; each VMA has one more, in which its PMD entry lies. */
  tableNumber(vma: number, page: number, level: Level): number {
    const { tables } = this.shape;
    return vma * (tables + 1) + (level === LEVEL_PMD ? tables : this.tableOf(page));
  }

  hasPmd(vma: number): boolean {
    return (this.entries[vma] & PMD_BIT) !== 0;
  }

  hasPte(vma: number, page: number): boolean {
    return (this.entries[vma] & (1 << page)) !== 0;
  }

  set(vma: number, first: number, n: number, level: Level, present: boolean): void {
    const bits = level === LEVEL_PMD ? PMD_BIT : ((1 << n) - 1) << first;
    if (present) this.entries[vma] |= bits;
    else this.entries[vma] &= ~bits;
  }

  entriesOfVma(_folio: number, vma: number): number {
    let count = 0;
    for (let bits = this.entries[vma]; bits !== 0; bits &= bits - 1) count++;
    return count;
  }

  entriesOfTable(_folio: number, vma: number, table: number): number {
    let count = 0;
    for (let page = 0; page < this.shape.pages; page++) {
      if (this.hasPte(vma, page) && this.tableNumber(vma, page, LEVEL_PTE) === table) count++;
    }
    return count + (this.hasPmd(vma) && this.tableNumber(vma, 0, LEVEL_PMD) === table ? 1 : 0);
  }

  walk(_folio: number, _visit: RmapVisitor): void {
    throw new Error("no counter asks the reverse map here");
  }

  /** What a full walk finds. */
  findings(): RmapFindings {
    const { areas } = this.shape;
    const vmas = [...this.entries.keys()].filter((vma) => this.entries[vma] !== 0);
    return {
      entries: vmas.reduce((sum, vma) => sum + this.entriesOfVma(0, vma), 0),
      tables: 0,
      vmas: vmas.length,
      addressSpaces: new Set(vmas.map((vma) => Math.floor(vma / areas))).size,
      lastVma: vmas.at(-1) ?? -1,
      isComplete: true,
    };
  }

  references(): number {
    return this.extra;
  }

  cacheReferences(): number {
    return 0;
  }

  pins(): number {
    return 0;
  }

  /** Everything that the page tables allow to happen: every batch within one table, PMD entries, splits, a walk. */
  events(): SmallEvent[] {
    const { mms, areas, pages, tables } = this.shape;
    const events: SmallEvent[] = [{ kind: "walk" }];
    for (let vma = 0; vma < mms * areas; vma++) {
      const mm = Math.floor(vma / areas);
      const area = vma % areas;
      const whole: SmallBatch = { mm, area, first: 0, n: pages, level: LEVEL_PMD };
      if (this.hasPmd(vma)) events.push({ kind: "remove", ...whole }, { kind: "split", mm, area });
      else {
        if (this.entries[vma] === 0 && tables === 1) events.push({ kind: "add", ...whole });
        this.addBatches(events, vma);
      }
    }
    return events;
  }

  private addBatches(events: SmallEvent[], vma: number): void {
    const { areas, pages } = this.shape;
    for (let first = 0; first < pages; first++) {
      for (let n = 1; first + n <= pages && this.tableOf(first + n - 1) === this.tableOf(first); n++) {
        const bits = ((1 << n) - 1) << first;
        const present = this.entries[vma] & bits;
        const batch: SmallBatch = { mm: Math.floor(vma / areas), area: vma % areas, first, n, level: LEVEL_PTE };
        if (present === 0) events.push({ kind: "add", ...batch });
        else if (present === bits) events.push({ kind: "remove", ...batch });
      }
    }
  }
}

const PMD_BIT = 0x80;

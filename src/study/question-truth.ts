/**
 * What page tables and references say about one folio: read by one reverse map walk, then asked about for every scheme.
 *
 * One object is filled anew for each folio; its columns grow and are never allocated for an answer. No counter is asked
 * for the truth. Counts of pages are kept as differences and added up only where some batch maps less than the folio.
 */
import { type Level, entriesOfBatch } from "../kernel/index.ts";
import { ANON, type FrameKind, HUGETLB_ANON, HUGETLB_FILE } from "../memory/index.ts";
import type { StudiedMachine } from "../scenario/index.ts";
import type { Scheme } from "../schemes/index.ts";

/** Beyond these a pair of a VMA and a table does not fit into one number. */
const VMAS_IN_NUMBER = 2 ** 21;
const TABLES_IN_NUMBER = 2 ** 32;

export class FolioTruth {
  head = -1;
  order = 0;
  kind: FrameKind = ANON;
  nrPages = 0;
  /** Page-table entries, pairs of a VMA and a table, VMAs and address spaces with one. */
  entries = 0;
  tableCount = 0;
  vmaCount = 0;
  mmCount = 0;
  /** Ids of the VMAs and address spaces found, in order of the walk: the first vmaCount and mmCount are valid. */
  vmas = new Int32Array(64);
  mms = new Int32Array(64);
  /** Sum of the mapcounts of all pages, and pages with one. */
  mappedPages = 0;
  pagesMapped = 0;
  /** References that neither mappings nor caches hold; all but those of mappings; pins. */
  extraReferences = 0;
  references = 0;
  pins = 0;

  /** Entries that map the whole folio. */
  private wholeEntries = 0;
  private hasParts = false;
  /** By page: mapcounts of entries that map a part, as differences while the walk lasts. */
  private partCounts = new Int32Array(1025);
  /** Number of the folio for which an id was last seen. */
  private vmaSeen = new Int32Array(1024);
  private mmSeen = new Int32Array(1024);
  private turn = 0;
  private readonly tables = new Set<number | string>();
  private lastVma = -1;
  private lastTable = -1;

  get isHugetlb(): boolean {
    return this.kind === HUGETLB_ANON || this.kind === HUGETLB_FILE;
  }

  /** Anonymous memory whose owner may want to write to it. */
  get isAnon(): boolean {
    return this.kind === ANON || this.kind === HUGETLB_ANON;
  }

  get isPartial(): boolean {
    return this.pagesMapped > 0 && this.pagesMapped < this.nrPages;
  }

  /** Reads the folio as it is now. */
  read(machine: StudiedMachine, head: number): void {
    this.begin(machine, head);
    machine.pageTables.walk(head, this.visit);
    this.addUpPages();
    const { references } = machine;
    this.references = references.references(head);
    this.extraReferences = this.references - references.cacheReferences(head);
    this.pins = references.pins(head);
  }

  /** Entries that map a page. */
  pageMapcount(page: number): number {
    return this.wholeEntries + (this.hasParts ? this.partCounts[page] : 0);
  }

  /** What the scheme counts, in truth. */
  unitsOf({ unit }: Scheme): number {
    if (unit === "entries") return this.entries;
    return unit === "vmas" ? this.vmaCount : this.tableCount;
  }

  private begin(machine: StudiedMachine, head: number): void {
    this.head = head;
    this.order = machine.orderOf(head);
    this.kind = machine.kindOf(head);
    this.nrPages = 2 ** this.order;
    this.entries = 0;
    this.vmaCount = 0;
    this.mmCount = 0;
    this.mappedPages = 0;
    this.wholeEntries = 0;
    if (this.hasParts) this.partCounts.fill(0);
    this.hasParts = false;
    if (this.partCounts.length <= this.nrPages) this.partCounts = new Int32Array(this.nrPages + 1);
    this.tables.clear();
    this.lastVma = -1;
    this.lastTable = -1;
    this.turn++;
  }

  private readonly visit = (
    first: number,
    pageCount: number,
    level: Level,
    table: number,
    vma: number,
    mm: number,
  ): boolean => {
    this.entries += entriesOfBatch(pageCount, level);
    this.mappedPages += pageCount;
    if (pageCount === this.nrPages) this.wholeEntries++;
    else {
      this.hasParts = true;
      this.partCounts[first]++;
      this.partCounts[first + pageCount]--;
    }
    if (vma !== this.lastVma || table !== this.lastTable) this.note(table, vma, mm);
    return true;
  };

  private note(table: number, vma: number, mm: number): void {
    this.lastVma = vma;
    this.lastTable = table;
    const fits = vma < VMAS_IN_NUMBER && table >= 0 && table < TABLES_IN_NUMBER;
    this.tables.add(fits ? vma * TABLES_IN_NUMBER + table : `${vma} ${table}`);
    if (vma >= this.vmaSeen.length) this.vmaSeen = grown(this.vmaSeen, vma + 1);
    if (this.vmaSeen[vma] === this.turn) return;
    this.vmaSeen[vma] = this.turn;
    if (this.vmaCount === this.vmas.length) this.vmas = grown(this.vmas, this.vmaCount + 1);
    this.vmas[this.vmaCount++] = vma;
    if (mm >= this.mmSeen.length) this.mmSeen = grown(this.mmSeen, mm + 1);
    if (this.mmSeen[mm] === this.turn) return;
    this.mmSeen[mm] = this.turn;
    if (this.mmCount === this.mms.length) this.mms = grown(this.mms, this.mmCount + 1);
    this.mms[this.mmCount++] = mm;
  }

  private addUpPages(): void {
    this.tableCount = this.tables.size;
    if (this.wholeEntries > 0) this.pagesMapped = this.nrPages;
    else if (!this.hasParts) this.pagesMapped = 0;
    if (!this.hasParts) return;
    const { partCounts, nrPages } = this;
    let mapcount = 0;
    let pagesMapped = 0;
    for (let page = 0; page < nrPages; page++) {
      mapcount += partCounts[page];
      partCounts[page] = mapcount;
      if (mapcount > 0) pagesMapped++;
    }
    if (this.wholeEntries === 0) this.pagesMapped = pagesMapped;
  }
}

function grown(column: Int32Array, atLeast: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(atLeast, 2 * column.length))));
  larger.set(column);
  return larger;
}

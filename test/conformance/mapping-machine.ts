/**
 * The truth that schemes are held against: a few folios, address spaces with several VMAs each, and their page tables.
 *
 * Bitmaps say which page of which folio each VMA maps at which level; counters beside them are kept by every change, so
 * that each answer to a scheme is O(1), and `recount` builds them anew to hold them against the bitmaps. Every change is
 * told to the counters in the kernel's batches and order: an add before its entries are visible, a remove after they are
 * gone, a move between. A table is found from the virtual page where a VMA has the folio's first page, so folios may
 * straddle tables.
 *
 *     slot    a place for one folio: naturally aligned frames, room for a largest order
 *     vma     numbers mm * VMAS_OF_MM ...; each may map each folio, anywhere
 */
import {
  HPAGE_PMD_NR,
  HPAGE_PMD_ORDER,
  HPAGE_PUD_ORDER,
  LEVEL_PMD,
  LEVEL_PTE,
  LEVEL_PUD,
} from "../../src/kernel/index.ts";
import type { Level } from "../../src/kernel/index.ts";
import type { Counter, PageTableView, ReferenceView, RmapVisitor, Scheme } from "../../src/schemes/index.ts";
import { walkVma } from "./machine-walk.ts";
import {
  FIRST_PMD_TABLE,
  MMS,
  PUD_TABLE,
  type Slot,
  TABLES_OF_MM,
  VMAS,
  crossing,
  localTablesOf,
  mmOf,
  pagesOfLeaf,
  partsOf,
} from "./table-shape.ts";

/** A counter and what it can count. */
export interface Listener {
  readonly scheme: Scheme;
  readonly counter: Counter;
}

/** The frames and folios of a machine; fixed before any counter is made. */
export class MappingMachine implements PageTableView, ReferenceView {
  readonly slots: readonly Slot[];
  readonly frameCount: number;
  readonly orders: Uint8Array;
  /** First frame of each slot. */
  readonly heads: readonly number[];
  readonly isHugetlb: Uint8Array;
  /** Batches told so far. */
  events = 0;
  /** Called behind each batch with its slot. */
  afterEvent: (slot: number) => void = () => {};

  /** Truth by slot. */
  readonly entries: Int32Array;
  readonly mms: Int32Array;
  readonly vmas: Int32Array;
  readonly tables: Int32Array;
  readonly mappedPages: Float64Array;
  readonly pagesUnderPtesAndPmds: Int32Array;
  readonly pudEntries: Int32Array;
  readonly pmdEntries: Int32Array;
  readonly gets: Int32Array;
  readonly pinCounts: Int32Array;
  readonly isCached: Uint8Array;
  /** By slot and mm, by slot and VMA. */
  readonly entriesOfMm: Int32Array;
  readonly entriesOfVmas: Int32Array;
  /** Virtual page of the folio's first page, by slot and VMA. */
  readonly starts: Int32Array;

  private readonly slotOfFrame: Uint8Array;
  private readonly ptes: readonly Uint8Array[];
  private readonly pmds: readonly Uint8Array[];
  private readonly puds: readonly Uint8Array[];
  private readonly ptesOfPage: readonly Int32Array[];
  private readonly pmdsOfPart: readonly Int32Array[];
  private readonly ptePagesOfPart: readonly Int32Array[];
  private readonly entriesOfTables: readonly Int32Array[];
  private all: readonly Counter[] = [];
  private anyPart: readonly Counter[] = [];

  constructor(slots: readonly Slot[]) {
    this.slots = slots;
    const heads: number[] = [];
    let frames = 0;
    for (const { order } of slots) {
      const size = 2 ** order;
      heads.push(Math.ceil(frames / size) * size);
      frames = heads[heads.length - 1] + size;
    }
    this.heads = heads;
    this.frameCount = frames;
    this.orders = new Uint8Array(frames);
    this.slotOfFrame = new Uint8Array(frames);
    const bySlot = (perSlot: number): Int32Array => new Int32Array(slots.length * perSlot);
    this.isHugetlb = new Uint8Array(slots.length);
    this.entries = bySlot(1);
    this.mms = bySlot(1);
    this.vmas = bySlot(1);
    this.tables = bySlot(1);
    this.mappedPages = new Float64Array(slots.length);
    this.pagesUnderPtesAndPmds = bySlot(1);
    this.pudEntries = bySlot(1);
    this.pmdEntries = bySlot(1);
    this.gets = bySlot(1);
    this.pinCounts = bySlot(1);
    this.isCached = new Uint8Array(slots.length);
    this.entriesOfMm = bySlot(MMS);
    this.entriesOfVmas = bySlot(VMAS);
    this.starts = bySlot(VMAS);
    this.ptes = slots.map(({ order }) => new Uint8Array(VMAS * 2 ** order));
    this.pmds = slots.map(({ order }) => new Uint8Array(VMAS * partsOf(order)));
    this.puds = slots.map(() => new Uint8Array(VMAS));
    this.ptesOfPage = slots.map(({ order }) => new Int32Array(2 ** order));
    this.pmdsOfPart = slots.map(({ order }) => new Int32Array(partsOf(order)));
    this.ptePagesOfPart = slots.map(({ order }) => new Int32Array(partsOf(order)));
    this.entriesOfTables = slots.map(({ order }) => new Int32Array(VMAS * localTablesOf(order)));
    slots.forEach(({ order }, slot) => {
      this.orders[heads[slot]] = order;
      this.slotOfFrame[heads[slot]] = slot;
    });
  }

  /** Those who count, told of every folio as it is now. */
  listen(listeners: readonly Listener[]): void {
    this.all = listeners.map(({ counter }) => counter);
    this.anyPart = listeners.filter(({ scheme }) => scheme.leafEntries === "any-part").map(({ counter }) => counter);
    this.slots.forEach((_, slot) => this.tellCreated(slot));
  }

  /** False where a scheme cannot count the entries that may map the folio. */
  canCount(slot: number, scheme: Scheme): boolean {
    return scheme.leafEntries === "any-part" || !this.slots[slot].leaves || this.orderOf(slot) <= HPAGE_PMD_ORDER;
  }

  private countersOf(slot: number): readonly Counter[] {
    return this.slots[slot].leaves && this.orderOf(slot) > HPAGE_PMD_ORDER ? this.anyPart : this.all;
  }

  private tellCreated(slot: number): void {
    const order = this.orderOf(slot);
    for (const counter of this.countersOf(slot)) counter.created?.(this.heads[slot], order, this.isHugetlb[slot] === 1);
  }

  /** The folio of a slot is freed and another takes its place. */
  recreate(slot: number, order: number, isHugetlb: boolean): void {
    for (const counter of this.countersOf(slot)) counter.freed?.(this.heads[slot]);
    this.gets[slot] = 0;
    this.pinCounts[slot] = 0;
    this.isCached[slot] = 0;
    this.orders[this.heads[slot]] = order;
    this.isHugetlb[slot] = isHugetlb ? 1 : 0;
    this.tellCreated(slot);
  }

  orderOf(slot: number): number {
    return this.orders[this.heads[slot]];
  }

  nrPages(slot: number): number {
    return 2 ** this.orderOf(slot);
  }

  /** Adds n PTEs in one batch; the pages are free and lie in one table. */
  addPtes(slot: number, vma: number, first: number, n: number, isFork = false): void {
    const table = this.tableOf(slot, vma, first, LEVEL_PTE);
    const mm = mmOf(vma);
    for (const counter of this.countersOf(slot)) {
      if (isFork && counter.dup !== undefined) counter.dup(this.heads[slot], first, n, LEVEL_PTE, table, vma, mm);
      else counter.add(this.heads[slot], first, n, LEVEL_PTE, table, vma, mm);
    }
    this.putPtes(slot, vma, first, n);
    this.finish(slot);
  }

  removePtes(slot: number, vma: number, first: number, n: number): void {
    const table = this.tableOf(slot, vma, first, LEVEL_PTE);
    this.takePtes(slot, vma, first, n);
    for (const counter of this.countersOf(slot)) {
      counter.remove(this.heads[slot], first, n, LEVEL_PTE, table, vma, mmOf(vma));
    }
    this.finish(slot);
  }

  /** One PMD or PUD entry from page `first` on. */
  addLeaf(slot: number, vma: number, first: number, level: Level, isFork = false): void {
    const pages = pagesOfLeaf(level);
    const table = this.tableOf(slot, vma, first, level);
    const mm = mmOf(vma);
    for (const counter of this.countersOf(slot)) {
      if (isFork && counter.dup !== undefined) counter.dup(this.heads[slot], first, pages, level, table, vma, mm);
      else counter.add(this.heads[slot], first, pages, level, table, vma, mm);
    }
    this.putLeaf(slot, vma, first, level);
    this.finish(slot);
  }

  removeLeaf(slot: number, vma: number, first: number, level: Level): void {
    const table = this.tableOf(slot, vma, first, level);
    this.takeLeaf(slot, vma, first, level);
    for (const counter of this.countersOf(slot)) {
      counter.remove(this.heads[slot], first, pagesOfLeaf(level), level, table, vma, mmOf(vma));
    }
    this.finish(slot);
  }

  movePtes(slot: number, fromVma: number, toVma: number, first: number, n: number): void {
    this.takePtes(slot, fromVma, first, n);
    this.tellMove(slot, fromVma, toVma, first, n, LEVEL_PTE);
    this.putPtes(slot, toVma, first, n);
    this.finish(slot);
  }

  moveLeaf(slot: number, fromVma: number, toVma: number, first: number, level: Level): void {
    this.takeLeaf(slot, fromVma, first, level);
    this.tellMove(slot, fromVma, toVma, first, pagesOfLeaf(level), level);
    this.putLeaf(slot, toVma, first, level);
    this.finish(slot);
  }

  private tellMove(slot: number, from: number, to: number, first: number, pageCount: number, level: Level): void {
    const fromTable = this.tableOf(slot, from, first, level);
    const toTable = this.tableOf(slot, to, first, level);
    for (const counter of this.countersOf(slot)) {
      counter.move?.(this.heads[slot], first, pageCount, level, fromTable, from, toTable, to, mmOf(from));
    }
  }

  private finish(slot: number): void {
    this.events++;
    this.afterEvent(slot);
  }

  private putPtes(slot: number, vma: number, first: number, n: number): void {
    const ptes = this.ptes[slot];
    const counts = this.ptesOfPage[slot];
    const base = vma * counts.length;
    for (let page = first; page < first + n; page++) {
      ptes[base + page] = 1;
      if (counts[page]++ === 0) this.countPtePage(slot, page, 1);
    }
    this.countEntries(slot, vma, first, n, LEVEL_PTE);
    this.mappedPages[slot] += n;
  }

  private takePtes(slot: number, vma: number, first: number, n: number): void {
    const ptes = this.ptes[slot];
    const counts = this.ptesOfPage[slot];
    const base = vma * counts.length;
    for (let page = first; page < first + n; page++) {
      ptes[base + page] = 0;
      if (--counts[page] === 0) this.countPtePage(slot, page, -1);
    }
    this.countEntries(slot, vma, first, -n, LEVEL_PTE);
    this.mappedPages[slot] -= n;
  }

  private countPtePage(slot: number, page: number, change: number): void {
    const part = page >> HPAGE_PMD_ORDER;
    this.ptePagesOfPart[slot][part] += change;
    if (this.pmdsOfPart[slot][part] === 0) this.pagesUnderPtesAndPmds[slot] += change;
  }

  private putLeaf(slot: number, vma: number, first: number, level: Level): void {
    const part = first >> HPAGE_PMD_ORDER;
    if (level === LEVEL_PUD) {
      this.puds[slot][vma] = 1;
      this.pudEntries[slot] += 1;
    } else {
      this.pmds[slot][vma * this.pmdsOfPart[slot].length + part] = 1;
      this.pmdEntries[slot] += 1;
      if (this.pmdsOfPart[slot][part]++ === 0) {
        this.pagesUnderPtesAndPmds[slot] += HPAGE_PMD_NR - this.ptePagesOfPart[slot][part];
      }
    }
    this.countEntries(slot, vma, first, 1, level);
    this.mappedPages[slot] += pagesOfLeaf(level);
  }

  private takeLeaf(slot: number, vma: number, first: number, level: Level): void {
    const part = first >> HPAGE_PMD_ORDER;
    if (level === LEVEL_PUD) {
      this.puds[slot][vma] = 0;
      this.pudEntries[slot] -= 1;
    } else {
      this.pmds[slot][vma * this.pmdsOfPart[slot].length + part] = 0;
      this.pmdEntries[slot] -= 1;
      if (--this.pmdsOfPart[slot][part] === 0) {
        this.pagesUnderPtesAndPmds[slot] -= HPAGE_PMD_NR - this.ptePagesOfPart[slot][part];
      }
    }
    this.countEntries(slot, vma, first, -1, level);
    this.mappedPages[slot] -= pagesOfLeaf(level);
  }

  private countEntries(slot: number, vma: number, first: number, n: number, level: Level): void {
    this.entries[slot] += n;
    this.mms[slot] += crossing((this.entriesOfMm[slot * MMS + mmOf(vma)] += n), n);
    this.vmas[slot] += crossing((this.entriesOfVmas[slot * VMAS + vma] += n), n);
    const at = this.localTable(slot, vma, this.tableOf(slot, vma, first, level));
    this.tables[slot] += crossing((this.entriesOfTables[slot][at] += n), n);
  }

  /** The page table that holds the entry for this page of the folio in this VMA. */
  tableOf(slot: number, vma: number, page: number, level: Level): number {
    const virtualPage = this.starts[slot * VMAS + vma] + page;
    const mm = mmOf(vma) * TABLES_OF_MM;
    if (level === LEVEL_PUD) return mm + PUD_TABLE;
    if (level === LEVEL_PMD) return mm + FIRST_PMD_TABLE + (virtualPage >> HPAGE_PUD_ORDER);
    return mm + (virtualPage >> HPAGE_PMD_ORDER);
  }

  /** Where a table's count lies, -1 if the VMA cannot have the folio there. */
  private localTable(slot: number, vma: number, table: number): number {
    const start = this.starts[slot * VMAS + vma];
    const perVma = localTablesOf(this.slots[slot].order);
    const inMm = table - mmOf(vma) * TABLES_OF_MM;
    let at = inMm - (start >> HPAGE_PMD_ORDER);
    if (inMm === PUD_TABLE) at = perVma - 1;
    else if (inMm >= FIRST_PMD_TABLE) at = perVma - 3 + (inMm - FIRST_PMD_TABLE - (start >> HPAGE_PUD_ORDER));
    return at >= 0 && at < perVma ? vma * perVma + at : -1;
  }

  hasPte(slot: number, vma: number, page: number): boolean {
    return this.ptes[slot][vma * this.ptesOfPage[slot].length + page] === 1;
  }

  hasPmd(slot: number, vma: number, part: number): boolean {
    return this.pmds[slot][vma * this.pmdsOfPart[slot].length + part] === 1;
  }

  hasPud(slot: number, vma: number): boolean {
    return this.puds[slot][vma] === 1;
  }

  /** True of a page that this VMA does not map at any level. */
  isFree(slot: number, vma: number, page: number): boolean {
    return !this.hasPte(slot, vma, page) && !this.hasPmd(slot, vma, page >> HPAGE_PMD_ORDER) && !this.hasPud(slot, vma);
  }

  pageMapcount(slot: number, page: number): number {
    return this.ptesOfPage[slot][page] + this.pmdsOfPart[slot][page >> HPAGE_PMD_ORDER] + this.pudEntries[slot];
  }

  pagesMapped(slot: number): number {
    return this.pudEntries[slot] > 0 ? this.nrPages(slot) : this.pagesUnderPtesAndPmds[slot];
  }

  isPartial(slot: number): boolean {
    const pages = this.pagesMapped(slot);
    return pages > 0 && pages < this.nrPages(slot);
  }

  entriesOfVma(folio: number, vma: number): number {
    return this.entriesOfVmas[this.slotOfFrame[folio] * VMAS + vma];
  }

  entriesOfTable(folio: number, vma: number, table: number): number {
    const slot = this.slotOfFrame[folio];
    const at = this.localTable(slot, vma, table);
    return at < 0 ? 0 : this.entriesOfTables[slot][at];
  }

  /** Its VMAs begin and end with the folio. */
  placeInVma(folio: number, vma: number): { first: number; start: number; end: number } {
    const slot = this.slotOfFrame[folio];
    const first = this.starts[slot * VMAS + vma];
    return { first, start: first, end: first + this.nrPages(slot) };
  }

  walk(folio: number, visit: RmapVisitor): void {
    const slot = this.slotOfFrame[folio];
    for (let vma = 0; vma < VMAS; vma++) {
      if (this.entriesOfVmas[slot * VMAS + vma] > 0 && !walkVma(this, slot, vma, visit)) return;
    }
  }

  references(folio: number): number {
    const slot = this.slotOfFrame[folio];
    return this.extraReferences(slot) + this.cacheReferences(folio);
  }

  /** References of a slot's folio that are neither mappings nor the cache's. */
  extraReferences(slot: number): number {
    return this.gets[slot] + this.pinCounts[slot] * (this.orderOf(slot) === 0 ? 1024 : 1);
  }

  cacheReferences(folio: number): number {
    const slot = this.slotOfFrame[folio];
    return this.isCached[slot] * this.nrPages(slot);
  }

  pins(folio: number): number {
    return this.pinCounts[this.slotOfFrame[folio]];
  }
}

/**
 * How entries of the entry machine come and go: the only place that changes runs, tells counters and keeps the sums.
 *
 * Order is the kernel's, as every counter relies on it: an add is told before its entries are in a chain, a remove after
 * they are gone, a move between; a table is there before its first entry is told. A batch of a large folio is one event;
 * of small folios each is its own folio and has an event of its own.
 */
import { LEVEL_PTE, type Level, type WorkName, WORK_NAMES } from "../kernel/index.ts";
import type { Counter } from "../schemes/index.ts";
import { EntryFolios } from "./entry-machine-folios.ts";
import { EntryRuns, SMALL_BLOCK } from "./entry-machine-runs.ts";
import { EntrySpaces, type EntryVma } from "./entry-machine-spaces.ts";
import { EntryTables, pagesLeftInTable } from "./entry-machine-tables.ts";
import { EntryView } from "./entry-machine-view.ts";

/** Consecutive pages of one VMA whose frames step by one. */
export interface Stretch {
  readonly page: number;
  readonly frame: number;
  readonly pages: number;
  readonly step: 1 | -1;
}

const IN_TOUCHED = 1;
const IN_UNMAPPED = 2;

/** The entries, and everybody who is told of them. */
export class EntryState {
  readonly folios: EntryFolios;
  readonly runs: EntryRuns;
  readonly tables: EntryTables;
  readonly spaces = new EntrySpaces();
  readonly view: EntryView;
  counters: readonly Counter[] = [];
  /** Batches told so far. */
  events = 0;
  readonly work = Object.fromEntries(WORK_NAMES.map((name) => [name, 0])) as Record<WorkName, number>;
  /** By frame: which of the two lists below it is in. */
  private readonly isListed: Uint8Array;
  private touched: number[] = [];
  private perhapsUnmapped: number[] = [];

  constructor(frameCount: number) {
    this.folios = new EntryFolios(frameCount);
    this.runs = new EntryRuns(this.folios.orders);
    this.view = new EntryView(this.runs, this.folios, this.spaces);
    this.isListed = new Uint8Array(frameCount);
    this.tables = new EntryTables(this.work);
  }

  /**
   * Adds PTEs for a stretch, in batches of one folio and one table; `index` is the place among the VMA's runs. Returns how
   * many runs were put there.
   */
  addPtes(vma: EntryVma, { page, frame, pages, step }: Stretch, index: number, isFork: boolean): number {
    let put = 0;
    for (let done = 0; done < pages;) {
      const from = frame + step * done;
      const count = Math.min(pages - done, pagesLeftInTable(page + done), this.batchFrom(from, step));
      if (from < 0 || count < 1) throw new Error(`invariant: page ${page + done} is mapped to frame ${from}`);
      const piece = { page: page + done, frame: from, pages: count, step } as const;
      const table = this.tables.tableFor(vma.mm, piece.page, LEVEL_PTE);
      this.tellPtes("add", vma, piece, table, isFork);
      const before = index + put - 1;
      const isLonger = before >= 0 && before < vma.runs.length && this.extend(vma.runs[before], vma, piece, table);
      if (!isLonger) this.insert(vma, index + put++, piece, { table, level: LEVEL_PTE });
      this.tables.put(table, count);
      done += count;
    }
    this.work["entry-set"] += isFork ? 0 : pages;
    this.work["entry-copied"] += isFork ? pages : 0;
    return put;
  }

  /** Adds one PMD or PUD entry that maps `pages` pages. */
  addLeaf(vma: EntryVma, stretch: Stretch, level: Level, index: number, isFork: boolean): void {
    const table = this.tables.tableFor(vma.mm, stretch.page, level);
    this.tell("add", vma, stretch.frame, stretch, { level, table, isFork });
    this.insert(vma, index, stretch, { table, level });
    this.tables.put(table, 1);
    this.work[isFork ? "entry-copied" : "entry-set"] += 1;
  }

  /** Removes runs [from, to) of a VMA. */
  remove(vma: EntryVma, from: number, to: number): void {
    const removed = vma.runs.splice(from, to - from);
    for (const run of removed) this.removeRun(vma, run);
  }

  /** Removes a run that is in its VMA's list no more. */
  removeRun(vma: EntryVma, run: number): void {
    const { runs } = this;
    const level = runs.levelOf(run);
    const stretch = this.stretchOf(run);
    const table = runs.table[run];
    const entries = runs.entriesOf(run);
    runs.unlink(run);
    runs.release(run);
    if (level === LEVEL_PTE) this.tellPtes("remove", vma, stretch, table, false);
    else this.tell("remove", vma, stretch.frame, stretch, { level, table, isFork: false });
    this.tables.take(table, entries);
    this.work["entry-cleared"] += entries;
    this.freeUnused(stretch);
  }

  /** Moves a run's entries to another VMA, and by `distance` pages; returns rows for that VMA's list. */
  move(run: number, from: EntryVma, to: EntryVma, distance: number): number[] {
    const { runs } = this;
    const rows: number[] = [];
    let rest = run;
    while (runs.levelOf(rest) === LEVEL_PTE) {
      const left = pagesLeftInTable(runs.page[rest] + distance);
      if (runs.pages[rest] <= left) break;
      const behind = runs.cut(rest, left);
      rows.push(this.moveWhole(rest, { from, to, distance }));
      rest = behind;
    }
    rows.push(this.moveWhole(rest, { from, to, distance }));
    return rows;
  }

  /** Moves a run into one table. */
  private moveWhole(
    run: number,
    { from, to, distance }: { readonly from: EntryVma; readonly to: EntryVma; readonly distance: number },
  ): number {
    const { runs } = this;
    const level = runs.levelOf(run);
    const stretch = { ...this.stretchOf(run), page: runs.page[run] + distance };
    const fromTable = runs.table[run];
    const entries = runs.entriesOf(run);
    const table = this.tables.tableFor(to.mm, stretch.page, level);
    runs.unlink(run);
    this.tellMove({ from, to, distance }, stretch, { level, fromTable, table });
    runs.page[run] = stretch.page;
    runs.vma[run] = to.id;
    runs.table[run] = table;
    runs.link(run);
    this.tables.put(table, entries);
    this.tables.take(fromTable, entries);
    return run;
  }

  stretchOf(run: number): Stretch {
    const { runs } = this;
    return { page: runs.page[run], frame: runs.frame[run], pages: runs.pages[run], step: runs.stepOf(run) };
  }

  /** Frees folios of a stretch to which nobody refers any more. */
  freeUnused({ frame, pages, step }: Stretch): void {
    const { folios } = this;
    const head = folios.headOf(frame);
    if (folios.orders[frame] > 0) this.freeIfUnused(head);
    else for (let i = 0; i < pages; i++) this.freeIfUnused(frame + step * i);
  }

  freeIfUnused(head: number): void {
    const { folios } = this;
    if (!folios.isUnused(head)) return;
    for (const counter of this.counters) counter.freed?.(head);
    this.work["page-freed"] += 1;
    folios.giveBack(head);
  }

  /** Heads of folios that events were told of since the last call and that are still mapped. */
  takeTouched(): number[] {
    const taken = this.touched;
    this.touched = [];
    for (const head of taken) this.isListed[head] &= ~IN_TOUCHED;
    return taken.filter((head) => this.folios.entries[head] > 0);
  }

  /** Heads of folios that events were told of since the last call and that are mapped no longer. */
  takeUnmapped(): number[] {
    const taken = this.perhapsUnmapped;
    this.perhapsUnmapped = [];
    for (const head of taken) this.isListed[head] &= ~IN_UNMAPPED;
    return taken.filter((head) => this.folios.entries[head] === 0);
  }

  /** Pages from this frame on, in steps, that are one batch, or small folios of one chain. */
  private batchFrom(frame: number, step: 1 | -1): number {
    const order = this.folios.orders[frame];
    if (order > 0) return step > 0 ? this.folios.headOf(frame) + 2 ** order - frame : 1;
    let count = step > 0 ? SMALL_BLOCK - (frame % SMALL_BLOCK) : (frame % SMALL_BLOCK) + 1;
    // Large folios may begin or end within the block.
    for (let i = 1; i < count; i++) if (this.folios.orders[frame + step * i] > 0) count = i;
    return count;
  }

  private extend(run: number, vma: EntryVma, { page, frame, pages, step }: Stretch, table: number): boolean {
    return this.runs.vma[run] === vma.id && this.runs.extend(run, page, frame, pages, table, step);
  }

  private insert(
    vma: EntryVma,
    index: number,
    { page, frame, pages, step }: Stretch,
    { table, level }: { readonly table: number; readonly level: Level },
  ): void {
    const run = this.runs.create(page, frame, pages, vma.id, table, level, step);
    if (index === vma.runs.length) vma.runs.push(run);
    else vma.runs.splice(index, 0, run);
    this.runs.link(run);
  }

  private tellPtes(what: "add" | "remove", vma: EntryVma, stretch: Stretch, table: number, isFork: boolean): void {
    const { frame, pages, step, page } = stretch;
    const about = { level: LEVEL_PTE, table, isFork } as const;
    if (this.folios.orders[frame] > 0) {
      this.tell(what, vma, frame, stretch, about);
      return;
    }
    for (let i = 0; i < pages; i++) {
      this.tell(what, vma, frame + step * i, { page: page + i, frame: frame + step * i, pages: 1, step: 1 }, about);
    }
  }

  /** One event of one folio. */
  private tell(
    what: "add" | "remove",
    vma: EntryVma,
    frame: number,
    { page, pages }: Stretch,
    { level, table, isFork }: { readonly level: Level; readonly table: number; readonly isFork: boolean },
  ): void {
    const folio = this.folios.headOf(frame);
    const first = frame - folio;
    const entries = level === LEVEL_PTE ? pages : 1;
    this.fly(folio, vma.id, page - first);
    if (what === "remove") {
      for (const counter of this.counters) counter.remove(folio, first, pages, level, table, vma.id, vma.mm);
    } else {
      for (const counter of this.counters) {
        if (isFork && counter.dup !== undefined) counter.dup(folio, first, pages, level, table, vma.id, vma.mm);
        else counter.add(folio, first, pages, level, table, vma.id, vma.mm);
      }
    }
    this.folios.entries[folio] += what === "add" ? entries : -entries;
    this.touch(folio);
  }

  /** One event for each folio; `stretch` is where it goes. */
  private tellMove(
    { from, to, distance }: { readonly from: EntryVma; readonly to: EntryVma; readonly distance: number },
    { page, frame, pages, step }: Stretch,
    { level, fromTable, table }: { readonly level: Level; readonly fromTable: number; readonly table: number },
  ): void {
    const isSmall = this.folios.orders[frame] === 0;
    const count = isSmall ? pages : 1;
    for (let i = 0; i < count; i++) {
      const at = frame + step * i;
      const folio = this.folios.headOf(at);
      const length = isSmall ? 1 : pages;
      const start = page + i - (at - folio);
      this.fly(folio, to.id, start);
      this.view.flying.fromVma = from.id;
      this.view.flying.fromStart = start - distance;
      for (const counter of this.counters) {
        counter.move?.(folio, at - folio, length, level, fromTable, from.id, table, to.id, to.mm);
      }
      this.touch(folio);
    }
  }

  private fly(folio: number, vma: number, start: number): void {
    const { flying } = this.view;
    flying.folio = folio;
    flying.vma = vma;
    flying.start = start;
    flying.fromVma = -1;
  }

  private touch(folio: number): void {
    this.events++;
    const lists = this.isListed[folio];
    if ((lists & IN_TOUCHED) === 0) this.touched.push(folio);
    if ((lists & IN_UNMAPPED) === 0 && this.folios.entries[folio] === 0) {
      this.perhapsUnmapped.push(folio);
      this.isListed[folio] = lists | IN_TOUCHED | IN_UNMAPPED;
    } else this.isListed[folio] = lists | IN_TOUCHED;
  }
}

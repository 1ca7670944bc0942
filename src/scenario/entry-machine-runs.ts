/**
 * The entries of the entry machine: runs of page-table entries, one row a run, chained by what they map.
 *
 * A run is `pages` consecutive pages of one VMA, in one page table, whose frames step by +1 or -1: a stretch of one large
 * folio (always +1), or small folios within one aligned block of 16 frames (what fault-around maps at once). A PMD or PUD
 * entry is a run of its own. So a machine with millions of entries has some hundred thousand rows and no object a page.
 *
 *     column     page     frame    pages   vma    table   shape            next, previous
 *     meaning    virtual  of the   (512:   row    row     level, and       in the chain of the folio or
 *                page     first    a PMD)                 whether descends of the block of small folios
 *
 * Invariant: a frame is in a run's range if and only if the run is in the chain that `chainOf(frame)` names.
 */
import { LEVEL_PTE, type Level } from "../kernel/index.ts";

/** Small folios that share a chain. */
export const SMALL_BLOCK = 16;

const LEVEL_MASK = 3;
const DESCENDS = 4;
const FIRST_ROWS = 1024;

/** The columns. Rows are reused; a row in no chain is free. */
export class EntryRuns {
  page = new Float64Array(FIRST_ROWS);
  frame = new Int32Array(FIRST_ROWS);
  pages = new Int32Array(FIRST_ROWS);
  vma = new Int32Array(FIRST_ROWS);
  table = new Int32Array(FIRST_ROWS);
  private shape = new Uint8Array(FIRST_ROWS);
  private next = new Int32Array(FIRST_ROWS);
  private previous = new Int32Array(FIRST_ROWS);
  /** By chain: the first row, plus 1. */
  private readonly chains: Int32Array;
  private readonly orders: Uint8Array;
  private used = 0;
  private readonly free: number[] = [];

  /** `orders`: of the folio that each frame belongs to. */
  constructor(orders: Uint8Array) {
    this.orders = orders;
    this.chains = new Int32Array(orders.length);
  }

  /** Rows in use. */
  get count(): number {
    return this.used - this.free.length;
  }

  /** A row that is in no chain yet. */
  create(page: number, frame: number, pages: number, vma: number, table: number, level: Level, step: number): number {
    const run = this.free.pop() ?? this.takeNew();
    this.page[run] = page;
    this.frame[run] = frame;
    this.pages[run] = pages;
    this.vma[run] = vma;
    this.table[run] = table;
    this.shape[run] = step < 0 ? level | DESCENDS : level;
    return run;
  }

  /** Gives a row back that is in no chain. */
  release(run: number): void {
    this.free.push(run);
  }

  levelOf(run: number): Level {
    return (this.shape[run] & LEVEL_MASK) as Level;
  }

  stepOf(run: number): 1 | -1 {
    return (this.shape[run] & DESCENDS) === 0 ? 1 : -1;
  }

  /** Page-table entries of the run: one of a PMD or PUD. */
  entriesOf(run: number): number {
    return this.levelOf(run) === LEVEL_PTE ? this.pages[run] : 1;
  }

  /** The lowest frame of the run. */
  lowestOf(run: number): number {
    return this.stepOf(run) > 0 ? this.frame[run] : this.frame[run] - this.pages[run] + 1;
  }

  /** Where the runs are chained that map this frame. */
  chainOf(frame: number): number {
    const order = this.orders[frame];
    return order === 0 ? frame - (frame % SMALL_BLOCK) : frame - (frame % 2 ** order);
  }

  /** The first row of the chain for this frame, -1 if there is none. */
  firstOf(frame: number): number {
    return this.chains[this.chainOf(frame)] - 1;
  }

  /** The next row of the chain, -1 at its end. */
  nextOf(run: number): number {
    return this.next[run];
  }

  /** True if the run maps a frame of [from, from + count). */
  maps(run: number, from: number, count: number): boolean {
    const lowest = this.lowestOf(run);
    return lowest < from + count && lowest + this.pages[run] > from;
  }

  link(run: number): void {
    const chain = this.chainOf(this.frame[run]);
    const first = this.chains[chain] - 1;
    this.previous[run] = -1;
    this.next[run] = first;
    if (first >= 0) this.previous[first] = run;
    this.chains[chain] = run + 1;
  }

  unlink(run: number): void {
    const before = this.previous[run];
    const behind = this.next[run];
    if (before >= 0) this.next[before] = behind;
    else this.chains[this.chainOf(this.frame[run])] = behind + 1;
    if (behind >= 0) this.previous[behind] = before;
  }

  /** Cuts a chained run of PTEs before its page `at`; returns the new row with the rest, chained too. */
  cut(run: number, at: number): number {
    const rest = this.create(
      this.page[run] + at,
      this.frame[run] + at * this.stepOf(run),
      this.pages[run] - at,
      this.vma[run],
      this.table[run],
      this.levelOf(run),
      this.stepOf(run),
    );
    this.pages[run] = at;
    // A descending run's chain is named by any of its frames, so the order of these two does not matter.
    this.link(rest);
    return rest;
  }

  /** Lengthens a run of PTEs by the entries of another that follows at once; false if they are not one run. */
  extend(run: number, page: number, frame: number, pages: number, table: number, step: number): boolean {
    const length = this.pages[run];
    if (this.table[run] !== table || this.levelOf(run) !== LEVEL_PTE || this.page[run] + length !== page) return false;
    if (this.chainOf(this.frame[run]) !== this.chainOf(frame)) return false;
    if ((this.orders[frame] === 0) !== (this.orders[this.frame[run]] === 0)) return false;
    const between = frame - (this.frame[run] + this.stepOf(run) * (length - 1));
    const isOnePage = length === 1;
    if (isOnePage ? between !== 1 && between !== -1 : between !== this.stepOf(run)) return false;
    if (pages > 1 && step !== between) return false;
    if (between < 0 && this.orders[frame] > 0) return false;
    if (isOnePage) this.shape[run] = between < 0 ? LEVEL_PTE | DESCENDS : LEVEL_PTE;
    this.pages[run] = length + pages;
    return true;
  }

  private takeNew(): number {
    if (this.used === this.page.length) this.grow();
    return this.used++;
  }

  private grow(): void {
    const rows = this.page.length * 2;
    const words = (from: Int32Array): Int32Array<ArrayBuffer> => {
      const to = new Int32Array(rows);
      to.set(from);
      return to;
    };
    const page = new Float64Array(rows);
    page.set(this.page);
    const shape = new Uint8Array(rows);
    shape.set(this.shape);
    this.page = page;
    this.shape = shape;
    this.frame = words(this.frame);
    this.pages = words(this.pages);
    this.vma = words(this.vma);
    this.table = words(this.table);
    this.next = words(this.next);
    this.previous = words(this.previous);
  }
}

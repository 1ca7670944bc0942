/**
 * Who hears of a machine's mapping events: the kernel's counter alone, or it and everybody who is studied.
 *
 * The kernel's counter hears first. The ledger (entry-ledger.ts) loses entries before the counters hear of it and gains
 * them after, so that who looks sees the page tables without the batch in flight. Folios to which entries came or went are
 * remembered for whoever looks at the machine between two steps.
 */
import type { Level } from "../kernel/index.ts";
import type { MemoryEvents } from "../memory/index.ts";
import type { Counter } from "../schemes/index.ts";
import type { EntryLedger } from "./entry-ledger.ts";
import type { WorkCount } from "./work-count.ts";

/** The kernel's counter alone: nothing stands between the model and it. */
export class OneListener implements MemoryEvents {
  /** Neither of the kernel's schemes counts tables or VMAs. */
  readonly ignoresMoves = true;
  private readonly counter: Counter;

  constructor(counter: Counter) {
    this.counter = counter;
  }

  add(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void {
    this.counter.add(folio, first, pageCount, level, table, vma, mm);
  }

  dup(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void {
    this.counter.add(folio, first, pageCount, level, table, vma, mm);
  }

  remove(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void {
    this.counter.remove(folio, first, pageCount, level, table, vma, mm);
  }

  move(): void {}

  created(folio: number, order: number, isHugetlb: boolean): void {
    this.counter.created?.(folio, order, isHugetlb);
  }

  freed(folio: number): void {
    this.counter.freed?.(folio);
  }
}

/** The kernel's counter, which is the first, and everybody who listens. */
export class ManyListeners implements MemoryEvents {
  private readonly counters: readonly Counter[];
  private readonly ledger: EntryLedger;
  private readonly work: WorkCount;
  private readonly touched = new Set<number>();
  /** Batches told of so far. */
  count = 0;

  constructor(counters: readonly Counter[], ledger: EntryLedger, work: WorkCount) {
    this.ledger = ledger;
    this.counters = counters;
    this.work = work;
  }

  /** Heads of folios to which entries came or went and that `isWanted`, in order of event; they are forgotten. */
  take(isWanted: (head: number) => boolean): number[] {
    const heads = [...this.touched].filter(isWanted);
    for (const head of heads) this.touched.delete(head);
    return heads;
  }

  private note(folio: number): void {
    this.count++;
    this.touched.add(folio);
  }

  add(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void {
    for (const counter of this.counters) counter.add(folio, first, pageCount, level, table, vma, mm);
    this.ledger.add(folio, first, pageCount, level, table, vma);
    this.note(folio);
    this.work.didEntries("entry-set", pageCount, level);
  }

  dup(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void {
    for (const counter of this.counters) {
      if (counter.dup === undefined) counter.add(folio, first, pageCount, level, table, vma, mm);
      else counter.dup(folio, first, pageCount, level, table, vma, mm);
    }
    this.ledger.add(folio, first, pageCount, level, table, vma);
    this.note(folio);
    this.work.didEntries("entry-copied", pageCount, level);
  }

  remove(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void {
    this.note(folio);
    this.work.didEntries("entry-cleared", pageCount, level);
    this.ledger.remove(folio, first, pageCount, level, table, vma);
    for (const counter of this.counters) counter.remove(folio, first, pageCount, level, table, vma, mm);
  }

  move(
    folio: number,
    first: number,
    pageCount: number,
    level: Level,
    fromTable: number,
    fromVma: number,
    toTable: number,
    toVma: number,
    mm: number,
  ): void {
    this.note(folio);
    this.ledger.remove(folio, first, pageCount, level, fromTable, fromVma);
    for (const counter of this.counters) {
      counter.move?.(folio, first, pageCount, level, fromTable, fromVma, toTable, toVma, mm);
    }
    this.ledger.add(folio, first, pageCount, level, toTable, toVma);
  }

  created(folio: number, order: number, isHugetlb: boolean): void {
    for (const counter of this.counters) counter.created?.(folio, order, isHugetlb);
  }

  freed(folio: number): void {
    this.ledger.freed(folio);
    for (const counter of this.counters) counter.freed?.(folio);
  }
}

/**
 * `squares`: the worked example of docs/adding-a-scheme.md. Two sums tell whether all entries are one address space's.
 *
 * A folio keeps the number m of its entries, the sum S of their mms' ids and the sum Q of the squares of these ids. By the
 * inequality of Cauchy and Schwarz m * Q >= S * S, with equality if and only if all ids are equal. So the folio is
 * exclusive to M exactly when S = m * M and Q = m * M * M: for any number of address spaces and VMAs, no secret and no
 * chance, as long as Q stays below 2^64: ids below 2^22 (Linux has at most 4,194,304 threads, so mms), m below 2^20.
 *
 * What it cannot say: anything about pages or VMAs.
 */
import { type FolioColumns, type Level, entriesOfBatch } from "../../src/kernel/index.ts";
import {
  type Answer,
  type AnswersAtRest,
  type Counter,
  type CounterContext,
  EITHER,
  NO,
  type Scheme,
  UNKNOWN,
  UNKNOWN_COUNT,
  YES,
} from "../../src/schemes/index.ts";
import { OWN_TABLE_LOCK_STEPS, SPLIT_PMD_STEPS } from "../../src/schemes/kernel-steps.ts";
import { canReuseUnshared, extraReferencesOf, pinnedOf } from "../../src/schemes/reference-answers.ts";
import { Words, masksOfWidth } from "../../src/schemes/word64.ts";

const WHOLE_WORD = masksOfWidth(64);
const TWO_32 = 2 ** 32;
const MAX_ID = 2 ** 22;

class SquaresCounter implements Counter {
  private readonly context: CounterContext;
  private readonly entries: Int32Array;
  private readonly sumOfIds: Words;
  private readonly sumOfSquares: Words;

  constructor(context: CounterContext) {
    this.context = context;
    this.entries = new Int32Array(context.frameCount);
    this.sumOfIds = new Words(context.frameCount);
    this.sumOfSquares = new Words(context.frameCount);
  }

  add(folio: number, _first: number, pageCount: number, level: Level, _table: number, _vma: number, mm: number): void {
    this.change(folio, entriesOfBatch(pageCount, level), mm);
  }

  remove(
    folio: number,
    _first: number,
    pageCount: number,
    level: Level,
    _table: number,
    _vma: number,
    mm: number,
  ): void {
    this.change(folio, -entriesOfBatch(pageCount, level), mm);
  }

  private change(folio: number, entries: number, mm: number): void {
    if (mm >= MAX_ID) throw new Error(`invariant: squares tells ${MAX_ID} address spaces apart, not mm ${mm}`);
    const square = mm * mm;
    this.entries[folio] += entries;
    this.sumOfIds.addMultiple(folio, mm, 0, entries);
    this.sumOfSquares.addMultiple(folio, square | 0, Math.floor(square / TWO_32), entries);
    const { meter } = this.context;
    meter?.chargeReferences();
    meter?.chargeLargeMapcountLock();
    meter?.chargePlain(3, 3);
    meter?.chargeLines(0, 1, 2);
  }

  mapped(folio: number): Answer {
    return this.entries[folio] > 0 ? YES : NO;
  }

  mappings(folio: number): number {
    return this.entries[folio];
  }

  pageMapcount(folio: number, _pageIndex: number): number {
    return this.entries[folio] === 0 || this.context.orders[folio] === 0 ? this.entries[folio] : UNKNOWN_COUNT;
  }

  others(folio: number, mm: number): Answer {
    return this.isAllOf(folio, mm) ? NO : YES;
  }

  private isAllOf(folio: number, mm: number): boolean {
    const entries = this.entries[folio];
    const square = mm * mm;
    return (
      this.sumOfIds.isMultiple(folio, mm, 0, entries, WHOLE_WORD) &&
      this.sumOfSquares.isMultiple(folio, square | 0, Math.floor(square / TWO_32), entries, WHOLE_WORD)
    );
  }

  otherVmas(): Answer {
    return UNKNOWN;
  }

  /** The one mm that could have all entries is their average. */
  isMaybeMappedShared(folio: number): boolean {
    if (this.entries[folio] <= 1) return false;
    const sum = this.sumOfIds.high[folio] * TWO_32 + (this.sumOfIds.low[folio] >>> 0);
    const mm = sum / this.entries[folio];
    return !Number.isInteger(mm) || !this.isAllOf(folio, mm);
  }

  partial(folio: number): Answer {
    return this.entries[folio] === 0 || this.context.orders[folio] === 0 ? NO : UNKNOWN;
  }

  canReuse(folio: number, mm: number): Answer {
    return canReuseUnshared(this.context.references, folio, {
      order: this.context.orders[folio],
      mappings: this.entries[folio],
      isShared: this.others(folio, mm) === YES,
    });
  }

  stopWalk(folio: number, found: number): Answer {
    return found >= this.entries[folio] ? YES : NO;
  }

  extraReferences(folio: number): number {
    return extraReferencesOf(this.context.references, folio);
  }

  pinned(folio: number): Answer {
    const { references, orders } = this.context;
    return pinnedOf(references, folio, { order: orders[folio], mappingReferences: this.entries[folio] });
  }

  mappingReferences(folio: number): number {
    return this.entries[folio];
  }

  statisticsPages(folio: number): number {
    return this.entries[folio] > 0 ? 2 ** this.context.orders[folio] : 0;
  }
}

/** Three words that belong together: whoever changes or compares them holds the lock. */
const STEPS = `
lock large
word entry_count: 0..2 * MAX_ENTRIES
word id[o in mm]: 0..MMS - 1 = o
word id_sum: 0..2 * MAX_ENTRIES * MMS
word square_sum: 0..2 * MAX_ENTRIES * MMS * MMS

procedure change(entries_changed, o) {
  lock large
  let mine = load id[o]
  let entries_before = load entry_count
  store entry_count = entries_before + entries_changed
  let sum_of_ids = load id_sum
  store id_sum = sum_of_ids + entries_changed * mine
  let sum_of_squares = load square_sum
  store square_sum = sum_of_squares + entries_changed * mine * mine
  unlock large
}

procedure add(first, n, level, o, v) {
  change(level == PMD ? 1 : n, o)
  return 1
}
procedure remove(first, n, level, o, v) {
  change(level == PMD ? -1 : -n, o)
  return 1
}

procedure others(o, v) {
  lock large
  let mine = load id[o]
  let total = load entry_count
  let sum_of_ids = load id_sum
  let sum_of_squares = load square_sum
  unlock large
  return sum_of_ids == total * mine && sum_of_squares == total * mine * mine ? NO : YES
}

procedure mapped() {
  let total = load entry_count
  return total > 0 ? YES : NO
}
procedure mappings() {
  let total = load entry_count
  return total
}
procedure pageMapcount(p) {
  let total = load entry_count
  return total == 0 || PAGES == 1 ? total : NO_COUNT
}
procedure partial() {
  let total = load entry_count
  return total == 0 || PAGES == 1 ? NO : UNKNOWN
}
procedure canReuse(o) {
  let total = load entry_count
  if total <= 1 { return NO }
  let shared = others(o, 0)
  let references = load refcount
  return shared == NO && references == total ? YES : NO
}
${SPLIT_PMD_STEPS}
${OWN_TABLE_LOCK_STEPS}
define idsOf() = sum(o in mm: entriesOf(o) * id[o])
define squaresOf() = sum(o in mm: entriesOf(o) * id[o] * id[o])
quiet counts: entry_count == entries() && id_sum == idsOf() && square_sum == squaresOf()
`;

export const squares: Scheme = {
  id: "squares",
  title: "sums of ids and of their squares",
  origin: "the example of docs/adding-a-scheme.md",
  shownByDefault: false,
  stateBits: { perFolio: 32 + 2 * 64, perPage: 0 },
  smallFolios: "as-large",
  unit: "entries",
  leafEntries: "any-part",
  looksIntoPageTables: false,
  guarantees: {
    mapped: "exact",
    mappings: "exact",
    pageMapcount: "exact-or-unknown",
    others: "exact",
    otherVmas: "unknown",
    partial: "exact-or-unknown",
    canReuse: "one-sided",
    stopWalk: "exact",
    extraReferences: "exact",
    pinned: "one-sided",
  },
  rules: { privateBy: "folio-sharing", statistics: "whole-folio" },
  steps: STEPS,
  createCounter: (context) => new SquaresCounter(context),
  answerAtRest(folios: FolioColumns, answers: AnswersAtRest): void {
    for (let row = 0; row < folios.count; row++) {
      const isOutside = folios.mappedOutside[row] > 0;
      const mms = folios.mmCount[row] + (isOutside ? 1 : 0);
      answers.pageMapcount[row] = -1;
      answers.shared[row] = mms > 1 ? YES : isOutside ? EITHER : NO;
      answers.partial[row] = UNKNOWN;
    }
  },
};

/**
 * `rmap-id`: a total and sums of sub-ids (David Hildenbrand, work in progress, November 2023).
 *
 * Every address space has an id of 24 bits, cut into k digits; digit i gives its sub-id s_i. A folio keeps the total of its
 * entries and k 64-bit values, and n entries of an mm add n * s_i to value i. It is exclusive to M if and only if every
 * value is total * s_i(M), provided that the total is at most the number of pages; with more, it is shared for certain as
 * long as each address space maps it at most once. Exact for any number of address spaces.
 *
 * The sub-ids must be such that no other sum of at most P = 2^order of them gives the same value. Here a digit of b bits
 * becomes the number with these bits as its digits in base P + 1:
 *
 *     sub-id = sum of bit_j * (P + 1)^j for j < b, with (P + 1)^b <= 2^64
 *
 * A value then has one place for each bit, which counts the mappings by address spaces with that bit and cannot carry into
 * the next. If it equals total * sub-id(M), all mappings or none have each bit as M has it: they are all M's. How many values
 * that takes is the record's table (1 up to order 2, 2 up to 5, 3 up to 9, 4, 5, 6, 8, 12 above). Three values of 64 bits
 * hold 24 bits of id up to order 7 only; at orders 8 and 9 these sub-ids tell 2^21 address spaces apart, not 2^24.
 *
 * The price: up to 12 more atomics a batch, and a reader must see the total and all values at one moment, so they lie under
 * a sequence count with concurrent writers and readers that retry. The values lie in the folio's struct pages: it has as
 * many pages as values. Small folios have their one mapcount.
 */
import { type FolioColumns, HPAGE_PMD_ORDER, type Level, entriesOfBatch } from "../kernel/index.ts";
import type { Counter, CounterContext } from "./counter.ts";
import { ATOMICS, LOADS } from "./meter.ts";
import { canReuseUnshared, extraReferencesOf, pinnedOf } from "./reference-answers.ts";
import { type Answer, type AnswersAtRest, EITHER, NO, type Scheme, UNKNOWN, UNKNOWN_COUNT, YES } from "./scheme.ts";
import { RMAP_ID_STEPS } from "./rmap-id-steps.ts";
import { Words, masksOfWidth } from "./word64.ts";

const ID_BITS = 24;
const WORD_BITS = 64;
const WHOLE_WORD = masksOfWidth(WORD_BITS);

/** Largest order for so many values. */
const VALUES_OF_ORDER: readonly (readonly [maxOrder: number, values: number])[] = [
  [2, 1],
  [5, 2],
  [9, 3],
  [10, 4],
  [12, 5],
  [15, 6],
  [21, 8],
  [30, 12],
];

/** 64-bit values of a folio of this order. */
export function rmapValuesOfOrder(order: number): number {
  const found = VALUES_OF_ORDER.find(([maxOrder]) => order <= maxOrder);
  if (found === undefined) throw new Error(`invariant: rmap-id counts folios up to order 30, not ${order}`);
  return found[1];
}

/** Bits of the id in one value: the largest b with (2^order + 1)^b <= 2^64, but no more than the id needs. */
export function rmapDigitBits(order: number): number {
  const base = BigInt(2 ** order + 1);
  let bits = 0;
  while (base ** BigInt(bits + 1) <= 2n ** BigInt(WORD_BITS)) bits++;
  return Math.min(bits, Math.ceil(ID_BITS / rmapValuesOfOrder(order)));
}

/** The sub-ids of one order: computed once for each address space that maps a folio of it. */
class SubIds {
  private readonly values: number;
  private readonly digitBits: number;
  private readonly powers: Words;
  private readonly ofMm: (Words | undefined)[] = [];

  constructor(order: number) {
    this.values = rmapValuesOfOrder(order);
    this.digitBits = rmapDigitBits(order);
    this.powers = new Words(this.digitBits);
    this.powers.low[0] = 1;
    for (let digit = 1; digit < this.digitBits; digit++) {
      this.powers.addMultiple(digit, this.powers.low[digit - 1], this.powers.high[digit - 1], 2 ** order + 1);
    }
  }

  /** One word a value. */
  of(mm: number): Words {
    return (this.ofMm[mm] ??= this.compute(mm));
  }

  private compute(mm: number): Words {
    if (mm >= 2 ** (this.digitBits * this.values)) throw new Error(`invariant: mm ${mm} has no rmap id left`);
    const subIds = new Words(this.values);
    for (let bit = 0; bit < this.digitBits * this.values; bit++) {
      if (Math.floor(mm / 2 ** bit) % 2 === 0) continue;
      const digit = bit % this.digitBits;
      subIds.addMultiple(Math.floor(bit / this.digitBits), this.powers.low[digit], this.powers.high[digit], 1);
    }
    return subIds;
  }
}

class RmapIdCounter implements Counter {
  private readonly context: CounterContext;
  private readonly entries: Int32Array;
  /** Value i of a folio lies at its page i. */
  private readonly values: Words;
  private readonly subIds: (SubIds | undefined)[] = [];

  constructor(context: CounterContext) {
    this.context = context;
    this.entries = new Int32Array(context.frameCount);
    this.values = new Words(context.frameCount);
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
    const order = this.context.orders[folio];
    this.entries[folio] += entries;
    if (order > 0) {
      const { low, high } = this.subIdsOf(order).of(mm);
      for (let value = 0; value < low.length; value++) {
        this.values.addMultiple(folio + value, low[value], high[value], entries);
      }
    }
    this.charge(order);
  }

  private subIdsOf(order: number): SubIds {
    return (this.subIds[order] ??= new SubIds(order));
  }

  /** The total, the values, and the sequence count before and after. */
  private charge(order: number): void {
    const { meter } = this.context;
    if (meter === undefined) return;
    const values = order === 0 ? 0 : rmapValuesOfOrder(order);
    meter.chargeReferences();
    meter.charge(ATOMICS, order === 0 ? 1 : 1 + values + 2);
    meter.chargeLines(0, 1, order === 0 ? 1 : 2 + Math.floor(values / 8));
  }

  mapped(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.entries[folio] > 0 ? YES : NO;
  }

  mappings(folio: number): number {
    this.context.meter?.charge(LOADS, 1);
    return this.entries[folio];
  }

  pageMapcount(folio: number, _pageIndex: number): number {
    this.context.meter?.charge(LOADS, 1);
    return this.context.orders[folio] === 0 || this.entries[folio] === 0 ? this.entries[folio] : UNKNOWN_COUNT;
  }

  others(folio: number, mm: number): Answer {
    const entries = this.entries[folio];
    const order = this.context.orders[folio];
    this.context.meter?.charge(LOADS, 1);
    if (entries <= 1) return NO;
    if (entries > 2 ** order) return YES;
    const { low, high } = this.subIdsOf(order).of(mm);
    // The sequence count is read before and after.
    this.context.meter?.charge(LOADS, low.length + 2);
    for (let value = 0; value < low.length; value++) {
      if (!this.values.isMultiple(folio + value, low[value], high[value], entries, WHOLE_WORD)) return YES;
    }
    return NO;
  }

  otherVmas(): Answer {
    return UNKNOWN;
  }

  /** Without an address space to compare with, more than one entry may be anybody's. */
  isMaybeMappedShared(folio: number): boolean {
    this.context.meter?.charge(LOADS, 1);
    return this.entries[folio] > 1;
  }

  partial(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.entries[folio] === 0 || this.context.orders[folio] === 0 ? NO : UNKNOWN;
  }

  canReuse(folio: number, mm: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return canReuseUnshared(this.context.references, folio, {
      order: this.context.orders[folio],
      mappings: this.entries[folio],
      isShared: this.others(folio, mm) === YES,
    });
  }

  stopWalk(folio: number, found: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return found >= this.entries[folio] ? YES : NO;
  }

  extraReferences(folio: number): number {
    this.context.meter?.charge(LOADS, 2);
    return extraReferencesOf(this.context.references, folio);
  }

  pinned(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
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

export const rmapId: Scheme = {
  id: "rmap-id",
  title: "a total and sums of sub-ids that cannot collide",
  origin: "David Hildenbrand, work in progress, November 2023",
  shownByDefault: false,
  // Of a 2 MiB folio; smaller ones have fewer values and larger ones more.
  stateBits: { perFolio: 32 + 32 + WORD_BITS * rmapValuesOfOrder(HPAGE_PMD_ORDER), perPage: 0 },
  smallFolios: "mapcount",
  unit: "entries",
  leafEntries: "any-part",
  looksIntoPageTables: false,
  guarantees: {
    mapped: "exact",
    mappings: "exact",
    pageMapcount: "exact-or-unknown",
    others: "one-sided",
    otherVmas: "unknown",
    partial: "exact-or-unknown",
    canReuse: "one-sided",
    stopWalk: "exact",
    extraReferences: "exact",
    pinned: "one-sided",
  },
  rules: { privateBy: "folio-sharing", statistics: "whole-folio" },
  steps: RMAP_ID_STEPS,
  createCounter: (context) => new RmapIdCounter(context),
  /** The values say at once what the address spaces of the page tables say. */
  answerAtRest(folios: FolioColumns, answers: AnswersAtRest): void {
    for (let row = 0; row < folios.count; row++) {
      const outside = folios.mappedOutside[row];
      const entries = folios.entries[row] + outside;
      const mms = folios.mmCount[row] + (outside > 0 ? 1 : 0);
      answers.pageMapcount[row] = -1;
      if (entries <= 1) answers.shared[row] = NO;
      else if (entries > 2 ** folios.order[row] || mms > 1) answers.shared[row] = YES;
      else answers.shared[row] = outside > 0 ? EITHER : NO;
      answers.partial[row] = UNKNOWN;
    }
  },
};

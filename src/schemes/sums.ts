/**
 * `sums`: two sums with secret random weights, for any number of address spaces in constant state (ours).
 *
 * Every mm has a secret 64-bit weight w; every page index i has one, h_i, with prefix sums H. A folio keeps four numbers:
 *
 *     m  entries                        p  pages mapped (a PTE 1, a PMD 512, a PUD 262144)
 *     A  sum of w over entries          B  sum of h over pages mapped            both modulo 2^64
 *
 * n entries of M for pages [first, first + pages): m += n, p += pages, A += n * w_M, B += H(first + pages) - H(first), all
 * under the large mapcount's lock. Then
 *
 *     others(M)      no if and only if A = m * w_M
 *     evenly mapped  if and only if p is a multiple of nr and B = (p / nr) * H(nr): every page is mapped p / nr times
 *
 * up to a chance. A false "shared" is impossible. A false "exclusive" needs the n_j entries of others to satisfy
 * sum n_j * (w_j - w_M) = 0 modulo 2^64: for weights nobody knows, 2^(t - 64), where 2^t is the largest power of two that
 * divides all n_j (`collisionChance`). In the worst case every other maps the whole THP by PTEs, t = 9 and the chance is
 * 2^-55. Likewise for B with the differences of the pages' mapcounts from p / nr. Whoever cannot read the weights cannot do
 * better by choosing who maps what; whoever can forges either sum, so the weights must not leave the kernel, and new ones
 * are drawn at boot.
 *
 * Not evenly mapped and p < nr: a partial mapping for certain. Not evenly mapped and p >= nr: perhaps, a candidate for a
 * look: the case that every constant-state scheme before it misses. What it cannot say: which page is mapped how often
 * where they differ; anything about VMAs; sharing without an address space to compare with. A small folio keeps its one
 * mapcount.
 */
import {
  type FolioColumns,
  HPAGE_PMD_NR,
  HPAGE_PUD_NR,
  type Level,
  averageOfMappedPages,
  entriesOfBatch,
} from "../kernel/index.ts";
import type { Counter, CounterContext } from "./counter.ts";
import { ATOMICS, LOADS } from "./meter.ts";
import { canReuseUnshared, extraReferencesOf, pinnedOf } from "./reference-answers.ts";
import { type Answer, type AnswersAtRest, EITHER, NO, type Scheme, UNKNOWN, YES } from "./scheme.ts";
import { SUMS_STEPS } from "./sums-steps.ts";
import { type WordMasks, Words, masksOfWidth } from "./word64.ts";

const WORD_BITS = 64;

/** The chance of a false "exclusive" (or of a false "evenly mapped") when the multiplicities of others are these. */
export function collisionChance(multiplicities: readonly number[], bits = WORD_BITS): number {
  let common = bits;
  for (const count of multiplicities) {
    if (count === 0) continue;
    let zeros = 0;
    while (zeros < common && Math.floor(count / 2 ** zeros) % 2 === 0) zeros++;
    common = Math.min(common, zeros);
  }
  return 2 ** (common - bits);
}

/** The secret numbers of one boot. */
class Weights {
  /** H(0) to H(nr of the largest folio). */
  readonly prefixSums: Words;
  private readonly ofMms = new Words(1024);
  private readonly seed: number;

  constructor(seed: number, maxPages: number) {
    this.seed = seed;
    this.prefixSums = new Words(maxPages + 1);
    const { low, high } = this.prefixSums;
    for (let page = 0; page < maxPages; page++) {
      this.prefixSums.addMultiple(page + 1, low[page], high[page], 1);
      this.prefixSums.addMultiple(page + 1, mix(seed, 4 * page), mix(seed, 4 * page + 1), 1);
    }
  }

  lowOfMm(mm: number): number {
    return mm < 1024 ? (this.ofMms.low[mm] ||= mix(this.seed, 4 * mm + 2)) : mix(this.seed, 4 * mm + 2);
  }

  highOfMm(mm: number): number {
    return mm < 1024 ? (this.ofMms.high[mm] ||= mix(this.seed, 4 * mm + 3)) : mix(this.seed, 4 * mm + 3);
  }
}

/** 32 bits that look random, of a seed and an index: three rounds of multiply and shift with the seed put in between. */
function mix(seed: number, index: number): number {
  let bits = Math.imul(index + 0x9e3779b9, 0x85ebca6b) ^ seed;
  bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97) ^ Math.imul(seed, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 15), 0x85ebca6b);
  return bits ^ (bits >>> 16);
}

/** The counter, with words of fewer bits where a test wants collisions that can be seen. */
export class SumsCounter implements Counter {
  private readonly context: CounterContext;
  private readonly masks: WordMasks;
  private readonly weights: Weights;
  private readonly entries: Int32Array;
  private readonly mappedPages: Float64Array;
  private readonly mmSums: Words;
  private readonly pageSums: Words;

  constructor(context: CounterContext, bits = WORD_BITS) {
    this.context = context;
    this.masks = masksOfWidth(bits);
    this.weights = new Weights(context.seed ?? 1, Math.min(context.frameCount, HPAGE_PUD_NR));
    this.entries = new Int32Array(context.frameCount);
    this.mappedPages = new Float64Array(context.frameCount);
    this.mmSums = new Words(context.frameCount);
    this.pageSums = new Words(context.frameCount);
  }

  add(folio: number, first: number, pageCount: number, level: Level, _table: number, _vma: number, mm: number): void {
    this.change(folio, first, pageCount, entriesOfBatch(pageCount, level), mm, 1);
  }

  remove(
    folio: number,
    first: number,
    pageCount: number,
    level: Level,
    _table: number,
    _vma: number,
    mm: number,
  ): void {
    this.change(folio, first, pageCount, entriesOfBatch(pageCount, level), mm, -1);
  }

  private change(folio: number, first: number, pageCount: number, entries: number, mm: number, sign: 1 | -1): void {
    const { weights } = this;
    this.entries[folio] += sign * entries;
    this.mappedPages[folio] += sign * pageCount;
    if (this.context.orders[folio] > 0) {
      this.mmSums.addMultiple(folio, weights.lowOfMm(mm), weights.highOfMm(mm), sign * entries);
      this.pageSums.addDifference(folio, weights.prefixSums, first, first + pageCount, sign);
    }
    this.charge(folio);
  }

  /** Four plain words under the lock, beside the weight and two prefix sums. */
  private charge(folio: number): void {
    const { meter, orders } = this.context;
    if (meter === undefined) return;
    meter.chargeReferences();
    if (orders[folio] === 0) meter.charge(ATOMICS, 1);
    else {
      meter.chargeLargeMapcountLock();
      meter.chargePlain(4 + 3, 4);
    }
    meter.chargeLines(0, 1, orders[folio] === 0 ? 1 : 2);
  }

  mapped(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.entries[folio] > 0 ? YES : NO;
  }

  mappings(folio: number): number {
    this.context.meter?.charge(LOADS, 1);
    return this.entries[folio];
  }

  /** Exact where the folio is evenly mapped, the average elsewhere. */
  pageMapcount(folio: number, _pageIndex: number): number {
    this.context.meter?.charge(LOADS, 1);
    return averageOfMappedPages(this.mappedPages[folio], this.context.orders[folio]);
  }

  /** Is every page mapped equally often? YES up to `collisionChance`, NO for certain. */
  evenlyMapped(folio: number): Answer {
    const nrPages = 2 ** this.context.orders[folio];
    const times = this.mappedPages[folio] / nrPages;
    if (!Number.isInteger(times)) return NO;
    if (nrPages === 1) return YES;
    const { low, high } = this.weights.prefixSums;
    this.context.meter?.charge(LOADS, 3);
    return this.pageSums.isMultiple(folio, low[nrPages], high[nrPages], times, this.masks) ? YES : NO;
  }

  others(folio: number, mm: number): Answer {
    const entries = this.entries[folio];
    this.context.meter?.charge(LOADS, 1);
    if (entries <= 1) return NO;
    if (this.context.orders[folio] === 0) return YES;
    const { weights } = this;
    this.context.meter?.charge(LOADS, 2);
    return this.mmSums.isMultiple(folio, weights.lowOfMm(mm), weights.highOfMm(mm), entries, this.masks) ? NO : YES;
  }

  otherVmas(): Answer {
    return UNKNOWN;
  }

  isMaybeMappedShared(folio: number): boolean {
    this.context.meter?.charge(LOADS, 1);
    return this.entries[folio] > 1;
  }

  partial(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    const pages = this.mappedPages[folio];
    const order = this.context.orders[folio];
    if (pages === 0 || order === 0) return NO;
    if (pages < 2 ** order) return YES;
    return this.evenlyMapped(folio) === YES ? NO : UNKNOWN;
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

export const sums: Scheme = {
  id: "sums",
  title: "sums of secret weights of address spaces and of pages",
  origin: "Foliometer",
  shownByDefault: false,
  stateBits: { perFolio: 32 + 64 + 2 * WORD_BITS, perPage: 0 },
  smallFolios: "mapcount",
  unit: "entries",
  leafEntries: "any-part",
  looksIntoPageTables: false,
  sumsMappedPages: true,
  guarantees: {
    mapped: "exact",
    mappings: "exact",
    pageMapcount: "estimate",
    others: "probable",
    otherVmas: "unknown",
    partial: "probable",
    canReuse: "probable",
    stopWalk: "exact",
    extraReferences: "exact",
    pinned: "one-sided",
  },
  rules: { privateBy: "folio-sharing", statistics: "whole-folio" },
  steps: SUMS_STEPS,
  createCounter: (context) => new SumsCounter(context),
  /** The mm sum says what the address spaces say; whether pages are evenly mapped shows in few of the columns' cases. */
  answerAtRest(folios: FolioColumns, answers: AnswersAtRest): void {
    for (let row = 0; row < folios.count; row++) {
      const order = folios.order[row];
      const nrPages = 2 ** order;
      const outside = folios.mappedOutside[row];
      const mms = folios.mmCount[row] + (outside > 0 ? 1 : 0);
      const pages = folios.mappedPages[row] + outside;
      answers.pageMapcount[row] = averageOfMappedPages(pages, order);
      if (folios.entries[row] + outside <= 1) answers.shared[row] = NO;
      else if (mms > 1) answers.shared[row] = YES;
      else answers.shared[row] = outside > 0 ? EITHER : NO;
      const isEven =
        (pages === nrPages && folios.pagesMapped[row] === nrPages) ||
        (order === 9 && folios.pmdEntries[row] * HPAGE_PMD_NR === pages);
      answers.partial[row] = pages === 0 || isEven ? NO : pages < nrPages ? YES : UNKNOWN;
    }
  },
};

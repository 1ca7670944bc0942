/**
 * All lives of one small folio: what its page tables, owner slots and exclusive flags can become.
 *
 * A life is a state and the steps out of it. The steps are the kernel's (kernel-facts 2.2-2.4, 2.9, 2.10, 4.1, 4.3),
 * each with the batches that the kernel uses; the slots are the real OwnerSlots, loaded with a state, asked to add or
 * subtract, and read back. Every entry can go and come in any order that the rules allow, so the search knows no times,
 * only orders. A folio without entries and without entries that may come back is freed: no step leads out of it.
 *
 * Address spaces have no names in a state: the value of an mm id never decides anything (kernel-facts 1.4), so states
 * that differ by a renaming are one. A state is a number below 2^53, its mms' codes in ascending order.
 */
import { NO_OWNER, OwnerSlots } from "../../src/schemes/owner-slots.ts";

/** Which folio, how many pages and address spaces, and which steps are allowed. */
export interface LifeRules {
  readonly name: string;
  readonly kind: "anon" | "file";
  readonly pages: number;
  readonly mms: number;
  /** Places in one address space that may map the folio at the same time (file only; an anon folio has one). */
  readonly views: number;
  /** An entry may map the whole folio: the folio stands for one of PMD size. */
  readonly pmd: boolean;
  /** A fork may leave out pages: MADV_DONTFORK, MADV_WIPEONFORK, pages copied at once because they are pinned. */
  readonly partialForks: boolean;
  /** Entries may become swap or migration entries, and those entries again, in any order of pages and mms. */
  readonly movable: boolean;
}

const SLOT_NONE = 0;
const SLOT_A = 1;
const SLOT_B = 2;

/** One folio: bit i of a mask is page i. */
export class Life {
  readonly rules: LifeRules;
  /** Pages mapped by PTEs, one mask for each view of each mm. */
  readonly present: number[];
  /** 1: this view maps the folio by one PMD entry. */
  readonly leaf: number[];
  /** Pages that this mm holds by swap or migration entries. */
  readonly gone: number[];
  /** PageAnonExclusive of each page; of a folio mapped by a PMD, bit 0 for all. Not cleared by unmapping. */
  exclusive = 0;
  /** Swap and migration entries that carry the exclusive mark. */
  goneExclusive = 0;
  readonly slots = new OwnerSlots(1);

  constructor(rules: LifeRules) {
    this.rules = rules;
    this.present = Array<number>(rules.mms * rules.views).fill(0);
    this.leaf = Array<number>(rules.mms * rules.views).fill(0);
    this.gone = Array<number>(rules.mms).fill(0);
  }

  get all(): number {
    return 2 ** this.rules.pages - 1;
  }

  isMapping(mm: number): boolean {
    for (let view = mm * this.rules.views; view < (mm + 1) * this.rules.views; view++) {
      if (this.present[view] !== 0 || this.leaf[view] !== 0) return true;
    }
    return false;
  }

  /** Entries of every mm. */
  entriesOfMms(): number[] {
    const entries = Array<number>(this.rules.mms).fill(0);
    for (let view = 0; view < this.present.length; view++) {
      entries[Math.floor(view / this.rules.views)] += bitCount(this.present[view]) + this.leaf[view];
    }
    return entries;
  }

  isGoneAnywhere(): boolean {
    return this.gone.some((mask) => mask !== 0);
  }

  copyFrom(other: Life): void {
    for (let view = 0; view < this.present.length; view++) {
      this.present[view] = other.present[view];
      this.leaf[view] = other.leaf[view];
    }
    for (let mm = 0; mm < this.gone.length; mm++) this.gone[mm] = other.gone[mm];
    this.exclusive = other.exclusive;
    this.goneExclusive = other.goneExclusive;
    const { slots } = this;
    slots.entries[0] = other.slots.entries[0];
    slots.ownerA[0] = other.slots.ownerA[0];
    slots.ownerB[0] = other.slots.ownerB[0];
    slots.entriesA[0] = other.slots.entriesA[0];
    slots.entriesB[0] = other.slots.entriesB[0];
    slots.sharedBit[0] = other.slots.sharedBit[0];
  }

  /** PTEs of this view appear, one batch for each run of consecutive pages. */
  map(view: number, mask: number): void {
    const mm = Math.floor(view / this.rules.views);
    for (const run of runsOf(mask)) this.slots.add(0, run, mm);
    this.present[view] |= mask;
  }

  /** PTEs of this view disappear. The exclusive flags of their pages stay as they are. */
  unmap(view: number, mask: number): void {
    const mm = Math.floor(view / this.rules.views);
    for (const run of runsOf(mask)) this.slots.subtract(0, run, mm);
    this.present[view] &= ~mask;
  }

  mapLeaf(view: number): void {
    this.slots.add(0, 1, Math.floor(view / this.rules.views));
    this.leaf[view] = 1;
  }

  unmapLeaf(view: number): void {
    this.slots.subtract(0, 1, Math.floor(view / this.rules.views));
    this.leaf[view] = 0;
  }
}

/** The folio's first moment: mapped whole and exclusively by one mm if anonymous, unmapped in the page cache if not. */
export function firstMoment(rules: LifeRules): Life {
  const life = new Life(rules);
  if (rules.kind === "file") return life;
  if (rules.pmd) {
    life.mapLeaf(0);
    life.exclusive = 1;
  } else {
    life.map(0, life.all);
    life.exclusive = life.all;
  }
  return life;
}

/** Calls `visit` with every state that one step can lead to. The argument is reused from call to call. */
export function forEachStep(from: Life, next: Life, visit: (next: Life) => void): void {
  const step = (change: () => void): void => {
    next.copyFrom(from);
    change();
    visit(next);
  };
  for (let mm = 0; mm < from.rules.mms; mm++) {
    if (from.rules.kind === "file") stepsOfFile(from, next, mm, step);
    else {
      stepsOfAnon(from, next, mm, step);
      stepsOfFork(from, next, mm, step);
      if (from.rules.movable) stepsOfMoving(from, next, mm, step);
    }
  }
}

type Step = (change: () => void) => void;

/** Any mm may map and unmap any range of a file at any time. A PMD entry of a file is not split but zapped. */
function stepsOfFile(from: Life, next: Life, mm: number, step: Step): void {
  const { views, pages, pmd } = from.rules;
  for (let view = mm * views; view < (mm + 1) * views; view++) {
    const present = from.present[view];
    if (from.leaf[view] === 1) {
      step(() => next.unmapLeaf(view));
      continue;
    }
    if (pmd && present === 0) step(() => next.mapLeaf(view));
    for (const range of rangesOf(pages)) {
      const fresh = range & ~present;
      if (spans(range, fresh)) step(() => next.map(view, fresh));
      const old = range & present;
      if (spans(range, old)) step(() => next.unmap(view, old));
    }
  }
}

/** munmap, MADV_DONTNEED, exit and the copy of a COW fault; the PMD split; the COW fault that reuses. */
function stepsOfAnon(from: Life, next: Life, mm: number, step: Step): void {
  if (from.leaf[mm] === 1) {
    step(() => next.unmapLeaf(mm));
    step(() => {
      next.map(mm, next.all);
      next.unmapLeaf(mm);
      next.exclusive = (from.exclusive & 1) === 1 ? next.all : from.exclusive;
    });
    // do_huge_pmd_wp_page: the only reference is this entry.
    if (from.slots.entries[0] === 1 && !from.isGoneAnywhere()) step(() => (next.exclusive |= 1));
    return;
  }
  const present = from.present[mm];
  const held = present | from.gone[mm];
  for (const range of rangesOf(from.rules.pages)) {
    if (!spans(range, range & held)) continue;
    step(() => {
      next.unmap(mm, range & present);
      next.goneExclusive &= ~(range & from.gone[mm]);
      next.gone[mm] &= ~range;
    });
  }
  // canReuseLarge: several entries, the raw bit clear, no reference but the entries (no swap cache, no migration).
  const reusable = from.slots.entries[0] > 1 && from.slots.sharedBit[0] === 0 && !from.isGoneAnywhere();
  if (!reusable) return;
  for (let page = 1; page <= from.all; page *= 2) {
    if ((present & page) !== 0) step(() => (next.exclusive |= page));
  }
}

/** fork copies what the parent maps and holds, and takes exclusiveness from what it copies. */
function stepsOfFork(from: Life, next: Life, parent: number, step: Step): void {
  const { mms, pages, partialForks } = from.rules;
  for (let child = 0; child < mms; child++) {
    if (child === parent || from.leaf[child] === 1) continue;
    const present = from.present[parent];
    const gone = from.gone[parent];
    const inChild = from.present[child] | from.gone[child];
    if (from.leaf[parent] === 1) {
      if (inChild !== 0) continue;
      step(() => {
        next.mapLeaf(child);
        next.exclusive &= ~1;
      });
      continue;
    }
    const ranges = partialForks ? rangesOf(pages) : inChild === 0 ? [from.all] : [];
    for (const range of ranges) {
      const copied = range & (present | gone) & ~inChild;
      if (copied === 0) continue;
      step(() => {
        next.map(child, copied & present);
        next.exclusive &= ~(copied & present);
        next.gone[child] |= copied & gone;
        next.goneExclusive &= ~(copied & gone);
      });
    }
  }
}

/** Reclaim and migration take entries one by one; faults and the end of a migration bring them back. */
function stepsOfMoving(from: Life, next: Life, mm: number, step: Step): void {
  const present = from.present[mm];
  const gone = from.gone[mm];
  for (let page = 1; page <= from.all; page *= 2) {
    if ((present & page) === 0) continue;
    step(() => {
      next.unmap(mm, page);
      next.gone[mm] |= page;
      next.goneExclusive |= from.exclusive & page;
      next.exclusive &= ~page;
    });
  }
  for (const range of rangesOf(from.rules.pages)) {
    if ((gone & range) !== range) continue;
    const back = (): void => {
      next.map(mm, range);
      next.gone[mm] &= ~range;
      next.exclusive |= from.goneExclusive & range;
      next.goneExclusive &= ~range;
    };
    step(back);
    // do_swap_page: nobody else holds the folio, the swap cache is dropped, one reference is left.
    const others = from.gone.some((mask, other) => (other === mm ? mask & ~range : mask) !== 0);
    if (from.slots.entries[0] !== 0 || others) continue;
    step(() => {
      back();
      next.exclusive |= range;
    });
  }
}

/** Masks of all ranges of consecutive pages. */
function rangesOf(pages: number): readonly number[] {
  const known = RANGES.get(pages);
  if (known !== undefined) return known;
  const ranges: number[] = [];
  for (let first = 0; first < pages; first++) {
    for (let end = first + 1; end <= pages; end++) ranges.push(2 ** end - 2 ** first);
  }
  RANGES.set(pages, ranges);
  return ranges;
}

const RANGES = new Map<number, readonly number[]>();

/** `part` has the first and the last page of `range`: no shorter range does the same. */
function spans(range: number, part: number): boolean {
  const last = 2 ** (31 - Math.clz32(range));
  return (part & (range & -range)) !== 0 && (part & last) !== 0;
}

/** Lengths of the runs of consecutive pages in a mask. */
function runsOf(mask: number): readonly number[] {
  const known = RUNS[mask];
  if (known !== undefined) return known;
  const runs: number[] = [];
  let length = 0;
  for (let page = 1; page <= mask * 2; page *= 2) {
    if ((mask & page) !== 0) length++;
    else if (length > 0) {
      runs.push(length);
      length = 0;
    }
  }
  RUNS[mask] = runs;
  return runs;
}

const RUNS: (readonly number[] | undefined)[] = [];

/** States as numbers, the same number for states that differ by a renaming of address spaces. */
export class LifeCode {
  private readonly rules: LifeRules;
  private readonly masks: number;
  private readonly counts: number;
  /** Codes of one mm. */
  private readonly base: number;
  private readonly codes: number[];

  constructor(rules: LifeRules) {
    this.rules = rules;
    this.masks = 2 ** rules.pages;
    this.counts = rules.views * (rules.pages + (rules.pmd ? 1 : 0)) + 1;
    this.codes = Array<number>(rules.mms).fill(0);
    const { masks } = this;
    const views = (masks * (rules.pmd ? 2 : 1)) ** rules.views;
    this.base = views * (rules.movable ? masks : 1) * 3 * this.counts;
    const flags = rules.kind === "anon" ? masks * (rules.movable ? masks : 1) * 2 : 2;
    if (this.base ** rules.mms * flags > Number.MAX_SAFE_INTEGER) throw new Error(`${rules.name} has too many states`);
  }

  encode(life: Life): number {
    const { rules, masks, codes, counts } = this;
    for (let mm = 0; mm < rules.mms; mm++) {
      let code = 0;
      for (let view = mm * rules.views; view < (mm + 1) * rules.views; view++) {
        code = code * masks + life.present[view];
        if (rules.pmd) code = code * 2 + life.leaf[view];
      }
      if (rules.movable) code = code * masks + life.gone[mm];
      const slot = life.slots.ownerA[0] === mm + 1 ? SLOT_A : life.slots.ownerB[0] === mm + 1 ? SLOT_B : SLOT_NONE;
      const count = slot === SLOT_A ? life.slots.entriesA[0] : slot === SLOT_B ? life.slots.entriesB[0] : 0;
      codes[mm] = (code * 3 + slot) * counts + count;
    }
    codes.sort((a, b) => a - b);
    let key = 0;
    for (let mm = 0; mm < rules.mms; mm++) key = key * this.base + codes[mm];
    key = key * 2 + life.slots.sharedBit[0];
    if (rules.kind === "anon") {
      key = key * masks + life.exclusive;
      if (rules.movable) key = key * masks + life.goneExclusive;
    }
    return key;
  }

  decode(key: number, life: Life): void {
    const { rules, masks, counts } = this;
    const { slots } = life;
    let rest = key;
    const take = (radix: number): number => {
      const digit = rest % radix;
      rest = (rest - digit) / radix;
      return digit;
    };
    life.goneExclusive = rules.kind === "anon" && rules.movable ? take(masks) : 0;
    life.exclusive = rules.kind === "anon" ? take(masks) : 0;
    slots.sharedBit[0] = take(2);
    slots.ownerA[0] = slots.ownerB[0] = NO_OWNER;
    slots.entriesA[0] = slots.entriesB[0] = 0;
    let total = 0;
    for (let mm = rules.mms - 1; mm >= 0; mm--) {
      const count = take(counts);
      const slot = take(3);
      if (slot === SLOT_A) {
        slots.ownerA[0] = mm + 1;
        slots.entriesA[0] = count;
      } else if (slot === SLOT_B) {
        slots.ownerB[0] = mm + 1;
        slots.entriesB[0] = count;
      }
      life.gone[mm] = rules.movable ? take(masks) : 0;
      for (let view = (mm + 1) * rules.views - 1; view >= mm * rules.views; view--) {
        life.leaf[view] = rules.pmd ? take(2) : 0;
        life.present[view] = take(masks);
        total += life.leaf[view] + bitCount(life.present[view]);
      }
    }
    slots.entries[0] = total;
  }
}

/** Pages in a mask. */
export function bitCount(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/**
 * `three-state`: not mapped, mapped exactly once, possibly mapped more than once (Matthew Wilcox, 19 December 2021).
 *
 * Kept on the head page; several entries of one VMA count once. A first VMA leads from "not mapped" to "once", a second
 * to "possibly more". From "once" the removal of that VMA's last entry leads back. From "possibly more" no removal leads
 * anywhere: who would know that it was the last? Only an rmap walk that somebody has just made may store what it found.
 *
 *     not mapped  <-->  once  -->  possibly more
 *          ^              ^              |
 *          +--------------+--------------+   a full rmap walk (`learn`)
 *
 * What it says: "not mapped" lets migration and truncation skip the walk. What it cannot say: anything at "possibly more",
 * not even that the folio is still mapped; and at "once", how many of the references are mappings, since every entry holds
 * one. Linus' objection: even "exactly once" says nothing of references that are not mappings.
 */
import type { Level } from "../kernel/index.ts";
import { entriesOfBatch } from "../kernel/index.ts";
import type { Counter, CounterContext } from "./counter.ts";
import { ATOMICS, LOADS } from "./meter.ts";
import { canReuseLastReference, extraReferencesOf, pinnedOf } from "./reference-answers.ts";
import type { RmapFindings } from "./rmap-findings.ts";
import { type Answer, NO, type Scheme, UNKNOWN, UNKNOWN_COUNT, YES } from "./scheme.ts";
import { answerUnknownAtRest } from "./unknown-at-rest.ts";
import { isMappedInVma, isOneEntryPerVma, pageTablesOf } from "./vma-look.ts";
import { LAST_REFERENCE_STEPS } from "./kernel-steps.ts";
import { VMA_LOOK_STEPS } from "./vma-look-steps.ts";

const NOT_MAPPED = 0;
const ONCE = 1;
const POSSIBLY_MORE = 2;

class ThreeStateCounter implements Counter {
  private readonly context: CounterContext;
  private readonly state: Uint8Array;
  /** The mappings' part of the reference count, which the state does not tell. */
  private readonly references: Int32Array;

  constructor(context: CounterContext) {
    this.context = context;
    pageTablesOf(context, "three-state");
    this.state = new Uint8Array(context.frameCount);
    this.references = new Int32Array(context.frameCount);
  }

  add(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, _mm: number): void {
    this.changeReferences(folio, entriesOfBatch(pageCount, level));
    if (this.state[folio] === NOT_MAPPED) this.become(folio, ONCE);
    else if (
      this.state[folio] === ONCE &&
      !isMappedInVma(this.context, folio, vma, { first, pageCount, level, table })
    ) {
      this.become(folio, POSSIBLY_MORE);
    }
  }

  remove(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, _mm: number): void {
    this.changeReferences(folio, -entriesOfBatch(pageCount, level));
    if (this.state[folio] === ONCE && !isMappedInVma(this.context, folio, vma, { first, pageCount, level, table })) {
      this.become(folio, NOT_MAPPED);
    }
  }

  /** Entries of the only VMA go to another: one VMA again if they were its last. */
  move(
    folio: number,
    first: number,
    pageCount: number,
    level: Level,
    fromTable: number,
    fromVma: number,
    _toTable: number,
    toVma: number,
    _mm: number,
  ): void {
    if (this.state[folio] !== ONCE || fromVma === toVma) return;
    if (isMappedInVma(this.context, folio, fromVma, { first, pageCount, level, table: fromTable }))
      this.become(folio, POSSIBLY_MORE);
  }

  freed(folio: number): void {
    this.state[folio] = NOT_MAPPED;
  }

  learn(folio: number, { vmas }: RmapFindings): void {
    if (this.state[folio] === POSSIBLY_MORE) this.become(folio, Math.min(vmas, POSSIBLY_MORE));
  }

  private become(folio: number, state: number): void {
    this.state[folio] = state;
    this.context.meter?.charge(ATOMICS, 1);
  }

  private changeReferences(folio: number, entries: number): void {
    this.references[folio] += entries;
    this.context.meter?.chargeReferences();
    this.context.meter?.charge(LOADS, 1);
    this.context.meter?.chargeLines(0, 1, 1);
  }

  mapped(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    if (this.state[folio] === NOT_MAPPED) return NO;
    return this.state[folio] === ONCE ? YES : UNKNOWN;
  }

  mappings(folio: number): number {
    this.context.meter?.charge(LOADS, 1);
    return this.state[folio] === POSSIBLY_MORE ? UNKNOWN_COUNT : this.state[folio];
  }

  pageMapcount(folio: number, _pageIndex: number): number {
    this.context.meter?.charge(LOADS, 1);
    if (this.state[folio] === NOT_MAPPED) return 0;
    return this.state[folio] === ONCE && isOneEntryPerVma(this.context, folio) ? 1 : UNKNOWN_COUNT;
  }

  others(folio: number, _mm: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.state[folio] === POSSIBLY_MORE ? UNKNOWN : NO;
  }

  otherVmas(folio: number, _vma: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.state[folio] === POSSIBLY_MORE ? UNKNOWN : NO;
  }

  isMaybeMappedShared(folio: number): boolean {
    this.context.meter?.charge(LOADS, 1);
    return this.state[folio] === POSSIBLY_MORE;
  }

  partial(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.state[folio] === NOT_MAPPED || this.context.orders[folio] === 0 ? NO : UNKNOWN;
  }

  canReuse(folio: number, _mm: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return canReuseLastReference(this.context.references, folio, this.references[folio]);
  }

  stopWalk(folio: number, found: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    if (this.state[folio] === POSSIBLY_MORE) return UNKNOWN;
    return found >= this.state[folio] ? YES : NO;
  }

  /** Known where the number of entries is: none, or one entry of a small folio. */
  extraReferences(folio: number): number {
    this.context.meter?.charge(LOADS, 2);
    const isKnown =
      this.state[folio] === NOT_MAPPED || (this.state[folio] === ONCE && isOneEntryPerVma(this.context, folio));
    return isKnown ? extraReferencesOf(this.context.references, folio) : UNKNOWN_COUNT;
  }

  pinned(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    const { references, orders } = this.context;
    return pinnedOf(references, folio, { order: orders[folio], mappingReferences: this.references[folio] });
  }

  mappingReferences(folio: number): number {
    return this.references[folio];
  }

  statisticsPages(folio: number): number {
    if (this.state[folio] === POSSIBLY_MORE) return UNKNOWN_COUNT;
    return this.state[folio] === NOT_MAPPED ? 0 : 2 ** this.context.orders[folio];
  }
}

/**
 * The mail of 2021 says nothing of locks. The state goes forward and back by compare and exchange, and the look into the VMA's
 * tables is that of `vma` with the remedy that holds, their locks taken beforehand in the order of addresses (REMEDY 3).
 * `walk_found(n)` is the store of an rmap walk that found n VMAs: nothing in the mail keeps others from mapping meanwhile.
 */
const STEPS = `
const REMEDY = 3
const NOT_MAPPED = 0
const ONCE = 1
const POSSIBLY_MORE = 2
word times_mapped: 0..2
${VMA_LOOK_STEPS}
procedure add(first, n, level, m, v) {
  loop {
    let state = load times_mapped
    if state == POSSIBLY_MORE { return 1 }
    if state == NOT_MAPPED {
      let done = cas times_mapped, NOT_MAPPED, ONCE
      if done { return 1 }
    } else {
      let has: 0..2 = 0
      if n < PAGES { has = folio_has_ptes(m, v, tableOf(first)) }
      if has == GIVE_UP { return 0 }
      if has { return 1 }
      let done = cas times_mapped, ONCE, POSSIBLY_MORE
      if done { return 1 }
    }
  }
}

procedure remove(first, n, level, m, v) {
  let state = load times_mapped
  if state == ONCE {
    let has: 0..2 = 0
    if n < PAGES { has = folio_has_ptes(m, v, tableOf(first)) }
    if has == GIVE_UP { return 0 }
    # Not done: another VMA came, and what was once is possibly more.
    if !has {
      let done = cas times_mapped, ONCE, NOT_MAPPED
    }
  }
  return 1
}

# The same VMA before and after.
procedure split_pmd(m, v) { }

procedure walk_found(n) {
  if n < POSSIBLY_MORE {
    let done = cas times_mapped, POSSIBLY_MORE, n
  }
}

procedure mapped() {
  let state = load times_mapped
  if state == POSSIBLY_MORE { return UNKNOWN }
  return state == ONCE ? YES : NO
}

procedure mappings() {
  let state = load times_mapped
  return state == POSSIBLY_MORE ? NO_COUNT : state
}

procedure pageMapcount(p) {
  let state = load times_mapped
  if state == NOT_MAPPED { return 0 }
  return state == ONCE && PAGES == 1 ? 1 : NO_COUNT
}

procedure others(m, v) {
  let state = load times_mapped
  return state == POSSIBLY_MORE ? UNKNOWN : NO
}

procedure partial() {
  let state = load times_mapped
  return state == NOT_MAPPED || PAGES == 1 ? NO : UNKNOWN
}
${LAST_REFERENCE_STEPS}
quiet counts: times_mapped == POSSIBLY_MORE || times_mapped == areas()
`;

export const threeState: Scheme = {
  id: "three-state",
  title: "not mapped, mapped once, possibly more",
  origin: "Matthew Wilcox, December 2021",
  shownByDefault: false,
  stateBits: { perFolio: 2, perPage: 0 },
  smallFolios: "as-large",
  unit: "vmas",
  leafEntries: "any-part",
  looksIntoPageTables: true,
  guarantees: {
    mapped: "exact-or-unknown",
    mappings: "exact-or-unknown",
    pageMapcount: "exact-or-unknown",
    others: "exact-or-unknown",
    otherVmas: "exact-or-unknown",
    partial: "exact-or-unknown",
    canReuse: "one-sided",
    stopWalk: "exact-or-unknown",
    extraReferences: "exact-or-unknown",
    pinned: "one-sided",
  },
  rules: { privateBy: "folio-sharing", statistics: "whole-folio" },
  steps: STEPS,
  createCounter: (context) => new ThreeStateCounter(context),
  answerAtRest: answerUnknownAtRest,
};

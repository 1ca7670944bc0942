/**
 * `troll`: Zero, One, Two, Many (Matthew Wilcox, 27 January 2022): counting in a Discworld troll manner.
 *
 * The count is of VMAs with at least one entry, PMD or PTE alike, and saturates: Two goes to One and One to Zero when a
 * VMA's last entry goes, but Many stays Many. Only an rmap walk that finds fewer stores what it found. Each state holds
 * that many references, so a folio has at most three by mapping, and no process can overflow the reference count.
 * Whether an entry is a VMA's first or last needs a look at that VMA, unless the batch covers the folio (vma-look.ts).
 *
 * What it cannot say: at Many anything. Its own author names the early stop of rmap walks; also whether the folio is mapped
 * at all, and so Many keeps its three references when all mappings are gone, until somebody walks. And the unit is the
 * VMA: two VMAs of one address space look like two address spaces.
 */
import type { Level } from "../kernel/index.ts";
import type { Counter, CounterContext } from "./counter.ts";
import { ATOMICS, LOADS } from "./meter.ts";
import { canReuseLastReference, extraReferencesOf, pinnedOf } from "./reference-answers.ts";
import type { RmapFindings } from "./rmap-findings.ts";
import { type Answer, NO, type Scheme, UNKNOWN, UNKNOWN_COUNT, YES } from "./scheme.ts";
import { answerUnknownAtRest } from "./unknown-at-rest.ts";
import { isMappedInVma, isOneEntryPerVma, pageTablesOf } from "./vma-look.ts";
import { LAST_REFERENCE_STEPS } from "./kernel-steps.ts";
import { VMA_LOOK_STEPS } from "./vma-look-steps.ts";

const ZERO = 0;
const ONE = 1;
/** Three and more. */
const MANY = 3;

class TrollCounter implements Counter {
  private readonly context: CounterContext;
  private readonly state: Uint8Array;

  constructor(context: CounterContext) {
    this.context = context;
    pageTablesOf(context, "troll");
    this.state = new Uint8Array(context.frameCount);
  }

  add(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, _mm: number): void {
    this.chargeLoad();
    if (this.state[folio] < MANY && !isMappedInVma(this.context, folio, vma, { first, pageCount, level, table }))
      this.gain(folio);
  }

  remove(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, _mm: number): void {
    this.chargeLoad();
    if (this.state[folio] < MANY && !isMappedInVma(this.context, folio, vma, { first, pageCount, level, table }))
      this.lose(folio);
  }

  /** One VMA loses its last entry before the other gains its first: Two does not pass through Many. */
  move(
    folio: number,
    first: number,
    pageCount: number,
    level: Level,
    fromTable: number,
    fromVma: number,
    toTable: number,
    toVma: number,
    _mm: number,
  ): void {
    if (this.state[folio] === MANY || fromVma === toVma) return;
    if (!isMappedInVma(this.context, folio, fromVma, { first, pageCount, level, table: fromTable })) this.lose(folio);
    if (!isMappedInVma(this.context, folio, toVma, { first, pageCount, level, table: toTable })) this.gain(folio);
  }

  freed(folio: number): void {
    this.state[folio] = ZERO;
  }

  learn(folio: number, { vmas }: RmapFindings): void {
    if (this.state[folio] !== MANY || vmas >= MANY) return;
    this.state[folio] = vmas;
    this.chargeChange();
  }

  private gain(folio: number): void {
    this.state[folio] += 1;
    this.chargeChange();
  }

  private lose(folio: number): void {
    this.state[folio] -= 1;
    this.chargeChange();
  }

  private chargeLoad(): void {
    this.context.meter?.charge(LOADS, 1);
    this.context.meter?.chargeLines(0, 1, 1);
  }

  /** The state and the references that it holds. */
  private chargeChange(): void {
    this.context.meter?.charge(ATOMICS, 1);
    this.context.meter?.chargeReferences();
  }

  mapped(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    if (this.state[folio] === MANY) return UNKNOWN;
    return this.state[folio] === ZERO ? NO : YES;
  }

  mappings(folio: number): number {
    this.context.meter?.charge(LOADS, 1);
    return this.state[folio] === MANY ? UNKNOWN_COUNT : this.state[folio];
  }

  pageMapcount(folio: number, _pageIndex: number): number {
    this.context.meter?.charge(LOADS, 1);
    const state = this.state[folio];
    if (state === ZERO) return 0;
    return state < MANY && isOneEntryPerVma(this.context, folio) ? state : UNKNOWN_COUNT;
  }

  others(folio: number, _mm: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return sharedOfTroll(this.state[folio]);
  }

  otherVmas(folio: number, _vma: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return sharedOfTroll(this.state[folio]);
  }

  isMaybeMappedShared(folio: number): boolean {
    this.context.meter?.charge(LOADS, 1);
    return this.state[folio] > ONE;
  }

  partial(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.state[folio] === ZERO || this.context.orders[folio] === 0 ? NO : UNKNOWN;
  }

  canReuse(folio: number, _mm: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return canReuseLastReference(this.context.references, folio, this.state[folio]);
  }

  stopWalk(folio: number, found: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    if (this.state[folio] === MANY) return UNKNOWN;
    return found >= this.state[folio] ? YES : NO;
  }

  /** Exact at Many too: how many references the state holds is known, whatever it counts. */
  extraReferences(folio: number): number {
    this.context.meter?.charge(LOADS, 2);
    return extraReferencesOf(this.context.references, folio);
  }

  /** With at most three references by mapping, oh_yes_page_is_most_definitely_dma_pinned (John Hubbard's wish). */
  pinned(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    const { references, orders } = this.context;
    return pinnedOf(references, folio, { order: orders[folio], mappingReferences: this.state[folio] });
  }

  mappingReferences(folio: number): number {
    return this.state[folio];
  }

  statisticsPages(folio: number): number {
    if (this.state[folio] === MANY) return UNKNOWN_COUNT;
    return this.state[folio] === ZERO ? 0 : 2 ** this.context.orders[folio];
  }
}

function sharedOfTroll(state: number): Answer {
  if (state <= ONE) return NO;
  return state === MANY ? UNKNOWN : YES;
}

/**
 * The mail of January 2022 says nothing of locks. The count changes by compare and exchange, since Many must be left alone, and
 * the look into the VMA's tables is that of `vma` with the remedy that holds, their locks taken beforehand in the order of
 * addresses (REMEDY 3). `walk_found(n)` is the store of an rmap walk that found n VMAs.
 */
const STEPS = `
const REMEDY = 3
const UNIT_REFERENCES = 0       # 1: each state holds that many references, and entries hold none
const MANY = 3
word troll_count: 0..3
${VMA_LOOK_STEPS}
procedure gain() {
  loop {
    let count = load troll_count
    if count == MANY { return 0 }
    let done = cas troll_count, count, count + 1
    if done {
      if UNIT_REFERENCES { add refcount, 1 }
      return 1
    }
  }
}

procedure lose() {
  loop {
    let count = load troll_count
    if count == MANY { return 0 }
    let done = cas troll_count, count, count - 1
    if done {
      if UNIT_REFERENCES { add refcount, -1 }
      return 1
    }
  }
}

procedure add(first, n, level, m, v) {
  let count = load troll_count
  if count == MANY { return 1 }
  let has: 0..2 = 0
  if n < PAGES { has = folio_has_ptes(m, v, tableOf(first)) }
  if has == GIVE_UP { return 0 }
  if !has { gain() }
  return 1
}

procedure remove(first, n, level, m, v) {
  let count = load troll_count
  if count == MANY { return 1 }
  let has: 0..2 = 0
  if n < PAGES { has = folio_has_ptes(m, v, tableOf(first)) }
  if has == GIVE_UP { return 0 }
  if !has { lose() }
  return 1
}

# The same VMA before and after.
procedure split_pmd(m, v) { }

# Many is left by a walk that found fewer, which corrects the references too.
procedure walk_found(n) {
  if n < MANY {
    let done = cas troll_count, MANY, n
    if done && UNIT_REFERENCES { add refcount, n - MANY }
  }
}

procedure mapped() {
  let count = load troll_count
  if count == MANY { return UNKNOWN }
  return count > 0 ? YES : NO
}

procedure mappings() {
  let count = load troll_count
  return count == MANY ? NO_COUNT : count
}

procedure pageMapcount(p) {
  let count = load troll_count
  if count == 0 { return 0 }
  return count < MANY && PAGES == 1 ? count : NO_COUNT
}

procedure others(m, v) {
  let count = load troll_count
  if count == MANY { return UNKNOWN }
  return count > 1 ? YES : NO
}

procedure partial() {
  let count = load troll_count
  return count == 0 || PAGES == 1 ? NO : UNKNOWN
}
${LAST_REFERENCE_STEPS}
quiet counts: troll_count == MANY || troll_count == areas()
`;

export const troll: Scheme = {
  id: "troll",
  title: "Zero, One, Two, Many VMAs",
  origin: "Matthew Wilcox, January 2022",
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
    others: "one-sided",
    otherVmas: "exact-or-unknown",
    partial: "exact-or-unknown",
    canReuse: "one-sided",
    stopWalk: "exact-or-unknown",
    extraReferences: "exact",
    pinned: "one-sided",
  },
  rules: { privateBy: "folio-sharing", statistics: "whole-folio" },
  steps: STEPS,
  createCounter: (context) => new TrollCounter(context),
  answerAtRest: answerUnknownAtRest,
};

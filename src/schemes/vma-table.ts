/**
 * `vma-table`: a count of (VMA, page table) pairs with at least one entry (Matthew Wilcox, 24 January 2023).
 *
 * "Constant state no matter how many pages": one count a folio. Whether a batch brings a new pair is seen in the page
 * table at hand, whose lock is held: no other lock, which is why the unit is the pair and not the VMA. The count is 1 for
 * most folios, 2 for one that straddles two page tables. A PMD entry's table is the PMD page, so a PMD split leaves it at
 * 1, and a PUD mapping of a 1 GiB folio that is split into PTEs adds 511. Each pair holds one reference.
 *
 * What it cannot say: "I have it mapped, does anybody else?" At 1, no. Above what one VMA can span, yes. Between, the
 * author gave up on it ten days later: at 2 it may be us twice or somebody else once, so ask the rmap. Nor does it know of
 * entries: no page's mapcount, no partial mapping.
 */
import { type FolioColumns, HPAGE_PMD_ORDER, type Level } from "../kernel/index.ts";
import type { Counter, CounterContext, PageTableView } from "./counter.ts";
import { ATOMICS, ENTRIES_EXAMINED, LOADS, TABLES_VISITED } from "./meter.ts";
import { canReuseLastReference, extraReferencesOf, pinnedOf } from "./reference-answers.ts";
import { type Answer, type AnswersAtRest, NO, type Scheme, UNKNOWN, UNKNOWN_COUNT, YES } from "./scheme.ts";
import { type LookingBatch, isOneEntryPerVma, lookInTable, pageTablesOf } from "./vma-look.ts";
import { LAST_REFERENCE_STEPS, OWN_TABLE_LOCK_STEPS } from "./kernel-steps.ts";

class VmaTableCounter implements Counter {
  private readonly context: CounterContext;
  private readonly pageTables: PageTableView;
  private readonly pairs: Int32Array;

  constructor(context: CounterContext) {
    this.context = context;
    this.pageTables = pageTablesOf(context, "vma-table");
    this.pairs = new Int32Array(context.frameCount);
  }

  add(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, _mm: number): void {
    this.chargeLook(folio, vma, { first, pageCount, level, table });
    if (this.pageTables.entriesOfTable(folio, vma, table) === 0) this.change(folio, 1);
  }

  remove(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, _mm: number): void {
    this.chargeLook(folio, vma, { first, pageCount, level, table });
    if (this.pageTables.entriesOfTable(folio, vma, table) === 0) this.change(folio, -1);
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
    _mm: number,
  ): void {
    if (fromTable === toTable && fromVma === toVma) return;
    this.chargeLook(folio, fromVma, { first, pageCount, level, table: fromTable });
    this.chargeLook(folio, toVma, { first, pageCount, level, table: toTable });
    if (this.pageTables.entriesOfTable(folio, fromVma, fromTable) === 0) this.change(folio, -1);
    if (this.pageTables.entriesOfTable(folio, toVma, toTable) === 0) this.change(folio, 1);
  }

  private change(folio: number, pairs: number): void {
    this.pairs[folio] += pairs;
    this.context.meter?.charge(ATOMICS, 1);
    this.context.meter?.chargeReferences();
    this.context.meter?.chargeLines(0, 1, 1);
  }

  /** For another of the folio's entries in the table at hand. */
  private chargeLook(folio: number, vma: number, batch: LookingBatch): void {
    const { meter } = this.context;
    if (meter === undefined) return;
    const { tables, entries } = lookInTable(this.context, folio, vma, batch);
    meter.charge(TABLES_VISITED, tables);
    meter.charge(ENTRIES_EXAMINED, entries);
  }

  mapped(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.pairs[folio] > 0 ? YES : NO;
  }

  mappings(folio: number): number {
    this.context.meter?.charge(LOADS, 1);
    return this.pairs[folio];
  }

  pageMapcount(folio: number, _pageIndex: number): number {
    this.context.meter?.charge(LOADS, 1);
    return this.pairs[folio] === 0 || isOneEntryPerVma(this.context, folio) ? this.pairs[folio] : UNKNOWN_COUNT;
  }

  others(folio: number, _mm: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return sharedOfPairs(this.pairs[folio], this.context.orders[folio]);
  }

  /** One VMA may have a KSM page in any number of tables. */
  otherVmas(folio: number, _vma: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    if (this.pairs[folio] > 1 && this.context.isKsm?.(folio) === true) return UNKNOWN;
    return sharedOfPairs(this.pairs[folio], this.context.orders[folio]);
  }

  isMaybeMappedShared(folio: number): boolean {
    this.context.meter?.charge(LOADS, 1);
    return this.pairs[folio] > 1;
  }

  partial(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.pairs[folio] === 0 || this.context.orders[folio] === 0 ? NO : UNKNOWN;
  }

  canReuse(folio: number, _mm: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return canReuseLastReference(this.context.references, folio, this.pairs[folio]);
  }

  stopWalk(folio: number, found: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return found >= this.pairs[folio] ? YES : NO;
  }

  extraReferences(folio: number): number {
    this.context.meter?.charge(LOADS, 2);
    return extraReferencesOf(this.context.references, folio);
  }

  pinned(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    const { references, orders } = this.context;
    return pinnedOf(references, folio, { order: orders[folio], mappingReferences: this.pairs[folio] });
  }

  mappingReferences(folio: number): number {
    return this.pairs[folio];
  }

  statisticsPages(folio: number): number {
    return this.pairs[folio] > 0 ? 2 ** this.context.orders[folio] : 0;
  }
}

/**
 * Page tables in which one VMA's mapping of a folio can have entries: one for each of its 512-page parts, and one more
 * where it straddles a boundary, or while a PMD or PUD entry is being split and is there beside its PTEs.
 */
export function mostTablesOfVma(order: number): number {
  return order === 0 ? 1 : 2 ** Math.max(0, order - HPAGE_PMD_ORDER) + 1;
}

function sharedOfPairs(pairs: number, order: number): Answer {
  if (pairs <= 1) return NO;
  return pairs > mostTablesOfVma(order) ? YES : UNKNOWN;
}

/** The look goes into the table at hand alone, whose lock is held. A PMD entry's table is the PMD page: a pair of its own. */
const STEPS = `
const UNIT_REFERENCES = 0       # 1: each pair holds one reference, and entries hold none
const MOST_TABLES = 2           # of one VMA: a folio up to PMD size straddles one boundary
word pairs: 0..2 * MMS * VMAS * (TABLES + 1)

procedure change_pairs(change) {
  add pairs, change
  if UNIT_REFERENCES { add refcount, change }
}

procedure table_has_ptes(m, v, t) {
  for q in firstOf(t)..endOf(t) {
    let present = load pte[m][v][q]
    if present { return 1 }
  }
  return 0
}

procedure add(first, n, level, m, v) {
  let has: bool = 0
  if level == PTE && n < PAGES { has = table_has_ptes(m, v, tableOf(first)) }
  if !has { change_pairs(1) }
  return 1
}

procedure remove(first, n, level, m, v) {
  let has: bool = 0
  if level == PTE && n < PAGES { has = table_has_ptes(m, v, tableOf(first)) }
  if !has { change_pairs(-1) }
  return 1
}

# The pair with the PMD page goes, that with the table of PTEs comes.
procedure split_pmd(m, v) {
  change_pairs(1)
  change_pairs(-1)
}
${OWN_TABLE_LOCK_STEPS}
procedure mapped() {
  let count = load pairs
  return count > 0 ? YES : NO
}

procedure mappings() {
  let count = load pairs
  return count
}

procedure pageMapcount(p) {
  let count = load pairs
  return count == 0 || PAGES == 1 ? count : NO_COUNT
}

procedure others(m, v) {
  let count = load pairs
  if count <= 1 { return NO }
  return count > (PAGES == 1 ? 1 : MOST_TABLES) ? YES : UNKNOWN
}

procedure partial() {
  let count = load pairs
  return count == 0 || PAGES == 1 ? NO : UNKNOWN
}
${LAST_REFERENCE_STEPS}
define hasPair(m, v, t) = any(q in page: tableOf(q) == t && pte[m][v][q])
define tablesOf(m, v) = pmd[m][v] + count(t in table: hasPair(m, v, t))
quiet counts: pairs == sum(o in mm: sum(w in area: tablesOf(o, w)))
`;

export const vmaTable: Scheme = {
  id: "vma-table",
  title: "a count of pairs of a VMA and a page table",
  origin: "Matthew Wilcox, 24 January 2023",
  shownByDefault: false,
  stateBits: { perFolio: 32, perPage: 0 },
  smallFolios: "as-large",
  unit: "tables",
  leafEntries: "any-part",
  looksIntoPageTables: true,
  guarantees: {
    mapped: "exact",
    mappings: "exact",
    pageMapcount: "exact-or-unknown",
    others: "one-sided",
    otherVmas: "exact-or-unknown",
    partial: "exact-or-unknown",
    canReuse: "one-sided",
    stopWalk: "exact",
    extraReferences: "exact",
    pinned: "one-sided",
  },
  rules: { privateBy: "folio-sharing", statistics: "whole-folio" },
  steps: STEPS,
  createCounter: (context) => new VmaTableCounter(context),
  /** At least one pair an address space, and one entry is one pair; how tables divide the rest is not in the columns. */
  answerAtRest(folios: FolioColumns, answers: AnswersAtRest): void {
    for (let row = 0; row < folios.count; row++) {
      const order = folios.order[row];
      const entries = folios.entries[row] + folios.mappedOutside[row];
      answers.pageMapcount[row] = -1;
      if (entries <= 1) answers.shared[row] = NO;
      else answers.shared[row] = folios.mmCount[row] > mostTablesOfVma(order) ? YES : UNKNOWN;
      answers.partial[row] = UNKNOWN;
    }
  },
};

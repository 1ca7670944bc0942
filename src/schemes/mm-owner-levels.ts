/**
 * `mm-owner-levels`: goal (a) of "Towards removing CONFIG_PAGE_MAPCOUNT" (David Hildenbrand, LSF/MM/BPF topic of 2026).
 *
 * "Support mapping of folios > PMD through PMDs: we'll primarily have to split folio->_entire_mapcount into
 * folio->_pmd_mapcount and folio->_pud_mapcount." As `mm-owner` with these two counts, so that a folio of 1 GiB may be
 * mapped by PTEs, by PMD entries of 512 pages each and by a PUD entry, all at once. Pages mapped follow from the counts:
 *
 *     pages = PTEs + 512 * PMD entries + 262144 * PUD entries, with PTEs = entries - PMD entries - PUD entries
 *
 * The average is that over the folio's pages; it is the one of `mapped-pages`, from three words instead of two. An entry
 * that maps the whole folio excludes a partial mapping for certain, which `mapped-pages` cannot see. What several address
 * spaces cover together is missed as in `mm-owner`.
 */
import {
  type FolioColumns,
  HPAGE_PMD_NR,
  HPAGE_PMD_ORDER,
  HPAGE_PUD_NR,
  type Level,
  LEVEL_PMD,
  LEVEL_PUD,
  averageOfMappedPages,
  entriesOfBatch,
} from "../kernel/index.ts";
import type { Counter, CounterContext } from "./counter.ts";
import { ATOMICS, LOADS } from "./meter.ts";
import { OwnerSlots, chargeOwnerSlots, sharedAtRest } from "./owner-slots.ts";
import { canReuseUnshared, extraReferencesOf, pinnedOf } from "./reference-answers.ts";
import { type Answer, type AnswersAtRest, NO, type Scheme, UNKNOWN, YES } from "./scheme.ts";
import { OWN_TABLE_LOCK_STEPS, SPLIT_PMD_STEPS } from "./kernel-steps.ts";
import { OWNER_SLOTS_STEPS } from "./owner-slots-steps.ts";

class MmOwnerLevelsCounter implements Counter {
  private readonly context: CounterContext;
  /** Small folios use `entries` alone, as their one mapcount. */
  private readonly slots: OwnerSlots;
  private readonly pmdMapcount: Int32Array;
  private readonly pudMapcount: Int32Array;
  private readonly isHugetlb: Uint8Array;

  constructor(context: CounterContext) {
    this.context = context;
    this.slots = new OwnerSlots(context.frameCount);
    this.pmdMapcount = new Int32Array(context.frameCount);
    this.pudMapcount = new Int32Array(context.frameCount);
    this.isHugetlb = new Uint8Array(context.frameCount);
  }

  add(folio: number, _first: number, pageCount: number, level: Level, _table: number, _vma: number, mm: number): void {
    if (level === LEVEL_PMD) this.pmdMapcount[folio] += 1;
    else if (level === LEVEL_PUD) this.pudMapcount[folio] += 1;
    const entries = entriesOfBatch(pageCount, level);
    if (this.hasSlots(folio)) this.slots.add(folio, entries, mm);
    else this.slots.entries[folio] += entries;
    this.charge(folio, level);
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
    if (level === LEVEL_PMD) this.pmdMapcount[folio] -= 1;
    else if (level === LEVEL_PUD) this.pudMapcount[folio] -= 1;
    const entries = entriesOfBatch(pageCount, level);
    if (this.hasSlots(folio)) this.slots.subtract(folio, entries, mm);
    else this.slots.entries[folio] -= entries;
    this.charge(folio, level);
  }

  created(folio: number, _order: number, isHugetlb: boolean): void {
    this.isHugetlb[folio] = isHugetlb ? 1 : 0;
  }

  freed(folio: number): void {
    this.isHugetlb[folio] = 0;
  }

  private hasSlots(folio: number): boolean {
    return this.context.orders[folio] > 0 && this.isHugetlb[folio] === 0;
  }

  private charge(folio: number, level: Level): void {
    const { meter, orders } = this.context;
    if (meter === undefined) return;
    if (this.hasSlots(folio)) chargeOwnerSlots(meter);
    else {
      meter.chargeReferences();
      meter.charge(ATOMICS, 1);
    }
    if (level === LEVEL_PMD || level === LEVEL_PUD) meter.charge(ATOMICS, 1);
    meter.chargeLines(0, 1, orders[folio] === 0 ? 1 : 2);
  }

  private mappedPages(folio: number): number {
    return pagesOfLevels(this.slots.entries[folio], {
      pmdEntries: this.pmdMapcount[folio],
      pudEntries: this.pudMapcount[folio],
    });
  }

  mapped(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return this.slots.entries[folio] > 0 ? YES : NO;
  }

  mappings(folio: number): number {
    this.context.meter?.charge(LOADS, 1);
    return this.slots.entries[folio];
  }

  pageMapcount(folio: number, _pageIndex: number): number {
    this.context.meter?.charge(LOADS, this.context.orders[folio] === 0 ? 1 : 3);
    return averageOfMappedPages(this.mappedPages(folio), this.context.orders[folio]);
  }

  others(folio: number, _mm: number): Answer {
    return this.isMaybeMappedShared(folio) ? YES : NO;
  }

  otherVmas(): Answer {
    return UNKNOWN;
  }

  isMaybeMappedShared(folio: number): boolean {
    this.context.meter?.charge(LOADS, this.context.orders[folio] === 0 ? 1 : 2);
    if (!this.hasSlots(folio)) return this.slots.entries[folio] > 1;
    return this.slots.maybeMappedShared(folio) === YES;
  }

  partial(folio: number): Answer {
    this.context.meter?.charge(LOADS, this.context.orders[folio] === 0 ? 1 : 3);
    const order = this.context.orders[folio];
    const isWhole = this.pudMapcount[folio] > 0 || (this.pmdMapcount[folio] > 0 && order <= HPAGE_PMD_ORDER);
    return partialOfLevels(this.mappedPages(folio), order, isWhole);
  }

  canReuse(folio: number, _mm: number): Answer {
    this.context.meter?.charge(LOADS, this.context.orders[folio] === 0 ? 1 : 3);
    const mappings = this.slots.entries[folio];
    const isShared = this.hasSlots(folio) ? this.slots.sharedBit[folio] === 1 : mappings > 1;
    const { references, orders } = this.context;
    return canReuseUnshared(references, folio, { order: orders[folio], mappings, isShared });
  }

  stopWalk(folio: number, found: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    return found >= this.slots.entries[folio] ? YES : NO;
  }

  extraReferences(folio: number): number {
    this.context.meter?.charge(LOADS, 2);
    return extraReferencesOf(this.context.references, folio);
  }

  pinned(folio: number): Answer {
    this.context.meter?.charge(LOADS, 1);
    const { references, orders } = this.context;
    return pinnedOf(references, folio, { order: orders[folio], mappingReferences: this.slots.entries[folio] });
  }

  mappingReferences(folio: number): number {
    return this.slots.entries[folio];
  }

  statisticsPages(folio: number): number {
    return this.slots.entries[folio] > 0 ? 2 ** this.context.orders[folio] : 0;
  }
}

function pagesOfLevels(
  entries: number,
  { pmdEntries, pudEntries }: { readonly pmdEntries: number; readonly pudEntries: number },
): number {
  return entries - pmdEntries - pudEntries + HPAGE_PMD_NR * pmdEntries + HPAGE_PUD_NR * pudEntries;
}

function partialOfLevels(pages: number, order: number, isWhole: boolean): Answer {
  if (pages === 0 || order === 0 || isWhole) return NO;
  return pages < 2 ** order ? YES : UNKNOWN;
}

/**
 * The checked folio is of PMD size at most, so `_pud_mapcount` stays 0 and is left out. PMD_PAGES is what the mean takes a
 * PMD entry for: here the checked folio's few pages, in the kernel 512.
 */
const STEPS = `
${OWNER_SLOTS_STEPS}
const PMD_PAGES = PAGES
word _pmd_mapcount: 0..2 * MMS * VMAS
ghost nr_mapped: -PAGES..2 * PAGES

procedure add(first, n, level, m, v) {
  let entries_added = level == PMD ? 1 : n
  if level == PMD { add _pmd_mapcount, 1 }
  let total = add_large(entries_added, m)
  if total == entries_added { ghost nr_mapped = nr_mapped + PAGES }
  return 1
}

procedure remove(first, n, level, m, v) {
  let entries_gone = level == PMD ? 1 : n
  if level == PMD { add _pmd_mapcount, -1 }
  let left = sub_large(entries_gone, m)
  if left == 0 { ghost nr_mapped = nr_mapped - PAGES }
  return 1
}
${SPLIT_PMD_STEPS}
${OWN_TABLE_LOCK_STEPS}
# Two words that do not change together: a reader between them may see more PMD entries than entries.
procedure mapped_pages() {
  let total = load _large_mapcount
  let pmds = load _pmd_mapcount
  return total - pmds + PMD_PAGES * pmds
}

procedure pageMapcount(p) {
  let pages = mapped_pages()
  if pages <= 0 { return 0 }
  return max((pages + PAGES / 2) / PAGES, 1)
}

procedure partial() {
  let total = load _large_mapcount
  if total == 0 { return NO }
  let pmds = load _pmd_mapcount
  if pmds > 0 { return NO }
  return total < PAGES ? YES : UNKNOWN
}

quiet counts: slotsFit() && _pmd_mapcount == pmdEntries()
quiet statistics: nr_mapped == (entries() > 0 ? PAGES : 0)
`;

export const mmOwnerLevels: Scheme = {
  id: "mm-owner-levels",
  title: "two owners and a shared bit, PMD and PUD entries counted apart",
  origin: "David Hildenbrand, LSF/MM/BPF topic of February 2026, goal (a)",
  shownByDefault: false,
  stateBits: { perFolio: 32 + 2 * 32 + 2 * 32 + 2 * 32, perPage: 0 },
  smallFolios: "mapcount",
  unit: "entries",
  leafEntries: "any-part",
  looksIntoPageTables: false,
  guarantees: {
    mapped: "exact",
    mappings: "exact",
    pageMapcount: "estimate",
    others: "one-sided",
    otherVmas: "unknown",
    partial: "one-sided",
    canReuse: "one-sided",
    stopWalk: "exact",
    extraReferences: "exact",
    pinned: "one-sided",
  },
  rules: { privateBy: "folio-sharing", statistics: "whole-folio" },
  steps: STEPS,
  createCounter: (context) => new MmOwnerLevelsCounter(context),
  answerAtRest(folios: FolioColumns, answers: AnswersAtRest): void {
    for (let row = 0; row < folios.count; row++) {
      const order = folios.order[row];
      const pages = folios.mappedPages[row] + folios.mappedOutside[row];
      const isWhole = folios.pmdEntries[row] > 0 && order <= HPAGE_PMD_ORDER;
      answers.pageMapcount[row] = averageOfMappedPages(pages, order);
      answers.shared[row] = sharedAtRest(folios, row);
      answers.partial[row] = partialOfLevels(pages, order, isWhole);
    }
  },
};

/**
 * A scheme at work: it hears every mapping event of a machine's folios and answers the questions about them.
 *
 * A folio is its head frame number, naturally aligned: page i of folio f is frame f + i, and state per page is indexed by
 * frame. `orders` is live: a frame that was freed, or whose folio was split while unmapped, comes back with another order,
 * and everything that a counter keeps about it is zero then. Whoever emits says `created` and `freed`.
 *
 * The batch in flight is in nobody's page tables: an `add` comes before its entries are visible in PageTableView, a
 * `remove` after they are gone, a `move` between. So a counter that looks sees the others of the folio.
 */
import type { Level, MappingEvents, WalkCosts } from "../kernel/index.ts";
import type { Meter } from "./meter.ts";
import type { RmapFindings } from "./rmap-findings.ts";
import type { Answer } from "./scheme.ts";

/** Called for each batch that a reverse map walk finds; false stops the walk. */
export type RmapVisitor = (
  first: number,
  pageCount: number,
  level: Level,
  table: number,
  vma: number,
  mm: number,
) => boolean;

/** Virtual pages: that of the folio's first page, also if it is outside of the VMA, and those of the VMA, [start, end). */
export interface FolioPlace {
  readonly first: number;
  readonly start: number;
  readonly end: number;
}

/** What the page tables themselves say, without the batch in flight. */
export interface PageTableView {
  /** Entries of this VMA that map a part of the folio. */
  entriesOfVma(folio: number, vma: number): number;
  /** Entries of this VMA in this page table that map a part of the folio. */
  entriesOfTable(folio: number, vma: number, table: number): number;
  /** Where the folio lies in this VMA. Absent or undefined: naturally aligned, all of it. */
  placeInVma?(folio: number, vma: number): FolioPlace | undefined;
  /**
   * The lowest page of the folio that an entry of this VMA maps, in this page table alone unless `table` is -1; -1: none.
   * Absent: looks for entries are charged in full (vma-look.ts).
   */
  lowestMapped?(folio: number, vma: number, table: number): number;
  /**
   * The reverse map walk: VMA after VMA, each one's entries in the order of pages. Adds to `costs` what it looks at as it
   * goes; a view that does not adds nothing, and the walk is then charged by what it finds (rmap-findings.ts).
   */
  walk(folio: number, visit: RmapVisitor, costs?: WalkCosts): void;
}

/** The reference count without the references that mappings hold. */
export interface ReferenceView {
  /** References of caches, pins (1 each of a large folio, 1,024 of a small one), isolation and everybody else. */
  references(folio: number): number;
  /** Those of the page cache, the swap cache and PG_private (kernel-facts 2.1, folio_expected_ref_count). */
  cacheReferences(folio: number): number;
  /** FOLL_PIN pins. */
  pins(folio: number): number;
}

/** What a counter is given. */
export interface CounterContext {
  /** Frames of the machine; folios are smaller numbers. */
  readonly frameCount: number;
  /** orders[head]: the order that the folio has now. */
  readonly orders: ArrayLike<number>;
  readonly pageTables?: PageTableView | undefined;
  readonly references?: ReferenceView | undefined;
  /** A KSM page: one VMA may map it at many addresses. Absent: there are none. */
  readonly isKsm?: ((folio: number) => boolean) | undefined;
  /** Absent: nothing is charged, and nothing is lost by it. */
  readonly meter?: Meter | undefined;
  /** Schemes with secret or random numbers draw them from this. */
  readonly seed?: number | undefined;
}

/** The scheme's state over a history of events. */
export interface Counter extends MappingEvents {
  /** fork: an `add` on behalf of the child. Absent: `add` does it. */
  dup?(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void;
  /**
   * The same entries go to another table or VMA of the same mm: mremap, VMAs split or merged. No entry appears or
   * disappears and no count per mm changes. Absent: nothing changes.
   */
  move?(
    folio: number,
    first: number,
    pageCount: number,
    level: Level,
    fromTable: number,
    fromVma: number,
    toTable: number,
    toVma: number,
    mm: number,
  ): void;
  /** A folio begins: allocated, or left by the split of a larger one. */
  created?(folio: number, order: number, isHugetlb: boolean): void;
  /** A folio ends: freed, or split. Its order is still known, its mappings are gone. */
  freed?(folio: number): void;
  /** A reverse map walk has just found all there is; a scheme that had lost count stores it. */
  learn?(folio: number, findings: RmapFindings): void;

  /** Is any page of the folio mapped? */
  mapped(folio: number): Answer;
  /** What the scheme counts (`unit`), entries where it counts entries; UNKNOWN_COUNT. */
  mappings(folio: number): number;
  /** Entries that map this page; UNKNOWN_COUNT. */
  pageMapcount(folio: number, pageIndex: number): number;
  /** Is the folio mapped by another address space than `mm`, which maps it? */
  others(folio: number, mm: number): Answer;
  /** Is it mapped by another VMA than `vma`, which maps it? */
  otherVmas(folio: number, vma: number): Answer;
  /** folio_maybe_mapped_shared, asked without an address space; true where the scheme cannot tell. */
  isMaybeMappedShared(folio: number): boolean;
  /** Is some page of the folio mapped and another not? */
  partial(folio: number): Answer;
  /**
   * May `mm`, which maps the anonymous folio and has just dropped it from the swap cache if that was possible, write to
   * it in place? What the scheme knows is put beside the reference count (kernel-facts 4.1).
   */
  canReuse(folio: number, mm: number): Answer;
  /** A walk has found so many of the scheme's `unit`: are these all? */
  stopWalk(folio: number, found: number): Answer;
  /** References that are neither mappings nor caches; UNKNOWN_COUNT. */
  extraReferences(folio: number): number;
  /** Is the folio pinned for DMA? */
  pinned(folio: number): Answer;
  /** References that mappings hold under this scheme: the reference count is these and ReferenceView's. */
  mappingReferences(folio: number): number;
  /** Pages this folio adds to AnonPages or Mapped; UNKNOWN_COUNT. */
  statisticsPages(folio: number): number;
}

/**
 * The words in struct page of the two schemes that Linux can be built with, as natural numbers: the kernel stores all but
 * nrPagesMapped minus one.
 */
export interface RawCounts {
  /** folio_mapcount: entries that map any part. */
  mapcount(folio: number): number;
  /** _large_mapcount; 0 for a small folio. */
  largeMapcount(folio: number): number;
  /** _entire_mapcount: PMD and PUD entries. */
  entireMapcount(folio: number): number;
  /** Pages with a PTE in _nr_pages_mapped, without ENTIRELY_MAPPED; -1: the configuration has no such word. */
  nrPagesMapped(folio: number): number;
  /** _mapcount in the struct page of this page: PTEs that map it, 0 where the configuration does not count them. */
  rawPageMapcount(folio: number, pageIndex: number): number;
  /** The raw bit, which may be set although folio_maybe_mapped_shared says no. */
  sharedBit(folio: number): boolean;
  /** The owner slots: mm and entries, mm and entries; mm -1 is a free slot. */
  owners(folio: number): readonly [number, number, number, number];
  /**
   * After a removal: does it put the anonymous folio on the deferred split queue (kernel-facts 2.4, 2.7)?
   * `statisticsBefore`: what statisticsPages said before the removal.
   */
  becamePartial(folio: number, statisticsBefore: number): boolean;
}

/**
 * What the running kernel knows about its mappings, as far as it is no decision.
 *
 * The model keeps the truth in page tables and emits events; whoever counts is given to it. One of those who count is
 * the kernel itself (CONFIG_PAGE_MAPCOUNT or CONFIG_NO_PAGE_MAPCOUNT). Its mapcount is a part of the reference count, which
 * says when a folio is freed; its statistics are printed. What the kernel decides from a count, errors included, is asked
 * of `KernelDecisions`.
 */
import type { Level, MappingEvents } from "../kernel/index.ts";

/** Everything that happens to mappings, told to those who count; folios are head frames. */
export interface MemoryEvents extends MappingEvents {
  /** Nobody who listens counts by table or VMA: the model need not look for entries to tell `move` of. */
  readonly ignoresMoves?: boolean;
  /** fork: an add on behalf of the child. */
  dup(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void;
  /** The same entries go to another table or VMA: mremap, and VMAs split or merged. No entry appears or disappears. */
  move(
    folio: number, first: number, pageCount: number, level: Level,
    fromTable: number, fromVma: number, toTable: number, toVma: number, mm: number,
  ): void; // prettier-ignore
  created(folio: number, order: number, isHugetlb: boolean): void;
  freed(folio: number): void;
}

/** What the kernel asks its own count, besides decisions. */
export interface KernelCounts {
  /** folio_mapcount: entries that map any part. */
  mapcount(folio: number): number;
  /** The raw flag: a large folio that has it does not give up its swap slots to be reused (trap 4). */
  sharedBit(folio: number): boolean;
  /** Pages that the folio adds to NR_ANON_MAPPED or NR_FILE_MAPPED (kernel-facts 2.6). */
  statisticsPages(folio: number): number;
  /**
   * After a removal from a large anonymous folio: does it go to the deferred split queue (kernel-facts 2.4)?
   * `statisticsBefore`: what statisticsPages said before the removal.
   */
  becamePartial(folio: number, statisticsBefore: number): boolean;
}

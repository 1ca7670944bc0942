/**
 * What the running kernel knows about its mappings, as far as the operations ask.
 *
 * The model keeps the truth in page tables and emits events; whoever counts is given to it. One of those who count is
 * the kernel itself (CONFIG_PAGE_MAPCOUNT or CONFIG_NO_PAGE_MAPCOUNT): its COW, madvise, split and reclaim decide by what
 * it has counted, errors included. This interface is the whole of what they ask.
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

/** What the kernel asks its own count. */
export interface KernelCounts {
  /** folio_mapcount: entries that map any part. */
  mapcount(folio: number): number;
  /** folio_entire_mapcount: PMD and PUD entries among them. */
  entireMapcount(folio: number): number;
  /** folio_maybe_mapped_shared (kernel-facts 2.1). */
  isMaybeMappedShared(folio: number): boolean;
  /** The raw flag: COW reuse looks at it and not at the function (trap 4). */
  sharedBit(folio: number): boolean;
  /** Pages that the folio adds to NR_ANON_MAPPED or NR_FILE_MAPPED (kernel-facts 2.6). */
  statisticsPages(folio: number): number;
  /**
   * After a removal from a large anonymous folio: does it go to the deferred split queue (kernel-facts 2.4)?
   * `statisticsBefore`: what statisticsPages said before the removal.
   */
  becamePartial(folio: number, statisticsBefore: number): boolean;
}

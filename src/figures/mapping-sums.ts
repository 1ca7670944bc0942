/**
 * Sums over what VMAs map: Rss, and under every scheme Pss, Private and exclusive entries.
 *
 * A table of 64-bit floats, one row a VMA (or whatever the caller sums by), fed with "so many pages of this class": by
 * the capture from histograms, by a model page by page. Pages, and Pss in units of 1/4096 byte (proportional-share.ts);
 * all sums are exact integers.
 *
 *     row   rss anon ksm file shmem hugetlb ...  | scheme 0: pss pssAnon ... mapmax | scheme 1: ...
 */
import { KIND_ANON, KIND_FILE, KIND_HUGETLB, KIND_KSM, KIND_NONE, KIND_SHMEM, isAnonKind } from "../kernel/index.ts";
import type { FrameClass } from "./frame-classes.ts";
import { PSS_FULL_PAGE, pssOfPage } from "./proportional-share.ts";

/** Columns of a row, in pages. */
export const SUM_RSS = 0;
export const SUM_ANON = 1;
export const SUM_KSM = 2;
export const SUM_FILE = 3;
export const SUM_SHMEM = 4;
export const SUM_HUGETLB = 5;
/** hugetlb pages of folios mapped more than once: smaps' Shared_Hugetlb. */
export const SUM_HUGETLB_SHARED = 6;
/** Present and never counted: zero pages and the like. */
export const SUM_UNCOUNTED = 7;
/** Entry and frame disagree on what they are: changed while they were read. In no other sum. */
export const SUM_CHANGED = 8;
/** Mapped by PMDs: AnonHugePages, ShmemPmdMapped, FilePmdMapped. */
export const SUM_PMD_ANON = 9;
export const SUM_PMD_SHMEM = 10;
export const SUM_PMD_FILE = 11;
/** Entries with PM_MMAP_EXCLUSIVE, as the running kernel printed them. */
export const SUM_EXCLUSIVE_MEASURED = 12;
const FIXED_COLUMNS = 13;

/** Columns of a scheme, from `schemeAt` on. */
export const OF_PSS = 0;
export const OF_PSS_ANON = 1;
export const OF_PSS_FILE = 2;
export const OF_PSS_SHMEM = 3;
export const OF_PRIVATE_LEAST = 4;
export const OF_PRIVATE_MOST = 5;
export const OF_EXCLUSIVE_LEAST = 6;
export const OF_EXCLUSIVE_MOST = 7;
/** Largest mapcount of a page: numa_maps' mapmax. Not a sum: rows are combined by maximum. */
export const OF_MAPMAX = 8;
const SCHEME_COLUMNS = 9;

/** Attributes of the entries that map some pages, or-ed. */
export const ENTRY_FILE = 1;
export const ENTRY_EXCLUSIVE = 2;
/** A PMD entry: its exclusive bits follow its first page and are added apart (kernel-facts 3.7). */
export const ENTRY_PMD = 4;

/** The table. */
export class MappingSums {
  readonly values: Float64Array;
  /** Columns of a row. */
  readonly width: number;
  private readonly schemeCount: number;

  constructor(rows: number, schemeCount: number) {
    this.schemeCount = schemeCount;
    this.width = FIXED_COLUMNS + schemeCount * SCHEME_COLUMNS;
    this.values = new Float64Array(rows * this.width);
  }

  /** Where a scheme's columns begin in a row. */
  schemeAt(scheme: number): number {
    return FIXED_COLUMNS + scheme * SCHEME_COLUMNS;
  }

  /** A value of a row; `column` is SUM_... or schemeAt(...) + OF_.... */
  get(row: number, column: number): number {
    return this.values[row * this.width + column];
  }

  /** Adds pages of a class, mapped by entries with these attributes. */
  add(row: number, frameClass: FrameClass, pages: number, entry: number): void {
    const { values } = this;
    const { kind } = frameClass;
    const at = row * this.width;
    if ((entry & ENTRY_EXCLUSIVE) !== 0) values[at + SUM_EXCLUSIVE_MEASURED] += pages;
    if (frameClass.answers.length === 0) values[at + (kind === KIND_NONE ? SUM_CHANGED : SUM_UNCOUNTED)] += pages;
    else if (kind === KIND_HUGETLB) this.addHugetlb(at, frameClass, pages);
    else if (((entry & ENTRY_FILE) !== 0) === isAnonKind(kind)) values[at + SUM_CHANGED] += pages;
    else {
      this.addKind(at, kind, pages, (entry & ENTRY_PMD) !== 0);
      this.addSchemes(at, frameClass, pages);
      if ((entry & ENTRY_PMD) === 0) this.addExclusive(at, frameClass, pages);
    }
  }

  /**
   * Adds entries that are not present but hold a page: migration, hwpoison, device. smaps counts them in Rss, always as
   * shared and with full Pss, whatever the mapcount (kernel-facts 3.2, trap 11).
   */
  addNotPresent(row: number, pages: number, entry: number): void {
    const { values } = this;
    const at = row * this.width;
    const isFile = (entry & ENTRY_FILE) !== 0;
    values[at + SUM_RSS] += pages;
    values[at + (isFile ? SUM_FILE : SUM_ANON)] += pages;
    for (let scheme = 0; scheme < this.schemeCount; scheme++) {
      const from = at + this.schemeAt(scheme);
      values[from + OF_PSS] += pages * PSS_FULL_PAGE;
      values[from + (isFile ? OF_PSS_FILE : OF_PSS_ANON)] += pages * PSS_FULL_PAGE;
    }
  }

  /** Adds the exclusive bits of PMD entries: `pages` entries that follow a first page of this class. */
  addPmdExclusive(row: number, frameClass: FrameClass, pages: number): void {
    if (frameClass.kind !== KIND_HUGETLB) this.addExclusive(row * this.width, frameClass, pages);
  }

  /** Adds the rows [from, end) up into `total`, a row of its own; mapmax by maximum. */
  combine(from: number, end: number, total: Float64Array): void {
    const { values, width } = this;
    for (let at = from * width; at < end * width; at += width) {
      for (let column = 0; column < width; column++) total[column] += values[at + column];
    }
    for (let scheme = 0; scheme < this.schemeCount; scheme++) {
      const column = this.schemeAt(scheme) + OF_MAPMAX;
      let most = 0;
      for (let row = from; row < end; row++) most = Math.max(most, values[row * width + column]);
      total[column] = most;
    }
  }

  private addKind(at: number, kind: number, pages: number, pmd: boolean): void {
    const { values } = this;
    values[at + SUM_RSS] += pages;
    if (kind === KIND_ANON || kind === KIND_KSM) {
      values[at + SUM_ANON] += pages;
      if (kind === KIND_KSM) values[at + SUM_KSM] += pages;
      if (pmd) values[at + SUM_PMD_ANON] += pages;
    } else if (kind === KIND_SHMEM) {
      values[at + SUM_SHMEM] += pages;
      if (pmd) values[at + SUM_PMD_SHMEM] += pages;
    } else if (kind === KIND_FILE) {
      values[at + SUM_FILE] += pages;
      if (pmd) values[at + SUM_PMD_FILE] += pages;
    }
  }

  private addSchemes(at: number, { kind, answers }: FrameClass, pages: number): void {
    const { values } = this;
    const ofKind = isAnonKind(kind) ? OF_PSS_ANON : kind === KIND_SHMEM ? OF_PSS_SHMEM : OF_PSS_FILE;
    for (let scheme = 0; scheme < answers.length; scheme++) {
      const { mapcount, privateLeast, privateMost } = answers[scheme];
      const from = at + this.schemeAt(scheme);
      const units = pages * pssOfPage(mapcount);
      values[from + OF_PSS] += units;
      values[from + ofKind] += units;
      if (privateLeast) values[from + OF_PRIVATE_LEAST] += pages;
      if (privateMost) values[from + OF_PRIVATE_MOST] += pages;
    }
  }

  private addExclusive(at: number, { answers }: FrameClass, pages: number): void {
    const { values } = this;
    for (let scheme = 0; scheme < answers.length; scheme++) {
      const { mapcount, exclusiveLeast, exclusiveMost } = answers[scheme];
      const from = at + this.schemeAt(scheme);
      if (exclusiveLeast) values[from + OF_EXCLUSIVE_LEAST] += pages;
      if (exclusiveMost) values[from + OF_EXCLUSIVE_MOST] += pages;
      if (mapcount > values[from + OF_MAPMAX]) values[from + OF_MAPMAX] = mapcount;
    }
  }

  /** hugetlb is in neither Rss nor Pss; it is shared when mapped more than once, under every scheme (kernel-facts 3.2). */
  private addHugetlb(at: number, { mapcount }: FrameClass, pages: number): void {
    const { values } = this;
    values[at + SUM_HUGETLB] += pages;
    if (mapcount > 1) values[at + SUM_HUGETLB_SHARED] += pages;
    for (let scheme = 0; scheme < this.schemeCount; scheme++) {
      const from = at + this.schemeAt(scheme);
      if (mapcount <= 1) {
        values[from + OF_EXCLUSIVE_LEAST] += pages;
        values[from + OF_EXCLUSIVE_MOST] += pages;
      }
      if (mapcount > values[from + OF_MAPMAX]) values[from + OF_MAPMAX] = mapcount;
    }
  }
}

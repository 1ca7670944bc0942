/**
 * Large folios as they lie at rest: one row a folio, one typed array a column.
 *
 * This is all that page tables and kpageflags say about a folio without its history. Per-page mapcounts are not here:
 * they lie in a table over frames, from `headPfn` on, so that a 2 MiB folio does not need 512 more words.
 *
 *     row      headPfn  order  kind   entries  pmdEntries  mappedPages  mmCount  pagesMapped  ...
 *     0        0x4a200  9      anon   513      1           1024         2        512
 */

/** What a folio holds, as smaps and the statistics tell folios apart (kernel-facts 3.2, 3.9). */
export const KIND_NONE = 0;
export const KIND_ANON = 1;
export const KIND_KSM = 2;
export const KIND_FILE = 3;
export const KIND_SHMEM = 4;
export const KIND_HUGETLB = 5;
/** Present in a page table and never counted: zero pages, PFN-mapped device memory, reserved frames without a page. */
export const KIND_UNCOUNTED = 6;
export type FolioKind = 0 | 1 | 2 | 3 | 4 | 5 | 6;
export const FOLIO_KIND_NAMES = ["none", "anon", "ksm", "file", "shmem", "hugetlb", "uncounted"] as const;

/** A frame's `kind` byte: the folio kind in the low bits, whether it belongs to a large folio, whether its count is in doubt. */
export const FRAME_KIND_MASK = 0x07;
export const FRAME_LARGE = 0x08;
/** The kernel counted the frame's mappings differently, twice. */
export const FRAME_DISAGREES = 0x10;

/** True where the kernel's folio_test_anon holds: KSM pages are anonymous (kernel-facts 3.2). */
export function isAnonKind(kind: number): boolean {
  return kind === KIND_ANON || kind === KIND_KSM;
}

/** What the running kernel itself says of a folio's sharing, where it says it. */
export const OBSERVED_UNKNOWN = 0;
export const OBSERVED_EXCLUSIVE = 1;
export const OBSERVED_SHARED = 2;

/** Columns of large folios at rest. `count` rows are in use. */
export class FolioColumns {
  count = 0;
  /** Frame number of the head page. */
  headPfn: Float64Array;
  order: Uint8Array;
  kind: Uint8Array;
  /** Page-table entries that map any part: a PMD entry counts 1 (the kernel's _large_mapcount + 1). */
  entries: Int32Array;
  /** PMD entries among them (the kernel's _entire_mapcount + 1). */
  pmdEntries: Int32Array;
  /** Sum over entries of the pages mapped: a PTE 1, a PMD 512 (the RFC's _total_mapped_pages). */
  mappedPages: Float64Array;
  /** Address spaces with at least one entry. */
  mmCount: Int32Array;
  /** Pages with at least one mapping. */
  pagesMapped: Int32Array;
  /** 1: the head page is mapped and PageAnonExclusive is set on it (kpageflags bit 34; kernel-facts 3.9). */
  headExclusive: Uint8Array;
  /** Mappings by processes that could not be read, as kpagecount shows them (pages, at least 0). */
  mappedOutside: Int32Array;
  /** Sharing as the running kernel reports it, on a NO_PAGE_MAPCOUNT kernel (OBSERVED_...). */
  observed: Uint8Array;

  constructor(capacity = 1024) {
    this.headPfn = new Float64Array(capacity);
    this.order = new Uint8Array(capacity);
    this.kind = new Uint8Array(capacity);
    this.entries = new Int32Array(capacity);
    this.pmdEntries = new Int32Array(capacity);
    this.mappedPages = new Float64Array(capacity);
    this.mmCount = new Int32Array(capacity);
    this.pagesMapped = new Int32Array(capacity);
    this.headExclusive = new Uint8Array(capacity);
    this.mappedOutside = new Int32Array(capacity);
    this.observed = new Uint8Array(capacity);
  }

  /** Appends a folio without mappings and returns its row. Amortised O(1). */
  append(headPfn: number, order: number, kind: FolioKind, headExclusive: boolean): number {
    if (this.count === this.headPfn.length) this.grow();
    const row = this.count++;
    this.headPfn[row] = headPfn;
    this.order[row] = order;
    this.kind[row] = kind;
    this.headExclusive[row] = headExclusive ? 1 : 0;
    return row;
  }

  private grow(): void {
    const capacity = this.headPfn.length * 2;
    this.headPfn = grown(this.headPfn, new Float64Array(capacity));
    this.order = grown(this.order, new Uint8Array(capacity));
    this.kind = grown(this.kind, new Uint8Array(capacity));
    this.entries = grown(this.entries, new Int32Array(capacity));
    this.pmdEntries = grown(this.pmdEntries, new Int32Array(capacity));
    this.mappedPages = grown(this.mappedPages, new Float64Array(capacity));
    this.mmCount = grown(this.mmCount, new Int32Array(capacity));
    this.pagesMapped = grown(this.pagesMapped, new Int32Array(capacity));
    this.headExclusive = grown(this.headExclusive, new Uint8Array(capacity));
    this.mappedOutside = grown(this.mappedOutside, new Int32Array(capacity));
    this.observed = grown(this.observed, new Uint8Array(capacity));
  }
}

function grown<T extends Float64Array | Int32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

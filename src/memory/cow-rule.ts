/**
 * Eras of copy-on-write: what the kernel knew and did about a page's owner besides counting (literature 2.1, 2.2).
 *
 *     mapcount     before 5.8    reuse if nobody else maps the page
 *     page-count   5.9 - 5.17    09854ba94c6a: reuse small pages if nobody else refers to them; huge ones by mapcount
 *     exclusive    5.19 - 6.14   PageAnonExclusive: fork takes it away, pins need it, it survives swap
 *     large-reuse  6.15 -        also a large folio without the flag, if one address space has all of it
 *
 * How each decides to reuse is a rule (decisions/cow.ts); here is what operations besides the write fault did or did not do.
 * Each era is taken as it was at its end; 5.18 lies between two: it counted references of huge pages too (3bff7e3f1f16)
 * and gave up swap slots first (53a05ad9f21d), but had no exclusive pages yet. PageAnonExclusive is kept in the model always, and not looked at where the era
 * had none: dumps of kpageflags show today's bit.
 */
export type CowRule = "mapcount" | "page-count" | "exclusive" | "large-reuse";

/** What an era's operations do. */
export interface CowEra {
  readonly rule: CowRule;
  /**
   * PageAnonExclusive (5.19): a write reuses an exclusive page without asking, a pin makes its page exclusive first
   * (FAULT_FLAG_UNSHARE), a swap entry remembers it, mprotect makes entries of exclusive pages writable at once.
   */
  readonly hasExclusivePages: boolean;
  /** fork copies a page that may be pinned: PTEs 70e806e4e645, huge pages d042035eaf5f, hugetlb 4eae4efa2c29. */
  readonly copiesPinnedAtFork: boolean;
  /** Reclaim leaves what may be pinned where it is (feb889fb40fa, 5.12). */
  readonly sparesPinned: boolean;
  /** The write fault gives up the page's swap slots first, to be its only user (reuse_swap_page; again from 5.18 on). */
  readonly freesSwapForReuse: boolean;
}

export const COW_ERAS: Readonly<Record<CowRule, CowEra>> = {
  mapcount: {
    rule: "mapcount",
    hasExclusivePages: false,
    copiesPinnedAtFork: false,
    sparesPinned: false,
    freesSwapForReuse: true,
  },
  "page-count": {
    rule: "page-count",
    hasExclusivePages: false,
    copiesPinnedAtFork: true,
    sparesPinned: true,
    // The reference of the swap cache makes it copy.
    freesSwapForReuse: false,
  },
  exclusive: {
    rule: "exclusive",
    hasExclusivePages: true,
    copiesPinnedAtFork: true,
    sparesPinned: true,
    freesSwapForReuse: true,
  },
  "large-reuse": {
    rule: "large-reuse",
    hasExclusivePages: true,
    copiesPinnedAtFork: true,
    sparesPinned: true,
    freesSwapForReuse: true,
  },
};

/**
 * smaps_account: what one page-table entry adds to its VMA's figures (kernel-facts 3.2).
 *
 * Bytes are added as they are, Pss in units of 1/4096 byte, page by page and truncated page by page. A folio with one
 * reference takes a short cut to full private Pss; an entry that is not present but holds a page is always shared with
 * full Pss. Private asks the page's mapcount or the folio's sharing, as the scheme in force says.
 */
import { PAGE_SIZE_BYTES } from "../kernel/index.ts";
import type { FigureRules } from "../schemes/index.ts";
import type { PageCounts } from "./page-counts.ts";
import { PSS_FULL_PAGE, kbOfPss, pssOfPage } from "./proportional-share.ts";

/** What smaps asks of a folio beside its count. */
export interface FolioFacts {
  readonly head: number;
  readonly isAnon: boolean;
  readonly isKsm: boolean;
  readonly isSwapBacked: boolean;
  readonly isDirty: boolean;
  /** PG_referenced or PG_young. */
  readonly isReferenced: boolean;
  readonly refcount: number;
}

/** The attributes of the entries accounted together. */
export interface EntryFacts {
  readonly young: boolean;
  readonly dirty: boolean;
  /** False: a migration or poison entry that holds the page. */
  readonly present: boolean;
}

/** The sums of one VMA. Bytes; the fields named pss in units of 1/4096 byte. */
export class SmapsAccount {
  resident = 0;
  pss = 0;
  pssDirty = 0;
  pssLocked = 0;
  sharedClean = 0;
  sharedDirty = 0;
  privateClean = 0;
  privateDirty = 0;
  referenced = 0;
  anonymous = 0;
  ksm = 0;
  lazyFree = 0;
  anonHugePages = 0;
  shmemPmdMapped = 0;
  filePmdMapped = 0;
  sharedHugetlb = 0;
  privateHugetlb = 0;
  swap = 0;
  swapPss = 0;
  private readonly counter: PageCounts;
  private readonly rules: FigureRules;
  private readonly isLocked: boolean;

  /** `isLocked`: the VMA has VM_LOCKED. */
  constructor(counter: PageCounts, rules: FigureRules, isLocked: boolean) {
    this.counter = counter;
    this.rules = rules;
    this.isLocked = isLocked;
  }

  /** `pageCount` pages of a folio from page `first` on, mapped by PTEs with these attributes or by one PMD. */
  addPages(folio: FolioFacts, first: number, pageCount: number, entry: EntryFacts): void {
    const size = pageCount * PAGE_SIZE_BYTES;
    const dirty = entry.dirty || folio.isDirty;
    if (folio.isAnon) {
      this.anonymous += size;
      if (!folio.isSwapBacked && !dirty) this.lazyFree += size;
    }
    if (folio.isKsm) this.ksm += size;
    this.resident += size;
    if (entry.young || folio.isReferenced) this.referenced += size;
    if (folio.refcount === 1 || !entry.present) {
      this.accumulate(size, pageCount * PSS_FULL_PAGE, dirty, entry.present);
      return;
    }
    const byPage = this.rules.privateBy === "page-mapcount";
    const folioIsPrivate = !byPage && !this.counter.isMaybeMappedShared(folio.head);
    for (let page = first; page < first + pageCount; page++) {
      const mapcount = this.counter.pageMapcount(folio.head, page);
      this.accumulate(PAGE_SIZE_BYTES, pssOfPage(mapcount), dirty, byPage ? mapcount < 2 : folioIsPrivate);
    }
  }

  /** A swap entry whose slot `count` entries name. */
  addSwap(count: number): void {
    this.swap += PAGE_SIZE_BYTES;
    this.swapPss += pssOfPage(count);
  }

  private accumulate(bytes: number, pss: number, dirty: boolean, isPrivate: boolean): void {
    this.pss += pss;
    if (this.isLocked) this.pssLocked += pss;
    if (dirty) {
      this.pssDirty += pss;
      if (isPrivate) this.privateDirty += bytes;
      else this.sharedDirty += bytes;
    } else if (isPrivate) this.privateClean += bytes;
    else this.sharedClean += bytes;
  }

  /** The lines that smaps prints of it, in its order, in kB. */
  lines(): Record<string, number> {
    return {
      Rss: kb(this.resident),
      Pss: kbOfPss(this.pss),
      Pss_Dirty: kbOfPss(this.pssDirty),
      Shared_Clean: kb(this.sharedClean),
      Shared_Dirty: kb(this.sharedDirty),
      Private_Clean: kb(this.privateClean),
      Private_Dirty: kb(this.privateDirty),
      Referenced: kb(this.referenced),
      Anonymous: kb(this.anonymous),
      KSM: kb(this.ksm),
      LazyFree: kb(this.lazyFree),
      AnonHugePages: kb(this.anonHugePages),
      ShmemPmdMapped: kb(this.shmemPmdMapped),
      FilePmdMapped: kb(this.filePmdMapped),
      Shared_Hugetlb: kb(this.sharedHugetlb),
      Private_Hugetlb: kb(this.privateHugetlb),
      Swap: kb(this.swap),
      SwapPss: kbOfPss(this.swapPss),
      Locked: kbOfPss(this.pssLocked),
    };
  }
}

function kb(bytes: number): number {
  return Math.floor(bytes / 1024);
}

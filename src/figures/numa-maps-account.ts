/**
 * gather_stats: what numa_maps sums over the entries of a VMA, and the line it prints (kernel-facts 3.10).
 *
 * mapmax asks the count for one page an entry: of a PMD entry the first page, without per-page mapcounts the average.
 */
import type { PageCounts } from "./page-counts.ts";

/** What numa_maps asks of a folio. */
export interface NumaFolioFacts {
  readonly head: number;
  readonly isAnon: boolean;
  readonly isDirty: boolean;
  readonly isSwapCache: boolean;
  /** PG_active or PG_unevictable. */
  readonly isActive: boolean;
  readonly node: number;
}

export class NumaMapsAccount {
  private pages = 0;
  private anon = 0;
  private dirty = 0;
  private active = 0;
  private swapCache = 0;
  private mapMax = 0;
  private readonly pagesOfNode: number[] = [];
  private readonly counter: PageCounts;

  constructor(counter: PageCounts) {
    this.counter = counter;
  }

  /** Entries for `weight` pages of a folio whose first is page `first`; a PMD weighs 512, a hugetlb entry 1. */
  add(folio: NumaFolioFacts, first: number, weight: number, entryDirty: boolean): void {
    this.pages += weight;
    if (entryDirty || folio.isDirty) this.dirty += weight;
    if (folio.isSwapCache) this.swapCache += weight;
    if (folio.isActive) this.active += weight;
    if (folio.isAnon) this.anon += weight;
    this.mapMax = Math.max(this.mapMax, this.counter.pageMapcount(folio.head, first));
    this.pagesOfNode[folio.node] = (this.pagesOfNode[folio.node] ?? 0) + weight;
  }

  /** Everything behind the address: policy, file and, if any page was gathered, the sums. */
  line(policy: string, file: string | undefined, isHugetlb: boolean): string {
    const words = [policy];
    if (file !== undefined) words.push(`file=${escapeSpaces(file)}`);
    if (isHugetlb) words.push("huge");
    if (this.pages === 0) return words.join(" ");
    if (this.anon > 0) words.push(`anon=${this.anon}`);
    if (this.dirty > 0) words.push(`dirty=${this.dirty}`);
    if (this.pages !== this.anon && this.pages !== this.dirty) words.push(`mapped=${this.pages}`);
    if (this.mapMax > 1) words.push(`mapmax=${this.mapMax}`);
    if (this.swapCache > 0) words.push(`swapcache=${this.swapCache}`);
    if (this.active < this.pages && !isHugetlb) words.push(`active=${this.active}`);
    this.pagesOfNode.forEach((pages, node) => words.push(`N${node}=${pages}`));
    words.push(`kernelpagesize_kB=${isHugetlb ? 2048 : 4}`);
    return words.join(" ");
  }
}

/** seq_file_path of numa_maps: blanks, tabs, newlines and equal signs as octal. */
function escapeSpaces(path: string): string {
  return path.replace(/[\s=\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

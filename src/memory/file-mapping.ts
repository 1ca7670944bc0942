/**
 * address_space: the cached pages of one file and the VMAs that map it.
 *
 * `pages` is the xarray: one word a page of the file, 0 nothing, a frame as frame + 1, a shmem page on swap as -(slot + 1).
 * A large folio stands in all of its words. Each page of a cached folio is one reference of it (kernel-facts 1.7).
 */
import { IntervalTree } from "./interval-tree.ts";
import type { Mapping } from "./rmap-key.ts";
import type { Vma } from "./vma.ts";

/** What fills the cache: its rules of allocation, dirtying and truncation differ. */
export type FileKind = "shmem" | "disk" | "hugetlb";

/** shmem's huge= policy of a mount; "settings": memfd and anonymous shared memory follow shmem_enabled of each size. */
export type ShmemHugePolicy = "settings" | "never" | "always" | "within_size" | "advise";

const NEVER_LINKED = /^\/(?:memfd:|dev\/zero$|anon_hugepage$)/;

export class FileMapping implements Mapping {
  readonly kind = "file";
  readonly spans = new Map<number, number>();
  readonly fileKind: FileKind;
  /** As maps prints it, without " (deleted)". */
  readonly name: string;
  readonly shmemHuge: ShmemHugePolicy;
  /** mapping_large_folio_support: writes come in pieces of up to 2 MiB, and a folio may be split into large ones. */
  readonly hasLargeFolios: boolean;
  sizeBytes: number;
  /** i_mmap: VMAs that map the file, shared or private. */
  readonly vmas = new IntervalTree<Vma>();
  private words = new Int32Array(16);
  /** Open file descriptors and VMAs that hold the inode, and its name if it has one: it dies with the last. */
  holders = 0;
  /** Pages on swap (shmem only). */
  swappedPages = 0;
  /** Pages in the cache. */
  cachedPages = 0;
  /** i_writecount: files open for writing. */
  writers = 0;
  /** What the blocks on disk hold (page-contents.ts), by page; a page without one is a hole. */
  readonly blocks = new Map<number, number>();
  /** Pages whose buffers are dirty: a disk's file writes them back. */
  readonly dirtyPages = new Set<number>();
  /** What reclaim left in place of pages of a disk's file (workingset.ts). */
  readonly shadows = new Map<number, number>();
  /** Huge pages that the inode's reserve map names (hugetlb): paid for, used or not. */
  readonly reserved = new Set<number>();

  constructor(options: {
    readonly fileKind: FileKind;
    readonly name: string;
    readonly sizeBytes: number;
    readonly shmemHuge: ShmemHugePolicy;
    readonly hasLargeFolios: boolean;
  }) {
    this.fileKind = options.fileKind;
    this.name = options.name;
    this.sizeBytes = options.sizeBytes;
    this.shmemHuge = options.shmemHuge;
    this.hasLargeFolios = options.hasLargeFolios;
  }

  /** As maps prints it: files that never had a name in a directory look deleted. */
  get mapsName(): string {
    return NEVER_LINKED.test(this.name) ? `${this.name} (deleted)` : this.name;
  }

  /** inode_is_open_for_write. */
  get isOpenForWrite(): boolean {
    return this.writers > 0;
  }

  /** The frame that caches page `index`, or 0. */
  frameAt(index: number): number {
    const word = index < this.words.length ? this.words[index] : 0;
    return word > 0 ? word - 1 : 0;
  }

  /** The swap slot that holds page `index`, or -1. */
  swapSlotAt(index: number): number {
    const word = index < this.words.length ? this.words[index] : 0;
    return word < 0 ? -word - 1 : -1;
  }

  /** Enters `n` consecutive frames. */
  setFrames(index: number, frame: number, n: number): void {
    this.reach(index + n);
    for (let i = 0; i < n; i++) {
      this.forget(index + i);
      this.words[index + i] = frame + i + 1;
    }
    this.cachedPages += n;
  }

  setSwapSlot(index: number, slot: number): void {
    this.reach(index + 1);
    this.forget(index);
    this.words[index] = -(slot + 1);
    this.swappedPages++;
  }

  /** Takes `n` pages out. */
  clear(index: number, n: number): void {
    for (let at = index; at < Math.min(index + n, this.words.length); at++) {
      this.forget(at);
      this.words[at] = 0;
    }
  }

  /** First page index at or above which nothing is cached or swapped. */
  get indexLimit(): number {
    return this.words.length;
  }

  private forget(index: number): void {
    if (this.words[index] > 0) this.cachedPages--;
    else if (this.words[index] < 0) this.swappedPages--;
  }

  private reach(length: number): void {
    if (length <= this.words.length) return;
    const words = new Int32Array(Math.max(length, this.words.length * 2));
    words.set(this.words);
    this.words = words;
  }
}

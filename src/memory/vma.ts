/**
 * A VMA: a range of an address space with one set of rights, one file and one anon_vma.
 *
 * Addresses are page numbers here (virtual address / 4096). Flags are the kernel's VM_ bits, numbered as smaps' VmFlags
 * prints them (kernel-facts 3.3). pgoff of an anonymous VMA is the page number where it was first mapped, and moves with
 * mremap, so that a folio's index finds its address: start + (index - pgoff).
 */
import type { AnonVma } from "./anon-vma.ts";
import type { FileMapping } from "./file-mapping.ts";
import type { Mm } from "./mm.ts";
import type { OpenFile } from "./open-file.ts";

export const VM_READ = 1 << 0;
export const VM_WRITE = 1 << 1;
export const VM_EXEC = 1 << 2;
export const VM_SHARED = 1 << 3;
export const VM_MAYREAD = 1 << 4;
export const VM_MAYWRITE = 1 << 5;
export const VM_MAYEXEC = 1 << 6;
/** Set with VM_SHARED, and alone for a shared mapping of a file that was opened read-only. */
export const VM_MAYSHARE = 1 << 7;
export const VM_UFFD_WP = 1 << 12;
export const VM_LOCKED = 1 << 13;
export const VM_SEQ_READ = 1 << 15;
export const VM_RAND_READ = 1 << 16;
export const VM_DONTCOPY = 1 << 17;
/** Never merged and never grown: hugetlb's VMAs (of VM_SPECIAL the only ones in the model). */
export const VM_DONTEXPAND = 1 << 18;
export const VM_LOCKONFAULT = 1 << 19;
export const VM_ACCOUNT = 1 << 20;
export const VM_NORESERVE = 1 << 21;
export const VM_HUGETLB = 1 << 22;
export const VM_WIPEONFORK = 1 << 25;
export const VM_DONTDUMP = 1 << 26;
export const VM_SOFTDIRTY = 1 << 27;
/** Bit 40 in the kernel and the last that VmFlags prints; kept where the model has no flag. */
export const VM_DROPPABLE = 1 << 28;
export const VM_HUGEPAGE = 1 << 29;
export const VM_NOHUGEPAGE = 1 << 30;
/** Bit 31: the flags of a VMA are an int32 and may be negative. */
export const VM_MERGEABLE = 1 << 31;

/** Mnemonics by bit, as VmFlags prints them. */
const VM_FLAG_NAMES = [
  "rd", "wr", "ex", "sh", "mr", "mw", "me", "ms", "gd", "um", "pf", "gu", "uw", "lo", "io", "sr",
  "rr", "dc", "de", "lf", "ac", "nr", "ht", "sf", "ar", "wf", "dd", "sd", "", "hg", "nh", "mg",
] as const; // prettier-ignore

/** The VMA's flags as VmFlags prints them, in that order. */
export function vmFlagNames(flags: number): string[] {
  const names = VM_FLAG_NAMES.filter((name, bit) => name !== "" && ((flags >>> bit) & 1) === 1);
  return (flags & VM_DROPPABLE) === 0 ? names : [...names, "dp"];
}

/** The last read of swap for a VMA: at which page, how many pages wide, and how many of them were used since. */
export interface SwapReadahead {
  readonly page: number;
  readonly window: number;
  readonly hits: number;
}

/** What hugetlb remembers of a private VMA. */
export interface HugetlbVmaState {
  /** Huge pages of the reservation that were used, by file index; undefined: the VMA owns none (a child's). */
  readonly used: Set<number> | undefined;
  /** HPAGE_RESV_UNMAPPED: the owner needed the pages that this VMA shared; touching it kills. */
  hasLostPages: boolean;
}

let nextVmaId = 1;
let nextTreePlace = 1;

export class Vma {
  /** A name for events; a VMA split off another has one of its own. */
  readonly id = nextVmaId++;
  readonly mm: Mm;
  private first: number;
  private limit: number;
  private offset: number;
  flags: number;
  file: FileMapping | undefined;
  /** struct file: two descriptors of one file do not let their VMAs merge. */
  openFile: OpenFile | undefined;
  anonVma: AnonVma | undefined;
  /** What hugetlb remembers of the VMA (vm_private_data). */
  hugetlb: HugetlbVmaState | undefined;
  /** swap_readahead_info (swap-in.ts): where swap was last read for this VMA. */
  swapReadahead: SwapReadahead | undefined;
  /** Every anon_vma whose folios this VMA may map. */
  readonly anonVmaChain: AnonVma[] = [];
  /** Its place among VMAs with the same pgoff in the interval trees: behind those that were entered before. */
  private place = nextTreePlace++;

  constructor(mm: Mm, start: number, end: number, flags: number, pgoff: number, file?: FileMapping) {
    this.mm = mm;
    this.first = start;
    this.limit = end;
    this.offset = pgoff;
    this.flags = flags;
    this.file = file;
  }

  /** First page. */
  get start(): number {
    return this.first;
  }

  /** The page behind the last. */
  get end(): number {
    return this.limit;
  }

  /** Offset of the first page in the file, or in the anon_vma's index space. */
  get pgoff(): number {
    return this.offset;
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  get treePlace(): number {
    return this.place;
  }

  /** The last page in the index space of the file or anon_vma. */
  get lastPgoff(): number {
    return this.pgoff + this.end - this.start - 1;
  }

  /** vma_prepare, vma_complete: the range changes, and the VMA goes behind its equals in the interval trees that it is in. */
  changeRange(start: number, end: number, pgoff: number): void {
    const isInFile = this.file?.vmas.delete(this) ?? false;
    for (const { vmas } of this.anonVmaChain) vmas.delete(this);
    this.first = start;
    this.limit = end;
    this.offset = pgoff;
    this.place = nextTreePlace++;
    if (isInFile) this.file?.vmas.add(this);
    for (const { vmas } of this.anonVmaChain) vmas.add(this);
  }

  get isHugetlb(): boolean {
    return (this.flags & VM_HUGETLB) !== 0;
  }

  /** vma_is_anonymous: neither a file nor shared memory. */
  get isAnonymous(): boolean {
    return this.file === undefined;
  }

  /** is_cow_mapping: private, and may be written. */
  get isCow(): boolean {
    return (this.flags & (VM_SHARED | VM_MAYWRITE)) === VM_MAYWRITE;
  }

  /** linear_page_index: where this page lies in the file or anon_vma. */
  indexOf(page: number): number {
    return page - this.start + this.pgoff;
  }

  /** vma_address for one page: the page number that maps this index, or -1 if outside. */
  pageOf(index: number): number {
    const page = index - this.pgoff + this.start;
    return page >= this.start && page < this.end ? page : -1;
  }
}

/**
 * The address spaces of the entry machine: which VMAs each has, and each VMA's runs in the order of their pages.
 *
 * Ids of address spaces and VMAs are small and used again, as the kernel's mm ids are (kernel-facts 1.4). Invariant: the
 * VMAs of an address space are ascending and do not overlap, and so are the runs of a VMA.
 */
import type { EntryRuns } from "./entry-machine-runs.ts";

/** A stretch of an address space. Pages are virtual page numbers. */
export interface EntryVma {
  readonly id: number;
  readonly mm: number;
  startPage: number;
  endPage: number;
  /** fork copies its entries: it has an anon_vma, or what it shows cannot be faulted in again (kernel-facts 2.10). */
  readonly isCopiedAtFork: boolean;
  /** Rows of its runs, ascending by page. */
  runs: number[];
}

/** All address spaces. */
export class EntrySpaces {
  /** By mm: its VMAs, ascending; undefined: no such address space. */
  private readonly mms: (EntryVma[] | undefined)[] = [];
  private readonly vmas: (EntryVma | undefined)[] = [];
  private readonly freeMms: number[] = [];
  private readonly freeVmas: number[] = [];

  createMm(): number {
    const mm = this.freeMms.pop() ?? this.mms.length;
    this.mms[mm] = [];
    return mm;
  }

  /** Ends an address space without VMAs. */
  deleteMm(mm: number): void {
    if (this.vmasOf(mm).length > 0) throw new Error("invariant: an address space ends without VMAs");
    this.mms[mm] = undefined;
    this.freeMms.push(mm);
  }

  /** Address spaces now. */
  get mmCount(): number {
    return this.mms.length - this.freeMms.length;
  }

  /** Ids of address spaces, ascending. */
  mmIds(): number[] {
    return [...this.mms.keys()].filter((mm) => this.mms[mm] !== undefined);
  }

  vmasOf(mm: number): readonly EntryVma[] {
    return this.listOf(mm);
  }

  vmaOf(id: number): EntryVma {
    const vma = this.vmas[id];
    if (vma === undefined) throw new Error(`invariant: there is a VMA ${id}`);
    return vma;
  }

  createVma(mm: number, startPage: number, endPage: number, isCopiedAtFork: boolean): EntryVma {
    const list = this.listOf(mm);
    const at = firstBehind(list, startPage);
    const isFree = endPage > startPage && (at === list.length || list[at].startPage >= endPage);
    if (!isFree) throw new Error(`invariant: pages ${startPage} to ${endPage} of mm ${mm} are free for a new VMA`);
    const id = this.freeVmas.pop() ?? this.vmas.length;
    const vma: EntryVma = { id, mm, startPage, endPage, isCopiedAtFork, runs: [] };
    this.vmas[id] = vma;
    list.splice(at, 0, vma);
    return vma;
  }

  /** Ends a VMA without entries. */
  deleteVma(vma: EntryVma): void {
    if (vma.runs.length > 0) throw new Error("invariant: a VMA ends without entries");
    const list = this.listOf(vma.mm);
    list.splice(list.indexOf(vma), 1);
    this.vmas[vma.id] = undefined;
    this.freeVmas.push(vma.id);
  }

  /** VMAs of the address space that reach into [startPage, endPage). */
  overlapping(mm: number, startPage: number, endPage: number): EntryVma[] {
    return this.listOf(mm).filter((vma) => vma.startPage < endPage && vma.endPage > startPage);
  }

  private listOf(mm: number): EntryVma[] {
    const list = this.mms[mm];
    if (list === undefined) throw new Error(`invariant: there is an address space ${mm}`);
    return list;
  }
}

/** Index of the first VMA that ends behind this page. */
function firstBehind(list: readonly EntryVma[], page: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle].endPage <= page) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index in the VMA's runs of the first that ends behind this page. O(log runs). */
export function firstRunBehind({ runs: list }: EntryVma, runs: EntryRuns, page: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (runs.page[list[middle]] + runs.pages[list[middle]] <= page) low = middle + 1;
    else high = middle;
  }
  return low;
}

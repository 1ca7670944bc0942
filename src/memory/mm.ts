/**
 * An address space: VMAs in address order, the top page table, and the small number that stands for it in owner slots.
 *
 * mm ids are the lowest free integers from 1 on (kernel-facts 1.4); no decision depends on their value.
 */
import type { Vma } from "./vma.ts";

export class Mm {
  /** mm_struct.mm_id. */
  readonly id: number;
  /** The process of the scenario; after its exit the name stays for reports. */
  readonly name: string;
  /** VMAs in ascending order, without overlaps. */
  readonly vmas: Vma[] = [];
  /** The PGD: a table of the pool. */
  readonly pgd: number;
  /** MMF_HAS_PINNED: fork looks for pinned pages only then. */
  hasPinned = false;
  /** MPOL_BIND of the task, or -1: the default policy. */
  boundNode = -1;
  /** prctl(PR_SET_THP_DISABLE). */
  thpDisabled = false;
  /** The address space of the userfaultfd that the process has open: its own, or an ancestor's whose descriptor it inherited. */
  userfault: Mm | undefined;
  private last: Vma | undefined;

  constructor(id: number, name: string, pgd: number) {
    this.id = id;
    this.name = name;
    this.pgd = pgd;
  }

  /** The VMA that contains this page, or undefined. */
  findVma(page: number): Vma | undefined {
    const { last } = this;
    if (last !== undefined && page >= last.start && page < last.end) return last;
    const at = this.firstEndingAfter(page);
    const vma = this.vmas[at];
    if (vma === undefined || page < vma.start) return undefined;
    this.last = vma;
    return vma;
  }

  /** Index of the first VMA that ends above this page: find_vma. */
  firstEndingAfter(page: number): number {
    let low = 0;
    let high = this.vmas.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.vmas[middle].end > page) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** VMAs that overlap [start, end), in address order: a copy, so that they may be split or removed meanwhile. */
  vmasIn(start: number, end: number): Vma[] {
    const found: Vma[] = [];
    for (let at = this.firstEndingAfter(start); at < this.vmas.length && this.vmas[at].start < end; at++) {
      found.push(this.vmas[at]);
    }
    return found;
  }

  insert(vma: Vma): void {
    this.vmas.splice(this.firstEndingAfter(vma.start), 0, vma);
  }

  remove(vma: Vma): void {
    const at = this.vmas.indexOf(vma);
    if (at >= 0) this.vmas.splice(at, 1);
    this.last = undefined;
  }

  /** Call after changing a VMA's range. */
  forgetLast(): void {
    this.last = undefined;
  }
}

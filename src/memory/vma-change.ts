/**
 * VMAs that are split and merged (mm/vma.c): when two may be one, and what happens to their anon_vmas.
 *
 * Two neighbours merge if their flags (soft-dirty aside), file and descriptor agree, the page offsets continue, and their
 * anon_vmas are one, or one of them has none and the other was not cloned from a parent at fork. VMAs with VM_DONTEXPAND
 * (hugetlb) never merge. Which half of a split is the new VMA decides nothing: here it is the smaller one, so that few
 * entries change their VMA. A VMA whose range changes goes behind its equals in the interval trees.
 */
import { type AnonVma, cloneAnonVmas, unlinkAnonVmas } from "./anon-vma.ts";
import { assert } from "./assert.ts";
import { EINVAL } from "./errno.ts";
import type { FileMapping } from "./file-mapping.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { tellVmaChange } from "./move-events.ts";
import type { OpenFile } from "./open-file.ts";
import { splitPmdAtEdge } from "./split-pmd.ts";
import { PTE_TABLE_PAGES } from "./table-walk.ts";
import { linkFile, unlinkFile } from "./vma-file.ts";
import { VM_DONTEXPAND, VM_SOFTDIRTY, Vma } from "./vma.ts";

/** A range as it would be if the operation were done: what is compared with its neighbours (struct vma_merge_struct). */
interface MergeRange {
  readonly start: number;
  readonly end: number;
  readonly pgoff: number;
  readonly flags: number;
  readonly file: FileMapping | undefined;
  readonly openFile: OpenFile | undefined;
  readonly anonVma: AnonVma | undefined;
  /** The VMA whose part this range is, if it exists already. */
  readonly middle?: Vma | undefined;
  /** The VMA that mremap copies. */
  readonly copiedFrom?: Vma | undefined;
}

/** split_vma at `page`, which lies inside: 0, or -EINVAL where hugetlb's alignment forbids it. */
export function splitVma(memory: Memory, vma: Vma, page: number): number {
  assert(vma.start < page && page < vma.end, "a VMA is split inside");
  if (vma.isHugetlb && page % PTE_TABLE_PAGES !== 0) return -EINVAL;
  splitPmdAtEdge(memory, vma, page);
  const { mm, start, end } = vma;
  const isNewBelow = page - start < end - page;
  const added = isNewBelow
    ? new Vma(mm, start, page, vma.flags, vma.pgoff, vma.file)
    : new Vma(mm, page, end, vma.flags, vma.pgoff + page - start, vma.file);
  added.openFile = vma.openFile;
  added.hugetlb = vma.hugetlb;
  added.swapReadahead = vma.swapReadahead;
  if (isNewBelow) vma.changeRange(page, end, vma.pgoff + page - start);
  else vma.changeRange(start, page, vma.pgoff);
  if (vma.anonVma !== undefined) {
    added.anonVma = vma.anonVma;
    cloneAnonVmas(added, vma, false);
  }
  linkFile(added);
  mm.insert(added);
  mm.forgetLast();
  tellVmaChange(memory, added.start, added.end, vma, added);
  return 0;
}

/** vma_is_fork_child: has anon_vmas of a parent, whose locks a merge would spread. */
function isForkChild(vma: Vma | undefined): boolean {
  return vma !== undefined && vma.anonVma !== undefined && vma.anonVmaChain.length !== 1;
}

function isMergeable(neighbour: Vma, range: MergeRange): boolean {
  if (((neighbour.flags ^ range.flags) & ~VM_SOFTDIRTY) !== 0) return false;
  if (neighbour.file !== range.file || neighbour.openFile !== range.openFile) return false;
  if (neighbour.anonVma === undefined && range.anonVma !== undefined) {
    return !isForkChild(range.middle) && !isForkChild(range.copiedFrom);
  }
  if (neighbour.anonVma !== undefined && range.anonVma === undefined) return !isForkChild(neighbour);
  return neighbour.anonVma === range.anonVma;
}

function canMergeLeft(left: Vma | undefined, range: MergeRange): left is Vma {
  return (
    left !== undefined &&
    left.end === range.start &&
    left.pgoff + left.end - left.start === range.pgoff &&
    isMergeable(left, range)
  );
}

/** `left`: the neighbour on the other side, if it merges too; then both must agree with each other. */
function canMergeRight(right: Vma | undefined, range: MergeRange, left: Vma | undefined): right is Vma {
  if (right === undefined || range.end !== right.start) return false;
  if (right.pgoff !== range.pgoff + range.end - range.start || !isMergeable(right, range)) return false;
  if (left?.anonVma === undefined || right.anonVma === undefined) return true;
  return left.anonVma === right.anonVma;
}

/** dup_anon_vma: a VMA that takes over pages gets the anon_vma that they belong to. */
function duplicateAnonVma(to: Vma, from: Vma): void {
  if (from.anonVma === undefined || to.anonVma !== undefined) return;
  to.anonVma = from.anonVma;
  cloneAnonVmas(to, from, false);
}

/** The VMA becomes part of `into`, whose range covers it already. */
function absorb(memory: Memory, vma: Vma, into: Vma): void {
  vma.mm.remove(vma);
  unlinkAnonVmas(vma);
  unlinkFile(memory, vma);
  tellVmaChange(memory, vma.start, vma.end, vma, into);
}

/**
 * vma_merge_new_range: lets the neighbours of a hole take it over. The VMA that covers the range then, or undefined: no
 * neighbour may.
 */
export function mergeNewRange(memory: Memory, mm: Mm, range: MergeRange): Vma | undefined {
  if ((range.flags & VM_DONTEXPAND) !== 0) return undefined;
  const at = mm.firstEndingAfter(range.start);
  const before = at > 0 ? mm.vmas[at - 1] : undefined;
  const behind: Vma | undefined = mm.vmas[at];
  const left = canMergeLeft(before, range) ? before : undefined;
  const right = canMergeRight(behind, range, left) ? behind : undefined;
  const target = left ?? right;
  if (target === undefined) return undefined;
  if (left !== undefined && right !== undefined) duplicateAnonVma(left, right);
  if (range.copiedFrom !== undefined) duplicateAnonVma(target, range.copiedFrom);
  mm.forgetLast();
  if (left === undefined) {
    target.changeRange(range.start, target.end, range.pgoff);
    return target;
  }
  left.changeRange(left.start, right?.end ?? range.end, left.pgoff);
  if (right !== undefined) absorb(memory, right, left);
  return left;
}

/**
 * vma_merge_existing_range: pages [start, end) of the VMA are about to have these flags; lets the neighbours take them
 * over. The VMA that covers them then, or undefined. The caller sets its flags.
 */
export function mergeWithNeighbours(
  memory: Memory,
  vma: Vma,
  start: number,
  end: number,
  flags: number,
): Vma | undefined {
  const isLeftSide = start === vma.start;
  const isRightSide = end === vma.end;
  if ((flags & VM_DONTEXPAND) !== 0 || (!isLeftSide && !isRightSide)) return undefined;
  const { mm, file, openFile, anonVma } = vma;
  const range: MergeRange = {
    start,
    end,
    pgoff: vma.pgoff + start - vma.start,
    flags,
    file,
    openFile,
    anonVma,
    middle: vma,
  };
  const at = mm.firstEndingAfter(vma.start);
  const before = isLeftSide && at > 0 ? mm.vmas[at - 1] : undefined;
  const behind: Vma | undefined = isRightSide ? mm.vmas[at + 1] : undefined;
  const left = canMergeLeft(before, range) ? before : undefined;
  const right = canMergeRight(behind, range, left) ? behind : undefined;
  mm.forgetLast();
  if (left !== undefined && right !== undefined) {
    duplicateAnonVma(left, right.anonVma === undefined ? vma : right);
    left.changeRange(left.start, right.end, left.pgoff);
    absorb(memory, vma, left);
    absorb(memory, right, left);
    return left;
  }
  if (left !== undefined) return growLeft(memory, left, vma, end);
  if (right !== undefined) return growRight(memory, right, vma, start);
  return undefined;
}

/** The left neighbour takes the VMA's pages below `end`. */
function growLeft(memory: Memory, left: Vma, vma: Vma, end: number): Vma {
  duplicateAnonVma(left, vma);
  if (end === vma.end) {
    left.changeRange(left.start, end, left.pgoff);
    absorb(memory, vma, left);
    return left;
  }
  splitPmdAtEdge(memory, vma, end);
  const { start } = vma;
  left.changeRange(left.start, end, left.pgoff);
  vma.changeRange(end, vma.end, vma.pgoff + end - start);
  tellVmaChange(memory, start, end, vma, left);
  return left;
}

/** The right neighbour takes the VMA's pages from `start` on. */
function growRight(memory: Memory, right: Vma, vma: Vma, start: number): Vma {
  duplicateAnonVma(right, vma);
  const isWhole = start === vma.start;
  if (!isWhole) splitPmdAtEdge(memory, vma, start);
  const { end } = vma;
  right.changeRange(start, right.end, right.pgoff - (end - start));
  if (isWhole) {
    absorb(memory, vma, right);
    return right;
  }
  vma.changeRange(vma.start, start, vma.pgoff);
  tellVmaChange(memory, start, end, vma, right);
  return right;
}

/**
 * vma_modify_flags: pages [start, end) of the VMA get these flags. Merges with neighbours or splits. The VMA that covers
 * the pages afterwards (and possibly more), or -errno and nothing changed.
 */
export function modifyVmaFlags(memory: Memory, vma: Vma, start: number, end: number, flags: number): Vma | number {
  let changed = mergeWithNeighbours(memory, vma, start, end, flags);
  if (changed === undefined) {
    const { mm } = vma;
    if (vma.start < start) {
      const error = splitVma(memory, vma, start);
      if (error < 0) return error;
    }
    changed = mm.findVma(start);
    assert(changed !== undefined, "a VMA covers the pages whose flags change");
    if (changed.end > end) {
      const error = splitVma(memory, changed, end);
      if (error < 0) return error;
      changed = mm.findVma(start);
      assert(changed !== undefined, "a split leaves no hole");
    }
  }
  changed.flags = flags | (changed.flags & VM_SOFTDIRTY);
  return changed;
}

/**
 * The same for every VMA in [start, end), in address order. `change` gives the new flags or -errno, at which the walk
 * stops. Holes are passed over. Returns 0 or the error, and says whether there was a hole (madvise then answers -ENOMEM).
 */
export function changeVmaFlags(
  memory: Memory,
  mm: Mm,
  start: number,
  end: number,
  change: (vma: Vma) => number,
): { readonly error: number; readonly hasHole: boolean } {
  let hasHole = false;
  for (let page = start; page < end;) {
    const vma: Vma | undefined = mm.vmas[mm.firstEndingAfter(page)];
    if (vma === undefined || vma.start >= end) return { error: 0, hasHole: true };
    if (vma.start > page) {
      hasHole = true;
      page = vma.start;
    }
    const stop = Math.min(end, vma.end);
    const flags = change(vma);
    if (isErrno(flags)) return { error: flags, hasHole };
    if (flags !== vma.flags) {
      const changed = modifyVmaFlags(memory, vma, page, stop, flags);
      if (typeof changed === "number") return { error: changed, hasHole };
    }
    page = stop;
  }
  return { error: 0, hasHole };
}

/** VM_ flags may make a negative int32 (VM_MERGEABLE), but none that is an errno. */
function isErrno(flags: number): boolean {
  return flags < 0 && flags > -4096;
}

/**
 * mremap (mm/mremap.c): a mapping grows, shrinks or moves.
 *
 * Without a new address it stays where it is and grows only into free space behind its VMA. With one, the target is
 * unmapped first, a VMA is made there (or a neighbour takes it), page tables move, and the source is unmapped, or with
 * DONTUNMAP left empty. Moves without a change of size may span several VMAs and the holes between them. A VMA without
 * anonymous pages may change its page offset on the way, so that it fits its new neighbours.
 */
import { cloneAnonVmas, unlinkAnonVmas } from "./anon-vma.ts";
import { EFAULT, EINVAL, ENOMEM } from "./errno.ts";
import { populateRange } from "./gup.ts";
import { ksmBreakRange } from "./ksm.ts";
import { munmapRange } from "./map.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { movePageTables } from "./move-tables.ts";
import { PTE_TABLE_PAGES } from "./table-walk.ts";
import { mergeNewRange } from "./vma-change.ts";
import { linkFile } from "./vma-file.ts";
import {
  VM_DONTEXPAND,
  VM_LOCKED,
  VM_LOCKONFAULT,
  VM_MAYSHARE,
  VM_MERGEABLE,
  VM_SHARED,
  VM_UFFD_WP,
  Vma,
} from "./vma.ts";

export interface RemapOptions {
  /** MREMAP_MAYMOVE | MREMAP_FIXED to this page; absent: the mapping may not move. */
  readonly newPage: number | undefined;
  /** MREMAP_DONTUNMAP: the source stays, empty. */
  readonly dontUnmap: boolean;
}

/** The call, or one VMA's part of it. */
interface Remap {
  readonly start: number;
  readonly oldCount: number;
  readonly newCount: number;
  readonly newStart: number | undefined;
  readonly dontUnmap: boolean;
}

/** mremap(2): the page where the mapping begins now, or -errno. */
export function mremapRegion(
  memory: Memory,
  mm: Mm,
  start: number,
  oldCount: number,
  newCount: number,
  { newPage, dontUnmap }: RemapOptions,
): number {
  const newStart = newPage;
  const request: Remap = { start, oldCount, newCount, newStart, dontUnmap };
  if (newCount === 0) return -EINVAL;
  if (newStart !== undefined) {
    if (dontUnmap && oldCount !== newCount) return -EINVAL;
    if (start + oldCount > newStart && newStart + newCount > start) return -EINVAL;
    if (oldCount === newCount) return moveVmas(memory, mm, request, newStart);
  }
  const vma = mm.findVma(start);
  if (vma === undefined) return -EFAULT;
  const remap = checkedRemap(vma, request);
  if (typeof remap === "number") return remap;
  return remap.newStart === undefined ? resizeInPlace(memory, vma, remap) : remapTo(memory, mm, remap, remap.newStart);
}

/** remap_move: every VMA in the range, each to the same place relative to the one before. */
function moveVmas(memory: Memory, mm: Mm, request: Remap, newStart: number): number {
  const { start, dontUnmap } = request;
  const end = start + request.oldCount;
  let target = newStart;
  let result = -EFAULT;
  let lastEnd = -1;
  for (let page = start; ;) {
    const vma: Vma | undefined = mm.vmas[mm.firstEndingAfter(page)];
    if (vma === undefined || vma.start >= end) return result;
    const isFirst = lastEnd < 0;
    if (isFirst && vma.start > start) return -EFAULT;
    // vma_multi_allowed: userfaultfd wants to be told of one move at a time.
    if (vma.has(VM_UFFD_WP) && (!isFirst || vma.end < end)) return -EFAULT;
    const first = Math.max(vma.start, start);
    const count = Math.min(end, vma.end) - first;
    const gap = isFirst ? 0 : vma.start - lastEnd;
    lastEnd = vma.end;
    page = first + count;
    const remap = checkedRemap(vma, {
      start: first,
      oldCount: count,
      newCount: count,
      newStart: target + gap,
      dontUnmap,
    });
    if (typeof remap === "number") return remap;
    const moved = remapTo(memory, mm, remap, target + gap);
    if (moved < 0) return moved;
    if (isFirst) result = moved;
    target = moved + remap.newCount;
    if (page >= end) return result;
  }
}

/** check_prep_vma. */
function checkedRemap(vma: Vma, request: Remap): Remap | number {
  const { start, newStart, dontUnmap } = request;
  let { oldCount, newCount } = request;
  if (vma.isHugetlb) {
    oldCount = Math.ceil(oldCount / PTE_TABLE_PAGES) * PTE_TABLE_PAGES;
    newCount = Math.ceil(newCount / PTE_TABLE_PAGES) * PTE_TABLE_PAGES;
    if (start % PTE_TABLE_PAGES !== 0 || (newStart ?? 0) % PTE_TABLE_PAGES !== 0 || newCount > oldCount) return -EINVAL;
  }
  const remap: Remap = { start, oldCount, newCount, newStart, dontUnmap };
  if (newStart === undefined && newCount <= oldCount) return remap;
  if (oldCount === 0 && !vma.has(VM_SHARED | VM_MAYSHARE)) return -EINVAL;
  if (dontUnmap && vma.has(VM_DONTEXPAND)) return -EINVAL;
  // What is cut off first may lie behind the VMA.
  if (Math.min(oldCount, newCount) > vma.end - start) return -EFAULT;
  if (newCount !== oldCount && vma.has(VM_DONTEXPAND)) return -EFAULT;
  return remap;
}

/** mremap_at. */
function resizeInPlace(memory: Memory, vma: Vma, { start, oldCount, newCount }: Remap): number {
  const { mm } = vma;
  if (newCount === oldCount) return start;
  if (newCount < oldCount) {
    const error = munmapRange(memory, mm, start + newCount, oldCount - newCount);
    return error < 0 ? error : start;
  }
  const added = newCount - oldCount;
  if (vma.end - start !== oldCount || mm.vmasIn(vma.end, vma.end + added).length > 0) return -ENOMEM;
  const { end, flags, file, openFile, anonVma } = vma;
  const pgoff = vma.pgoff + end - vma.start;
  const grown = mergeNewRange(memory, mm, { start: end, end: end + added, pgoff, flags, file, openFile, anonVma });
  if (grown === undefined) return -ENOMEM;
  if ((flags & VM_LOCKED) !== 0) populateRange(memory, mm, end, end + added, false);
  return start;
}

/** mremap_to: unmaps the target, shrinks the source, moves it. */
function remapTo(memory: Memory, mm: Mm, remap: Remap, newStart: number): number {
  const { start, newCount, dontUnmap } = remap;
  let { oldCount } = remap;
  const unmapped = munmapRange(memory, mm, newStart, newCount);
  if (unmapped < 0) return unmapped;
  if (oldCount > newCount) {
    const shrunk = munmapRange(memory, mm, start + newCount, oldCount - newCount);
    if (shrunk < 0) return shrunk;
    oldCount = newCount;
  }
  const vma = mm.findVma(start);
  if (vma === undefined) return -EFAULT;
  const isGrowingLocked = remap.newCount > oldCount && vma.has(VM_LOCKED);
  if (vma.has(VM_MERGEABLE) && vma.anonVma !== undefined) ksmBreakRange(memory, vma, start, start + oldCount);
  moveVma(memory, vma, { start, oldCount, newCount, newStart, dontUnmap }, newStart);
  if (isGrowingLocked) populateRange(memory, mm, newStart + oldCount, newStart + newCount, false);
  return newStart;
}

/** move_vma. */
function moveVma(memory: Memory, vma: Vma, { start, oldCount, newCount, dontUnmap }: Remap, newStart: number): void {
  const { mm } = vma;
  const isWatched = vma.has(VM_UFFD_WP);
  const to = copyVma(memory, vma, start, newStart, newCount);
  // The source may have become part of the VMA at the target: it had no pages, and its page offset could change.
  const from = mm.findVma(start) ?? vma;
  movePageTables(memory, from, to, start, newStart, oldCount);
  if (from.isHugetlb && from !== to) {
    // clear_vma_resv_huge_pages: the promises go along, those of the pages that stay too.
    to.hugetlb = from.hugetlb;
    from.hugetlb = undefined;
  }
  if (isWatched) to.flags &= ~VM_UFFD_WP;
  if (!dontUnmap) {
    if (oldCount > 0) munmapRange(memory, mm, start, oldCount);
    return;
  }
  from.flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
  if (to !== from && from.start === start && from.end === start + oldCount) unlinkAnonVmas(from);
}

/** copy_vma: the VMA that covers [newStart, newStart + newCount), new or a neighbour grown. */
function copyVma(memory: Memory, vma: Vma, start: number, newStart: number, newCount: number): Vma {
  const { mm, flags, file, openFile, anonVma } = vma;
  const isUnfaulted = vma.isAnonymous && anonVma === undefined;
  const pgoff = isUnfaulted ? newStart : vma.pgoff + start - vma.start;
  const end = newStart + newCount;
  const range = { start: newStart, end, pgoff, flags, file, openFile, anonVma, copiedFrom: vma };
  const merged = mergeNewRange(memory, mm, range);
  if (merged !== undefined) return merged;
  const copy = new Vma(mm, newStart, end, flags, pgoff, file);
  copy.swapReadahead = vma.swapReadahead;
  copy.openFile = openFile;
  if (anonVma !== undefined) {
    copy.anonVma = anonVma;
    cloneAnonVmas(copy, vma, false);
  }
  linkFile(copy);
  mm.insert(copy);
  return copy;
}

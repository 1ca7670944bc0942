/**
 * get_user_pages: the kernel takes references on a process's pages (kernel-facts 1.5, 4.2).
 *
 * FOLL_GET adds a plain reference, FOLL_PIN a pin, which wants an anonymous page exclusive and, for long, no shared cache
 * page of a private mapping: it unshares. The fast way reads the tables alone and stops at the first entry that does not
 * do; the slow way goes on from there and faults. They mark a folio accessed differently, and only in that do they differ.
 * Populating (mlock, MAP_POPULATE, MADV_POPULATE) is the slow way without taking references.
 */
import { HPAGE_PMD_NR } from "../kernel/index.ts";
import { assert } from "./assert.ts";
import { EFAULT, EHWPOISON, EINVAL, ENOMEM } from "./errno.ts";
import { FAULTS_PER_ACCESS, RESOLVED_ONCE, handleVmaFault } from "./fault.ts";
import type { FaultAccess } from "./fault-types.ts";
import { changeGets, changePins, freeIfUnused } from "./folio-references.ts";
import { DIRTY, OWNER_2, REFERENCED, SHMEM, ZERO } from "./frames.ts";
import { drainLru } from "./lru-batches.ts";
import { markAccessed } from "./lru.ts";
import { type Memory, ZERO_FRAME } from "./memory.ts";
import type { Mm } from "./mm.ts";
import {
  PTE_DIRTY,
  PTE_SOFT_DIRTY,
  PTE_WRITE,
  PTE_YOUNG,
  frameOfEntry,
  isPresent,
  isTable,
  tableOfEntry,
} from "./page-table.ts";
import { findPmdTable, pmdIndex, pteIndex } from "./table-walk.ts";
import { VM_EXEC, VM_LOCKONFAULT, VM_MAYREAD, VM_READ, VM_SHARED, VM_WRITE, type Vma } from "./vma.ts";

const VM_ACCESS_FLAGS = VM_READ | VM_WRITE | VM_EXEC;

/** What is asked for. */
export interface GupRequest {
  /** FOLL_PIN; else FOLL_GET. */
  readonly pin: boolean;
  /** FOLL_WRITE. */
  readonly write: boolean;
  /** FOLL_LONGTERM. */
  readonly longterm: boolean;
  /** get_user_pages_fast: the tables first. Default: the slow way alone. */
  readonly fast?: boolean;
}

/** The FOLL_ flags of one walk. */
interface FollFlags {
  readonly grab: "get" | "pin" | "nothing";
  readonly write: boolean;
  readonly longterm: boolean;
  /** FOLL_TOUCH. */
  readonly touch: boolean;
  /** FOLL_FORCE for reading. */
  readonly force: boolean;
  /** FOLL_MADV_POPULATE and FOLL_HWPOISON: errors tell more. */
  readonly isMadvise: boolean;
}

/**
 * Takes a reference on each of `n` pages from `startPage` on: their frames, fewer if one could not be had, or -errno if
 * the first could not. Each frame stands for one reference, which releasePages gives back.
 */
export function getUserPages(
  memory: Memory,
  mm: Mm,
  startPage: number,
  n: number,
  request: GupRequest,
): number[] | number {
  const { pin, write, longterm } = request;
  const flags: FollFlags = {
    grab: pin ? "pin" : "get",
    write,
    longterm,
    touch: !pin || request.fast === true,
    force: false,
    isMadvise: false,
  };
  if (pin) mm.hasPinned = true;
  const frames: number[] = [];
  if (request.fast === true) followFast(memory, mm, startPage, n, flags, frames);
  const done = frames.length;
  if (done === n) return frames;
  const result = followSlow(memory, mm, startPage + done, n - done, flags, frames);
  return result < 0 && done === 0 ? result : frames;
}

/** unpin_user_pages or put_page for each frame that getUserPages returned. */
export function releasePages(memory: Memory, frames: readonly number[], wasPinned: boolean): void {
  for (const frame of frames) {
    const head = memory.frames.headOf(frame);
    if (memory.frames.kindOf(head) === ZERO) continue;
    if (wasPinned) {
      changePins(memory, head, -1);
      memory.statistics.count("nr_foll_pin_released");
    } else changeGets(memory, head, -1);
    freeIfUnused(memory, head);
  }
}

/**
 * mlock and MAP_POPULATE: faults pages [start, end) in, for writing where that breaks COW (populate_vma_page_range). With
 * `locked` (mlock) the first VMA that fails ends it and -errno is returned; without, the next VMA is tried.
 */
export function populateRange(memory: Memory, mm: Mm, start: number, end: number, locked: boolean): number {
  for (const vma of mm.vmasIn(start, end)) {
    const result = populateVma(memory, vma, Math.max(start, vma.start), Math.min(end, vma.end));
    if (result < 0 && locked) return result;
  }
  return 0;
}

function populateVma(memory: Memory, vma: Vma, start: number, end: number): number {
  if (vma.has(VM_LOCKONFAULT)) return 0;
  if (!vma.has(VM_ACCESS_FLAGS)) return -EFAULT;
  const write = (vma.flags & (VM_WRITE | VM_SHARED)) === VM_WRITE;
  const flags: FollFlags = { grab: "nothing", write, longterm: false, touch: true, force: !write, isMadvise: false };
  for (let page = start; page < end;) {
    const done = followSlow(memory, vma.mm, page, end - page, flags, undefined);
    drainLru(memory);
    if (done < 0) return done;
    page += done;
  }
  return 0;
}

/** MADV_POPULATE_READ and _WRITE (faultin_page_range): 0, or -errno of the page where it stopped. */
export function faultInRange(memory: Memory, mm: Mm, start: number, end: number, write: boolean): number {
  const flags: FollFlags = { grab: "nothing", write, longterm: false, touch: true, force: false, isMadvise: true };
  for (let page = start; page < end;) {
    const done = followSlow(memory, mm, page, end - page, flags, undefined);
    drainLru(memory);
    if (done < 0) return done;
    page += done;
  }
  return 0;
}

/** __get_user_pages: pages done, or -errno if none. */
function followSlow(
  memory: Memory,
  mm: Mm,
  startPage: number,
  n: number,
  flags: FollFlags,
  frames: number[] | undefined,
): number {
  let done = 0;
  let faults = 0;
  let vma: Vma | undefined;
  while (done < n) {
    const page = startPage + done;
    if (vma === undefined || page >= vma.end) {
      vma = mm.findVma(page);
      if (vma === undefined) return done > 0 ? done : flags.isMadvise ? -ENOMEM : -EFAULT;
      const refused = checkVma(vma, flags);
      if (refused < 0) return done > 0 ? done : flags.isMadvise ? -EINVAL : refused;
    }
    const found = followPage(memory, vma, page, n - done, flags, frames);
    if (typeof found === "number") {
      done += found;
      faults = 0;
      continue;
    }
    assert(++faults <= FAULTS_PER_ACCESS, RESOLVED_ONCE);
    const result = handleVmaFault(memory, vma, page, found, "kernel");
    if (result !== "ok") return done > 0 ? done : result === "hwpoison" && flags.isMadvise ? -EHWPOISON : -EFAULT;
  }
  return done;
}

/** check_vma_flags: 0 or -EFAULT. */
function checkVma(vma: Vma, flags: FollFlags): number {
  if (flags.write) {
    if (needsDirtyTracking(vma) && flags.grab === "pin" && flags.longterm) return -EFAULT;
    return vma.has(VM_WRITE) ? 0 : -EFAULT;
  }
  if (vma.has(VM_READ)) return 0;
  return flags.force && vma.has(VM_MAYREAD) ? 0 : -EFAULT;
}

/** vma_needs_dirty_tracking: a shared writable mapping of a file on disk. */
function needsDirtyTracking(vma: Vma): boolean {
  return vma.has(VM_SHARED) && vma.has(VM_WRITE) && vma.file?.fileKind === "disk";
}

/** follow_page_mask: pages followed at `page` (more than one only under a PMD leaf), or the fault that is needed first. */
function followPage(
  memory: Memory,
  vma: Vma,
  page: number,
  n: number,
  flags: FollFlags,
  taken: number[] | undefined,
): number | FaultAccess {
  const { frames, tables } = memory;
  const missing: FaultAccess = flags.write ? "write" : "read";
  const pmdTable = findPmdTable(memory, vma.mm, page);
  const pmd = pmdTable === 0 ? 0 : tables.get(pmdTable, pmdIndex(page));
  const isLeaf = isPresent(pmd);
  if (!isLeaf && !isTable(pmd)) return missing;
  const entry = isLeaf ? pmd : tables.get(tableOfEntry(pmd), pteIndex(page));
  if (!isPresent(entry)) return missing;
  if (flags.write && (entry & PTE_WRITE) === 0) return "write";
  const first = frameOfEntry(entry);
  if ((entry & PTE_WRITE) === 0 && mustUnshare(memory, vma, flags, first)) return "unshare";
  const count = isLeaf ? Math.min(n, HPAGE_PMD_NR - pteIndex(page)) : 1;
  const frame = isLeaf ? first + pteIndex(page) : first;
  const head = frames.headOf(first);
  grab(memory, head, frame, count, flags, taken);
  if (!flags.touch) return count;
  // touch_pmd: x86-64 does not write an entry for a read.
  if (isLeaf) {
    if (flags.write) tables.set(pmdTable, pmdIndex(page), entry | touchedFlags(memory));
  } else {
    if (flags.write && (entry & PTE_DIRTY) === 0) frames.set(head, DIRTY);
    if (frame !== ZERO_FRAME) markAccessed(memory, head);
  }
  return count;
}

function touchedFlags(memory: Memory): number {
  return memory.hasSoftDirty ? PTE_YOUNG | PTE_DIRTY | PTE_SOFT_DIRTY : PTE_YOUNG | PTE_DIRTY;
}

/** try_grab_folio: `count` references for `count` pages. The zero page takes none that anybody could see. */
function grab(
  memory: Memory,
  head: number,
  frame: number,
  count: number,
  flags: FollFlags,
  taken: number[] | undefined,
): void {
  if (taken === undefined) return;
  for (let i = 0; i < count; i++) taken.push(frame + i);
  if (memory.frames.kindOf(head) === ZERO) return;
  if (flags.grab === "pin") {
    changePins(memory, head, count);
    memory.statistics.count("nr_foll_pin_acquired", count);
  } else changeGets(memory, head, count);
}

/** gup_must_unshare: only for pins that read. Without a VMA (fast) a cache page for long is left to the slow way. */
function mustUnshare(memory: Memory, vma: Vma | undefined, flags: FollFlags, frame: number): boolean {
  if (flags.grab !== "pin" || flags.write) return false;
  if (!memory.cow.hasExclusivePages) return false;
  if (memory.frames.isAnon(memory.frames.headOf(frame))) return !memory.frames.has(frame, OWNER_2);
  return flags.longterm && (vma === undefined || vma.isCow);
}

/** gup_fast: follows what the tables allow, from the first page on, and stops at the first that they do not. */
function followFast(memory: Memory, mm: Mm, startPage: number, n: number, flags: FollFlags, taken: number[]): void {
  const { frames, tables } = memory;
  for (let done = 0; done < n;) {
    const page = startPage + done;
    const vma = mm.findVma(page);
    // An entry of a VMA without rights is no present one to the processor.
    if (vma === undefined || !vma.has(VM_ACCESS_FLAGS)) return;
    const pmdTable = findPmdTable(memory, mm, page);
    const pmd = pmdTable === 0 ? 0 : tables.get(pmdTable, pmdIndex(page));
    const isLeaf = isPresent(pmd);
    const entry = isTable(pmd) ? tables.get(tableOfEntry(pmd), pteIndex(page)) : pmd;
    if (!isPresent(entry) || (flags.write && (entry & PTE_WRITE) === 0)) return;
    const first = frameOfEntry(entry);
    const head = frames.headOf(first);
    if (frames.kindOf(head) === ZERO || !mayPinFast(memory, head, flags)) return;
    if ((entry & PTE_WRITE) === 0 && mustUnshare(memory, undefined, flags, first)) return;
    const count = isLeaf ? Math.min(n - done, HPAGE_PMD_NR - pteIndex(page)) : 1;
    grab(memory, head, isLeaf ? first + pteIndex(page) : first, count, flags, taken);
    frames.set(head, REFERENCED);
    done += count;
  }
}

/** gup_fast_folio_allowed: pins to write for long need memory without a file system behind it. */
function mayPinFast(memory: Memory, head: number, flags: FollFlags): boolean {
  if (flags.grab !== "pin" || !flags.longterm || !flags.write) return true;
  const { frames } = memory;
  return frames.isHugetlb(head) || frames.isAnon(head) || frames.kindOf(head) === SHMEM;
}

/**
 * mprotect, and change_protection that userfaultfd's write protection shares with it (mm/mprotect.c).
 *
 * Rights are checked VMA by VMA, and what was changed before an error stays changed. Entries lose the right to write
 * unless the page protection has it (shared memory); a private VMA that may be written gets it back at once for pages that
 * are exclusive, a shared one that wants to hear of writes for pages that are dirty. Mapcounts do not change. Entries of a
 * large folio are changed in batches, and the young and dirty bits of a batch flow together.
 */
import { HPAGE_PMD_NR } from "../kernel/index.ts";
import { EACCES, ENOMEM } from "./errno.ts";
import { ZERO } from "./frames.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { isExclusiveAnon, isPageProtWritable, wantsManualWriteUpgrade } from "./page-protection.ts";
import {
  ENTRIES_PER_TABLE,
  NEXT_FRAME,
  PTE_DIRTY,
  PTE_UFFD_WP,
  PTE_WRITE,
  PTE_YOUNG,
  TYPE_MARKER_UFFD_WP,
  frameOfEntry,
  isPresent,
  isSwapEntry,
  isTable,
  notPresentEntry,
  tableOfEntry,
  typeOfEntry,
} from "./page-table.ts";
import { populateRange } from "./gup.ts";
import { IGNORE_YOUNG_DIRTY, flagsOfBatch, pteBatch } from "./pte-batch.ts";
import { splitPmd } from "./split-pmd.ts";
import { findPmdTable, makePmdTable, makePteTable, nextPmd, pmdIndex, pteIndex } from "./table-walk.ts";
import { modifyVmaFlags } from "./vma-change.ts";
import {
  VM_ACCOUNT,
  VM_EXEC,
  VM_HUGETLB,
  VM_LOCKED,
  VM_NORESERVE,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
  type Vma,
} from "./vma.ts";

const VM_ACCESS_FLAGS = VM_READ | VM_WRITE | VM_EXEC;

/** mprotect(2) of `pageCount` pages: `protection` has VM_READ, VM_WRITE and VM_EXEC, which are PROT_'s numbers too. */
export function mprotectRange(memory: Memory, mm: Mm, start: number, pageCount: number, protection: number): number {
  if (pageCount === 0) return 0;
  const end = start + pageCount;
  const first = mm.findVma(start);
  if (first === undefined) return -ENOMEM;
  let page = start;
  while (page < end) {
    const vma = mm.findVma(page);
    if (vma === undefined) return -ENOMEM;
    const flags = (vma.flags & ~VM_ACCESS_FLAGS) | (protection & VM_ACCESS_FLAGS);
    // VM_MAY flags lie four bits above the rights that they allow.
    if ((flags & ~(flags >>> 4) & VM_ACCESS_FLAGS) !== 0) return -EACCES;
    const changed = protectVma(memory, vma, page, Math.min(end, vma.end), flags);
    if (typeof changed === "number") return changed;
    page = changed.end;
  }
  return 0;
}

/** mprotect_fixup: the VMA that covers the pages afterwards, or -errno. */
function protectVma(memory: Memory, vma: Vma, start: number, end: number, newFlags: number): Vma | number {
  const oldFlags = vma.flags;
  if (newFlags === oldFlags) return vma;
  const flags = accountedFlags(vma, newFlags);
  const changed = modifyVmaFlags(memory, vma, start, end, flags);
  if (typeof changed === "number") return changed;
  changeProtection(memory, changed, start, end, { tryWritable: wantsManualWriteUpgrade(changed) });
  if ((oldFlags & (VM_WRITE | VM_SHARED | VM_LOCKED)) === VM_LOCKED && (flags & VM_WRITE) !== 0) {
    populateRange(memory, vma.mm, start, end, false);
  }
  return changed;
}

/** A private mapping that becomes writable is charged, and stays so; one that has no anonymous page yet may be released. */
function accountedFlags(vma: Vma, flags: number): number {
  if ((flags & VM_WRITE) !== 0) {
    return vma.has(VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED | VM_NORESERVE) ? flags : flags | VM_ACCOUNT;
  }
  return vma.has(VM_ACCOUNT) && vma.isAnonymous && vma.anonVma === undefined ? flags & ~VM_ACCOUNT : flags;
}

export interface ProtectionChange {
  /** MM_CP_TRY_CHANGE_WRITABLE: entries that need no fault for it become writable. */
  readonly tryWritable: boolean;
  /** MM_CP_UFFD_WP, MM_CP_UFFD_WP_RESOLVE. */
  readonly uffdWp?: "set" | "resolve";
}

/** change_protection: the entries of [start, end) take on the VMA's page protection. */
export function changeProtection(memory: Memory, vma: Vma, start: number, end: number, change: ProtectionChange): void {
  // Only markers can say of a file's page that is not mapped that it is write-protected.
  const needsMarkers = change.uffdWp === "set" && !vma.isAnonymous;
  for (let page = start, next = 0; page < end; page = next) {
    next = Math.min(end, nextPmd(page));
    const pmdTable = needsMarkers ? makePmdTable(memory, vma.mm, page) : findPmdTable(memory, vma.mm, page);
    if (pmdTable !== 0) changePmd(memory, vma, pmdTable, page, next, change, needsMarkers);
  }
}

function changePmd(
  memory: Memory,
  vma: Vma,
  pmdTable: number,
  page: number,
  end: number,
  change: ProtectionChange,
  needsMarkers: boolean,
): void {
  const { tables } = memory;
  const index = pmdIndex(page);
  let entry = tables.get(pmdTable, index);
  if (isPresent(entry)) {
    if (vma.isHugetlb) {
      tables.set(pmdTable, index, changedFlags(vma, entry, change));
      return;
    }
    if (end - page === HPAGE_PMD_NR && !needsMarkers) {
      tables.set(pmdTable, index, changedPmd(memory, vma, entry, change));
      return;
    }
    splitPmd(memory, vma, page);
    entry = tables.get(pmdTable, index);
  }
  if (vma.isHugetlb || (!needsMarkers && !isTable(entry))) return;
  const table = needsMarkers ? makePteTable(memory, vma.mm, page) : tableOfEntry(entry);
  changePtes(memory, vma, table, pteIndex(page), pteIndex(page) + end - page, change);
}

/** pte_modify with the VMA's page protection, then uffd-wp. */
function changedFlags(vma: Vma, entry: number, { uffdWp }: ProtectionChange): number {
  const modified = isPageProtWritable(vma) ? entry | PTE_WRITE : entry & ~PTE_WRITE;
  if (uffdWp === "set") return (modified | PTE_UFFD_WP) & ~PTE_WRITE;
  return uffdWp === "resolve" ? modified & ~PTE_UFFD_WP : modified;
}

/** change_huge_pmd. pmd_modify of x86-64 forgets the dirty bit of an entry that could be written. */
function changedPmd(memory: Memory, vma: Vma, entry: number, change: ProtectionChange): number {
  return changedEntry(memory, vma, (entry & PTE_WRITE) === 0 ? entry : entry & ~PTE_DIRTY, change);
}

/** The entry of a small folio, or a PMD: writable if the page protection says so or nobody need be asked. */
function changedEntry(memory: Memory, vma: Vma, entry: number, change: ProtectionChange): number {
  const changed = changedFlags(vma, entry, change);
  if (!change.tryWritable || (changed & (PTE_WRITE | PTE_UFFD_WP)) !== 0) return changed;
  const isAllowed = vma.has(VM_SHARED) ? (changed & PTE_DIRTY) !== 0 : isExclusiveAnon(memory, frameOfEntry(entry));
  return isAllowed ? changed | PTE_WRITE : changed;
}

/** change_pte_range: entries [index, end) of one table. */
function changePtes(
  memory: Memory,
  vma: Vma,
  table: number,
  index: number,
  end: number,
  change: ProtectionChange,
): void {
  const { tables } = memory;
  const placesMarkers = change.uffdWp === "set" && !vma.isAnonymous;
  if (tables.usedEntries(table) === 0 && !placesMarkers) return;
  if (end - index === ENTRIES_PER_TABLE && changeRun(memory, vma, table, change)) return;
  const { order } = memory.frames;
  const base = tables.wordsAt(table);
  const words = tables.allWords;
  for (let at = index, n = 1; at < end; at += n) {
    n = 1;
    const entry = words[base + at];
    if (isPresent(entry)) {
      if (order[frameOfEntry(entry)] === 0) {
        words[base + at] = changedEntry(memory, vma, entry, change);
        continue;
      }
      n = pteBatch(memory, table, at, entry, end - at, IGNORE_YOUNG_DIRTY);
      changeBatch(memory, vma, table, at, n, change);
    } else if (entry === 0) {
      if (placesMarkers) tables.set(table, at, notPresentEntry(TYPE_MARKER_UFFD_WP, 0, 0));
    } else changeNotPresent(memory, table, at, entry, change);
  }
}

/** A table that is a run and stays one. False if its entries must be looked at one by one. */
function changeRun(memory: Memory, vma: Vma, table: number, change: ProtectionChange): boolean {
  const { tables } = memory;
  const run = tables.runOf(table);
  if (run === 0) return false;
  let changed = changedFlags(vma, run, change);
  if (change.tryWritable && (changed & (PTE_WRITE | PTE_UFFD_WP)) === 0) {
    if (vma.has(VM_SHARED)) changed |= (changed & PTE_DIRTY) === 0 ? 0 : PTE_WRITE;
    else {
      const first = frameOfEntry(run);
      let exclusive = 0;
      for (let i = 0; i < ENTRIES_PER_TABLE; i++) if (isExclusiveAnon(memory, first + i)) exclusive++;
      if (exclusive === ENTRIES_PER_TABLE) changed |= PTE_WRITE;
      else if (exclusive > 0) return false;
    }
  }
  tables.setRun(table, changed);
  return true;
}

/** A batch takes its young and dirty bits together; exclusive pages in it may become writable, the others not. */
function changeBatch(
  memory: Memory,
  vma: Vma,
  table: number,
  index: number,
  n: number,
  change: ProtectionChange,
): void {
  const { frames, tables } = memory;
  const entry = tables.get(table, index);
  const gathered = flagsOfBatch(memory, table, index, n) & (PTE_YOUNG | PTE_DIRTY);
  const changed = changedFlags(vma, entry | gathered, change);
  const isNormal = frames.kindOf(frameOfEntry(entry)) !== ZERO;
  const mayWrite = change.tryWritable && (changed & (PTE_WRITE | PTE_UFFD_WP)) === 0;
  const isDirtyShared = mayWrite && vma.has(VM_SHARED) && (changed & PTE_DIRTY) !== 0;
  const at = tables.wordsAt(table) + index;
  const words = tables.allWords;
  for (let i = 0; i < n; i++) {
    let next = (changed + i * NEXT_FRAME) | 0;
    if (isDirtyShared) next |= PTE_WRITE;
    else if (mayWrite && !vma.has(VM_SHARED) && isNormal && isExclusiveAnon(memory, frameOfEntry(next)))
      next |= PTE_WRITE;
    words[at + i] = next;
  }
}

function changeNotPresent(
  memory: Memory,
  table: number,
  index: number,
  entry: number,
  { uffdWp }: ProtectionChange,
): void {
  if (uffdWp === undefined) return;
  const { tables } = memory;
  if (typeOfEntry(entry) === TYPE_MARKER_UFFD_WP && !isSwapEntry(entry)) {
    if (uffdWp === "resolve") tables.set(table, index, 0);
    return;
  }
  if (!isSwapEntry(entry)) return;
  tables.set(table, index, uffdWp === "set" ? entry | PTE_UFFD_WP : entry & ~PTE_UFFD_WP);
}

/**
 * fork: a copy of an address space (kernel-facts 2.10).
 *
 * VMAs go in address order. Page tables are copied only for VMAs that have an anon_vma; the rest is faulted in again. A
 * batch of PTEs of one large folio is counted for the child at once; private entries become read-only in both, and old in
 * the child, and nobody has an anonymous page exclusively any more. What may be pinned is copied instead. A PTE table of
 * the parent, even an empty one, gives the child one. Tables that are runs stay runs.
 */
import { LEVEL_PTE } from "../kernel/index.ts";
import { nodeOfMm } from "./anon-folio.ts";
import { forkAnonVmas } from "./anon-vma.ts";
import { ANON, KIND_MASK, KSM, OWNER_2, ZERO } from "./frames.ts";
import { copyHugetlbAtFork } from "./hugetlb.ts";
import { ksmFork } from "./ksm.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { copyPages } from "./new-page-content.ts";
import {
  ENTRIES_PER_TABLE,
  LEAF_FLAGS,
  NEXT_FRAME,
  PTE_DIRTY,
  PTE_SOFT_DIRTY,
  PTE_UFFD_WP,
  PTE_WRITE,
  PTE_YOUNG,
  SWP_EXCLUSIVE,
  TYPE_MARKER_GUARD,
  TYPE_MARKER_POISONED,
  TYPE_HWPOISON,
  TYPE_SWAP,
  frameOfEntry,
  isPresent,
  isSwapEntry,
  isTable,
  presentEntry,
  tableOfEntry,
  typeOfEntry,
} from "./page-table.ts";
import { IGNORE_ALL, IGNORE_ALL_BUT_DIRTY, pteBatch } from "./pte-batch.ts";
import { addNewAnonRmap, createAnonFolio, dupFileRmapPtes, tryDupAnonRmapPmd, tryDupAnonRmapPtes } from "./rmap.ts";
import { splitPmd } from "./split-pmd.ts";
import { copySwapEntry } from "./swap.ts";
import {
  PMD_TABLE_PAGES,
  findPmdTable,
  makePmdTable,
  makePteTable,
  nextPmd,
  pmdIndex,
  pteIndex,
} from "./table-walk.ts";
import { linkFile } from "./vma-file.ts";
import { VM_DONTCOPY, VM_LOCKED, VM_LOCKONFAULT, VM_SHARED, VM_UFFD_WP, VM_WIPEONFORK, VM_WRITE, Vma } from "./vma.ts";

/** dup_mm: the child's address space. */
export function forkMm(memory: Memory, parent: Mm, name: string): Mm {
  const child = memory.createMm(name);
  child.boundNode = parent.boundNode;
  child.thpDisabled = parent.thpDisabled;
  child.userfault = parent.userfault;
  ksmFork(memory, parent, child);
  for (const source of parent.vmas) {
    if (source.has(VM_DONTCOPY)) continue;
    const vma = duplicateVma(child, source);
    child.vmas.push(vma);
    linkFile(vma);
    if (vma.has(VM_WIPEONFORK) || source.anonVma === undefined) continue;
    if (vma.isHugetlb) copyHugetlbAtFork(memory, source, vma);
    else copyPageRange(memory, source, vma);
  }
  return child;
}

/** vm_area_dup as fork wants it: mlock and userfaultfd are not inherited. */
function duplicateVma(child: Mm, source: Vma): Vma {
  const flags = source.flags & ~(VM_LOCKED | VM_LOCKONFAULT | VM_UFFD_WP);
  const vma = new Vma(child, source.start, source.end, flags, source.pgoff, source.file);
  vma.swapReadahead = source.swapReadahead;
  vma.openFile = source.openFile;
  if (!vma.has(VM_WIPEONFORK)) forkAnonVmas(vma, source);
  return vma;
}

function copyPageRange(memory: Memory, source: Vma, vma: Vma): void {
  const { end } = source;
  for (let page = source.start; page < end;) {
    const from = findPmdTable(memory, source.mm, page);
    const pmdEnd = Math.min(end, page - (page % PMD_TABLE_PAGES) + PMD_TABLE_PAGES);
    if (from === 0) {
      page = pmdEnd;
      continue;
    }
    const to = makePmdTable(memory, vma.mm, page);
    for (let next = page; page < pmdEnd; page = next) {
      next = Math.min(pmdEnd, nextPmd(page));
      copyPmd(memory, source, vma, from, to, page, next);
    }
  }
}

function copyPmd(memory: Memory, source: Vma, vma: Vma, from: number, to: number, page: number, end: number): void {
  const { tables } = memory;
  const index = pmdIndex(page);
  let entry = tables.get(from, index);
  if (isPresent(entry)) {
    if (!source.isAnonymous || copyHugePmd(memory, source, vma, from, to, index, entry)) return;
    splitPmd(memory, source, page);
    entry = tables.get(from, index);
  }
  if (!isTable(entry)) return;
  const table = tableOfEntry(entry);
  const childTable = makePteTable(memory, vma.mm, page);
  if (tables.usedEntries(table) === 0) return;
  tables.fold(table);
  if (tables.runOf(table) !== 0 && end - page === ENTRIES_PER_TABLE && !source.mm.hasPinned) {
    copyRun(memory, source, vma, table, childTable);
  } else copyPtes(memory, source, vma, table, childTable, page, end);
}

/** copy_huge_pmd. False if the folio may be pinned: then its PTEs are copied. */
function copyHugePmd(
  memory: Memory,
  source: Vma,
  vma: Vma,
  from: number,
  to: number,
  index: number,
  entry: number,
): boolean {
  const { frames, tables } = memory;
  const head = frameOfEntry(entry);
  if (frames.kindOf(head) !== ZERO && !tryDupAnonRmapPmd(memory, head, source, vma, to)) return false;
  tables.set(from, index, entry & ~PTE_WRITE);
  tables.set(to, index, entry & ~(PTE_WRITE | PTE_YOUNG | PTE_UFFD_WP));
  return true;
}

/** The child's copy of present entries with these flags, of a shared or a private VMA. */
function childFlags(source: Vma, flags: number): number {
  const kept = source.has(VM_SHARED) ? flags & ~PTE_DIRTY : flags;
  return (source.isCow ? kept & ~PTE_WRITE : kept) & ~(PTE_YOUNG | PTE_UFFD_WP);
}

/** A whole table that is a run, in an address space that never had a page pinned. */
function copyRun(memory: Memory, source: Vma, vma: Vma, table: number, childTable: number): void {
  const { frames, tables, events } = memory;
  const { order, state } = frames;
  const run = tables.runOf(table);
  const first = frameOfEntry(run);
  const end = first + ENTRIES_PER_TABLE;
  const vmaId = vma.id;
  const mmId = vma.mm.id;
  for (let frame = first, n = 1; frame < end; frame += n) {
    if (order[frame] === 0) {
      n = 1;
      if (frames.isAnon(frame)) state[frame] &= ~OWNER_2;
      events.dup(frame, 0, 1, LEVEL_PTE, childTable, vmaId, mmId);
      continue;
    }
    const head = frames.headOf(frame);
    n = Math.min(end, head + (1 << order[head])) - frame;
    if (frames.isAnon(head)) tryDupAnonRmapPtes(memory, frame, n, source, vma, childTable);
    else dupFileRmapPtes(memory, frame, n, vma, childTable);
  }
  if (source.isCow && (run & PTE_WRITE) !== 0) tables.setRun(table, run & ~PTE_WRITE);
  tables.setRun(childTable, presentEntry(first, childFlags(source, run & LEAF_FLAGS)));
}

/** copy_pte_range. */
function copyPtes(
  memory: Memory,
  source: Vma,
  vma: Vma,
  table: number,
  childTable: number,
  page: number,
  end: number,
): void {
  const { frames, tables, events } = memory;
  const { order, state } = frames;
  const first = pteIndex(page);
  const last = first + end - page;
  const base = tables.wordsAt(table);
  const childBase = tables.wordsAt(childTable);
  const words = tables.allWords;
  const ignored = source.has(VM_SHARED) ? IGNORE_ALL : IGNORE_ALL_BUT_DIRTY;
  // Small anonymous pages of a process that pins nothing: the common case, without further questions.
  const isPlain = source.isCow && !source.mm.hasPinned;
  const vmaId = vma.id;
  const mmId = vma.mm.id;
  let copied = 0;
  for (let index = first, n = 1; index < last; index += n) {
    n = 1;
    const entry = words[base + index];
    if (entry === 0) continue;
    if (isPresent(entry)) {
      const frame = frameOfEntry(entry);
      const kind = state[frame] & KIND_MASK;
      if (isPlain && order[frame] === 0 && (kind === ANON || kind === KSM)) {
        state[frame] &= ~OWNER_2;
        events.dup(frame, 0, 1, LEVEL_PTE, childTable, vmaId, mmId);
        words[base + index] = entry & ~PTE_WRITE;
        words[childBase + index] = entry & ~(PTE_WRITE | PTE_YOUNG | PTE_UFFD_WP);
      } else {
        if (order[frame] > 0) n = pteBatch(memory, table, index, entry, last - index, ignored);
        n = copyPresent(memory, source, vma, {
          words,
          at: base + index,
          childAt: childBase + index,
          childTable,
          page: page - first + index,
          n,
        });
      }
      copied += n;
      continue;
    }
    const copy = copyNotPresent(memory, entry, source, vma);
    if (copy === 0) continue;
    if (isSwapEntry(entry)) words[base + index] = entry & ~SWP_EXCLUSIVE;
    words[childBase + index] = copy;
    copied++;
  }
  tables.changeUsed(childTable, copied);
  // Write-protecting has made them equal, maybe all of them.
  tables.fold(table);
  tables.fold(childTable);
}

function childEntry(source: Vma, entry: number, flags: number): number {
  return presentEntry(frameOfEntry(entry), childFlags(source, flags & LEAF_FLAGS));
}

/** A batch of present entries: where their words begin in the parent's table and in the child's. */
interface PresentBatch {
  readonly words: Int32Array;
  readonly at: number;
  readonly childAt: number;
  readonly childTable: number;
  readonly page: number;
  readonly n: number;
}

/** copy_present_ptes: the batch, or only its first entry if pages may be pinned. Returns how many. */
function copyPresent(memory: Memory, source: Vma, vma: Vma, batch: PresentBatch): number {
  const { frames } = memory;
  const { words, at, childAt, childTable, n } = batch;
  const entry = words[at];
  const frame = frameOfEntry(entry);
  const head = frames.headOf(frame);
  let count = n;
  if (frames.isAnon(head)) {
    if (!tryDupAnonRmapPtes(memory, frame, n, source, vma, childTable)) {
      if (n === 1 || !tryDupAnonRmapPtes(memory, frame, 1, source, vma, childTable)) {
        words[childAt] = copyPresentPage(memory, vma, frame, entry, childTable, batch.page);
        return 1;
      }
      count = 1;
    }
  } else if (frames.kindOf(head) !== ZERO) dupFileRmapPtes(memory, frame, n, vma, childTable);
  if (source.isCow) {
    const copy = childEntry(source, entry, entry);
    for (let i = 0; i < count; i++) {
      words[at + i] &= ~PTE_WRITE;
      words[childAt + i] = copy + i * NEXT_FRAME;
    }
    return count;
  }
  // The child may write to all of a batch if the parent may write to any of it (FPB_MERGE_WRITE).
  let flags = entry;
  for (let i = 1; i < count; i++) flags |= words[at + i] & PTE_WRITE;
  const copy = childEntry(source, entry, flags);
  for (let i = 0; i < count; i++) words[childAt + i] = copy + i * NEXT_FRAME;
  return count;
}

/** copy_present_page: the child gets a page of its own at once, because the parent's may be pinned. */
function copyPresentPage(
  memory: Memory,
  vma: Vma,
  frame: number,
  entry: number,
  childTable: number,
  page: number,
): number {
  const copy = createAnonFolio(memory, 0, nodeOfMm(vma.mm));
  copyPages(memory, frame, copy, 1);
  addNewAnonRmap(memory, copy, vma, page, childTable, true);
  const written = PTE_YOUNG | PTE_DIRTY | (memory.hasSoftDirty ? PTE_SOFT_DIRTY : 0);
  const uffd = vma.has(VM_UFFD_WP) ? entry & PTE_UFFD_WP : 0;
  return presentEntry(copy, written | uffd | (vma.has(VM_WRITE) ? PTE_WRITE : 0));
}

/** copy_nonpresent_pte: the child's entry, or 0 if it gets none. */
function copyNotPresent(memory: Memory, entry: number, source: Vma, vma: Vma): number {
  switch (typeOfEntry(entry)) {
    case TYPE_SWAP:
      return copySwapEntry(memory, entry, source.mm, vma.mm, vma.has(VM_UFFD_WP));
    case TYPE_MARKER_GUARD:
    case TYPE_MARKER_POISONED:
      return entry;
    case TYPE_HWPOISON:
      return entry & ~PTE_UFFD_WP;
    default:
      return 0;
  }
}

/**
 * zap_page_range: entries are cleared, their mappings removed, and folios that nobody needs any more are freed.
 *
 * Entries go in batches of one folio, one table and one VMA that agree in all but young, dirty, soft-dirty and write
 * (kernel-facts 2.11). A PMD leaf goes whole if all of its pages are meant, else it is split first. Dirty and young of a
 * file's entries pass to the folio. A table that is a run is emptied at once and costs one batch per folio.
 */
import { HPAGE_PMD_NR, LEVEL_PTE } from "../kernel/index.ts";
import type { FileMapping } from "./file-mapping.ts";
import { freeIfUnused } from "./folio-references.ts";
import { ANON, DIRTY, KIND_MASK, ZERO } from "./frames.ts";
import { zapHugetlb } from "./hugetlb.ts";
import { markAccessed, munlockFolio } from "./lru.ts";
import type { Memory } from "./memory.ts";
import {
  ENTRIES_PER_TABLE, type PageTables, PTE_DIRTY, PTE_UFFD_WP, PTE_YOUNG, TYPE_HWPOISON, TYPE_MARKER_GUARD, TYPE_MARKER_POISONED,
  TYPE_MARKER_UFFD_WP, TYPE_SWAP, frameOfEntry, isPresent, isSwapEntry, isTable, nextSwapEntry, notPresentEntry, offsetOfEntry, tableOfEntry, typeOfEntry,
} from "./page-table.ts"; // prettier-ignore
import { IGNORE_ALL, flagsOfBatch, pteBatch } from "./pte-batch.ts";
import { removeRmapPmd, removeRmapPtes } from "./rmap.ts";
import { splitPmd } from "./split-pmd.ts";
import { freeSwapEntries } from "./swap.ts";
import { PMD_TABLE_PAGES, findPmdTable, nextPmd, pmdIndex, pteIndex } from "./table-walk.ts";
import { VM_LOCKED, VM_RAND_READ, VM_SEQ_READ, VM_UFFD_WP, type Vma } from "./vma.ts";

export interface ZapOptions {
  /** Private copies go too; truncation of a file may leave them. Default true. */
  readonly evenCows?: boolean;
  /** Markers go too (ZAP_FLAG_DROP_MARKER): munmap and exit, but not madvise. Default false. */
  readonly dropMarkers?: boolean;
}

/** unmap_single_vma: clears pages [start, end) of the VMA. */
export function zapVmaRange(memory: Memory, vma: Vma, start: number, end: number, options: ZapOptions): void {
  if (vma.isHugetlb) {
    zapHugetlb(memory, vma, start, end);
    return;
  }
  for (let page = start; page < end;) {
    const pmdTable = findPmdTable(memory, vma.mm, page);
    const pmdEnd = Math.min(end, page - (page % PMD_TABLE_PAGES) + PMD_TABLE_PAGES);
    if (pmdTable === 0) {
      page = pmdEnd;
      continue;
    }
    for (let next = page; page < pmdEnd; page = next) {
      next = Math.min(pmdEnd, nextPmd(page));
      zapPmd(memory, vma, pmdTable, page, next, options);
    }
  }
}

/** unmap_mapping_pages: clears the entries of pages [firstIndex, endIndex) of a file, of all that map it. */
export function unmapFileRange(
  memory: Memory,
  mapping: FileMapping,
  firstIndex: number,
  endIndex: number,
  evenCows: boolean,
): void {
  // prettier-ignore
  const vmas = [...mapping.vmas].sort((a, b) => a.pgoff - b.pgoff || a.id - b.id);
  for (const vma of vmas) {
    const start = Math.max(vma.start, vma.start + firstIndex - vma.pgoff);
    const end = Math.min(vma.end, vma.start + endIndex - vma.pgoff);
    if (start < end) zapVmaRange(memory, vma, start, end, { evenCows });
  }
}

function zapPmd(memory: Memory, vma: Vma, pmdTable: number, page: number, end: number, options: ZapOptions): void {
  const { tables } = memory;
  const index = pmdIndex(page);
  let entry = tables.get(pmdTable, index);
  if (isPresent(entry)) {
    if (end - page === HPAGE_PMD_NR) {
      zapHugePmd(memory, vma, pmdTable, index, entry);
      return;
    }
    splitPmd(memory, vma, page);
    entry = tables.get(pmdTable, index);
  }
  if (!isTable(entry)) return;
  zapPtes(memory, vma, tableOfEntry(entry), page, end, options);
}

/** zap_huge_pmd. The dirty bit of a file's PMD is not looked at. */
function zapHugePmd(memory: Memory, vma: Vma, pmdTable: number, index: number, entry: number): void {
  const { frames } = memory;
  const head = frameOfEntry(entry);
  memory.tables.set(pmdTable, index, 0);
  if (frames.kindOf(head) === ZERO) return;
  removeRmapPmd(memory, head, vma, pmdTable);
  if (!frames.isAnon(head) && (entry & PTE_YOUNG) !== 0 && hasRecency(vma)) markAccessed(memory, head);
  freeIfUnused(memory, head);
}

/** vma_has_recency: accesses of VMAs with MADV_RANDOM or MADV_SEQUENTIAL say nothing. */
function hasRecency(vma: Vma): boolean {
  return !vma.has(VM_RAND_READ | VM_SEQ_READ);
}

/** zap_pte_range. False if an entry had to stay. */
function zapPtes(memory: Memory, vma: Vma, table: number, page: number, end: number, options: ZapOptions): boolean {
  const { tables } = memory;
  if (tables.usedEntries(table) === 0) return true;
  const run = tables.runOf(table);
  const mayLeaveMarkers = vma.has(VM_UFFD_WP) && !vma.isAnonymous && options.dropMarkers !== true;
  if (run !== 0 && end - page === ENTRIES_PER_TABLE && options.evenCows !== false && !mayLeaveMarkers) {
    zapRun(memory, vma, table, run);
    return true;
  }
  return zapEntries(memory, vma, table, pteIndex(page), pteIndex(page) + end - page, options);
}

/** Entries [first, last) of a table, batch by batch. */
function zapEntries(
  memory: Memory,
  vma: Vma,
  table: number,
  first: number,
  last: number,
  options: ZapOptions,
): boolean {
  // prettier-ignore
  const { frames, tables, events } = memory;
  const { order, state } = frames;
  const base = tables.wordsAt(table);
  const words = tables.allWords;
  // Small anonymous pages go without further questions.
  const isPlain = options.evenCows !== false && vma.isAnonymous && !vma.has(VM_LOCKED);
  const vmaId = vma.id;
  const mmId = vma.mm.id;
  let isAllGone = true;
  let plain = 0;
  for (let index = first, n = 1; index < last; index += n) {
    n = 1;
    const entry = words[base + index];
    if (entry === 0) continue;
    if (isPresent(entry)) {
      const frame = frameOfEntry(entry);
      if (isPlain && order[frame] === 0 && (state[frame] & KIND_MASK) === ANON) {
        words[base + index] = 0;
        plain++;
        events.remove(frame, 0, 1, LEVEL_PTE, table, vmaId, mmId);
        freeIfUnused(memory, frame);
        continue;
      }
      if (order[frame] > 0) n = pteBatch(memory, table, index, entry, last - index, IGNORE_ALL);
      if (!zapPresent(memory, vma, table, index, n, entry, options)) isAllGone = false;
    } else {
      if (isSwapEntry(entry)) n = swapPteBatch(tables, table, index, entry, last - index);
      if (!zapNotPresent(memory, vma, table, index, n, entry, options)) isAllGone = false;
    }
  }
  tables.changeUsed(table, -plain);
  return isAllGone;
}

/** A table that is a run: empty at once, then one batch per folio. */
function zapRun(memory: Memory, vma: Vma, table: number, run: number): void {
  const { frames } = memory;
  memory.tables.clearBatch(table, 0, ENTRIES_PER_TABLE);
  const first = frameOfEntry(run);
  const end = first + ENTRIES_PER_TABLE;
  for (let frame = first, n = 1; frame < end; frame += n) {
    const head = frames.headOf(frame);
    n = Math.min(end, head + 2 ** frames.order[head]) - frame;
    passBitsToFile(memory, vma, head, run);
    removeMapping(memory, vma, head, frame, n, table);
  }
}

function zapPresent(
  memory: Memory,
  vma: Vma,
  table: number,
  index: number,
  n: number,
  entry: number,
  options: ZapOptions,
): boolean {
  // prettier-ignore
  const { frames, tables } = memory;
  const frame = frameOfEntry(entry);
  const head = frames.headOf(frame);
  const isZero = frames.kindOf(head) === ZERO;
  if (options.evenCows === false && !isZero && frames.isAnon(head)) return false;
  if (!isZero && !frames.isAnon(head)) passBitsToFile(memory, vma, head, flagsOfBatch(memory, table, index, n));
  const isMarked = leaveUffdMarkers(memory, vma, table, index, n, entry, options);
  if (!isMarked) tables.clearBatch(table, index, n);
  if (!isZero) removeMapping(memory, vma, head, frame, n, table);
  return !isMarked;
}

function passBitsToFile(memory: Memory, vma: Vma, head: number, flags: number): void {
  const { frames } = memory;
  if (frames.isAnon(head)) return;
  if ((flags & PTE_DIRTY) !== 0) frames.set(head, DIRTY);
  if ((flags & PTE_YOUNG) !== 0 && hasRecency(vma)) markAccessed(memory, head);
}

function removeMapping(memory: Memory, vma: Vma, head: number, frame: number, n: number, table: number): void {
  if (memory.frames.order[head] > 0) removeRmapPtes(memory, frame, n, vma, table);
  else {
    memory.events.remove(head, 0, 1, LEVEL_PTE, table, vma.id, vma.mm.id);
    if (vma.has(VM_LOCKED)) munlockFolio(memory, head);
  }
  freeIfUnused(memory, head);
}

/** zap_install_uffd_wp_if_needed: a file's page stays write-protected though nothing maps it. True if markers were left. */
function leaveUffdMarkers(
  memory: Memory,
  vma: Vma,
  table: number,
  index: number,
  n: number,
  entry: number,
  options: ZapOptions,
): boolean {
  // prettier-ignore
  if (vma.isAnonymous || options.dropMarkers === true || !vma.has(VM_UFFD_WP) || (entry & PTE_UFFD_WP) === 0) return false;
  const marker = notPresentEntry(TYPE_MARKER_UFFD_WP, 0, 0);
  for (let i = 0; i < n; i++) memory.tables.set(table, index + i, marker);
  return true;
}

/** swap_pte_batch: swap entries of consecutive slots that agree in all bits. */
function swapPteBatch(tables: PageTables, table: number, index: number, entry: number, limit: number): number {
  let n = 1;
  for (let expected = nextSwapEntry(entry); n < limit; n++, expected = nextSwapEntry(expected)) {
    if (tables.get(table, index + n) !== expected) break;
  }
  return n;
}

/** zap_nonpresent_ptes. `n`: swap entries come in batches. False if the entries stay. */
function zapNotPresent(
  memory: Memory,
  vma: Vma,
  table: number,
  index: number,
  n: number,
  entry: number,
  options: ZapOptions,
): boolean {
  // prettier-ignore
  const dropMarkers = options.dropMarkers === true;
  const evenCows = options.evenCows !== false;
  switch (typeOfEntry(entry)) {
    case TYPE_SWAP: {
      if (!evenCows) return false;
      const isMarked = leaveUffdMarkers(memory, vma, table, index, n, entry, options);
      if (!isMarked) memory.tables.clearBatch(table, index, n);
      freeSwapEntries(memory, offsetOfEntry(entry), n);
      return !isMarked;
    }
    case TYPE_MARKER_UFFD_WP:
      if (!vma.isAnonymous && !dropMarkers) return false;
      break;
    case TYPE_MARKER_GUARD:
      if (!dropMarkers) return false;
      break;
    case TYPE_HWPOISON:
    case TYPE_MARKER_POISONED:
      if (!evenCows) return false;
      break;
    default:
  }
  memory.tables.set(table, index, 0);
  return true;
}

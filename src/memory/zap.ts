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
import { ANON, KIND_MASK, ZERO } from "./frames.ts";
import { zapHugetlb } from "./hugetlb.ts";
import { markAccessed } from "./lru.ts";
import type { Memory } from "./memory.ts";
import { markDirty } from "./page-cache.ts";
import {
  ENTRIES_PER_TABLE,
  type PageTables,
  PTE_DIRTY,
  PTE_UFFD_WP,
  PTE_YOUNG,
  TYPE_HWPOISON,
  TYPE_MARKER_GUARD,
  TYPE_MARKER_POISONED,
  TYPE_MARKER_UFFD_WP,
  TYPE_SWAP,
  frameOfEntry,
  isPresent,
  isSwapEntry,
  isTable,
  nextSwapEntry,
  notPresentEntry,
  offsetOfEntry,
  tableOfEntry,
  typeOfEntry,
} from "./page-table.ts";
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

/** One call's subject: the VMA and what is spared in it. */
interface Zap {
  readonly memory: Memory;
  readonly vma: Vma;
  readonly evenCows: boolean;
  readonly dropMarkers: boolean;
  /** A file's write-protected pages leave markers behind (zap_install_uffd_wp_if_needed). */
  readonly leavesMarkers: boolean;
}

/** unmap_single_vma: clears pages [start, end) of the VMA. */
export function zapVmaRange(memory: Memory, vma: Vma, start: number, end: number, options: ZapOptions): void {
  if (vma.isHugetlb) {
    zapHugetlb(memory, vma, start, end);
    return;
  }
  const { evenCows = true, dropMarkers = false } = options;
  const leavesMarkers = vma.has(VM_UFFD_WP) && !vma.isAnonymous && !dropMarkers;
  const zap: Zap = { memory, vma, evenCows, dropMarkers, leavesMarkers };
  for (let page = start; page < end;) {
    const pmdTable = findPmdTable(memory, vma.mm, page);
    const pmdEnd = Math.min(end, page - (page % PMD_TABLE_PAGES) + PMD_TABLE_PAGES);
    if (pmdTable === 0) {
      page = pmdEnd;
      continue;
    }
    for (let next = page; page < pmdEnd; page = next) {
      next = Math.min(pmdEnd, nextPmd(page));
      zapPmd(zap, pmdTable, page, next);
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
  for (const vma of mapping.vmas.overlapping(firstIndex, endIndex - 1)) {
    const start = Math.max(vma.start, vma.start + firstIndex - vma.pgoff);
    const end = Math.min(vma.end, vma.start + endIndex - vma.pgoff);
    if (start < end) zapVmaRange(memory, vma, start, end, { evenCows });
  }
}

function zapPmd(zap: Zap, pmdTable: number, page: number, end: number): void {
  const { memory, vma } = zap;
  const { tables } = memory;
  const index = pmdIndex(page);
  let entry = tables.get(pmdTable, index);
  if (isPresent(entry)) {
    if (end - page === HPAGE_PMD_NR) {
      zapHugePmd(zap, pmdTable, index, entry);
      return;
    }
    splitPmd(memory, vma, page);
    entry = tables.get(pmdTable, index);
  }
  if (isTable(entry)) zapPtes(zap, tableOfEntry(entry), pteIndex(page), pteIndex(page) + end - page);
}

/** zap_huge_pmd. The dirty bit of a file's PMD is not looked at. */
function zapHugePmd(zap: Zap, pmdTable: number, index: number, entry: number): void {
  const { memory, vma } = zap;
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

/** zap_pte_range: entries [first, last) of one table. */
function zapPtes(zap: Zap, table: number, first: number, last: number): void {
  const { tables } = zap.memory;
  if (tables.usedEntries(table) === 0) return;
  const run = tables.runOf(table);
  if (run !== 0 && last - first === ENTRIES_PER_TABLE && zap.evenCows && !zap.leavesMarkers) zapRun(zap, table, run);
  else zapEntries(zap, table, first, last);
}

/** A table that is a run: empty at once, then one batch per folio. */
function zapRun(zap: Zap, table: number, run: number): void {
  const { memory, vma } = zap;
  const { frames } = memory;
  memory.tables.clearBatch(table, 0, ENTRIES_PER_TABLE);
  const first = frameOfEntry(run);
  const end = first + ENTRIES_PER_TABLE;
  for (let frame = first, n = 1; frame < end; frame += n) {
    const head = frames.headOf(frame);
    n = Math.min(end, head + 2 ** frames.order[head]) - frame;
    if (!frames.isAnon(head)) passBitsToFile(memory, vma, head, run);
    removeMapping(memory, vma, head, frame, n, table);
  }
}

/** Batch by batch. */
function zapEntries(zap: Zap, table: number, first: number, last: number): void {
  const { memory, vma } = zap;
  const { frames, tables, events } = memory;
  const { order, state } = frames;
  const base = tables.wordsAt(table);
  const words = tables.allWords;
  // Small anonymous pages go without further questions.
  const isPlain = zap.evenCows && vma.isAnonymous && !vma.has(VM_LOCKED);
  const vmaId = vma.id;
  const mmId = vma.mm.id;
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
      zapPresent(zap, table, index, n, entry);
    } else {
      if (isSwapEntry(entry)) n = swapPteBatch(tables, table, index, entry, last - index);
      zapNotPresent(zap, table, index, n, entry);
    }
  }
  tables.changeUsed(table, -plain);
}

function zapPresent(zap: Zap, table: number, index: number, n: number, entry: number): void {
  const { memory, vma } = zap;
  const { frames } = memory;
  const frame = frameOfEntry(entry);
  const head = frames.headOf(frame);
  if (frames.kindOf(head) === ZERO) {
    clearEntries(zap, table, index, n, entry);
    return;
  }
  const isAnon = frames.isAnon(head);
  if (isAnon && !zap.evenCows) return;
  if (!isAnon) passBitsToFile(memory, vma, head, flagsOfBatch(memory, table, index, n));
  clearEntries(zap, table, index, n, entry);
  removeMapping(memory, vma, head, frame, n, table);
}

function passBitsToFile(memory: Memory, vma: Vma, head: number, flags: number): void {
  if ((flags & PTE_DIRTY) !== 0) markDirty(memory, head);
  if ((flags & PTE_YOUNG) !== 0 && hasRecency(vma)) markAccessed(memory, head);
}

function removeMapping(memory: Memory, vma: Vma, head: number, frame: number, n: number, table: number): void {
  removeRmapPtes(memory, frame, n, vma, table);
  freeIfUnused(memory, head);
}

/** Empties `n` entries like `entry`, or leaves markers: a file's page stays write-protected though nothing maps it. */
function clearEntries({ memory, leavesMarkers }: Zap, table: number, index: number, n: number, entry: number): void {
  const { tables } = memory;
  if (!leavesMarkers || (entry & PTE_UFFD_WP) === 0) {
    tables.clearBatch(table, index, n);
    return;
  }
  const marker = notPresentEntry(TYPE_MARKER_UFFD_WP, 0, 0);
  for (let i = 0; i < n; i++) tables.set(table, index + i, marker);
}

/** swap_pte_batch: swap entries of consecutive slots that agree in all bits. */
function swapPteBatch(tables: PageTables, table: number, index: number, entry: number, limit: number): number {
  let n = 1;
  for (let expected = nextSwapEntry(entry); n < limit; n++, expected = nextSwapEntry(expected)) {
    if (tables.get(table, index + n) !== expected) break;
  }
  return n;
}

/** zap_nonpresent_ptes. `n`: swap entries come in batches. */
function zapNotPresent(zap: Zap, table: number, index: number, n: number, entry: number): void {
  const { memory } = zap;
  switch (typeOfEntry(entry)) {
    case TYPE_SWAP:
      if (!zap.evenCows) return;
      clearEntries(zap, table, index, n, entry);
      freeSwapEntries(memory, offsetOfEntry(entry), n);
      return;
    case TYPE_MARKER_UFFD_WP:
      if (!zap.vma.isAnonymous && !zap.dropMarkers) return;
      break;
    case TYPE_MARKER_GUARD:
      if (!zap.dropMarkers) return;
      break;
    case TYPE_HWPOISON:
    case TYPE_MARKER_POISONED:
      if (!zap.evenCows) return;
      break;
    default:
  }
  memory.tables.set(table, index, 0);
}

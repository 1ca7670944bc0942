/**
 * Collapse of page cache: 512 pages of a file become one folio, and the caller maps it by a PMD (collapse_file,
 * collapse_pte_mapped_thp).
 *
 * Small folios are unmapped from everybody, swapped ones are brought in, holes of shmem become zeros; then the new folio
 * takes their place in the cache. Page tables that are empty now go away where nobody needs them, so that others fault the
 * whole folio in. Only the caller gets its PMD entry at once, if none of its PTEs maps anything else.
 */
import { HPAGE_PMD_NR, HPAGE_PMD_ORDER } from "../kernel/index.ts";
import { nodeOfMm } from "./anon-folio.ts";
import { assert } from "./assert.ts";
import { busiestNode, tableToCollapse } from "./collapse-anon.ts";
import type { CollapseResult } from "./collapse.ts";
import { writeBack } from "./disk-file.ts";
import type { FileMapping } from "./file-mapping.ts";
import { freeFolio, freeIfUnused } from "./folio-references.ts";
import { DIRTY, FILE, LRU, SHMEM, SWAPBACKED, UPTODATE } from "./frames.ts";
import type { Memory } from "./memory.ts";
import { isPageProtWritable } from "./page-protection.ts";
import { ZERO_CONTENT } from "./page-contents.ts";
import { PTE_WRITE, PTE_YOUNG, frameOfEntry, isPresent, isTable, presentEntry, tableOfEntry } from "./page-table.ts";
import { IGNORE_ALL, pteBatch } from "./pte-batch.ts";
import { addFileRmapPmd, removeRmapPtes } from "./rmap.ts";
import { swapInShmem } from "./shmem-swap.ts";
import { readMissingPages } from "./readahead.ts";
import { releasePrivate } from "./split-folio.ts";
import { findPmdTable, makePmdTable, pmdIndex } from "./table-walk.ts";
import { ORDER_PMD, allowableOrders, isSuitableOrder } from "./thp-orders.ts";
import { unmapFileFolio } from "./unmap-file-folio.ts";
import { VM_NOHUGEPAGE, VM_UFFD_WP, type Vma } from "./vma.ts";

/** hpage_collapse_scan_file for the 2 MiB at page `first` of the VMA, and what follows from it. */
export function collapseFile(memory: Memory, vma: Vma, first: number): CollapseResult {
  const { file } = vma;
  assert(file !== undefined, "only a file's VMA is collapsed as one");
  const index = vma.indexOf(first);
  const nodeLoad = new Int32Array(memory.allocator.nodeCount);
  let result = scanCache(memory, file, index, nodeLoad);
  if (result === "succeed") result = replaceInCache(memory, vma, file, index, busiestNode(nodeLoad));
  return result === "pmd-mapped" ? mapWhole(memory, vma, first) : result;
}

/** What is in the cache? "pmd-mapped" stands for SCAN_PTE_MAPPED_HUGEPAGE: one folio of 2 MiB already. */
function scanCache(memory: Memory, file: FileMapping, index: number, nodeLoad: Int32Array): CollapseResult {
  const { frames } = memory;
  for (let at = index, n = 1; at < index + HPAGE_PMD_NR; at += n) {
    n = 1;
    const frame = file.frameAt(at);
    if (frame === 0) continue;
    const head = frames.headOf(frame);
    n = 2 ** frames.order[head];
    if (n === HPAGE_PMD_NR) return "pmd-mapped";
    nodeLoad[memory.allocator.nodeOf(frame)]++;
    if (!frames.has(head, LRU)) return "page-lru";
    if (!memory.decisions.decide("collapse-references", head, -1, -1, 0)) return "page-count";
  }
  return "succeed";
}

/** collapse_file: gathers the folios, then puts the new one in their place. What was unmapped stays so if it fails. */
function replaceInCache(memory: Memory, vma: Vma, file: FileMapping, index: number, node: number): CollapseResult {
  const { allocator, contents, frames, keys } = memory;
  memory.statistics.count("thp_collapse_alloc");
  const gathered = gather(memory, vma, file, index);
  if (gathered !== "succeed") return gathered;
  const isShmem = file.fileKind === "shmem";
  const head = allocator.allocate(HPAGE_PMD_ORDER, isShmem ? SHMEM : FILE, node);
  memory.events.created(head, HPAGE_PMD_ORDER, false);
  const old: number[] = [];
  for (let at = 0; at < HPAGE_PMD_NR; at++) {
    const frame = file.frameAt(index + at);
    contents.set(head + at, frame === 0 ? ZERO_CONTENT : contents.of(frame));
    memory.watch?.did(frame === 0 ? "page-zeroed" : "page-copied", 1);
    if (frame !== 0 && frames.headOf(frame) === frame) old.push(frame);
  }
  frames.set(head, isShmem ? SWAPBACKED | UPTODATE | DIRTY | LRU : UPTODATE | LRU);
  frames.rmapKey[head] = keys.acquire(file, index);
  file.setFrames(index, head, HPAGE_PMD_NR);
  for (const folio of old) {
    keys.release(frames.rmapKey[folio]);
    frames.rmapKey[folio] = 0;
    freeFolio(memory, folio);
  }
  retractTables(memory, file, index);
  return "pmd-mapped";
}

/** Brings all pages into the cache and takes their mappings away. */
function gather(memory: Memory, vma: Vma, file: FileMapping, index: number): CollapseResult {
  const { frames } = memory;
  const end = index + HPAGE_PMD_NR;
  for (let at = index; at < end;) {
    let frame = file.frameAt(at);
    if (file.fileKind === "shmem") {
      if (frame === 0 && file.swapSlotAt(at) < 0) {
        if (at === index && isEmpty(file, index, end)) return "truncated";
        at++;
        continue;
      }
      if (frame === 0) {
        swapInShmem(memory, file, at, nodeOfMm(vma.mm));
        frame = file.frameAt(at);
      }
    } else {
      if (frame === 0) frame = readMissingPages(memory, file, at, end - at);
      if (frame === 0) return "fail";
      if (frames.has(frames.headOf(frame), DIRTY)) {
        writeBack(memory, file);
        return "fail";
      }
    }
    const head = frames.headOf(frame);
    if (frames.order[head] === HPAGE_PMD_ORDER) return "pmd-mapped";
    if (!releasePrivate(memory, head)) return "has-private";
    if (memory.decisions.decide("collapse-unmap", head, -1, -1, 0)) unmapFileFolio(memory, head);
    if (!memory.decisions.decide("collapse-references", head, -1, -1, 0)) return "page-count";
    at = at - (frame - head) + 2 ** frames.order[head];
  }
  return "succeed";
}

function isEmpty(file: FileMapping, index: number, end: number): boolean {
  for (let at = index; at < end; at++) if (file.frameAt(at) !== 0 || file.swapSlotAt(at) >= 0) return false;
  return true;
}

/** retract_page_tables: PTE tables of the range that nothing but this file filled are empty now, and go. */
function retractTables(memory: Memory, file: FileMapping, index: number): void {
  const { tables } = memory;
  for (const vma of file.vmas.overlapping(index, index)) {
    const first = vma.start + index - vma.pgoff;
    if (vma.anonVma !== undefined || vma.has(VM_UFFD_WP) || first % HPAGE_PMD_NR !== 0) continue;
    if (first < vma.start || first + HPAGE_PMD_NR > vma.end) continue;
    const pmdTable = findPmdTable(memory, vma.mm, first);
    const pmd = pmdTable === 0 ? 0 : tables.get(pmdTable, pmdIndex(first));
    if (!isTable(pmd)) continue;
    tables.set(pmdTable, pmdIndex(first), 0);
    tables.free(tableOfEntry(pmd));
  }
}

/** collapse_pte_mapped_thp: the folio in the cache is whole; this VMA maps it by one PMD entry from now on. */
function mapWhole(memory: Memory, vma: Vma, first: number): CollapseResult {
  const { frames, tables } = memory;
  if (first < vma.start || first + HPAGE_PMD_NR > vma.end) return "vma-check";
  const table = tableToCollapse(memory, vma, first);
  if (table === "pmd-mapped") return table;
  if ((allowableOrders(memory, vma, "forced") & ORDER_PMD) === 0) return "vma-check";
  if (vma.has(VM_UFFD_WP)) return "uffd-wp";
  const head = vma.file?.frameAt(vma.indexOf(first)) ?? 0;
  if (head === 0) return "page-null";
  if (frames.order[head] !== HPAGE_PMD_ORDER) return "page-compound";
  if (typeof table === "number") {
    const look = lookForStrangers(memory, table, head);
    if (look !== "succeed") return look;
    unmapTable(memory, vma, table, head);
    tables.set(findPmdTable(memory, vma.mm, first), pmdIndex(first), 0);
    tables.free(table);
  }
  return installPmd(memory, vma, first, head);
}

/** Does one of the PTEs map, or stand for, anything but its page of the folio? */
function lookForStrangers(memory: Memory, table: number, head: number): CollapseResult {
  for (let index = 0; index < HPAGE_PMD_NR; index++) {
    const entry = memory.tables.get(table, index);
    if (entry === 0) continue;
    if (!isPresent(entry)) return "not-present";
    if (frameOfEntry(entry) !== head + index) return "fail";
  }
  return "succeed";
}

function unmapTable(memory: Memory, vma: Vma, table: number, head: number): void {
  const { tables } = memory;
  for (let index = 0, n = 1; index < HPAGE_PMD_NR; index += n) {
    n = 1;
    const entry = tables.get(table, index);
    if (entry === 0) continue;
    n = pteBatch(memory, table, index, entry, HPAGE_PMD_NR - index, IGNORE_ALL);
    tables.clearBatch(table, index, n);
    removeRmapPtes(memory, head + index, n, vma, table);
  }
  freeIfUnused(memory, head);
}

/** set_huge_pmd, do_set_pmd: an entry that nobody wrote through yet. */
function installPmd(memory: Memory, vma: Vma, first: number, head: number): CollapseResult {
  if (vma.has(VM_NOHUGEPAGE) || !isSuitableOrder(vma, first, HPAGE_PMD_ORDER)) return "fail";
  const pmdTable = makePmdTable(memory, vma.mm, first);
  addFileRmapPmd(memory, head, vma, pmdTable);
  const flags = isPageProtWritable(vma) ? PTE_YOUNG | PTE_WRITE : PTE_YOUNG;
  memory.tables.set(pmdTable, pmdIndex(first), presentEntry(head, flags));
  memory.statistics.count("thp_file_mapped");
  return "succeed";
}

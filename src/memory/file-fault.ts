/**
 * Faults of pages that belong to a file: do_read_fault, do_cow_fault, do_shared_fault and finish_fault (mm/memory.c).
 *
 * A read maps what lies around the page, too (fault-around.ts). A write to a private mapping copies the file's page at once
 * and maps nothing of the file; a write to a shared one asks the file system first. What the file gives is mapped whole if
 * it is a large folio that fits the VMA and the page table, over empty entries; a disk's folio that the file ends in is
 * mapped page by page.
 */
import { HPAGE_PMD_ORDER } from "../kernel/index.ts";
import { newExclusivePage, nodeOfMm, writtenLeafFlags } from "./anon-folio.ts";
import { prepareAnonVma } from "./anon-vma.ts";
import { assert } from "./assert.ts";
import { filePages, makeFolioWritable, readFolio } from "./disk-file.ts";
import { emptyEntries, faultAround, mapFilePmd, newFileEntryFlags } from "./fault-around.ts";
import type { FaultAccess, FaultResult } from "./fault-types.ts";
import type { FileMapping } from "./file-mapping.ts";
import { UPTODATE } from "./frames.ts";
import type { Memory } from "./memory.ts";
import { copyPages } from "./new-page-content.ts";
import { ReadaheadState } from "./open-file.ts";
import { cachedFolio, createCacheFolio, markDirty, nextIndexOf } from "./page-cache.ts";
import {
  ENTRIES_PER_TABLE, PTE_UFFD_WP, PTE_WRITE, TYPE_MARKER_UFFD_WP, isNotPresent, presentEntry, typeOfEntry,
} from "./page-table.ts"; // prettier-ignore
import { type Reader, readaheadForFault, readaheadForHit } from "./readahead.ts";
import { addFileRmapPtes } from "./rmap.ts";
import { shmemGetFolio } from "./shmem.ts";
import { makePteTable, pmdEntryOf, pteIndex, pteOf } from "./table-walk.ts";
import { VM_SHARED, VM_UFFD_WP, type Vma } from "./vma.ts";

/** do_fault. The PMD entry is empty or a table, the PTE empty or userfaultfd's marker. */
export function fileFault(memory: Memory, vma: Vma, page: number, access: FaultAccess): FaultResult {
  if (access !== "write") return readFault(memory, vma, page);
  return vma.has(VM_SHARED) ? sharedFault(memory, vma, page) : cowFault(memory, vma, page);
}

function readFault(memory: Memory, vma: Vma, page: number): FaultResult {
  const tryAround = (): boolean => !vma.has(VM_UFFD_WP) && faultAround(memory, vma, page);
  if (tryAround()) return "ok";
  const found = pageOfFile(memory, vma, page, tryAround);
  if (found === "mapped") return "ok";
  if (found === "sigbus") return found;
  finishFault(memory, vma, page, found, false);
  return "ok";
}

function sharedFault(memory: Memory, vma: Vma, page: number): FaultResult {
  const frame = pageOfFile(memory, vma, page);
  if (typeof frame !== "number") return "sigbus";
  const head = memory.frames.headOf(frame);
  const result = makePageWritable(memory, vma, head, vma.indexOf(page));
  if (result !== "ok") return result;
  finishFault(memory, vma, page, frame, true);
  markDirty(memory, head);
  return "ok";
}

function cowFault(memory: Memory, vma: Vma, page: number): FaultResult {
  prepareAnonVma(vma);
  const frame = pageOfFile(memory, vma, page);
  if (typeof frame !== "number") return "sigbus";
  const marker = isMarked(memory, vma, page);
  const table = makePteTable(memory, vma.mm, page);
  const copy = newExclusivePage(memory, vma, page, table);
  copyPages(memory, frame, copy, 1);
  memory.tables.set(table, pteIndex(page), presentEntry(copy, protectIf(marker, writtenLeafFlags(memory, vma))));
  return "ok";
}

/** vmf_orig_pte_uffd_wp: does userfaultfd's marker stand where the page goes? */
function isMarked(memory: Memory, vma: Vma, page: number): boolean {
  const entry = pteOf(memory, vma.mm, page);
  return isNotPresent(entry) && typeOfEntry(entry) === TYPE_MARKER_UFFD_WP;
}

function protectIf(marked: boolean, flags: number): number {
  return marked ? (flags | PTE_UFFD_WP) & ~PTE_WRITE : flags;
}

/**
 * vm_ops->fault: the frame of the page in the cache, brought there if need be. Reading a disk drops the mmap lock, and the
 * fault begins anew with `retry`; "mapped" if that is enough.
 */
function pageOfFile(memory: Memory, vma: Vma, page: number, retry?: () => boolean): number | "sigbus" | "mapped" {
  const { file } = vma;
  assert(file !== undefined, "a file's VMA has a file");
  const index = vma.indexOf(page);
  if (index >= filePages(file)) return "sigbus";
  const node = nodeOfMm(vma.mm);
  if (file.fileKind === "shmem") {
    const head = shmemGetFolio(memory, file, index, { purpose: "cache", node, fault: { vma, page } });
    return head < 0 ? "sigbus" : file.frameAt(index);
  }
  const state = vma.openFile?.readahead ?? new ReadaheadState();
  const reader: Reader = { memory, file, state, node };
  const didRead = readDiskPage(reader, vma, index);
  if (didRead && retry?.() === true) return "mapped";
  return file.frameAt(index);
}

/** filemap_fault. True if the fault begins anew. */
function readDiskPage(reader: Reader, vma: Vma, index: number): boolean {
  const { memory, file, node } = reader;
  const cached = cachedFolio(memory, file, index);
  if (cached !== 0) {
    const didRead = readaheadForHit(reader, vma, cached, index);
    return fillIfMissing(memory, file, cached) || didRead;
  }
  const didRead = readaheadForFault(reader, vma, index);
  const head = cachedFolio(memory, file, index);
  if (head !== 0) return didRead;
  readFolio(memory, file, createCacheFolio(memory, file, index, 0, node));
  return true;
}

/** page_not_uptodate: a folio that was never read is read now. */
function fillIfMissing(memory: Memory, file: FileMapping, head: number): boolean {
  if (memory.frames.has(head, UPTODATE)) return false;
  readFolio(memory, file, head);
  return true;
}

/** vm_ops->page_mkwrite: the file system is told that the page of a shared mapping becomes writable. */
export function makePageWritable(memory: Memory, vma: Vma, head: number, _index: number): FaultResult {
  const { file } = vma;
  if (file?.fileKind !== "disk") return "ok";
  return makeFolioWritable(memory, file, head) ? "ok" : "sigbus";
}

/** finish_fault: maps the page, with its whole folio if that fits. */
function finishFault(memory: Memory, vma: Vma, page: number, frame: number, isWrite: boolean): void {
  const { frames, tables } = memory;
  const { file } = vma;
  const head = frames.headOf(frame);
  const isCut = file !== undefined && file.fileKind !== "shmem" && filePages(file) < nextIndexOf(memory, head);
  if (!isCut && frames.order[head] === HPAGE_PMD_ORDER && pmdEntryOf(memory, vma.mm, page) === 0) {
    if (mapFilePmd(memory, vma, page, head, isWrite)) return;
  }
  const marked = isMarked(memory, vma, page);
  const table = makePteTable(memory, vma.mm, page);
  const flags = newFileEntryFlags(memory, vma, head, isWrite);
  const n = 2 ** frames.order[head];
  if (n > 1 && !isCut && !vma.has(VM_UFFD_WP) && isRoomForAll(memory, vma, page, table, frame - head, n)) {
    addFileRmapPtes(memory, head, n, vma, table);
    tables.setBatch(table, pteIndex(page) - (frame - head), n, presentEntry(head, flags));
    return;
  }
  addFileRmapPtes(memory, frame, 1, vma, table);
  tables.set(table, pteIndex(page), presentEntry(frame, protectIf(marked, flags)));
}

/** Does the folio, whose page `offset` faulted, lie in the VMA and the page table, and over empty entries? */
function isRoomForAll(memory: Memory, vma: Vma, page: number, table: number, offset: number, n: number): boolean {
  const first = page - offset;
  if (first < vma.start || first + n > vma.end) return false;
  const index = pteIndex(page) - offset;
  if (index < 0 || index + n > ENTRIES_PER_TABLE) return false;
  return emptyEntries(memory, table, index, n) === n;
}

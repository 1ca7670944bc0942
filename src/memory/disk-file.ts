/**
 * Files of a disk: ext4 with blocks of 4 KiB, delayed allocation and large folios (fs/ext4/inode.c, fs/buffer.c).
 *
 * The page cache is filled by writes, whose folios are as large as the piece that is written, and by readahead
 * (readahead.ts). A folio that was written, or that became writable through a mapping, has buffers (PG_private); one that
 * was read in and has no hole is "mapped to disk" (PG_owner_2). Writing back gives dirty pages their blocks and
 * write-protects the entries that map them, so that the next write is noticed.
 */
import { LEVEL_PMD, PAGE_SIZE_BYTES } from "../kernel/index.ts";
import type { FileMapping } from "./file-mapping.ts";
import { DIRTY, OWNER_2, RECLAIM, REFERENCED, UPTODATE } from "./frames.ts";
import { drainLru } from "./lru-batches.ts";
import { markAccessed } from "./lru.ts";
import type { Memory } from "./memory.ts";
import {
  MAX_PAGECACHE_ORDER, cachedFolio, createCacheFolio, firstIndexOf, foliosBetween, isRangeFree, nextIndexOf,
} from "./page-cache.ts"; // prettier-ignore
import { ZERO_CONTENT } from "./page-contents.ts";
import { PTE_DIRTY, PTE_WRITE } from "./page-table.ts";
import { mappingsOf } from "./rmap-walk.ts";
import { pmdIndex, pteIndex } from "./table-walk.ts";
import { VM_SHARED } from "./vma.ts";

/** Pages of the file: up to and with the one where it ends. */
export function filePages(file: FileMapping): number {
  return Math.ceil(file.sizeBytes / PAGE_SIZE_BYTES);
}

/** ext4_mpage_readpages of one folio: what its blocks hold, zeros for holes. */
export function readFolio(memory: Memory, file: FileMapping, head: number): void {
  const { contents, frames } = memory;
  const first = firstIndexOf(memory, head);
  const n = 2 ** frames.order[head];
  let holes = 0;
  let isConfused = false;
  for (let i = 0; i < n; i++) {
    const content = first + i < filePages(file) ? file.blocks.get(first + i) : undefined;
    if (content === undefined) holes++;
    else if (holes > 0) isConfused = true;
    if (!file.dirtyPages.has(first + i)) contents.set(head + i, content ?? ZERO_CONTENT);
  }
  // A block behind a hole is beyond the simple way: it is read through buffers.
  if (isConfused) addBuffers(memory, head);
  else if (holes === 0) frames.set(head, OWNER_2);
  frames.set(head, UPTODATE);
}

/** create_empty_buffers: PG_private and its reference. */
function addBuffers(memory: Memory, head: number): void {
  if (memory.frames.extraOf(head)?.hasPrivate === true) return;
  memory.frames.changeExtra(head, (extra) => (extra.hasPrivate = true));
}

/** mark_buffer_dirty of pages [first, end) of a folio: unlike folio_mark_dirty it leaves readahead's mark where it is. */
function dirtyBuffers(memory: Memory, file: FileMapping, head: number, first: number, end: number): void {
  addBuffers(memory, head);
  for (let index = first; index < end; index++) file.dirtyPages.add(index);
  memory.frames.set(head, DIRTY);
}

/**
 * ext4_da_write_begin: the folio for a write of `lengthBytes` at page `index`. A new one is as large as the write, as its
 * place in the file and the folios that are there already allow (__filemap_get_folio).
 */
export function folioForWrite(
  memory: Memory,
  file: FileMapping,
  index: number,
  lengthBytes: number,
  node: number,
): number {
  const cached = cachedFolio(memory, file, index);
  if (cached !== 0) return cached;
  let order = Math.min(MAX_PAGECACHE_ORDER, Math.max(0, Math.floor(Math.log2(lengthBytes)) - 12));
  while (index % 2 ** order !== 0 || !isRangeFree(file, index, 2 ** order)) order--;
  // Who writes does not ask what was there.
  for (let page = index; page < index + 2 ** order; page++) file.shadows.delete(page);
  return createCacheFolio(memory, file, index, order, node);
}

/**
 * ext4_da_write_begin and _end around the copy of bytes [position, end) into the folio: the buffers that are written become
 * dirty. Those that are only half written, and the rest of a new folio, must be there first.
 */
export function finishDiskWrite(memory: Memory, file: FileMapping, head: number, position: number, end: number): void {
  const first = Math.floor(position / PAGE_SIZE_BYTES);
  const last = Math.ceil(end / PAGE_SIZE_BYTES);
  dirtyBuffers(memory, file, head, first, last);
  const isWhole = first <= firstIndexOf(memory, head) && last >= nextIndexOf(memory, head);
  if (isWhole) memory.frames.set(head, UPTODATE);
}

/** Half-written pages of a folio that was never filled hold what the disk has. */
export function fillBeforeWrite(memory: Memory, file: FileMapping, head: number, position: number, end: number): void {
  const { contents, frames } = memory;
  if (frames.has(head, UPTODATE)) return;
  const first = firstIndexOf(memory, head);
  for (const byte of [position, end]) {
    const index = Math.floor(byte / PAGE_SIZE_BYTES);
    if (byte % PAGE_SIZE_BYTES === 0 || file.dirtyPages.has(index)) continue;
    contents.set(head + index - first, file.blocks.get(index) ?? ZERO_CONTENT);
  }
}

/**
 * ext4_zero_partial_blocks of bytes [start, end): where the range begins or ends within a block, that block is brought into
 * the cache, marked accessed, and if it is on disk made dirty.
 */
export function zeroPartialBlocks(memory: Memory, file: FileMapping, start: number, end: number, node: number): void {
  const first = Math.floor(start / PAGE_SIZE_BYTES);
  const last = Math.floor((end - 1) / PAGE_SIZE_BYTES);
  if (first === last) {
    if (start % PAGE_SIZE_BYTES !== 0 || end % PAGE_SIZE_BYTES !== 0) zeroBlock(memory, file, start, end, node);
    return;
  }
  if (start % PAGE_SIZE_BYTES !== 0) zeroBlock(memory, file, start, (first + 1) * PAGE_SIZE_BYTES, node);
  if (end % PAGE_SIZE_BYTES !== 0) zeroBlock(memory, file, last * PAGE_SIZE_BYTES, end, node);
}

/** __ext4_block_zero_page_range. */
function zeroBlock(memory: Memory, file: FileMapping, start: number, end: number, node: number): void {
  const { contents, frames } = memory;
  const index = Math.floor(start / PAGE_SIZE_BYTES);
  let head = cachedFolio(memory, file, index);
  if (head === 0) {
    head = createCacheFolio(memory, file, index, 0, node);
    frames.set(head, REFERENCED);
  } else markAccessed(memory, head);
  addBuffers(memory, head);
  const isOnDisk = file.blocks.has(index) || file.dirtyPages.has(index);
  if (!isOnDisk) return;
  const frame = head + index - firstIndexOf(memory, head);
  if (!frames.has(head, UPTODATE)) contents.set(frame, file.blocks.get(index) ?? ZERO_CONTENT);
  if (contents.isKept) {
    const from = start % PAGE_SIZE_BYTES;
    contents.set(frame, contents.withFilledBytes(contents.of(frame), from, from + end - start, 0));
  }
  dirtyBuffers(memory, file, head, index, index + 1);
}

/** ext4_page_mkwrite: all of the folio that lies in the file gets buffers and becomes dirty. False: it lies behind the end. */
export function makeFolioWritable(memory: Memory, file: FileMapping, head: number): boolean {
  const first = firstIndexOf(memory, head);
  const end = Math.min(nextIndexOf(memory, head), filePages(file));
  if (first >= end) return false;
  dirtyBuffers(memory, file, head, first, end);
  return true;
}

/** filemap_fdatawrite: dirty pages get their blocks; entries that map them are clean and read-only from now on. */
export function writeBack(memory: Memory, file: FileMapping): void {
  const { frames } = memory;
  const dirty = foliosBetween(memory, file, 0, filePages(file)).filter((head) => frames.has(head, DIRTY));
  if (dirty.length > 0) drainLru(memory);
  for (const head of dirty) {
    cleanEntries(memory, head);
    frames.clear(head, DIRTY | RECLAIM);
    const first = firstIndexOf(memory, head);
    const end = Math.min(nextIndexOf(memory, head), filePages(file));
    const pages = dirtyPagesOf(file, first, end);
    for (const index of pages) {
      file.blocks.set(index, Math.max(ZERO_CONTENT, memory.contents.of(head + index - first)));
      file.dirtyPages.delete(index);
    }
  }
}

/** Pages of a dirty folio that are dirty: those that were written, or all if only an entry knew of the write. */
function dirtyPagesOf(file: FileMapping, first: number, end: number): number[] {
  const all = Array.from({ length: end - first }, (_, i) => first + i);
  const dirty = all.filter((index) => file.dirtyPages.has(index));
  return dirty.length > 0 ? dirty : all;
}

/** folio_mkclean: entries of shared mappings lose their dirty and write bits. */
function cleanEntries(memory: Memory, head: number): void {
  const { tables } = memory;
  memory.watch?.willWalk("clean", head);
  for (const { vma, table, level, page, pageCount } of mappingsOf(memory, head)) {
    if (!vma.has(VM_SHARED)) continue;
    const first = level === LEVEL_PMD ? pmdIndex(page) : pteIndex(page);
    const n = level === LEVEL_PMD ? 1 : pageCount;
    for (let index = first; index < first + n; index++) {
      const entry = tables.get(table, index);
      if ((entry & (PTE_DIRTY | PTE_WRITE)) !== 0) tables.set(table, index, entry & ~(PTE_DIRTY | PTE_WRITE));
    }
  }
}

/**
 * read(2), write(2), fsync(2) and posix_fadvise(2) on files (mm/filemap.c, mm/shmem.c, mm/fadvise.c).
 *
 * A write goes folio by folio, and each piece tells the folio that it was accessed or made; a memfd is written page by page
 * whatever its folios are. A read of a hole of shmem fills nothing.
 */
import { PAGE_SIZE_BYTES } from "../kernel/index.ts";
import { nodeOfMm } from "./anon-folio.ts";
import {
  fillBeforeWrite,
  finishDiskWrite,
  filePages,
  folioForWrite,
  readFolio,
  writeBack,
  zeroPartialBlocks,
} from "./disk-file.ts";
import { EINVAL } from "./errno.ts";
import type { FileMapping } from "./file-mapping.ts";
import { ACTIVE, DIRTY, LRU, RECLAIM, REFERENCED, UNEVICTABLE, UPTODATE } from "./frames.ts";
import { drainLru } from "./lru-batches.ts";
import { markAccessed } from "./lru.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { ReadaheadState } from "./open-file.ts";
import {
  cachedFolio,
  createCacheFolio,
  firstIndexOf,
  foliosBetween,
  nextIndexOf,
  removeFromCache,
} from "./page-cache.ts";
import { type Reader, readaheadForMark, readaheadForMiss } from "./readahead.ts";
import { finishShmemWrite, shmemGetFolio } from "./shmem.ts";
import { releasePrivate } from "./split-folio.ts";

/** The byte that the kernel lab's program writes. */
const WRITTEN_BYTE = 0x5a;
/** What it reads at once. */
const READ_BYTES = 65_536;
/** Largest piece of one write to a file with large folios: mapping_max_folio_size. */
const LARGE_PIECE_BYTES = 2 ** 21;

/** pwrite(2) of `lengthBytes`, in calls of `chunkBytes`: the length, or -errno. */
export function pwriteFile(
  memory: Memory,
  file: FileMapping,
  offsetBytes: number,
  lengthBytes: number,
  chunkBytes: number,
  mm: Mm,
): number {
  // prettier-ignore
  if (file.fileKind === "hugetlb") return lengthBytes === 0 ? 0 : -EINVAL;
  const end = offsetBytes + lengthBytes;
  for (let at = offsetBytes; at < end; at += chunkBytes) {
    writeOnce(memory, file, at, Math.min(end, at + chunkBytes), nodeOfMm(mm));
  }
  return lengthBytes;
}

/** generic_perform_write of bytes [start, end). */
function writeOnce(memory: Memory, file: FileMapping, start: number, end: number, node: number): void {
  const isDisk = file.fileKind === "disk";
  const piece = file.hasLargeFolios ? LARGE_PIECE_BYTES : PAGE_SIZE_BYTES;
  for (let at = start; at < end;) {
    const wanted = Math.min(end, at - (at % piece) + piece);
    const index = Math.floor(at / PAGE_SIZE_BYTES);
    const head = isDisk
      ? folioForWrite(memory, file, index, wanted - at, node)
      : shmemGetFolio(memory, file, index, { purpose: "write", node, writeEndBytes: wanted });
    const to = Math.min(wanted, nextIndexOf(memory, head) * PAGE_SIZE_BYTES);
    if (isDisk) fillBeforeWrite(memory, file, head, at, to);
    fill(
      memory,
      head,
      at - firstIndexOf(memory, head) * PAGE_SIZE_BYTES,
      to - firstIndexOf(memory, head) * PAGE_SIZE_BYTES,
    );
    const oldSize = file.sizeBytes;
    file.sizeBytes = Math.max(oldSize, to);
    if (isDisk) {
      finishDiskWrite(memory, file, head, at, to);
      if (at > oldSize) zeroPartialBlocks(memory, file, oldSize, at, node);
    } else finishShmemWrite(memory, head);
    at = to;
  }
}

/** Bytes [from, to) of the folio are what was written. */
function fill(memory: Memory, head: number, from: number, to: number): void {
  const { contents } = memory;
  if (!contents.isKept) return;
  const whole = contents.filled(WRITTEN_BYTE);
  for (let at = from; at < to;) {
    const page = Math.floor(at / PAGE_SIZE_BYTES);
    const base = page * PAGE_SIZE_BYTES;
    const end = Math.min(to, base + PAGE_SIZE_BYTES);
    const isWhole = end - at === PAGE_SIZE_BYTES;
    const content = isWhole
      ? whole
      : contents.withFilledBytes(contents.of(head + page), at - base, end - base, WRITTEN_BYTE);
    contents.set(head + page, content);
    at = end;
  }
}

/** pread(2) of `lengthBytes`, in calls of 64 KiB, the last one whole too: the length, or -errno. */
export function preadFile(
  memory: Memory,
  file: FileMapping,
  offsetBytes: number,
  lengthBytes: number,
  mm: Mm,
  state = new ReadaheadState(),
): number {
  // prettier-ignore
  const reader: Reader = { memory, file, state, node: nodeOfMm(mm) };
  for (let at = 0; at < lengthBytes; at += READ_BYTES) {
    const start = offsetBytes + at;
    const end = Math.min(file.sizeBytes, start + READ_BYTES);
    if (file.fileKind === "shmem") readShmem(reader, start, end);
    else if (file.fileKind === "disk") readDisk(reader, start, end);
  }
  return lengthBytes;
}

/** shmem_file_read_iter: a folio is accessed where it is read from its beginning. */
function readShmem({ memory, file, node }: Reader, start: number, end: number): void {
  for (let at = start; at < end;) {
    const index = Math.floor(at / PAGE_SIZE_BYTES);
    const head = shmemGetFolio(memory, file, index, { purpose: "read", node });
    if (head === 0) {
      at = (index + 1) * PAGE_SIZE_BYTES;
      continue;
    }
    if (at === firstIndexOf(memory, head) * PAGE_SIZE_BYTES) markAccessed(memory, head);
    at = nextIndexOf(memory, head) * PAGE_SIZE_BYTES;
  }
}

/** filemap_read: batches of folios, each accessed once unless the last read ended in it. */
function readDisk(reader: Reader, start: number, end: number): void {
  const { memory, state } = reader;
  let previous = state.previousByte;
  for (let at = start; at < end;) {
    const batch = nextBatch(
      reader,
      Math.floor(at / PAGE_SIZE_BYTES),
      Math.ceil((start + READ_BYTES) / PAGE_SIZE_BYTES),
    );
    for (const [place, head] of batch.entries()) {
      const from = firstIndexOf(memory, head) * PAGE_SIZE_BYTES;
      const to = nextIndexOf(memory, head) * PAGE_SIZE_BYTES;
      if (end < from) break;
      const isContinued = place === 0 && previous - 1 >= from && previous - 1 < to;
      if (!isContinued) markAccessed(memory, head);
      at = Math.min(end, to);
      previous = at;
    }
  }
  if (start < end) state.previousByte = previous;
}

/** PAGEVEC_SIZE: folios that one batch can hold. */
const BATCH_FOLIOS = 31;

/** filemap_get_pages: the folios from page `index` on, below `endIndex`, up to the first with readahead's mark. */
function nextBatch(reader: Reader, index: number, endIndex: number): number[] {
  const { memory, file, node } = reader;
  let batch = readBatch(memory, file, index, endIndex);
  if (batch.length === 0) {
    readaheadForMiss(reader, index, endIndex - index);
    batch = readBatch(memory, file, index, endIndex);
  }
  if (batch.length === 0) batch = [createCacheFolio(memory, file, index, 0, node)];
  const last = batch[batch.length - 1];
  if (memory.frames.has(last, RECLAIM))
    readaheadForMark(reader, last, firstIndexOf(memory, last), endIndex - firstIndexOf(memory, last));
  if (!memory.frames.has(last, UPTODATE)) readFolio(memory, file, last);
  return batch;
}

/** filemap_get_read_batch. */
function readBatch(memory: Memory, file: FileMapping, index: number, endIndex: number): number[] {
  const batch: number[] = [];
  for (let at = index; at < endIndex && batch.length < BATCH_FOLIOS;) {
    const head = cachedFolio(memory, file, at);
    if (head === 0) break;
    batch.push(head);
    if (memory.frames.has(head, RECLAIM) || !memory.frames.has(head, UPTODATE)) break;
    at = nextIndexOf(memory, head);
  }
  return batch;
}

/** fsync(2): 0. */
export function fsyncFile(memory: Memory, file: FileMapping): number {
  if (file.fileKind === "disk") writeBack(memory, file);
  return 0;
}

/** posix_fadvise(2) of the whole file with POSIX_FADV_DONTNEED: 0. Memory has no place to write to and forgets nothing. */
export function fadviseFile(memory: Memory, file: FileMapping): number {
  if (file.fileKind !== "disk") return 0;
  writeBack(memory, file);
  drainLru(memory);
  for (const head of foliosBetween(memory, file, 0, filePages(file))) {
    if (!evict(memory, file, head)) deactivate(memory, head);
  }
  return 0;
}

/** mapping_evict_folio: only what nobody maps or holds. */
function evict(memory: Memory, file: FileMapping, head: number): boolean {
  const { frames } = memory;
  if (frames.has(head, DIRTY) || memory.counts.mapcount(head) > 0) return false;
  const hasPrivate = frames.extraOf(head)?.hasPrivate === true;
  if (frames.extraReferences(head) > (hasPrivate ? 1 : 0) || !releasePrivate(memory, head)) return false;
  removeFromCache(memory, file, head);
  return true;
}

/** deactivate_file_folio. */
function deactivate(memory: Memory, head: number): void {
  const { frames } = memory;
  if (!frames.has(head, LRU) || frames.has(head, UNEVICTABLE)) return;
  if (!memory.decisions.decide("deactivate-file", head, -1, -1, 0)) return;
  frames.clear(head, ACTIVE | REFERENCED);
}

/**
 * ftruncate and fallocate: pages leave the cache, and large folios that only partly do are split (mm/truncate.c, mm/shmem.c,
 * fs/ext4).
 *
 * What lies wholly in the range goes, mapped or not; private copies go with the end of the file, and stay in a hole. A folio
 * at an edge is zeroed there and split around the edge: for a memfd into single pages. If it cannot be split (it is pinned,
 * or a disk's folio is dirty) a dirty folio stays whole, a clean one goes whole.
 */
import { PAGE_SIZE_BYTES } from "../kernel/index.ts";
import { filePages, zeroPartialBlocks } from "./disk-file.ts";
import { EINVAL, ENOSPC } from "./errno.ts";
import type { FileMapping } from "./file-mapping.ts";
import { DIRTY } from "./frames.ts";
import { allocateHugetlbRange, punchHugetlbFile, truncateHugetlbFile } from "./hugetlb-file.ts";
import { drainLru } from "./lru-batches.ts";
import type { Memory } from "./memory.ts";
import { cachedFolio, firstIndexOf, foliosBetween, markDirty, nextIndexOf, removeFromCache } from "./page-cache.ts";
import { ZERO_CONTENT } from "./page-contents.ts";
import { shmemGetFolio } from "./shmem.ts";
import { splitFolioAround } from "./split-folio.ts";
import { freeSwapEntries } from "./swap.ts";
import { Unsupported } from "./unsupported.ts";
import { unmapFileFolio } from "./unmap-file-folio.ts";
import { unmapFileRange } from "./zap.ts";

/** New folios of a file that nobody faults lie on the node of the one processor. */
const LOCAL_NODE = 0;
/** Behind every page of a file. */
const FAR = 2 ** 40;
/** Pages of the kernel lab's tmpfs. */
const TMPFS_PAGES = 16_384;

/** ftruncate(2): 0 or -errno. */
export function ftruncateFile(memory: Memory, file: FileMapping, sizeBytes: number): number {
  if (file.fileKind === "hugetlb") return truncateHugetlbFile(memory, file, sizeBytes);
  const oldSize = file.sizeBytes;
  file.sizeBytes = sizeBytes;
  const holeBegin = Math.ceil(sizeBytes / PAGE_SIZE_BYTES);
  if (sizeBytes > oldSize) {
    if (file.fileKind !== "disk") return 0;
    zeroTail(memory, file, oldSize);
    // ext4_setattr calls truncate_pagecache for a file that grows too: a folio that reaches behind the new end is split.
    unmapFileRange(memory, file, holeBegin, FAR, true);
    truncateRange(memory, file, sizeBytes, FAR * PAGE_SIZE_BYTES);
    return 0;
  }
  if (oldSize > holeBegin * PAGE_SIZE_BYTES || file.fileKind === "disk")
    unmapFileRange(memory, file, holeBegin, FAR, true);
  truncateRange(memory, file, sizeBytes, FAR * PAGE_SIZE_BYTES);
  forgetBlocks(file, holeBegin, FAR);
  if (file.fileKind === "disk") zeroTail(memory, file, sizeBytes);
  return 0;
}

/** ext4_block_truncate_page: the rest of the last block is zeros. */
function zeroTail(memory: Memory, file: FileMapping, sizeBytes: number): void {
  const rest = sizeBytes % PAGE_SIZE_BYTES;
  if (rest !== 0) zeroPartialBlocks(memory, file, sizeBytes, sizeBytes - rest + PAGE_SIZE_BYTES, LOCAL_NODE);
}

function forgetBlocks(file: FileMapping, first: number, end: number): void {
  for (const index of file.blocks.keys()) if (index >= first && index < end) file.blocks.delete(index);
  for (const index of file.shadows.keys()) if (index >= first && index < end) file.shadows.delete(index);
  for (const index of file.dirtyPages) if (index >= first && index < end) file.dirtyPages.delete(index);
}

/** fallocate(2), to allocate or to punch a hole: 0 or -errno. */
export function fallocateFile(
  memory: Memory,
  file: FileMapping,
  offsetBytes: number,
  lengthBytes: number,
  punch: boolean,
): number {
  // prettier-ignore
  if (lengthBytes <= 0) return -EINVAL;
  const endBytes = offsetBytes + lengthBytes;
  if (file.fileKind === "hugetlb") {
    return punch
      ? punchHugetlbFile(memory, file, offsetBytes, endBytes)
      : allocateHugetlbRange(memory, file, offsetBytes, endBytes);
  }
  if (punch) {
    punchHole(memory, file, offsetBytes, endBytes);
    return 0;
  }
  if (file.fileKind === "shmem") {
    const error = allocateShmem(memory, file, offsetBytes, endBytes);
    if (error < 0) return error;
  }
  const oldSize = file.sizeBytes;
  file.sizeBytes = Math.max(oldSize, endBytes);
  if (file.fileKind === "disk" && endBytes > oldSize) zeroPartialBlocks(memory, file, oldSize, endBytes, LOCAL_NODE);
  return 0;
}

function punchHole(memory: Memory, file: FileMapping, offsetBytes: number, wantedEnd: number): void {
  const isDisk = file.fileKind === "disk";
  if (isDisk && offsetBytes >= file.sizeBytes) return;
  const endBytes = isDisk && wantedEnd >= file.sizeBytes ? filePages(file) * PAGE_SIZE_BYTES : wantedEnd;
  const first = Math.ceil(offsetBytes / PAGE_SIZE_BYTES);
  const end = Math.floor(endBytes / PAGE_SIZE_BYTES);
  if (end > first) unmapFileRange(memory, file, first, end, false);
  truncateRange(memory, file, offsetBytes, endBytes);
  if (!isDisk) return;
  zeroPartialBlocks(memory, file, offsetBytes, endBytes, LOCAL_NODE);
  forgetBlocks(file, first, end);
}

/** shmem_fallocate: folios that nobody has written yet; not uptodate, but dirty, so that they are not simply dropped. */
function allocateShmem(memory: Memory, file: FileMapping, offsetBytes: number, endBytes: number): number {
  const end = Math.ceil(endBytes / PAGE_SIZE_BYTES);
  const first = Math.floor(offsetBytes / PAGE_SIZE_BYTES);
  if (file.shmemHuge !== "settings" && end - first > TMPFS_PAGES) return -ENOSPC;
  for (let index = first; index < end;) {
    const head = shmemGetFolio(memory, file, index, {
      purpose: "fallocate",
      node: LOCAL_NODE,
      writeEndBytes: endBytes,
    });
    markDirty(memory, head);
    index = nextIndexOf(memory, head);
  }
  return 0;
}

/** All pages go, the inode is dying (evict). */
export function truncateToNothing(memory: Memory, file: FileMapping): void {
  truncateRange(memory, file, 0, FAR * PAGE_SIZE_BYTES);
}

/** truncate_inode_pages_range, shmem_undo_range of bytes [startBytes, endBytes). */
function truncateRange(memory: Memory, file: FileMapping, startBytes: number, endBytes: number): void {
  if (file.cachedPages + file.swappedPages === 0) return;
  let first = Math.ceil(startBytes / PAGE_SIZE_BYTES);
  let end = Math.floor(endBytes / PAGE_SIZE_BYTES);
  removeWhole(memory, file, first, end);
  const lastByte = endBytes - 1;
  let isSameFolio = Math.floor(startBytes / PAGE_SIZE_BYTES) === Math.floor(lastByte / PAGE_SIZE_BYTES);
  const atStart = partialFolio(memory, file, Math.floor(startBytes / PAGE_SIZE_BYTES));
  if (atStart !== 0) {
    const index = firstIndexOf(memory, atStart);
    const next = nextIndexOf(memory, atStart);
    isSameFolio = lastByte < next * PAGE_SIZE_BYTES;
    if (!truncatePartialFolio(memory, file, atStart, startBytes, endBytes)) {
      first = next;
      if (isSameFolio) end = index;
    }
  }
  const atEnd = isSameFolio ? 0 : partialFolio(memory, file, Math.floor(lastByte / PAGE_SIZE_BYTES));
  if (atEnd !== 0) {
    const index = firstIndexOf(memory, atEnd);
    if (!truncatePartialFolio(memory, file, atEnd, startBytes, endBytes)) end = index;
  }
  removeRest(memory, file, first, end, { startBytes, endBytes });
}

/** Folios that lie wholly in [first, end), and what is there on swap. */
function removeWhole(memory: Memory, file: FileMapping, first: number, end: number): void {
  const heads = foliosBetween(memory, file, first, end);
  for (const head of heads) {
    if (firstIndexOf(memory, head) >= first && nextIndexOf(memory, head) <= end) removeFolio(memory, file, head);
  }
  if (heads.length > 0) drainLru(memory);
  freeSwapped(memory, file, first, end, false);
}

/**
 * shmem_free_swap of every page in [first, end) that is on swap. A large folio's entry that lies in there only in part was
 * brought in before, unless it reaches behind the end of the file: Linux 6.18.15 loops for ever over such an entry.
 */
function freeSwapped(memory: Memory, file: FileMapping, first: number, end: number, isLast: boolean): void {
  const { shmemOrder } = memory.swap;
  for (let index = first, n = 1; file.swappedPages > 0 && index < Math.min(end, file.indexLimit); index += n) {
    n = 1;
    const slot = file.swapSlotAt(index);
    if (slot < 0) continue;
    const pages = 2 ** shmemOrder[slot];
    const offset = slot % pages;
    if (offset > 0 || index + pages > end) {
      if (isLast)
        throw new Unsupported("ftruncate", "the new end lies within a large folio on swap, where Linux 6.18.15 hangs");
      n = pages - offset;
      continue;
    }
    n = pages;
    file.clear(index, n);
    freeSwapEntries(memory, slot, n);
  }
  if (file.swappedPages === 0) memory.swap.swappedFiles.delete(file);
}

/** truncate_inode_folio: who still maps it loses its entries first. */
function removeFolio(memory: Memory, file: FileMapping, head: number): void {
  const first = firstIndexOf(memory, head);
  const next = nextIndexOf(memory, head);
  if (memory.decisions.decide("truncate-unmap", head, -1, -1, 0)) {
    memory.watch?.willWalk("truncate", head);
    unmapFileRange(memory, file, first, next, false);
  }
  for (let index = first; index < next; index++) file.dirtyPages.delete(index);
  removeFromCache(memory, file, head);
}

/** The folio at an edge, or 0. shmem brings it in from swap if any of it is still in the file, and makes it dirty. */
function partialFolio(memory: Memory, file: FileMapping, index: number): number {
  if (file.fileKind === "disk") return cachedFolio(memory, file, index);
  let head = cachedFolio(memory, file, index);
  if (head === 0 && file.swapSlotAt(index) >= 0) {
    head = Math.max(0, shmemGetFolio(memory, file, index, { purpose: "read", node: LOCAL_NODE }));
  }
  if (head !== 0) markDirty(memory, head);
  return head;
}

/** truncate_inode_partial_folio. False: the folio stays whole. */
function truncatePartialFolio(
  memory: Memory,
  file: FileMapping,
  head: number,
  startBytes: number,
  endBytes: number,
): boolean {
  const { frames } = memory;
  const first = firstIndexOf(memory, head);
  const size = 2 ** frames.order[head] * PAGE_SIZE_BYTES;
  const position = first * PAGE_SIZE_BYTES;
  const from = Math.max(0, startBytes - position);
  const to = Math.min(size, endBytes - position);
  if (to - from === size) {
    removeFolio(memory, file, head);
    return true;
  }
  const wasWritten = hasDirtyPage(file, first, first + size / PAGE_SIZE_BYTES);
  zeroBytes(memory, file, head, from, to);
  if (frames.order[head] === 0) return true;
  // Splitting gives up the buffers; if those that were dirty have just gone, the folio is clean (folio_cancel_dirty).
  if (wasWritten && !hasDirtyPage(file, first, first + size / PAGE_SIZE_BYTES)) frames.clear(head, DIRTY);
  if (splitOrUnmap(memory, file, head, head + Math.floor(from / PAGE_SIZE_BYTES))) {
    if (to < size) splitAtEnd(memory, file, head + Math.floor(to / PAGE_SIZE_BYTES));
    return true;
  }
  if (frames.has(head, DIRTY)) return false;
  removeFolio(memory, file, head);
  return true;
}

/** Is a page of a disk's file in [first, end) known to be dirty by a write? */
function hasDirtyPage(file: FileMapping, first: number, end: number): boolean {
  for (let index = first; index < end; index++) if (file.dirtyPages.has(index)) return true;
  return false;
}

/** The second split, where the hole ends, if the folio there is still large. */
function splitAtEnd(memory: Memory, file: FileMapping, frame: number): void {
  const { frames, keys } = memory;
  const head = frames.headOf(frame);
  if (frames.order[head] > 0 && keys.mappingOf(frames.rmapKey[head]) === file) splitOrUnmap(memory, file, head, frame);
}

/** try_folio_split_or_unmap: who cannot split a disk's folio unmaps it, so that nobody reaches behind the end of the file. */
function splitOrUnmap(memory: Memory, file: FileMapping, head: number, frame: number): boolean {
  if (splitFolioAround(memory, head, frame) === 0) return true;
  if (file.fileKind === "disk") unmapFileFolio(memory, head);
  return false;
}

/** folio_zero_range, folio_invalidate: bytes of the folio are zeros, whole pages among them no longer dirty. */
function zeroBytes(memory: Memory, file: FileMapping, head: number, from: number, to: number): void {
  const { contents } = memory;
  const first = firstIndexOf(memory, head);
  for (let at = from; at < to;) {
    const page = Math.floor(at / PAGE_SIZE_BYTES);
    const base = page * PAGE_SIZE_BYTES;
    const end = Math.min(to, base + PAGE_SIZE_BYTES);
    const frame = head + page;
    if (end - at === PAGE_SIZE_BYTES) {
      contents.set(frame, ZERO_CONTENT);
      file.dirtyPages.delete(first + page);
    } else if (contents.isKept)
      contents.set(frame, contents.withFilledBytes(contents.of(frame), at - base, end - base, 0));
    at = end;
  }
}

/** What is left between the edges: pieces of folios that were split, and folios that could not be. */
function removeRest(
  memory: Memory,
  file: FileMapping,
  first: number,
  end: number,
  range: { readonly startBytes: number; readonly endBytes: number },
): void {
  // prettier-ignore
  const { frames, keys } = memory;
  const heads = foliosBetween(memory, file, first, end);
  if (heads.length > 0) drainLru(memory);
  for (const head of heads) {
    if (keys.mappingOf(frames.rmapKey[head]) !== file) continue;
    if (file.fileKind === "disk" || frames.order[head] === 0) removeFolio(memory, file, head);
    else truncatePartialFolio(memory, file, head, range.startBytes, range.endBytes);
  }
  freeSwapped(memory, file, first, end, true);
}

/**
 * Readahead: which pages of a disk's file are read before anybody asks, and in folios of which size (mm/readahead.c).
 *
 * A stream of reads has a window; the folio in it where the reader is to be noticed carries a mark (PG_readahead, the bit of
 * PG_reclaim). Who meets the mark starts the next window: twice as long, in folios four times as large. A fault that finds
 * nothing reads around its page in single pages, MADV_SEQUENTIAL reads ahead of it, MADV_RANDOM nothing.
 */
import { HPAGE_PMD_ORDER, PAGE_SIZE_BYTES } from "../kernel/index.ts";
import { filePages, readFolio } from "./disk-file.ts";
import type { FileMapping } from "./file-mapping.ts";
import { RECLAIM } from "./frames.ts";
import type { Memory } from "./memory.ts";
import { ReadaheadState } from "./open-file.ts";
import { MAX_PAGECACHE_ORDER, createCacheFolio, isRangeFree } from "./page-cache.ts";
import { VM_EXEC, VM_HUGEPAGE, VM_RAND_READ, VM_SEQ_READ, type Vma } from "./vma.ts";

/** read_ahead_kb of the disk, in pages. */
const READAHEAD_PAGES = 32;
/** A file that misses so often is not read around. */
const MMAP_LOTSAMISS = 100;
const PAGES_PER_CHUNK = 512;

/** Who reads: the state is that of the open file, new folios lie on the node. */
export interface Reader {
  readonly memory: Memory;
  readonly file: FileMapping;
  readonly state: ReadaheadState;
  readonly node: number;
}

function roundUpToPowerOfTwo(n: number): number {
  return n <= 1 ? 1 : 2 ** Math.ceil(Math.log2(n));
}

/** get_init_ra_size. */
function firstWindow(requested: number): number {
  const size = roundUpToPowerOfTwo(requested);
  if (size <= READAHEAD_PAGES / 32) return size * 4;
  return size <= READAHEAD_PAGES / 4 ? size * 2 : READAHEAD_PAGES;
}

/** get_next_ra_size. */
function nextWindow(size: number): number {
  if (size < READAHEAD_PAGES / 16) return size * 4;
  return size <= READAHEAD_PAGES / 2 ? size * 2 : READAHEAD_PAGES;
}

/** page_cache_sync_ra: page `index` is missing and `requested` pages from there on are wanted. */
export function readaheadForMiss(reader: Reader, index: number, requested: number): void {
  const { state } = reader;
  const previous = state.previousByte < 0 ? -1 : Math.floor(state.previousByte / PAGE_SIZE_BYTES);
  const isStreaming = previous >= 0 && index >= previous && index - previous <= 1;
  if (index === 0 || requested > READAHEAD_PAGES || isStreaming) {
    state.start = index;
    state.size = firstWindow(requested);
    state.asyncSize = state.size > requested ? state.size - requested : state.size >> 1;
  } else {
    const history = cachedBefore(reader.file, index);
    if (history.pages <= requested) {
      readPages(reader, index, requested, 0);
      return;
    }
    state.start = index;
    state.size = Math.min(history.pages * (history.fromStart ? 2 : 1) + requested, READAHEAD_PAGES);
    state.asyncSize = 1;
  }
  state.order = 0;
  readWindow(reader, state.start);
}

/** page_cache_prev_miss: how many pages right before `index` are cached, at most a window. */
function cachedBefore(file: FileMapping, index: number): { pages: number; fromStart: boolean } {
  let pages = 0;
  while (pages < READAHEAD_PAGES && pages < index && file.frameAt(index - 1 - pages) !== 0) pages++;
  return { pages, fromStart: pages === index && pages < READAHEAD_PAGES };
}

/** page_cache_async_ra: the reader met the mark on the folio, at page `index`. */
export function readaheadForMark(reader: Reader, head: number, index: number, requested: number): void {
  const { memory, file, state } = reader;
  memory.frames.clear(head, RECLAIM);
  const n = 2 ** memory.frames.order[head];
  const expected = state.start + state.size - state.asyncSize;
  if (index === expected - (expected % n)) {
    state.start += state.size;
    state.size = Math.max(state.size, nextWindow(state.size));
  } else {
    let start = index + 1;
    while (start - index <= READAHEAD_PAGES && file.frameAt(start) !== 0) start++;
    if (start - index > READAHEAD_PAGES) return;
    state.start = start;
    state.size = nextWindow(start - index + requested);
  }
  state.order += 2;
  // The window ends where a folio of its order would, so that the next one begins aligned.
  const end = state.start + state.size;
  const alignedEnd = end - (end % 2 ** Math.min(state.order, Math.log2(READAHEAD_PAGES)));
  if (alignedEnd > state.start) state.size = alignedEnd - state.start;
  state.asyncSize = state.size;
  readWindow(reader, state.start);
}

/** do_sync_mmap_readahead: a fault found nothing at page `index`. True if something was read. */
export function readaheadForFault(reader: Reader, vma: Vma, index: number): boolean {
  const { state } = reader;
  const isHuge = vma.has(VM_HUGEPAGE);
  if (!isHuge) {
    if (vma.has(VM_RAND_READ)) return false;
    if (vma.has(VM_SEQ_READ)) {
      readaheadForMiss(reader, index, READAHEAD_PAGES);
      return true;
    }
  }
  if (!vma.has(VM_SEQ_READ)) {
    if (state.missed < MMAP_LOTSAMISS * 10) state.missed++;
    if (state.missed > MMAP_LOTSAMISS) return false;
  }
  if (isHuge) {
    state.size = vma.has(VM_RAND_READ) ? PAGES_PER_CHUNK : 2 * PAGES_PER_CHUNK;
    state.asyncSize = PAGES_PER_CHUNK;
    state.order = HPAGE_PMD_ORDER;
    state.start = index - (index % PAGES_PER_CHUNK);
  } else if (vma.has(VM_EXEC)) {
    // Text is jumped about in: no marks, and nothing behind the VMA or before the page.
    state.start = index;
    state.size = Math.min(index + READAHEAD_PAGES, vma.indexOf(vma.end)) - index;
    state.asyncSize = 0;
    state.order = 0;
  } else {
    state.start = Math.max(0, index - READAHEAD_PAGES / 2);
    state.size = READAHEAD_PAGES;
    state.asyncSize = READAHEAD_PAGES / 4;
    state.order = 0;
  }
  readWindow(reader, state.start);
  return true;
}

/** do_async_mmap_readahead: a fault found the folio. True if something was read. */
export function readaheadForHit(reader: Reader, vma: Vma, head: number, index: number): boolean {
  if (vma.has(VM_RAND_READ)) return false;
  if (reader.state.missed > 0) reader.state.missed--;
  if (!reader.memory.frames.has(head, RECLAIM)) return false;
  readaheadForMark(reader, head, index, READAHEAD_PAGES);
  return true;
}

/** force_page_cache_ra: MADV_WILLNEED. */
export function readaheadByAdvice(
  memory: Memory,
  file: FileMapping,
  index: number,
  requested: number,
  node: number,
): void {
  const reader: Reader = { memory, file, state: new ReadaheadState(), node };
  readPages(reader, index, Math.min(requested, READAHEAD_PAGES), 0);
}

/** page_cache_ra_order: the window in folios of its order, smaller where they do not fit. */
function readWindow(reader: Reader, start: number): void {
  const { memory, file, state, node } = reader;
  const limit = Math.min(filePages(file) - 1, start + state.size - 1);
  state.order = Math.min(MAX_PAGECACHE_ORDER, state.order, Math.floor(Math.log2(state.size)));
  const mark = start + state.size - state.asyncSize;
  const heads: number[] = [];
  let index = start;
  let isBlocked = false;
  while (index <= limit) {
    let order = state.order;
    while (index % 2 ** order !== 0) order--;
    while (order > 0 && index + 2 ** order - 1 > limit) order--;
    const n = 2 ** order;
    if (!isRangeFree(file, index, n)) {
      isBlocked = true;
      break;
    }
    const head = createCacheFolio(memory, file, index, order, node);
    if (index === mark - (mark % n)) memory.frames.set(head, RECLAIM);
    heads.push(head);
    index += n;
  }
  for (const head of heads) readFolio(memory, file, head);
  if (isBlocked && state.size > index - start) readPages(reader, index, state.size - (index - start), state.asyncSize);
}

/** do_page_cache_ra: single pages, where none is yet. The mark goes `lookahead` pages before the end. */
function readPages({ memory, file, node }: Reader, first: number, requested: number, lookahead: number): void {
  const pages = filePages(file);
  if (first >= pages) return;
  const end = Math.min(first + requested, pages);
  const mark = lookahead <= end - first ? end - lookahead : -1;
  for (let index = first; index < end; index++) {
    if (file.frameAt(index) !== 0) continue;
    const head = createCacheFolio(memory, file, index, 0, node);
    if (index === mark) memory.frames.set(head, RECLAIM);
    readFolio(memory, file, head);
  }
}

/** page_cache_sync_readahead for who has no open file: the frame that caches page `index` then. */
export function readMissingPages(memory: Memory, file: FileMapping, index: number, requested: number): number {
  readaheadForMiss({ memory, file, state: new ReadaheadState(), node: 0 }, index, requested);
  return file.frameAt(index);
}

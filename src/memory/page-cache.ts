/**
 * The page cache: folios of a file by page, whatever fills it (mm/filemap.c).
 *
 * A folio is in the cache as long as its rmapKey names the file; each of its pages is one reference (kernel-facts 1.7).
 * Folios that leave the cache are freed unless somebody else, a pin or a pipe, still refers to them.
 */
import { HPAGE_PMD_ORDER } from "../kernel/index.ts";
import { assert } from "./assert.ts";
import type { FileMapping } from "./file-mapping.ts";
import { freeIfUnused } from "./folio-references.ts";
import { DIRTY, FILE, RECLAIM, SHMEM, SWAPBACKED } from "./frames.ts";
import { addToLru } from "./lru.ts";
import type { Memory } from "./memory.ts";
import { Unsupported } from "./unsupported.ts";
import { NO_SHADOW, refaultToWorkingset } from "./workingset.ts";

/** The highest order of a page cache folio (MAX_PAGECACHE_ORDER). */
export const MAX_PAGECACHE_ORDER = HPAGE_PMD_ORDER;

/** A file has a word for each of its pages up to the last one cached. */
const FILE_PAGES_LIMIT = 2 ** 24;

/** The head of the folio that caches page `index`, or 0. */
export function cachedFolio(memory: Memory, file: FileMapping, index: number): number {
  const frame = file.frameAt(index);
  return frame === 0 ? 0 : memory.frames.headOf(frame);
}

/** folio->index of a folio in a page cache. */
export function firstIndexOf(memory: Memory, head: number): number {
  return memory.keys.indexOf(memory.frames.rmapKey[head]);
}

/** folio_next_index: the page behind the folio. */
export function nextIndexOf(memory: Memory, head: number): number {
  return firstIndexOf(memory, head) + 2 ** memory.frames.order[head];
}

/** Folios with a page in [first, end), ascending. */
export function foliosBetween(memory: Memory, file: FileMapping, first: number, end: number): number[] {
  const heads: number[] = [];
  const limit = Math.min(end, file.indexLimit);
  for (let index = first; index < limit;) {
    const head = cachedFolio(memory, file, index);
    if (head === 0) {
      index++;
      continue;
    }
    heads.push(head);
    index = nextIndexOf(memory, head);
  }
  return heads;
}

/** Is nothing of [first, first + n) in the cache or on swap? */
export function isRangeFree(file: FileMapping, first: number, n: number): boolean {
  for (let index = first; index < first + n; index++) {
    if (file.frameAt(index) !== 0 || file.swapSlotAt(index) >= 0) return false;
  }
  return true;
}

/** filemap_alloc_folio, filemap_add_folio: a new folio of zeros at page `first`, on the LRU list and not uptodate. */
export function createCacheFolio(
  memory: Memory,
  file: FileMapping,
  first: number,
  order: number,
  node: number,
): number {
  assert(first % 2 ** order === 0, "a folio is aligned in its file");
  if (first >= FILE_PAGES_LIMIT) throw new Unsupported("a file", "pages behind its first 64 GiB");
  const isShmem = file.fileKind === "shmem";
  const head = memory.allocator.allocate(order, isShmem ? SHMEM : FILE, node);
  memory.events.created(head, order, false);
  if (isShmem) memory.frames.set(head, SWAPBACKED);
  memory.frames.rmapKey[head] = memory.keys.acquire(file, first);
  file.setFrames(first, head, 2 ** order);
  if (file.shadows.size > 0) refaultToWorkingset(memory, head, takeShadow(file, first, 2 ** order));
  addToLru(memory, head);
  return head;
}

/** __filemap_add_folio: the shadow of the last page of the range that has one; none is left. */
function takeShadow(file: FileMapping, first: number, n: number): number {
  let shadow = NO_SHADOW;
  for (let index = first; index < first + n; index++) {
    shadow = file.shadows.get(index) ?? shadow;
    file.shadows.delete(index);
  }
  return shadow;
}

/** filemap_remove_folio of an unmapped folio, with its buffers and its dirtiness. */
export function removeFromCache(memory: Memory, file: FileMapping, head: number): void {
  const { frames, keys } = memory;
  assert(memory.counts.mapcount(head) === 0, "a mapped folio does not leave the page cache");
  file.clear(firstIndexOf(memory, head), 2 ** frames.order[head]);
  keys.release(frames.rmapKey[head]);
  frames.rmapKey[head] = 0;
  frames.clear(head, DIRTY);
  if (frames.extraOf(head)?.hasPrivate === true) frames.changeExtra(head, (extra) => (extra.hasPrivate = false));
  freeIfUnused(memory, head);
}

/** folio_mark_dirty: PG_reclaim, which readahead uses as its mark, is forgotten. */
export function markDirty(memory: Memory, head: number): void {
  memory.frames.clear(head, RECLAIM);
  memory.frames.set(head, DIRTY);
}

/**
 * __folio_split: one folio becomes several smaller ones in the same frames (kernel-facts 2.8).
 *
 * An anonymous folio gives its mappings away as migration entries and takes them back page by page; pages that hold zeros
 * are mapped to the shared zero page instead, pages that nobody maps are freed. A page cache folio is simply unmapped;
 * pages behind the end of the file leave the cache. It needs that nobody but mappings and caches refers to the folio, and
 * that one walk of the reverse map takes all mappings: a folio mapped by several PMD entries fails once for each but the
 * last, because each attempt splits one entry.
 */
import { HPAGE_PMD_ORDER, PAGE_SIZE_BYTES } from "../kernel/index.ts";
import { assert } from "./assert.ts";
import { EAGAIN, EBUSY, EINVAL } from "./errno.ts";
import { FileMapping } from "./file-mapping.ts";
import { forgetPartiallyMapped, freeIfUnused } from "./folio-references.ts";
import {
  ACTIVE, DIRTY, type FrameKind, LRU, MLOCKED, REFERENCED, SWAPBACKED, SWAPCACHE, UNEVICTABLE, UPTODATE, ZERO,
} from "./frames.ts"; // prettier-ignore
import type { Memory } from "./memory.ts";
import { returnMappings, returnMappingsTo, takeMappings } from "./migration-entries.ts";
import { splitInSwapCache } from "./swap-cache.ts";
import { unmapFileFolio } from "./unmap-file-folio.ts";

/** Flags that the new folios inherit. */
const INHERITED = REFERENCED | SWAPBACKED | SWAPCACHE | MLOCKED | UPTODATE | ACTIVE | UNEVICTABLE | DIRTY | LRU;

export interface SplitOptions {
  /** A frame of the folio: only the pieces that hold it are split further (folio_split, truncation). Default: all alike. */
  readonly splitAt?: number;
  /** References that the caller holds and the model does not know of, beside the one that every caller has. Default 0. */
  readonly heldReferences?: number;
}

/** Splits a large folio into folios of `newOrder`. 0 or -errno. */
export function splitFolio(memory: Memory, head: number, newOrder: number, options: SplitOptions = {}): number {
  const { frames, statistics } = memory;
  const order = frames.order[head];
  assert(frames.headOf(head) === head && order > 0, "a large folio is split");
  if (newOrder >= order || !isOrderSupported(memory, head, newOrder, options.splitAt !== undefined)) return -EINVAL;
  if (frames.kindOf(head) === ZERO) return -EBUSY;
  const result = frames.isAnon(head)
    ? splitAnon(memory, head, newOrder, options)
    : splitFile(memory, head, newOrder, options);
  if (order === HPAGE_PMD_ORDER) statistics.count(result === 0 ? "thp_split_page" : "thp_split_page_failed");
  if (result === 0 && order <= HPAGE_PMD_ORDER) statistics.mthp.split[order]++;
  return result;
}

/** uniform_split_supported, non_uniform_split_supported. */
function isOrderSupported(memory: Memory, head: number, newOrder: number, isNonUniform: boolean): boolean {
  const { frames } = memory;
  if (frames.isAnon(head)) {
    if (newOrder === 1) return false;
  } else if ((newOrder > 0 || isNonUniform) && !fileOf(memory, head).hasLargeFolios) return false;
  return !((newOrder > 0 || isNonUniform) && frames.has(head, SWAPCACHE));
}

function fileOf(memory: Memory, head: number): FileMapping {
  const mapping = memory.keys.mappingOf(memory.frames.rmapKey[head]);
  assert(mapping instanceof FileMapping, "a page cache folio belongs to a file");
  return mapping;
}

/**
 * try_folio_split: around one page if the kind of folio can be, else into single pages. A memfd has large folios by the
 * settings of each size, but its mapping does not say so: it can be split into single pages only.
 */
export function splitFolioAround(memory: Memory, head: number, frame: number): number {
  if (isOrderSupported(memory, head, 0, true)) return splitFolio(memory, head, 0, { splitAt: frame });
  return splitFolio(memory, head, 0);
}

/** can_split_folio: nobody but mappings, the cache and the caller refers to it (decisions/split.ts). */
export function canSplitFolio(memory: Memory, head: number, heldReferences = 0): boolean {
  return heldReferences === 0 && memory.decisions.decide("split-folio", head, -1, -1, 0);
}

function splitAnon(memory: Memory, head: number, newOrder: number, options: SplitOptions): number {
  const { frames, counts, events } = memory;
  const order = frames.order[head];
  if (!memory.decisions.decide("use-anon-vma", head, -1, -1, 0)) return -EBUSY;
  if (!canSplitFolio(memory, head, options.heldReferences)) return -EAGAIN;
  const taken = takeMappings(memory, head, order === HPAGE_PMD_ORDER);
  if (counts.mapcount(head) > 0) {
    returnMappings(memory, head, taken);
    return -EAGAIN;
  }
  forgetPartiallyMapped(memory, head);
  events.freed(head);
  const pieces = piecesOf(memory, head, newOrder, options.splitAt);
  for (const piece of pieces) events.created(piece, frames.order[piece], false);
  for (const piece of pieces) returnMappingsTo(memory, taken, piece, piece, { zeroPages: true });
  for (const piece of pieces) {
    if (counts.mapcount(piece) === 0) freeIfUnused(memory, piece);
  }
  return 0;
}

function splitFile(memory: Memory, head: number, newOrder: number, options: SplitOptions): number {
  const { frames, events, keys } = memory;
  const file = fileOf(memory, head);
  if (!releasePrivate(memory, head)) return -EBUSY;
  const endIndex = Math.ceil(file.sizeBytes / PAGE_SIZE_BYTES);
  if (!canSplitFolio(memory, head, options.heldReferences)) return -EAGAIN;
  unmapFileFolio(memory, head);
  events.freed(head);
  const pieces = piecesOf(memory, head, newOrder, options.splitAt);
  for (const piece of pieces) events.created(piece, frames.order[piece], false);
  for (const piece of pieces) {
    const index = keys.indexOf(frames.rmapKey[piece]);
    if (piece !== head && index >= endIndex) dropFromCache(memory, file, piece, index);
  }
  return 0;
}

/** __filemap_remove_folio of a piece behind the end of the file. */
function dropFromCache(memory: Memory, file: FileMapping, piece: number, index: number): void {
  const { frames, keys } = memory;
  file.clear(index, 2 ** frames.order[piece]);
  keys.release(frames.rmapKey[piece]);
  frames.rmapKey[piece] = 0;
  freeIfUnused(memory, piece);
}

/** filemap_release_folio: a file system gives its buffers up if they are clean. */
export function releasePrivate(memory: Memory, head: number): boolean {
  const { frames } = memory;
  if (frames.extraOf(head)?.hasPrivate !== true) return true;
  if (frames.has(head, DIRTY)) return false;
  frames.changeExtra(head, (extra) => (extra.hasPrivate = false));
  return true;
}

/** __split_unmapped_folio: rewrites the columns. The heads of the new folios, ascending. */
function piecesOf(memory: Memory, head: number, newOrder: number, splitAt: number | undefined): number[] {
  const { frames } = memory;
  const end = head + 2 ** frames.order[head];
  if (splitAt === undefined) cutInto(memory, head, newOrder);
  else {
    for (let order = frames.order[head] - 1; order >= newOrder; order--) {
      // There are no anonymous folios of order 1.
      if (order === 1 && frames.isAnon(head)) continue;
      cutInto(memory, frames.headOf(splitAt), order);
    }
  }
  const pieces: number[] = [];
  for (let piece = head; piece < end; piece += 2 ** frames.order[piece]) pieces.push(piece);
  return pieces;
}

/** __split_folio_to_order. */
function cutInto(memory: Memory, head: number, newOrder: number): void {
  const { frames, keys, statistics } = memory;
  const order = frames.order[head];
  const end = head + 2 ** order;
  const step = 2 ** newOrder;
  const kind: FrameKind = frames.kindOf(head);
  const inherited = frames.state[head] & INHERITED;
  const key = frames.rmapKey[head];
  const mapping = keys.mappingOf(key);
  const index = keys.indexOf(key);
  if ((inherited & SWAPCACHE) !== 0) splitInSwapCache(memory, head, 2 ** order, newOrder);
  frames.order.fill(newOrder, head, end);
  for (let piece = head + step; piece < end; piece += step) {
    const isPoisoned = frames.isPoisoned(piece);
    frames.state[piece] = inherited | kind;
    if (isPoisoned) frames.setPoisoned(piece);
    frames.rmapKey[piece] = mapping === undefined ? 0 : keys.acquire(mapping, index + piece - head);
  }
  if (!frames.isAnon(head)) return;
  statistics.mthp.nrAnon[order]--;
  if (newOrder > 0) statistics.mthp.nrAnon[newOrder] += 2 ** (order - newOrder);
}

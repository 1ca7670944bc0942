/**
 * folio_pte_batch: how many neighbouring PTEs the kernel handles at once (kernel-facts 2.10, 2.11).
 *
 * A batch is the PTEs of one table that map consecutive pages of one folio and agree in every bit that is not ignored.
 * The final counts never depend on batches; the deferred split statistics and the owner slots' shared bit can.
 */
import { ZERO } from "./frames.ts";
import { isPresent, NEXT_FRAME, PTE_DIRTY, PTE_SOFT_DIRTY, PTE_WRITE, PTE_YOUNG, frameOfEntry } from "./page-table.ts";
import type { Memory } from "./memory.ts";

/** Nothing respected (zap, mlock): only uffd-wp must agree. Young never counts. */
export const IGNORE_ALL = PTE_YOUNG | PTE_DIRTY | PTE_SOFT_DIRTY | PTE_WRITE;
/** FPB_RESPECT_SOFT_DIRTY | FPB_RESPECT_WRITE: mprotect. */
export const IGNORE_YOUNG_DIRTY = PTE_YOUNG | PTE_DIRTY;
/** FPB_RESPECT_DIRTY in private VMAs at fork; VMAs are soft-dirty here, so that bit does not count. */
export const IGNORE_ALL_BUT_DIRTY = PTE_YOUNG | PTE_SOFT_DIRTY | PTE_WRITE;

/** Entries of the batch that begins with the present `entry` at `index`: at most `limit`, at least 1. */
export function pteBatch(
  memory: Memory,
  table: number,
  index: number,
  entry: number,
  limit: number,
  ignored: number,
): number {
  const { frames, tables } = memory;
  const frame = frameOfEntry(entry);
  const order = frames.order[frame];
  if (order === 0) return 1;
  const most = Math.min(limit, frames.headOf(frame) + (1 << order) - frame);
  if (most === 1 || tables.runOf(table) !== 0) return most;
  const respected = ~ignored;
  const at = tables.wordsAt(table) + index;
  const words = tables.allWords;
  let n = 1;
  for (let expected = (entry + NEXT_FRAME) | 0; n < most; n++, expected = (expected + NEXT_FRAME) | 0) {
    if (((words[at + n] ^ expected) & respected) !== 0) break;
  }
  return n;
}

/** All bits of the entries of a batch, or-ed: whether one of them is dirty, young or writable. */
export function flagsOfBatch(memory: Memory, table: number, index: number, n: number): number {
  const { tables } = memory;
  let flags = tables.get(table, index);
  if (tables.runOf(table) !== 0) return flags;
  const at = tables.wordsAt(table) + index;
  const words = tables.allWords;
  for (let i = 1; i < n; i++) flags |= words[at + i];
  return flags;
}

/** Does the folio of this present entry count as a page (vm_normal_page)? The zero pages do not. */
export function isNormalPage(memory: Memory, entry: number): boolean {
  return isPresent(entry) && memory.frames.kindOf(frameOfEntry(entry)) !== ZERO;
}

/**
 * MADV_WILLNEED: pages on swap are read into the swap cache, one by one, and wait there for a fault; of a disk's file a
 * window is read ahead (madvise_willneed).
 */
import { nodeOfMm } from "./anon-folio.ts";
import type { FileMapping } from "./file-mapping.ts";
import { drainLru } from "./lru-batches.ts";
import type { Memory } from "./memory.ts";
import { isSwapEntry, offsetOfEntry } from "./page-table.ts";
import { readaheadByAdvice } from "./readahead.ts";
import { readIntoSwapCache } from "./swap-readahead.ts";
import { findPteTable, nextPmd, pteIndex } from "./table-walk.ts";
import type { Vma } from "./vma.ts";

/** For pages [start, end) of one VMA: 0. */
export function readAhead(memory: Memory, vma: Vma, start: number, end: number): number {
  const { file } = vma;
  if (file?.fileKind === "disk") {
    readaheadByAdvice(memory, file, vma.indexOf(start), end - start, nodeOfMm(vma.mm));
    return 0;
  }
  if (file === undefined) readSwapEntries(memory, vma, start, end);
  else if (file.fileKind === "shmem") readSwappedFilePages(memory, vma, file, start, end);
  drainLru(memory);
  return 0;
}

function readSwapEntries(memory: Memory, vma: Vma, start: number, end: number): void {
  for (let page = start; page < end;) {
    const tableEnd = Math.min(end, nextPmd(page));
    const table = findPteTable(memory, vma.mm, page);
    for (; page < tableEnd; page++) {
      const entry = table === 0 ? 0 : memory.tables.get(table, pteIndex(page));
      if (isSwapEntry(entry)) readIntoSwapCache(memory, offsetOfEntry(entry), nodeOfMm(vma.mm));
    }
  }
}

/** shmem_swapin_range: of a large entry only the first page is read. */
function readSwappedFilePages(memory: Memory, vma: Vma, file: FileMapping, start: number, end: number): void {
  const { swap } = memory;
  for (let index = vma.indexOf(start); index < vma.indexOf(end);) {
    const slot = file.swapSlotAt(index);
    if (slot < 0) {
      index++;
      continue;
    }
    const n = 2 ** swap.shmemOrder[slot];
    readIntoSwapCache(memory, slot - (slot % n), nodeOfMm(vma.mm));
    index += n - (slot % n);
  }
}

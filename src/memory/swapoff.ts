/**
 * swapoff(2): every page comes back from swap (try_to_unuse, mm/swapfile.c).
 *
 * Files of shared memory first, then address space by address space, page by page through the swap cache. The entries that
 * replace swap entries are old and read-only; exclusivity is what the swap entry remembered.
 */
import { EINVAL } from "./errno.ts";
import { freeIfUnused } from "./folio-references.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { PTE_SOFT_DIRTY, PTE_UFFD_WP, SWP_EXCLUSIVE, isSwapEntry, offsetOfEntry, presentEntry } from "./page-table.ts";
import { addAnonRmapPtes, addNewAnonRmap } from "./rmap.ts";
import { swapInShmem } from "./shmem-swap.ts";
import { freeFolioSwap } from "./swap-cache.ts";
import { readWithNeighbours } from "./swap-readahead.ts";
import { putSwapEntries } from "./swap.ts";
import { findPteTable, nextPmd, pteIndex } from "./table-walk.ts";
import type { Vma } from "./vma.ts";

/** New pages lie where whoever called swapoff runs, not where the process is bound. */
const NODE_OF_CALLER = 0;

/** Takes the device out of use: 0 or -errno. */
export function swapOff(memory: Memory, path: string): number {
  const { swap } = memory;
  if (!swap.isOn || path !== "/dev/ram1") return -EINVAL;
  swap.isWritable = false;
  for (const file of swap.swappedFiles) {
    for (let index = 0; index < file.indexLimit; index++) {
      if (file.swapSlotAt(index) >= 0) swapInShmem(memory, file, index, NODE_OF_CALLER);
    }
  }
  for (const mm of swap.swappedMms) unuseMm(memory, mm);
  for (const head of swap.slotOfFolio.keys()) if (freeFolioSwap(memory, head)) freeIfUnused(memory, head);
  swap.swappedMms.length = 0;
  swap.reset(0);
  return 0;
}

function unuseMm(memory: Memory, mm: Mm): void {
  for (const vma of mm.vmas) {
    if (vma.anonVma === undefined || vma.isHugetlb) continue;
    for (let page = vma.start; page < vma.end;) {
      const end = Math.min(vma.end, nextPmd(page));
      const table = findPteTable(memory, mm, page);
      for (; page < end; page++) {
        if (table !== 0 && isSwapEntry(memory.tables.get(table, pteIndex(page)))) unusePte(memory, vma, table, page);
      }
    }
  }
}

/** unuse_pte: a mapping takes the place of one swap entry. */
function unusePte(memory: Memory, vma: Vma, table: number, page: number): void {
  const { frames, swap } = memory;
  const entry = memory.tables.get(table, pteIndex(page));
  const slot = offsetOfEntry(entry);
  const frame = swap.cache[slot] === 0 ? readWithNeighbours(memory, vma, page, slot, NODE_OF_CALLER) : swap.cache[slot];
  const head = frames.headOf(frame);
  const isExclusive = (entry & SWP_EXCLUSIVE) !== 0;
  if (frames.rmapKey[head] === 0) addNewAnonRmap(memory, head, vma, page, table, isExclusive);
  else addAnonRmapPtes(memory, frame, 1, vma, table, isExclusive);
  memory.tables.set(table, pteIndex(page), presentEntry(frame, entry & (PTE_SOFT_DIRTY | PTE_UFFD_WP)));
  putSwapEntries(memory, slot, 1);
  freeFolioSwap(memory, head);
}

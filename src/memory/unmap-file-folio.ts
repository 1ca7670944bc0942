/**
 * try_to_unmap for a page cache folio that is about to be split or replaced: every entry goes, nobody is asked.
 *
 * The pages stay in the cache and are faulted in again on demand (kernel-facts 2.8). A PMD entry goes whole. Where
 * userfaultfd protects a page a marker keeps its place.
 */
import { LEVEL_PMD } from "../kernel/index.ts";
import { assert } from "./assert.ts";
import { DIRTY } from "./frames.ts";
import type { Memory } from "./memory.ts";
import { PTE_DIRTY, PTE_UFFD_WP, TYPE_MARKER_UFFD_WP, frameOfEntry, notPresentEntry } from "./page-table.ts";
import { type FolioMapping, candidateVmas, mappingsInVma } from "./rmap-walk.ts";
import { removeRmapPtes } from "./rmap.ts";
import { splitPmd } from "./split-pmd.ts";
import { pteIndex } from "./table-walk.ts";
import { VM_UFFD_WP } from "./vma.ts";

/** Takes all mappings of the folio away. The cache holds the folio, so it is not freed. */
export function unmapFileFolio(memory: Memory, head: number): void {
  assert(!memory.frames.isAnon(head), "only the cache can give a page back that was unmapped");
  memory.watch?.willWalk("unmap", head);
  for (const { vma, index } of candidateVmas(memory, head)) {
    if (memory.decisions.decide("stop-unmap-walk", head, -1, -1, 0)) return;
    const batches: FolioMapping[] = [];
    mappingsInVma(memory, head, vma, index, batches);
    for (const batch of batches) {
      if (batch.level === LEVEL_PMD) splitPmd(memory, vma, batch.page);
      else unmapPtes(memory, head, batch);
    }
  }
}

/** try_to_unmap_one: page by page. */
function unmapPtes(memory: Memory, head: number, { vma, page, table, pageCount }: FolioMapping): void {
  const { frames, tables } = memory;
  for (let i = 0; i < pageCount; i++) {
    const index = pteIndex(page + i);
    const entry = tables.get(table, index);
    const keepsPlace = (entry & PTE_UFFD_WP) !== 0 && vma.has(VM_UFFD_WP);
    tables.set(table, index, keepsPlace ? notPresentEntry(TYPE_MARKER_UFFD_WP, 0, 0) : 0);
    if ((entry & PTE_DIRTY) !== 0) frames.set(head, DIRTY);
    removeRmapPtes(memory, frameOfEntry(entry), 1, vma, table);
  }
}

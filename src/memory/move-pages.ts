/**
 * move_pages(2) with MPOL_MF_MOVE, as the lab calls it: page by page.
 *
 * A page on the target node already counts as there, whoever shares it; only then is a shared folio refused (trap 25).
 * A failed page stops nothing.
 */
import { PAGE_SIZE_BYTES } from "../kernel/index.ts";
import { ENODEV, ENOMEM } from "./errno.ts";
import { LRU, ZERO } from "./frames.ts";
import { drainLru } from "./lru-batches.ts";
import type { Memory } from "./memory.ts";
import { migrateFolio } from "./migrate-folio.ts";
import type { Mm } from "./mm.ts";
import { frameOfEntry, isPresent, isTable, tableOfEntry } from "./page-table.ts";
import { findPmdTable, pmdIndex, pteIndex } from "./table-walk.ts";

/** Moves the pages of [startAddress, startAddress + lengthBytes). How many are on the node afterwards, or -errno. */
export function movePages(memory: Memory, mm: Mm, startAddress: number, lengthBytes: number, node: number): number {
  let there = 0;
  for (let address = startAddress; address < startAddress + lengthBytes; address += PAGE_SIZE_BYTES) {
    if (node >= memory.allocator.nodeCount) return -ENODEV;
    drainLru(memory);
    const status = movePage(memory, mm, Math.floor(address / PAGE_SIZE_BYTES), node);
    if (status < 0) return status;
    there += status;
  }
  return there;
}

/** add_folio_for_migration and the migration. 1: on the node, 0: not, or -errno of the whole call. */
function movePage(memory: Memory, mm: Mm, page: number, node: number): number {
  const { allocator, decisions, frames } = memory;
  const vma = mm.findVma(page);
  if (vma === undefined) return 0;
  const frame = presentFrame(memory, mm, page);
  if (frame === 0) return 0;
  const head = frames.headOf(frame);
  if (allocator.nodeOf(head) === node) return 1;
  if (!decisions.decide("move-page", head, mm.id, vma.id, 0)) return 0;
  if (!frames.isHugetlb(head) && !frames.has(head, LRU)) return 0;
  const result = migrateFolio(memory, head, node);
  if (result === "no-memory") return -ENOMEM;
  return result === "moved" ? 1 : 0;
}

/** folio_walk_start: the frame that maps this page, or 0: nothing, not present, the zero page. */
export function presentFrame(memory: Memory, mm: Mm, page: number): number {
  const { frames, tables } = memory;
  const pmdTable = findPmdTable(memory, mm, page);
  if (pmdTable === 0) return 0;
  const pmd = tables.get(pmdTable, pmdIndex(page));
  let frame = 0;
  if (isPresent(pmd)) frame = frameOfEntry(pmd) + pteIndex(page);
  else if (isTable(pmd)) {
    const entry = tables.get(tableOfEntry(pmd), pteIndex(page));
    if (isPresent(entry)) frame = frameOfEntry(entry);
  }
  return frame === 0 || frames.kindOf(frame) === ZERO ? 0 : frame;
}

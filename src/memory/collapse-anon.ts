/**
 * Collapse of anonymous memory: the pages of one PTE table are copied into a new folio (collapse_huge_page).
 *
 * First a look that changes nothing: who is pinned, missing, write-protected by userfaultfd? Then the new folio's node is
 * chosen, swapped pages are brought in, and all is looked at again. Pages that others share are copied and stay theirs;
 * holes and zero pages become zeros. max_ptes_none, _swap and _shared do not count for MADV_COLLAPSE.
 */
import { HPAGE_PMD_NR, HPAGE_PMD_ORDER } from "../kernel/index.ts";
import { writtenLeafFlags } from "./anon-folio.ts";
import type { CollapseResult } from "./collapse.ts";
import { freeIfUnused } from "./folio-references.ts";
import { KSM, LRU, ZERO } from "./frames.ts";
import { mlockFolio } from "./lru.ts";
import { type Memory, ZERO_FRAME } from "./memory.ts";
import { ZERO_CONTENT } from "./page-contents.ts";
import {
  PTE_UFFD_WP, TYPE_MARKER_UFFD_WP, frameOfEntry, isPresent, isSwapEntry, isTable, presentEntry, tableOfEntry, typeOfEntry,
} from "./page-table.ts"; // prettier-ignore
import { IGNORE_ALL, pteBatch } from "./pte-batch.ts";
import { addNewAnonRmap, createAnonFolio, removeRmapPtes } from "./rmap.ts";
import { swapIn } from "./swap-in.ts";
import { findPmdTable, pmdIndex } from "./table-walk.ts";
import { VM_LOCKED, VM_UFFD_WP, type Vma } from "./vma.ts";

/** The PTE table of 2 MiB, or why there is nothing to collapse (find_pmd_or_thp_or_none). */
export function tableToCollapse(memory: Memory, vma: Vma, first: number): number | CollapseResult {
  const pmdTable = findPmdTable(memory, vma.mm, first);
  if (pmdTable === 0) return "no-table";
  const pmd = memory.tables.get(pmdTable, pmdIndex(first));
  if (pmd === 0) return "no-pmd";
  return isTable(pmd) ? tableOfEntry(pmd) : "pmd-mapped";
}

/** hpage_collapse_scan_pmd and collapse_huge_page for the 2 MiB at page `first`. */
export function collapseAnon(memory: Memory, vma: Vma, first: number): CollapseResult {
  const table = tableToCollapse(memory, vma, first);
  if (typeof table === "string") return table;
  const nodeLoad = new Int32Array(memory.allocator.nodeCount);
  const look = lookAtPtes(memory, vma, table, nodeLoad);
  if (look !== "succeed") return look;
  memory.statistics.count("thp_collapse_alloc");
  if (!swapAllIn(memory, vma, first, table)) return "fail";
  const again = lookAtPtes(memory, vma, table, undefined);
  if (again !== "succeed") return again;
  replaceTable(memory, vma, first, table, busiestNode(nodeLoad));
  return "succeed";
}

/** hpage_collapse_find_target_node: where most of the pages are. */
export function busiestNode(nodeLoad: Int32Array): number {
  let node = 0;
  for (let at = 1; at < nodeLoad.length; at++) if (nodeLoad[at] > nodeLoad[node]) node = at;
  return node;
}

/**
 * The checks of both passes, entry by entry. With `nodeLoad` it is the first: swap entries may be there, and pages are
 * counted by node.
 */
function lookAtPtes(memory: Memory, vma: Vma, table: number, nodeLoad: Int32Array | undefined): CollapseResult {
  const { frames, tables } = memory;
  const isolated = new Set<number>();
  for (let index = 0; index < HPAGE_PMD_NR; index++) {
    const entry = tables.get(table, index);
    const isNothing = entry === 0 || (isPresent(entry) && frames.kindOf(frameOfEntry(entry)) === ZERO);
    if (isNothing) {
      if (vma.has(VM_UFFD_WP)) return "none-pte";
      continue;
    }
    if (!isPresent(entry)) {
      if (nodeLoad === undefined) return "not-present";
      if ((entry & PTE_UFFD_WP) !== 0 || typeOfEntry(entry) === TYPE_MARKER_UFFD_WP) return "uffd-wp";
      continue;
    }
    if ((entry & PTE_UFFD_WP) !== 0) return "uffd-wp";
    const frame = frameOfEntry(entry);
    const head = frames.headOf(frame);
    if (!frames.isAnon(head)) return "not-anon";
    if (nodeLoad !== undefined) nodeLoad[memory.allocator.nodeOf(frame)]++;
    else if (frames.kindOf(head) === KSM) {
      // The second pass locks what it meets, and a merged page may be met twice.
      if (isolated.has(head)) return "page-lock";
      isolated.add(head);
    }
    if (!frames.has(head, LRU)) return "page-lru";
    if (!memory.decisions.decide("collapse-references", head, vma.mm.id, vma.id, 0)) return "page-count";
  }
  return "succeed";
}

/** __collapse_huge_page_swapin. False at an entry that no fault can resolve: a marker, a poisoned page. */
function swapAllIn(memory: Memory, vma: Vma, first: number, table: number): boolean {
  for (let index = 0; index < HPAGE_PMD_NR; index++) {
    const entry = memory.tables.get(table, index);
    if (entry === 0 || isPresent(entry)) continue;
    if (!isSwapEntry(entry) || swapIn(memory, vma, first + index, "read") !== "ok") return false;
  }
  return true;
}

/** __collapse_huge_page_copy and the new PMD entry. */
function replaceTable(memory: Memory, vma: Vma, first: number, table: number, node: number): void {
  const { contents, frames, tables } = memory;
  const { mm } = vma;
  const pmdTable = findPmdTable(memory, mm, first);
  const head = createAnonFolio(memory, HPAGE_PMD_ORDER, node);
  for (let index = 0; index < HPAGE_PMD_NR; index++) {
    const entry = tables.get(table, index);
    const isHole = entry === 0 || frameOfEntry(entry) === ZERO_FRAME;
    contents.set(head + index, isHole ? ZERO_CONTENT : contents.of(frameOfEntry(entry)));
    memory.watch?.did(isHole ? "page-zeroed" : "page-copied", 1);
  }
  for (let index = 0, n = 1; index < HPAGE_PMD_NR; index += n) {
    n = 1;
    const entry = tables.get(table, index);
    if (entry === 0 || frames.kindOf(frameOfEntry(entry)) === ZERO) continue;
    n = pteBatch(memory, table, index, entry, HPAGE_PMD_NR - index, IGNORE_ALL);
    const frame = frameOfEntry(entry);
    const old = frames.headOf(frame);
    tables.clearBatch(table, index, n);
    removeRmapPtes(memory, frame, n, vma, table);
    freeIfUnused(memory, old);
  }
  tables.set(pmdTable, pmdIndex(first), 0);
  tables.free(table);
  addNewAnonRmap(memory, head, vma, first, pmdTable, true);
  if (vma.has(VM_LOCKED)) mlockFolio(memory, head);
  tables.set(pmdTable, pmdIndex(first), presentEntry(head, writtenLeafFlags(memory, vma)));
}

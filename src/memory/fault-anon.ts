/**
 * do_anonymous_page: a missing entry of anonymous memory gets the zero page (read) or a new folio (write).
 *
 * The folio is the largest that the settings allow, that lies aligned in the VMA, and whose entries are all empty; else one
 * page (kernel-facts 2.9). All its pages are mapped at once, written and exclusive.
 */
import { HPAGE_PMD_ORDER } from "../kernel/index.ts";
import { newExclusivePage, newFolioOfVma, writtenLeafFlags } from "./anon-folio.ts";
import type { FaultAccess, FaultResult } from "./fault-types.ts";
import { mlockFolio } from "./lru.ts";
import { type Memory, ZERO_FRAME } from "./memory.ts";
import { tellZeroed } from "./new-page-content.ts";
import { PTE_YOUNG, presentEntry } from "./page-table.ts";
import { addNewAnonRmap } from "./rmap.ts";
import { makePteTable, pteIndex } from "./table-walk.ts";
import { allowableOrders, highestOrder, suitableOrders } from "./thp-orders.ts";
import { VM_LOCKED, VM_SHARED, VM_UFFD_WP, type Vma } from "./vma.ts";

/** The fault of an empty PTE; `known`: its table, or 0 if there is none yet. */
export function anonymousFault(
  memory: Memory,
  vma: Vma,
  page: number,
  known: number,
  access: FaultAccess,
): FaultResult {
  if (vma.has(VM_SHARED)) return "sigbus";
  const table = known === 0 ? makePteTable(memory, vma.mm, page) : known;
  if (access !== "write") {
    memory.tables.set(table, pteIndex(page), presentEntry(ZERO_FRAME, PTE_YOUNG));
    return "ok";
  }
  const order = orderOfFault(memory, vma, page, table);
  const flags = writtenLeafFlags(memory, vma);
  if (order === 0) {
    const frame = newExclusivePage(memory, vma, page, table);
    tellZeroed(memory, 1);
    memory.tables.set(table, pteIndex(page), presentEntry(frame, flags));
    return "ok";
  }
  const first = page - (page % (1 << order));
  const head = newFolioOfVma(memory, vma, order);
  addNewAnonRmap(memory, head, vma, first, table, true);
  if (vma.has(VM_LOCKED)) mlockFolio(memory, head);
  memory.tables.setBatch(table, pteIndex(first), 1 << order, presentEntry(head, flags));
  return "ok";
}

/** alloc_anon_folio: the order of the new folio. userfaultfd wants single pages. */
function orderOfFault(memory: Memory, vma: Vma, page: number, table: number): number {
  if (vma.has(VM_UFFD_WP)) return 0;
  const allowed = allowableOrders(memory, vma, "fault") & ((1 << HPAGE_PMD_ORDER) - 1);
  let orders = allowed === 0 ? 0 : suitableOrders(vma, page, allowed);
  while (orders !== 0) {
    const order = highestOrder(orders);
    const first = pteIndex(page) & ~((1 << order) - 1);
    if (areEntriesEmpty(memory, table, first, 1 << order)) return order;
    orders &= ~(1 << order);
  }
  return 0;
}

/** pte_range_none: markers and the zero page are in the way too. */
function areEntriesEmpty(memory: Memory, table: number, index: number, n: number): boolean {
  const { tables } = memory;
  if (tables.usedEntries(table) === 0) return true;
  for (let at = index; at < index + n; at++) if (tables.get(table, at) !== 0) return false;
  return true;
}

/**
 * Faults that a PMD entry answers: a new huge page, the huge zero folio, and writes to either (kernel-facts 2.9, 4.1).
 *
 * Only where there is no PTE table yet, not even an empty one. A huge page that others map or refer to is not copied: its
 * PMD entry is split, and the PTE level copies the one page that was written.
 */
import { HPAGE_PMD_NR, HPAGE_PMD_ORDER } from "../kernel/index.ts";
import { newFolioOfVma, writtenLeafFlags } from "./anon-folio.ts";
import { prepareAnonVma } from "./anon-vma.ts";
import { moveAnonRmap, waitForUserfault } from "./cow.ts";
import type { FaultAccess, FaultMode, FaultResult } from "./fault-types.ts";
import { refcount } from "./folio-references.ts";
import { OWNER_2, SWAPCACHE, ZERO } from "./frames.ts";
import { mlockFolio } from "./lru.ts";
import type { Memory } from "./memory.ts";
import { tellZeroed } from "./new-page-content.ts";
import { PTE_UFFD_WP, PTE_YOUNG, frameOfEntry, presentEntry } from "./page-table.ts";
import { addNewAnonRmap } from "./rmap.ts";
import { splitPmd } from "./split-pmd.ts";
import { freeFolioSwap } from "./swap-cache.ts";
import { findPmdTable, makePmdTable, pmdIndex } from "./table-walk.ts";
import { isSuitableOrder } from "./thp-orders.ts";
import { VM_LOCKED, VM_UFFD_WP, type Vma } from "./vma.ts";

/** VM_FAULT_FALLBACK: the PTE level has to do it. */
export type HugeFaultResult = FaultResult | "fallback";

/** do_huge_pmd_anonymous_page: the PMD entry is empty and the VMA may have huge pages. */
export function hugeAnonymousFault(memory: Memory, vma: Vma, page: number, access: FaultAccess): HugeFaultResult {
  if (!isSuitableOrder(vma, page, HPAGE_PMD_ORDER)) return "fallback";
  if (vma.anonVma === undefined) prepareAnonVma(vma);
  const pmdTable = makePmdTable(memory, vma.mm, page);
  if (access !== "write" && memory.thp.useZeroPage) {
    memory.tables.set(pmdTable, pmdIndex(page), presentEntry(hugeZeroFolio(memory), PTE_YOUNG));
    return "ok";
  }
  mapNewHugePage(memory, vma, page, pmdTable);
  return "ok";
}

/** mm_get_huge_zero_folio: allocated at first use, and kept. */
function hugeZeroFolio(memory: Memory): number {
  if (memory.hugeZeroHead === 0) {
    memory.hugeZeroHead = memory.allocator.allocate(HPAGE_PMD_ORDER, ZERO, 0);
    tellZeroed(memory, HPAGE_PMD_NR);
    memory.statistics.count("thp_zero_page_alloc");
  }
  return memory.hugeZeroHead;
}

/** map_anon_folio_pmd, over an empty entry or the huge zero folio. */
function mapNewHugePage(memory: Memory, vma: Vma, page: number, pmdTable: number): void {
  const first = page - (page % HPAGE_PMD_NR);
  const head = newFolioOfVma(memory, vma, HPAGE_PMD_ORDER);
  addNewAnonRmap(memory, head, vma, first, pmdTable, true);
  if (vma.has(VM_LOCKED)) mlockFolio(memory, head);
  memory.tables.set(pmdTable, pmdIndex(page), presentEntry(head, writtenLeafFlags(memory, vma)));
  memory.statistics.count("thp_fault_alloc");
}

/** wp_huge_pmd: a write or unsharing meets a PMD leaf that is read-only. */
export function writeProtectedHugeFault(
  memory: Memory,
  vma: Vma,
  page: number,
  access: FaultAccess,
  mode: FaultMode,
): HugeFaultResult {
  const pmdTable = findPmdTable(memory, vma.mm, page);
  const entry = memory.tables.get(pmdTable, pmdIndex(page));
  if (vma.isAnonymous) {
    if (access === "write" && (entry & PTE_UFFD_WP) !== 0 && vma.has(VM_UFFD_WP)) return waitForUserfault(mode);
    const head = frameOfEntry(entry);
    if (memory.frames.kindOf(head) === ZERO) {
      mapNewHugePage(memory, vma, page, pmdTable);
      return "ok";
    }
    if (canReuseHugePage(memory, vma, head)) {
      memory.frames.set(head, OWNER_2);
      if (access === "write") memory.tables.set(pmdTable, pmdIndex(page), entry | writtenLeafFlags(memory, vma));
      return "ok";
    }
  }
  splitPmd(memory, vma, page);
  return "fallback";
}

/** Exclusive already, or the rule "reuse-pmd" after the swap slots were given up (decisions/cow.ts). */
function canReuseHugePage(memory: Memory, vma: Vma, head: number): boolean {
  const { frames } = memory;
  if (memory.cow.hasExclusivePages && frames.has(head, OWNER_2)) return true;
  if (frames.has(head, SWAPCACHE) && refcount(memory, head) <= 1 + HPAGE_PMD_NR) freeFolioSwap(memory, head);
  if (!memory.decisions.decide("reuse-pmd", head, vma.mm.id, vma.id, 1)) return false;
  moveAnonRmap(memory, head, vma);
  return true;
}

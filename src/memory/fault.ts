/**
 * handle_mm_fault: what happens when an access meets an entry that does not allow it.
 *
 * Downward by level: hugetlb by itself, then the PMD entry (huge-fault.ts), then the PTE: missing (fault-anon.ts,
 * file-fault.ts), not present (swap-in.ts, markers), or read-only (cow.ts). Rights are checked before, by who accesses: the
 * processor in touch.ts, GUP in gup.ts.
 */
import { HPAGE_PMD_ORDER } from "../kernel/index.ts";
import { assert } from "./assert.ts";
import { doWpPage } from "./cow.ts";
import { anonymousFault } from "./fault-anon.ts";
import type { FaultAccess, FaultMode, FaultResult } from "./fault-types.ts";
import { fileFault } from "./file-fault.ts";
import { hugeAnonymousFault, writeProtectedHugeFault } from "./huge-fault.ts";
import { hugetlbFault } from "./hugetlb.ts";
import type { Memory } from "./memory.ts";
import {
  PTE_DIRTY,
  PTE_SOFT_DIRTY,
  PTE_WRITE,
  PTE_YOUNG,
  TYPE_HWPOISON,
  TYPE_MARKER_GUARD,
  TYPE_MARKER_POISONED,
  TYPE_MARKER_UFFD_WP,
  TYPE_SWAP,
  isPresent,
  isTable,
  typeOfEntry,
} from "./page-table.ts";
import { swapIn } from "./swap-in.ts";
import { findPmdTable, findPteTable, pmdIndex, pteIndex } from "./table-walk.ts";
import { ORDER_PMD, allowableOrders } from "./thp-orders.ts";
import { VM_UFFD_WP, type Vma } from "./vma.ts";

/** One access faults a few times at most: huge page, split, copy. Who faults for an access again and again counts to here. */
export const FAULTS_PER_ACCESS = 8;
/** The invariant behind the limit. */
export const RESOLVED_ONCE = "a fault that is resolved is not met again and again";

/** Resolves one fault of `wanted` kind at `page` of the VMA. "ok": the access is to be tried again, and may fault again. */
export function handleVmaFault(
  memory: Memory,
  vma: Vma,
  page: number,
  wanted: FaultAccess,
  mode: FaultMode,
): FaultResult {
  memory.watch?.did("fault", 1);
  const access = wanted === "unshare" && !vma.isCow ? "read" : wanted;
  if (vma.isHugetlb) return hugetlbFault(memory, vma, page, access);
  const pmdTable = findPmdTable(memory, vma.mm, page);
  const pmd = pmdTable === 0 ? 0 : memory.tables.get(pmdTable, pmdIndex(page));
  if (isTable(pmd)) return handlePteFault(memory, vma, page, access, mode);
  if (pmd === 0) {
    if (vma.isAnonymous && (allowableOrders(memory, vma, "fault") & ORDER_PMD) !== 0) {
      const result = hugeAnonymousFault(memory, vma, page, access);
      if (result !== "fallback") return result;
    }
  } else {
    assert(isPresent(pmd), `a PMD entry at rest is a table or a leaf of order ${HPAGE_PMD_ORDER}`);
    if (access === "read" || (pmd & PTE_WRITE) !== 0) {
      memory.tables.set(pmdTable, pmdIndex(page), pmd | accessedFlags(memory, access));
      return "ok";
    }
    const result = writeProtectedHugeFault(memory, vma, page, access, mode);
    if (result !== "fallback") return result;
  }
  return handlePteFault(memory, vma, page, access, mode);
}

/** handle_pte_fault: the PMD entry is empty or a table. */
function handlePteFault(memory: Memory, vma: Vma, page: number, access: FaultAccess, mode: FaultMode): FaultResult {
  const table = findPteTable(memory, vma.mm, page);
  return table === 0
    ? missingPage(memory, vma, page, 0, access)
    : resolvePteFault(memory, vma, page, table, access, mode);
}

/** The same for who knows the PTE table that holds the entry: a fault of its own. */
export function handlePteFaultIn(
  memory: Memory,
  vma: Vma,
  page: number,
  table: number,
  access: FaultAccess,
  mode: FaultMode,
): FaultResult {
  memory.watch?.did("fault", 1);
  return resolvePteFault(memory, vma, page, table, access, mode);
}

function resolvePteFault(
  memory: Memory,
  vma: Vma,
  page: number,
  table: number,
  access: FaultAccess,
  mode: FaultMode,
): FaultResult {
  const entry = memory.tables.get(table, pteIndex(page));
  if (entry === 0) return missingPage(memory, vma, page, table, access);
  if (!isPresent(entry)) return notPresentFault(memory, vma, page, table, entry, access);
  if (access !== "read" && (entry & PTE_WRITE) === 0) return doWpPage(memory, vma, page, table, access, mode);
  memory.tables.set(table, pteIndex(page), entry | accessedFlags(memory, access));
  return "ok";
}

/** ptep_set_access_flags: x86-64 writes the entry only for a write; young is the processor's business. */
function accessedFlags(memory: Memory, access: FaultAccess): number {
  if (access !== "write") return 0;
  return memory.hasSoftDirty ? PTE_YOUNG | PTE_DIRTY | PTE_SOFT_DIRTY : PTE_YOUNG | PTE_DIRTY;
}

/** do_pte_missing. */
function missingPage(memory: Memory, vma: Vma, page: number, table: number, access: FaultAccess): FaultResult {
  return vma.isAnonymous ? anonymousFault(memory, vma, page, table, access) : fileFault(memory, vma, page, access);
}

/** do_swap_page: swap entries, poisoned pages and markers. */
function notPresentFault(
  memory: Memory,
  vma: Vma,
  page: number,
  table: number,
  entry: number,
  access: FaultAccess,
): FaultResult {
  const type = typeOfEntry(entry);
  switch (type) {
    case TYPE_SWAP:
      return swapIn(memory, vma, page, access);
    case TYPE_HWPOISON:
    case TYPE_MARKER_POISONED:
      return "hwpoison";
    case TYPE_MARKER_GUARD:
      return "sigsegv";
    case TYPE_MARKER_UFFD_WP:
      // A marker that outlived its registration is forgotten; else it says how the page is to be mapped.
      if (vma.has(VM_UFFD_WP)) return missingPage(memory, vma, page, table, access);
      memory.tables.set(table, pteIndex(page), 0);
      return "ok";
    default:
      throw new Error(`invariant broken: no entry of type ${type} is left at rest`);
  }
}

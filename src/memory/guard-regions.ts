/**
 * MADV_GUARD_INSTALL and MADV_GUARD_REMOVE: markers in page tables at which every access ends (kernel-facts 3.7).
 *
 * What lies in the range is zapped first if anything does. A VMA with guards gets an anon_vma, so that fork copies them.
 */
import { prepareAnonVma } from "./anon-vma.ts";
import { EINVAL } from "./errno.ts";
import type { Memory } from "./memory.ts";
import { TYPE_MARKER_GUARD, isNotPresent, isTable, notPresentEntry, tableOfEntry, typeOfEntry } from "./page-table.ts";
import { findPteTable, makePteTable, nextPmd, pmdEntryOf, pteIndex } from "./table-walk.ts";
import { VM_HUGETLB, VM_LOCKED, type Vma } from "./vma.ts";
import { zapVmaRange } from "./zap.ts";

/** madvise_guard_install for pages [start, end) of one VMA: 0 or -errno. */
export function installGuards(memory: Memory, vma: Vma, start: number, end: number): number {
  if (vma.has(VM_HUGETLB | VM_LOCKED)) return -EINVAL;
  prepareAnonVma(vma);
  if (holdsOther(memory, vma, start, end)) zapVmaRange(memory, vma, start, end, {});
  const guard = notPresentEntry(TYPE_MARKER_GUARD, 0, 0);
  for (let page = start; page < end;) {
    const table = makePteTable(memory, vma.mm, page);
    const tableEnd = Math.min(end, nextPmd(page));
    for (; page < tableEnd; page++) memory.tables.set(table, pteIndex(page), guard);
  }
  return 0;
}

/** Is there anything but guards and empty entries? */
function holdsOther(memory: Memory, vma: Vma, start: number, end: number): boolean {
  for (let page = start; page < end;) {
    const tableEnd = Math.min(end, nextPmd(page));
    const pmd = pmdEntryOf(memory, vma.mm, page);
    if (isTable(pmd)) {
      const table = tableOfEntry(pmd);
      for (; page < tableEnd; page++) {
        const entry = memory.tables.get(table, pteIndex(page));
        if (entry !== 0 && !isGuard(entry)) return true;
      }
    } else if (pmd !== 0) return true;
    page = tableEnd;
  }
  return false;
}

function isGuard(entry: number): boolean {
  return isNotPresent(entry) && typeOfEntry(entry) === TYPE_MARKER_GUARD;
}

/** madvise_guard_remove: 0 or -errno. Mlocked memory may be unguarded. */
export function removeGuards(memory: Memory, vma: Vma, start: number, end: number): number {
  if (vma.isHugetlb) return -EINVAL;
  for (let page = start; page < end;) {
    const tableEnd = Math.min(end, nextPmd(page));
    const table = findPteTable(memory, vma.mm, page);
    for (; page < tableEnd; page++) {
      if (table !== 0 && isGuard(memory.tables.get(table, pteIndex(page)))) memory.tables.set(table, pteIndex(page), 0);
    }
  }
  return 0;
}

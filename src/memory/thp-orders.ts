/**
 * Which sizes of folio a VMA may have: the settings, the flags of the VMA, and whether an aligned block fits (kernel-facts 3.5).
 *
 * A set of orders is a mask, bit k for order k. A fault takes the highest allowed order whose block around the address lies
 * in the VMA and over empty entries; smaps prints THPeligible if any order is left.
 */
import { HPAGE_PMD_ORDER } from "../kernel/index.ts";
import type { Memory } from "./memory.ts";
import { shmemAllowableOrders } from "./shmem.ts";
import { ORDERS_ANON, ORDERS_FILE, highestOrder, isSuitableOrder } from "./suitable-orders.ts";
import type { ThpSettings, ThpSizeSwitch } from "./thp-settings.ts";
import { VM_HUGEPAGE, VM_NOHUGEPAGE, type Vma } from "./vma.ts";

export { ORDER_PMD, highestOrder, isSuitableOrder, suitableOrders } from "./suitable-orders.ts";

/** enum tva_type: "forced" is MADV_COLLAPSE, which asks no settings. */
export type ThpPurpose = "fault" | "smaps" | "khugepaged" | "forced";

function isGloballyEnabled(thp: ThpSettings): boolean {
  return thp.enabled !== "never";
}

/** The orders that the per-size switches give an anonymous VMA. */
function anonOrdersBySettings(thp: ThpSettings, isAdvised: boolean): number {
  const inherits = thp.enabled === "always" || (isAdvised && isGloballyEnabled(thp));
  let orders = 0;
  for (let order = 2; order <= HPAGE_PMD_ORDER; order++) {
    if (isSizeOn(thp.size[order], isAdvised, inherits)) orders |= 1 << order;
  }
  return orders;
}

function isSizeOn(size: ThpSizeSwitch, isAdvised: boolean, inherits: boolean): boolean {
  return size === "always" || (size === "madvise" && isAdvised) || (size === "inherit" && inherits);
}

/** vma_thp_disabled: MADV_NOHUGEPAGE or the process-wide switch. */
function isDisabled(vma: Vma): boolean {
  return vma.has(VM_NOHUGEPAGE) || vma.mm.thpDisabled;
}

/** thp_vma_allowable_orders, of those that the kind of memory supports at all. */
export function allowableOrders(memory: Memory, vma: Vma, purpose: ThpPurpose): number {
  const isFault = purpose === "fault";
  const isForced = purpose === "forced";
  let orders = vma.isAnonymous ? ORDERS_ANON : ORDERS_FILE;
  if (vma.isAnonymous && !isForced) orders &= anonOrdersBySettings(memory.thp, vma.has(VM_HUGEPAGE));
  if (orders === 0 || isDisabled(vma)) return 0;
  // VM_NO_KHUGEPAGED is not asked for smaps, which shows hugetlb's memory as any file that nobody has open for writing.
  if (vma.isHugetlb && purpose !== "smaps") return 0;
  if (!isFault) {
    orders = ordersThatFit(vma, orders);
    if (orders === 0) return 0;
  }
  const { file } = vma;
  if (file === undefined) return vma.anonVma === undefined && !isFault && purpose !== "smaps" ? 0 : orders;
  if (file.fileKind === "shmem")
    return isFault ? 0 : orders & shmemAllowableOrders(memory, file, { vma, index: vma.pgoff, isForced });
  return isFault ? 0 : orders & ordersOfReadOnlyFile(memory, vma, isForced);
}

/** Drops every order of which not even the last aligned block of the VMA fits. */
function ordersThatFit(vma: Vma, orders: number): number {
  let left = orders;
  while (left !== 0) {
    const order = highestOrder(left);
    const last = vma.end - (1 << order);
    if (last >= 0 && isSuitableOrder(vma, last, order)) return left;
    left &= ~(1 << order);
  }
  return 0;
}

/** file_thp_enabled (CONFIG_READ_ONLY_THP_FOR_FS): files of a disk that nobody has open for writing. */
function ordersOfReadOnlyFile(memory: Memory, vma: Vma, isForced: boolean): number {
  const { thp } = memory;
  const isOn = isForced || thp.enabled === "always" || (isGloballyEnabled(thp) && vma.has(VM_HUGEPAGE));
  return isOn && vma.file !== undefined && !vma.file.isOpenForWrite ? ORDERS_FILE : 0;
}

/** The line THPeligible of smaps. */
export function thpEligible(memory: Memory, vma: Vma): boolean {
  return allowableOrders(memory, vma, "smaps") !== 0;
}

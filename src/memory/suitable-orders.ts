/**
 * Where a folio of some size fits: the aligned block around an address, inside its VMA and in step with its file.
 *
 * A set of orders is a mask, bit k for order k.
 */
import { HPAGE_PMD_ORDER } from "../kernel/index.ts";
import type { Vma } from "./vma.ts";

/** Orders an anonymous folio may have: 4 pages to one PMD. */
export const ORDERS_ANON = (2 << HPAGE_PMD_ORDER) - 1 - 0b11;
/** Orders a page cache folio may have; above a PMD nothing is mapped whole. */
export const ORDERS_FILE = (2 << HPAGE_PMD_ORDER) - 1 - 0b1;
export const ORDER_PMD = 1 << HPAGE_PMD_ORDER;

/** The highest order of a mask that is not empty. */
export function highestOrder(orders: number): number {
  return 31 - Math.clz32(orders);
}

/** thp_vma_suitable_order: does the aligned block around `page` lie in the VMA, and is a file's offset aligned with it? */
export function isSuitableOrder(vma: Vma, page: number, order: number): boolean {
  const n = 1 << order;
  if (!vma.isAnonymous && (vma.start - vma.pgoff) % n !== 0) return false;
  const first = page - (page % n);
  return first >= vma.start && first + n <= vma.end;
}

/** thp_vma_suitable_orders: `orders` without those above the largest that suits; smaller blocks lie inside larger ones. */
export function suitableOrders(vma: Vma, page: number, orders: number): number {
  let left = orders;
  while (left !== 0) {
    const order = highestOrder(left);
    if (isSuitableOrder(vma, page, order)) return left;
    left &= ~(1 << order);
  }
  return 0;
}

/**
 * Proportional set size, in the kernel's fixed point.
 *
 * A page counts 4096 bytes divided by its mapcount, in units of 1/4096 byte, truncated page by page; sums are truncated
 * again to bytes and to kB when printed. Three pages shared by three processes so print 3 kB, not 4 (kernel-facts 3.2,
 * 3.3, trap 9). All sums below 2^53 units are exact: 2 TiB of Pss.
 */
import { PAGE_SIZE_BYTES } from "../kernel/index.ts";

/** Units in a byte: the kernel's PSS_SHIFT is 12. */
export const PSS_UNITS_PER_BYTE = 4096;
/** Pss of a page with one mapping, in units. */
export const PSS_FULL_PAGE = PAGE_SIZE_BYTES * PSS_UNITS_PER_BYTE;

/** Units that a page with this mapcount adds to the Pss of each mapping. */
export function pssOfPage(mapcount: number): number {
  return mapcount >= 2 ? Math.floor(PSS_FULL_PAGE / mapcount) : PSS_FULL_PAGE;
}

/** Whole bytes of a sum of units. */
export function bytesOfPss(units: number): number {
  return Math.floor(units / PSS_UNITS_PER_BYTE);
}

/** kB as smaps prints a sum of units: truncated twice. */
export function kbOfPss(units: number): number {
  return Math.floor(bytesOfPss(units) / 1024);
}

/**
 * The sizes everything else is counted in: base pages of 4 KiB and the two huge leaves of x86-64.
 *
 * Invariant: addresses never appear as numbers in hot code, page numbers do. A 64-bit address does not fit a
 * JavaScript number, its page number (52 bits) always does, the gate page at the top of the address space included.
 * Kernel: kernel-facts 0 (vocabulary) and 3 (base pages of 4 KiB, PMD = 2 MiB).
 *
 *     order   pages    bytes    mapped by
 *         0       1    4 KiB    one PTE
 *         9     512    2 MiB    one PMD entry
 *        18  262144    1 GiB    one PUD entry
 */

/** log2 of the base page's size. */
export const PAGE_SHIFT = 12;
/** The base page: what one PTE maps and one pagemap entry describes. */
export const PAGE_SIZE_BYTES = 4096;

/** log2 of the pages that one PMD entry maps. */
export const HPAGE_PMD_ORDER = 9;
/** Pages that one PMD entry maps: 2 MiB. */
export const HPAGE_PMD_NR = 512;

/** log2 of the pages that one PUD entry maps. */
export const HPAGE_PUD_ORDER = 18;
/** Pages that one PUD entry maps: 1 GiB. */
export const HPAGE_PUD_NR = 262144;

/** A page frame number: physical address / 4096. 40 bits on today's x86-64, so a number holds it exactly. */
export type Pfn = number & { readonly __pfn: never };

/** A virtual page number: virtual address / 4096. At most 2^52, so a number holds it exactly. */
export type PageNumber = number & { readonly __pageNumber: never };

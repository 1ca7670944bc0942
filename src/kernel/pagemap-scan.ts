/**
 * PAGEMAP_SCAN: one ioctl on a pagemap fd that walks page tables and reports populated ranges with their categories.
 *
 *     argument, 12 words of 64 bits                            region, 3 words
 *       0 size      24 end       48 vec_len             72 category_mask           0 start
 *       8 flags     32 walk_end  56 max_pages           80 category_anyof_mask     8 end
 *      16 start     40 vec       64 category_inverted   88 return_mask            16 categories
 *
 * Invariant: addresses cross this file as page numbers, split into two 32-bit halves without a BigInt. A page matches if
 * c = categories ^ inverted has all of `categoryMask` and, unless that is 0, any of `categoryAnyofMask`; what is
 * reported are its un-inverted categories & `returnMask`, neighbours with equal ones merged.
 * Kernel: kernel-facts 3.8 and 9.5. Ask for at most SCAN_REGIONS_SAFE_MAX regions a call: beyond, `walk_end` may lie
 * before the last region and a loop that goes on from it sees regions twice.
 */

/** The request number: _IOWR('f', 16, 96 bytes). */
export const PAGEMAP_SCAN = 0xc0606610;
export const PAGEMAP_SCAN_ARGUMENT_BYTES = 96;
export const PAGEMAP_SCAN_REGION_BYTES = 24;
/** The kernel copies out this many regions at a time. */
export const SCAN_REGIONS_SAFE_MAX = 512;

export const PM_SCAN_WP_MATCHING = 1;
export const PM_SCAN_CHECK_WPASYNC = 2;

/** Categories of a page, or-ed together. */
export const PAGE_IS_WPALLOWED = 0x1;
/** Not write-protected through userfaultfd: true of nearly everything, of empty entries too on some kernels. */
export const PAGE_IS_WRITTEN = 0x2;
/** Computed for PTEs only if one of the masks asks for it. */
export const PAGE_IS_FILE = 0x4;
export const PAGE_IS_PRESENT = 0x8;
export const PAGE_IS_SWAPPED = 0x10;
export const PAGE_IS_PFNZERO = 0x20;
/** Mapped by a PMD, or hugetlb. */
export const PAGE_IS_HUGE = 0x40;
export const PAGE_IS_SOFT_DIRTY = 0x80;
export const PAGE_IS_GUARD = 0x100;
/** Only on 7.3 and later. */
export const PAGE_IS_ACCESSED = 0x200;

const OFFSET_SIZE = 0;
const OFFSET_FLAGS = 8;
const OFFSET_START = 16;
const OFFSET_END = 24;
const OFFSET_WALK_END = 32;
const OFFSET_VEC = 40;
const OFFSET_VEC_LEN = 48;
const OFFSET_MAX_PAGES = 56;
const OFFSET_CATEGORY_INVERTED = 64;
const OFFSET_CATEGORY_MASK = 72;
const OFFSET_CATEGORY_ANYOF_MASK = 80;
const OFFSET_RETURN_MASK = 88;
const REGION_OFFSET_END = 8;
const REGION_OFFSET_CATEGORIES = 16;

const WORD = 2 ** 32;
/** Pages whose addresses share a high word. */
const PAGES_PER_HIGH_WORD = 2 ** 20;
const PAGES_MAX = 2 ** 52;

/** What to scan for; masks are or-ed PAGE_IS_ constants. */
export interface ScanArgument {
  readonly startPage: number;
  /** One past the last page. */
  readonly endPage: number;
  /** Address of the room for regions. */
  readonly vectorAddress: number | bigint;
  /** Regions that fit there. */
  readonly vectorLength: number;
  /** Stop after this many matching pages; 0 means no limit. */
  readonly maxPages: number;
  readonly categoryMask: number;
  readonly categoryAnyofMask: number;
  readonly returnMask: number;
  readonly categoryInverted?: number;
  /** PM_SCAN_ constants. */
  readonly flags?: number;
}

function setPageAddress(view: DataView, offset: number, page: number): void {
  if (!(Number.isInteger(page) && page >= 0 && page < PAGES_MAX)) {
    throw new RangeError(`a page number is an integer from 0 up to 2^52, not ${page}`);
  }
  view.setUint32(offset, (page % PAGES_PER_HIGH_WORD) * 4096, true);
  view.setUint32(offset + 4, Math.floor(page / PAGES_PER_HIGH_WORD), true);
}

function setWord(view: DataView, offset: number, value: number): void {
  if (!(Number.isSafeInteger(value) && value >= 0)) {
    throw new RangeError(`a word of a scan argument is an integer from 0 up to 2^53, not ${value}`);
  }
  view.setUint32(offset, value % WORD, true);
  view.setUint32(offset + 4, Math.floor(value / WORD), true);
}

function pageAt(view: DataView, offset: number): number {
  return (view.getUint32(offset, true) >>> 12) + view.getUint32(offset + 4, true) * PAGES_PER_HIGH_WORD;
}

/** Writes all 96 bytes of the argument, `walk_end` as 0. */
export function encodeScanArgument(view: DataView, fields: ScanArgument): void {
  setWord(view, OFFSET_SIZE, PAGEMAP_SCAN_ARGUMENT_BYTES);
  setWord(view, OFFSET_FLAGS, fields.flags ?? 0);
  setPageAddress(view, OFFSET_START, fields.startPage);
  setPageAddress(view, OFFSET_END, fields.endPage);
  setWord(view, OFFSET_WALK_END, 0);
  setWord(view, OFFSET_VEC, Number(fields.vectorAddress));
  setWord(view, OFFSET_VEC_LEN, fields.vectorLength);
  setWord(view, OFFSET_MAX_PAGES, fields.maxPages);
  setWord(view, OFFSET_CATEGORY_INVERTED, fields.categoryInverted ?? 0);
  setWord(view, OFFSET_CATEGORY_MASK, fields.categoryMask);
  setWord(view, OFFSET_CATEGORY_ANYOF_MASK, fields.categoryAnyofMask);
  setWord(view, OFFSET_RETURN_MASK, fields.returnMask);
}

/**
 * Decodes the first `regionCount` regions into `pages` as pairs [start page, one past the end], and returns the page
 * where the walk ended, from the argument that the kernel has written back.
 */
export function decodeScanRegions(
  argument: DataView,
  vector: DataView,
  regionCount: number,
  pages: Float64Array,
): number {
  for (let index = 0; index < regionCount; index++) {
    const offset = index * PAGEMAP_SCAN_REGION_BYTES;
    pages[index * 2] = pageAt(vector, offset);
    pages[index * 2 + 1] = pageAt(vector, offset + REGION_OFFSET_END);
  }
  return pageAt(argument, OFFSET_WALK_END);
}

/** Decodes the categories of the first `regionCount` regions: PAGE_IS_ bits, all of them below 2^32. */
export function decodeScanCategories(vector: DataView, regionCount: number, categories: Int32Array): void {
  for (let index = 0; index < regionCount; index++) {
    categories[index] = vector.getInt32(index * PAGEMAP_SCAN_REGION_BYTES + REGION_OFFSET_CATEGORIES, true);
  }
}

/**
 * shmem: memfd, shared anonymous memory and tmpfs (mm/shmem.c).
 *
 * A file without a name (memfd, MAP_SHARED | MAP_ANONYMOUS) takes folios of the sizes that shmem_enabled of each size
 * allows, for faults only; write(2) and fallocate(2), which have no VMA, go by the global switch. A tmpfs goes by its
 * mount option. Of the orders allowed the highest is taken whose aligned block fits the VMA, if there is one, and has no
 * page in the cache yet; the end of the file does not matter, but for within_size.
 */
import { HPAGE_PMD_ORDER, PAGE_SIZE_BYTES } from "../kernel/index.ts";
import { EINVAL } from "./errno.ts";
import { FileMapping, type ShmemHugePolicy } from "./file-mapping.ts";
import { DIRTY, REFERENCED, UPTODATE } from "./frames.ts";
import { markAccessed } from "./lru.ts";
import type { Memory } from "./memory.ts";
import { tellZeroed } from "./new-page-content.ts";
import { cachedFolio, createCacheFolio, isRangeFree } from "./page-cache.ts";
import { swapInShmem } from "./shmem-swap.ts";
import { ORDERS_FILE, ORDER_PMD, highestOrder, suitableOrders } from "./suitable-orders.ts";
import type { ShmemSizeSwitch, ThpSettings } from "./thp-settings.ts";
import { Unsupported } from "./unsupported.ts";
import { VM_HUGEPAGE, VM_NOHUGEPAGE, VM_UFFD_WP, type Vma } from "./vma.ts";

/** Pages of the kernel lab's tmpfs (size=64m). */
const TMPFS_PAGES = 16_384;

/** A new file without pages. `huge`: "settings" for files without a name. */
export function createShmem(
  memory: Memory,
  name: string,
  sizeBytes: number,
  huge: ShmemHugePolicy = "settings",
): FileMapping {
  // prettier-ignore
  const hasLargeFolios = (huge === "settings" ? memory.thp.shmemMount : huge) !== "never";
  return new FileMapping({ fileKind: "shmem", name, sizeBytes, shmemHuge: huge, hasLargeFolios });
}

/** For whom orders are asked. */
export interface ShmemOrderRequest {
  /** The faulting VMA; write(2) has none. */
  readonly vma?: Vma | undefined;
  /** Page of the file. */
  readonly index: number;
  /** Where a write will end: the file is as good as that long. */
  readonly writeEndBytes?: number;
  /** MADV_COLLAPSE. */
  readonly isForced?: boolean;
}

/** shmem_allowable_huge_orders. */
export function shmemAllowableOrders(memory: Memory, file: FileMapping, request: ShmemOrderRequest): number {
  const { thp } = memory;
  const { vma, index } = request;
  if (vma !== undefined && (vma.has(VM_NOHUGEPAGE) || vma.mm.thpDisabled)) return 0;
  const globalOrders = ordersByMount(thp, file, request);
  if (vma === undefined || file.shmemHuge !== "settings") return globalOrders;
  if (thp.shmemEnabled === "deny") return 0;
  if (thp.shmemEnabled === "force") return ordersWith(thp, "inherit");
  let orders = ordersWith(thp, "always") | withinSize(file, ordersWith(thp, "within_size"), index, 0);
  if (vma.has(VM_HUGEPAGE)) orders |= ordersWith(thp, "advise");
  if (globalOrders !== 0) orders |= ordersWith(thp, "inherit");
  return orders & ORDERS_FILE;
}

/** shmem_huge_global_enabled: the mount option, which for files without a name is the global shmem_enabled. */
function ordersByMount(thp: ThpSettings, file: FileMapping, request: ShmemOrderRequest): number {
  const { shmemEnabled } = thp;
  if (shmemEnabled === "deny") return 0;
  if (request.isForced === true || shmemEnabled === "force") return ORDER_PMD;
  const policy = file.shmemHuge === "settings" ? thp.shmemMount : file.shmemHuge;
  // A fault wants one PMD or single pages, a write as much as it writes.
  const possible = request.vma === undefined ? ORDERS_FILE : ORDER_PMD;
  switch (policy) {
    case "always":
      return possible;
    case "within_size": {
      const orders = withinSize(file, possible, request.index, request.writeEndBytes ?? 0);
      if (orders !== 0) return orders;
      return request.vma?.has(VM_HUGEPAGE) === true ? ORDER_PMD : 0;
    }
    case "advise":
      return request.vma?.has(VM_HUGEPAGE) === true ? ORDER_PMD : 0;
    case "never":
      return 0;
  }
}

function ordersWith(thp: ThpSettings, value: ShmemSizeSwitch): number {
  let orders = 0;
  for (let order = 1; order <= HPAGE_PMD_ORDER; order++) if (thp.shmemSize[order] === value) orders |= 1 << order;
  return orders;
}

/** shmem_get_orders_within_size: without the orders whose block around the page reaches behind the end of the file. */
function withinSize(file: FileMapping, orders: number, index: number, writeEndBytes: number): number {
  const pages = Math.ceil(Math.max(writeEndBytes, file.sizeBytes) / PAGE_SIZE_BYTES);
  let left = orders;
  while (left !== 0) {
    const order = highestOrder(left);
    const n = 1 << order;
    if (pages >= Math.ceil((index + 1) / n) * n) return left;
    left &= ~(1 << order);
  }
  return 0;
}

/** enum sgp_type: SGP_READ, SGP_CACHE, SGP_WRITE, SGP_FALLOC. */
export type ShmemPurpose = "read" | "cache" | "write" | "fallocate";

export interface ShmemRequest {
  readonly purpose: ShmemPurpose;
  /** Where a new folio is to lie. */
  readonly node: number;
  /** The faulting VMA and page of the address space. */
  readonly fault?: { readonly vma: Vma; readonly page: number };
  readonly writeEndBytes?: number;
}

/** shmem_get_folio: the folio of page `index`, 0 for a hole that is only read, or -errno. */
export function shmemGetFolio(memory: Memory, file: FileMapping, index: number, request: ShmemRequest): number {
  const { frames } = memory;
  const { purpose, node, fault } = request;
  if (isBehindEnd(file, index) && (purpose === "read" || purpose === "cache")) return -EINVAL;
  if (file.swapSlotAt(index) >= 0) {
    const head = swapInShmem(memory, file, index, node, fault?.vma.has(VM_UFFD_WP) !== true);
    if (purpose === "write") markAccessed(memory, head);
    return head;
  }
  const cached = cachedFolio(memory, file, index);
  if (cached !== 0) {
    if (purpose === "write") markAccessed(memory, cached);
    if (frames.has(cached, UPTODATE)) return cached;
    // Allocated by fallocate and never filled: to a reader it is a hole.
    if (purpose === "read") return 0;
    if (purpose !== "write") fill(memory, cached);
    return cached;
  }
  if (purpose === "read") return 0;
  const head = newFolio(memory, file, index, request);
  if (purpose === "write") frames.set(head, REFERENCED);
  if (purpose === "cache") fill(memory, head);
  return head;
}

/** shmem_get_folio_gfp, "clear": a folio that nobody has written is zeros. */
function fill(memory: Memory, head: number): void {
  memory.frames.set(head, UPTODATE);
  tellZeroed(memory, 2 ** memory.frames.order[head]);
}

function isBehindEnd(file: FileMapping, index: number): boolean {
  return index * PAGE_SIZE_BYTES >= file.sizeBytes;
}

/** shmem_alloc_and_add_folio. */
function newFolio(
  memory: Memory,
  file: FileMapping,
  index: number,
  { node, fault, writeEndBytes }: ShmemRequest,
): number {
  const allowed = shmemAllowableOrders(memory, file, { vma: fault?.vma, index, writeEndBytes: writeEndBytes ?? 0 });
  const fitting = fault === undefined ? allowed : suitableOrders(fault.vma, fault.page, allowed);
  const order = emptyOrder(file, index, fitting);
  const n = 2 ** order;
  if (file.shmemHuge !== "settings" && file.cachedPages + file.swappedPages + n > TMPFS_PAGES) {
    throw new Unsupported("touch", "the tmpfs is full: its limit of 64 MiB is not modelled");
  }
  const head = createCacheFolio(memory, file, index - (index % n), order, node);
  if (order === HPAGE_PMD_ORDER) memory.statistics.count("thp_file_alloc");
  return head;
}

/** shmem_suitable_orders: the highest whose block has no page in the cache or on swap; 0 if none is. */
function emptyOrder(file: FileMapping, index: number, orders: number): number {
  for (let left = orders; left !== 0;) {
    const order = highestOrder(left);
    const n = 1 << order;
    if (isRangeFree(file, index - (index % n), n)) return order;
    left &= ~(1 << order);
  }
  return 0;
}

/** shmem_write_end: what was written of the folio is there, the rest is zeros. */
export function finishShmemWrite(memory: Memory, head: number): void {
  memory.frames.set(head, UPTODATE | DIRTY);
}

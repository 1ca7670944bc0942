/**
 * What to read of all pagemaps, as work items that threads take while the list still grows.
 *
 * An item is a stretch of one process's VMAs with at most ITEM_PAGES of address space in them (a reservation of terabytes
 * becomes larger items, which are mostly skipped), so that one big process keeps all threads busy. Items and VMAs lie in
 * shared memory: the listing thread publishes, the readers take the next item with one atomic and sleep when they have
 * caught up. Items are ascending by mm, so every reader's runs are too.
 */
import { HPAGE_PMD_NR } from "../kernel/index.ts";

/** Address space of an item: 4 GiB, 8 MiB of pagemap. */
const ITEM_PAGES = 1_048_576;
/** Address space of an item inside one VMA of more than 256 GiB: 64 GiB. */
const SPARSE_ITEM_PAGES = 16_777_216;
const SPARSE_VMA_PAGES = 67_108_864;
/** VMAs of one capture: 16 processes at the kernel's limit of 65,530. Memory is used only for those there are. */
export const VMAS_MAX = 1_048_576;
/** Items of one capture: 1 PiB of address space. */
const ITEMS_MAX = 262_144;

export const ITEM_PENDING = 0;
export const ITEM_DONE = 1;
/** The address space went away while it was read. */
export const ITEM_ENDED = 2;
/** The kernel refused to go on. */
export const ITEM_FAILED = 3;

/** Columns of VMAs, ordered by mm and address, in shared memory. */
export interface VmaRanges {
  readonly startPage: Float64Array<SharedArrayBuffer>;
  readonly endPage: Float64Array<SharedArrayBuffer>;
  /** 1 for a shared mapping (`s` in maps): other processes may have the very same entries. */
  readonly shared: Uint8Array<SharedArrayBuffer>;
}

/** Slots of `ReadPlan.control`. */
const PUBLISHED = 0;
const CLOSED = 1;
const NEXT = 2;
const DONE = 3;

/** Columns of work items in shared memory. */
export interface ReadPlan {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly vmas: VmaRanges;
  readonly mm: Int32Array<SharedArrayBuffer>;
  readonly fd: Int32Array<SharedArrayBuffer>;
  readonly startPage: Float64Array<SharedArrayBuffer>;
  readonly endPage: Float64Array<SharedArrayBuffer>;
  readonly firstVma: Int32Array<SharedArrayBuffer>;
  readonly endVma: Int32Array<SharedArrayBuffer>;
  readonly status: Int32Array<SharedArrayBuffer>;
  /** Bytes of pagemap read for the item. */
  readonly bytesRead: Float64Array<SharedArrayBuffer>;
}

/** An empty plan. */
export function createReadPlan(): ReadPlan {
  return {
    control: sharedInt32(4),
    vmas: {
      startPage: sharedFloat64(VMAS_MAX),
      endPage: sharedFloat64(VMAS_MAX),
      shared: new Uint8Array(new SharedArrayBuffer(VMAS_MAX)),
    },
    mm: sharedInt32(ITEMS_MAX),
    fd: sharedInt32(ITEMS_MAX),
    startPage: sharedFloat64(ITEMS_MAX),
    endPage: sharedFloat64(ITEMS_MAX),
    firstVma: sharedInt32(ITEMS_MAX),
    endVma: sharedInt32(ITEMS_MAX),
    status: sharedInt32(ITEMS_MAX),
    bytesRead: sharedFloat64(ITEMS_MAX),
  };
}

/** Items published so far. */
export function publishedItems(plan: ReadPlan): number {
  return Atomics.load(plan.control, PUBLISHED);
}

/** Items that readers have finished. */
export function doneItems(plan: ReadPlan): number {
  return Atomics.load(plan.control, DONE);
}

/**
 * Cuts the VMAs [firstVma, endVma) of an address space, which are in `plan.vmas` already, into items and publishes them.
 * Returns false, and publishes nothing, if the plan is full.
 */
export function publishProcess(
  plan: ReadPlan,
  process: { readonly mm: number; readonly fd: number; readonly firstVma: number; readonly endVma: number },
): boolean {
  const first = publishedItems(plan);
  const { startPage, endPage } = plan.vmas;
  let item = first - 1;
  let pages = ITEM_PAGES;
  for (let vma = process.firstVma; vma < process.endVma; vma++) {
    const end = endPage[vma];
    const size = end - startPage[vma];
    const sparse = size > SPARSE_VMA_PAGES;
    for (let page = startPage[vma]; page < end;) {
      const limit = sparse ? SPARSE_ITEM_PAGES : ITEM_PAGES;
      if (pages > limit - HPAGE_PMD_NR || sparse || item < first) {
        if (++item >= ITEMS_MAX) return false;
        plan.mm[item] = process.mm;
        plan.fd[item] = process.fd;
        plan.startPage[item] = page;
        plan.firstVma[item] = vma;
        pages = 0;
      }
      // Items end at multiples of 2 MiB or with a VMA, so that a huge mapping is never cut.
      const cut = Math.floor((page + limit - pages) / HPAGE_PMD_NR) * HPAGE_PMD_NR;
      const behind = cut > page ? Math.min(end, cut) : end;
      pages += behind - page;
      page = behind;
      plan.endPage[item] = page;
      plan.endVma[item] = vma + 1;
    }
    if (sparse) pages = ITEM_PAGES;
  }
  Atomics.store(plan.control, PUBLISHED, item + 1);
  Atomics.notify(plan.control, PUBLISHED);
  return true;
}

/** No more items will come. */
export function closePlan(plan: ReadPlan): void {
  Atomics.store(plan.control, CLOSED, 1);
  // Readers sleep on the published count; a spurious change of nothing wakes them to see that the plan is closed.
  Atomics.notify(plan.control, PUBLISHED);
}

/** Takes the next item, waiting for one to be published; -1 when there are no more. Blocks the calling thread. */
export function takeItem(plan: ReadPlan): number {
  const item = Atomics.add(plan.control, NEXT, 1);
  for (;;) {
    const published = Atomics.load(plan.control, PUBLISHED);
    if (item < published) return item;
    if (Atomics.load(plan.control, CLOSED) === 1) return item < Atomics.load(plan.control, PUBLISHED) ? item : -1;
    Atomics.wait(plan.control, PUBLISHED, published, 10);
  }
}

/** Marks an item as finished. */
export function finishItem(plan: ReadPlan, item: number, status: number, bytesRead: number): void {
  plan.status[item] = status;
  plan.bytesRead[item] = bytesRead;
  Atomics.add(plan.control, DONE, 1);
}

function sharedInt32(length: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(length * 4));
}

function sharedFloat64(length: number): Float64Array<SharedArrayBuffer> {
  return new Float64Array(new SharedArrayBuffer(length * 8));
}

/**
 * What to read of all pagemaps, cut into work items for the reader threads.
 *
 * Neighbouring VMAs of a process are read together: a system call costs as much as some thousand entries. An item is at
 * most ITEM_PAGES of address space (a reservation of terabytes becomes larger items, which are mostly skipped), so that
 * one big process keeps all threads busy. The plan lies in shared memory: threads take the next item with one atomic.
 */

import { HPAGE_PMD_NR } from "../kernel/index.ts";

/** Pages between two VMAs that are read through rather than skipped: 4 KiB of pagemap. */
export const GAP_PAGES_READ_THROUGH = 512;
/** Address space of an item: 4 GiB, 8 MiB of pagemap. */
export const ITEM_PAGES = 1_048_576;
/** Address space of an item inside one VMA of more than 256 GiB: 64 GiB. */
const SPARSE_ITEM_PAGES = 16_777_216;
const SPARSE_VMA_PAGES = 67_108_864;

export const ITEM_PENDING = 0;
export const ITEM_DONE = 1;
/** The address space went away while it was read. */
export const ITEM_ENDED = 2;
export const ITEM_FAILED = 3;

/** Columns of VMAs, ordered by mm and address, in shared memory. */
export interface VmaRanges {
  readonly startPage: Float64Array<SharedArrayBuffer>;
  readonly endPage: Float64Array<SharedArrayBuffer>;
}

/** Columns of work items, ordered by mm and address, in shared memory. */
export interface ReadPlan {
  readonly itemCount: number;
  readonly mm: Int32Array<SharedArrayBuffer>;
  readonly fd: Int32Array<SharedArrayBuffer>;
  readonly startPage: Float64Array<SharedArrayBuffer>;
  readonly endPage: Float64Array<SharedArrayBuffer>;
  readonly firstVma: Int32Array<SharedArrayBuffer>;
  readonly endVma: Int32Array<SharedArrayBuffer>;
  readonly status: Int32Array<SharedArrayBuffer>;
  /** Bytes of pagemap read for the item; bytes that never needed reading are not in it. */
  readonly bytesRead: Float64Array<SharedArrayBuffer>;
  /** [0]: the next item to take. [1]: items done, for progress. */
  readonly cursor: Int32Array<SharedArrayBuffer>;
}

/** One process to read: its mm's row, its open pagemap, its rows of the VMA columns. */
export interface PlannedProcess {
  readonly mm: number;
  readonly fd: number;
  readonly firstVma: number;
  readonly endVma: number;
}

interface Item {
  mm: number;
  fd: number;
  startPage: number;
  endPage: number;
  firstVma: number;
  endVma: number;
}

/** Columns for `count` VMAs. */
export function createVmaRanges(count: number): VmaRanges {
  return {
    startPage: new Float64Array(new SharedArrayBuffer(Math.max(8, count * 8))),
    endPage: new Float64Array(new SharedArrayBuffer(Math.max(8, count * 8))),
  };
}

/** Cuts the VMAs of the processes into items. O(VMAs + items). */
export function planReading(processes: readonly PlannedProcess[], vmas: VmaRanges): ReadPlan {
  const items: Item[] = [];
  for (const process of processes) planProcess(process, vmas, items);
  const count = items.length;
  const plan: ReadPlan = {
    itemCount: count,
    mm: sharedInt32(count),
    fd: sharedInt32(count),
    startPage: sharedFloat64(count),
    endPage: sharedFloat64(count),
    firstVma: sharedInt32(count),
    endVma: sharedInt32(count),
    status: sharedInt32(count),
    bytesRead: sharedFloat64(count),
    cursor: sharedInt32(2),
  };
  for (const [index, item] of items.entries()) {
    plan.mm[index] = item.mm;
    plan.fd[index] = item.fd;
    plan.startPage[index] = item.startPage;
    plan.endPage[index] = item.endPage;
    plan.firstVma[index] = item.firstVma;
    plan.endVma[index] = item.endVma;
  }
  return plan;
}

function planProcess(process: PlannedProcess, vmas: VmaRanges, items: Item[]): void {
  const { mm, fd } = process;
  let open: Item | undefined;
  for (let vma = process.firstVma; vma < process.endVma; vma++) {
    const start = vmas.startPage[vma]!;
    const end = vmas.endPage[vma]!;
    const sparse = end - start > SPARSE_VMA_PAGES;
    const fits = open !== undefined && start - open.endPage <= GAP_PAGES_READ_THROUGH && end - open.startPage <= ITEM_PAGES;
    if (open !== undefined && fits && !sparse) {
      open.endPage = end;
      open.endVma = vma + 1;
      continue;
    }
    const step = sparse ? SPARSE_ITEM_PAGES : ITEM_PAGES;
    for (let page = start; page < end; page = open.endPage) {
      // Items end at multiples of 2 MiB, so that a huge mapping is never cut.
      const behind = Math.min(end, Math.floor((page + step) / HPAGE_PMD_NR) * HPAGE_PMD_NR);
      open = { mm, fd, startPage: page, endPage: behind, firstVma: vma, endVma: vma + 1 };
      items.push(open);
    }
    if (sparse) open = undefined;
  }
}

function sharedInt32(length: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(Math.max(1, length) * 4));
}

function sharedFloat64(length: number): Float64Array<SharedArrayBuffer> {
  return new Float64Array(new SharedArrayBuffer(Math.max(1, length) * 8));
}

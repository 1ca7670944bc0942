/**
 * Kernels of the published tables: which scheme counts, in what batches each operation hands it the entries, and what a
 * kernel did besides that none of the fifteen schemes does.
 *
 * Charges are those of the schemes themselves wherever a scheme is what that kernel ran; what is added is written out here,
 * atomic by atomic, for each change that has a section. Counting small folios is the same in all of them.
 */
import { LEVEL_PMD, LEVEL_PTE } from "../../src/kernel/index.ts";
import {
  ATOMICS,
  type Counter,
  type CountingCost,
  LARGE_MAPCOUNT_LOCKS,
  LOADS,
  Meter,
  REFERENCE_OPERATIONS,
  STORES,
  STRUCT_PAGE_LINES,
  type Scheme,
  findScheme,
} from "../../src/schemes/index.ts";
import type { CowRule } from "../../src/memory/index.ts";
import type { Batch, OperationHistory } from "./histories.ts";

/** A batch as a kernel counts it: at most one page where it does not batch. */
export interface Counted {
  readonly batch: Batch;
  readonly pageCount: number;
  readonly isPmd: boolean;
  /** Pages whose number of PTEs became 1 or 0: each changed _nr_pages_mapped before August 2024. */
  readonly turned: number;
  /** Some other page of the folio has a PTE, before and after. */
  readonly hasPtes: boolean;
}

export interface Kernel {
  readonly title: string;
  readonly scheme: Scheme;
  /** Which operations hand over whole batches; the others go page by page. */
  readonly batches: { readonly fork: boolean; readonly zap: boolean; readonly remap: boolean };
  /** Whether a write after fork may reuse a page of a large folio that the child has left: from 6.15 on. */
  readonly cowRule: CowRule;
  /** Charges beside the scheme's, of large folios. */
  readonly more?: (meter: Meter, counted: Counted) => void;
}

function named(id: string): Scheme {
  const scheme = findScheme(id);
  if (scheme === undefined) throw new Error(`there is no scheme ${id}`);
  return scheme;
}

const PAGE_BY_PAGE = { fork: false, zap: false, remap: false } as const;
const IN_BATCHES = { fork: true, zap: true, remap: true } as const;

/** `subpages` charges one change of _nr_pages_mapped a batch; until August 2024 each page that turned made one. */
function chargeEachTurn(meter: Meter, { turned }: Counted): void {
  if (turned > 1) meter.charge(ATOMICS, turned - 1);
}

/** Linux 6.7 and 6.8-rc1: nothing is batched. Page by page, so each turn is charged. */
export const LINUX_6_8: Kernel = {
  title: "Linux 6.8-rc1",
  scheme: named("subpages"),
  batches: PAGE_BY_PAGE,
  cowRule: "exclusive",
};

/** Linux 6.9: fork, zap and remap in batches. */
export const LINUX_6_9: Kernel = {
  title: "Linux 6.9, batches",
  scheme: named("subpages"),
  batches: IN_BATCHES,
  cowRule: "exclusive",
  more: chargeEachTurn,
};

/** Linux 6.10: one more atomic a batch for _large_mapcount. */
export const LINUX_6_10: Kernel = {
  ...LINUX_6_9,
  title: "Linux 6.10, one large mapcount",
  more: (meter, counted) => {
    chargeEachTurn(meter, counted);
    meter.charge(ATOMICS, 1);
  },
};

/** Linux 6.12: at most one change of _nr_pages_mapped a batch, as `subpages` charges it. */
export const LINUX_6_12: Kernel = {
  ...LINUX_6_9,
  title: "Linux 6.12, fewer changes of _nr_pages_mapped",
  more: (meter) => meter.charge(ATOMICS, 1),
};

/** CONFIG_MM_ID with page mapcounts, which became Linux 6.15's default. */
export const MM_ID: Kernel = {
  title: "owner slots and page mapcounts",
  scheme: named("page"),
  batches: IN_BATCHES,
  cowRule: "large-reuse",
};

export const NO_PAGE_MAPCOUNT: Kernel = { ...MM_ID, title: "owner slots alone", scheme: named("mm-owner") };

/** A stage of the rmap-id series, on 6.7: what it adds for each batch, or takes from it. */
function stage(title: string, more: NonNullable<Kernel["more"]>, isRemapBatched = false): Kernel {
  return {
    title,
    scheme: named("subpages"),
    batches: { ...PAGE_BY_PAGE, remap: isRemapBatched },
    // The ids answer whether the folio is exclusive; the total alone does not.
    cowRule: title === "total mapcount only" ? "exclusive" : "large-reuse",
    more,
  };
}

/** One atomic more, as 6.10 has it. */
function concurrentTotal(meter: Meter, counted: Counted): void {
  chargeEachTurn(meter, counted);
  meter.charge(ATOMICS, 1);
}

/** A batch takes so many atomics for the total, a sequence count that all writers share, and the values. */
function concurrent(values: number): NonNullable<Kernel["more"]> {
  return (meter, counted) => {
    chargeEachTurn(meter, counted);
    meter.charge(ATOMICS, 1 + 2 + values);
  };
}

/** One writer at a time: the sequence count is a lock of two atomics, the values are plain; the total is still atomic. */
function exclusive(meter: Meter, counted: Counted): void {
  chargeEachTurn(meter, counted);
  meter.charge(ATOMICS, 1 + 2);
  meter.chargePlain(RMAP_VALUES_2_MIB, RMAP_VALUES_2_MIB);
}

/** Values of a 2 MiB folio, where only as many are kept as its order needs; all six are, before that. */
const RMAP_VALUES_2_MIB = 3;
const RMAP_VALUES_ALL = 6;

/** All words under the lock: nothing but the lock and the reference count is atomic. */
function allExclusive(meter: Meter, { pageCount, turned, isPmd }: Counted): void {
  const plain = (isPmd ? 1 : pageCount) + turned;
  // `subpages` has charged the pages and one turn as atomics.
  meter.charge(ATOMICS, 2 - (isPmd ? 1 : pageCount) - (turned > 0 ? 1 : 0));
  meter.chargePlain(plain + 1 + RMAP_VALUES_2_MIB, plain + 1 + RMAP_VALUES_2_MIB);
}

/** By the names of published.ts. From "+ batch remap" on, a split PMD is counted in one batch. */
export const RMAP_ID_STAGES: readonly Kernel[] = [
  stage("total mapcount only", concurrentTotal),
  stage("+ rmap-id", concurrent(RMAP_VALUES_ALL)),
  stage("+ 1/2/3 values", concurrent(RMAP_VALUES_2_MIB)),
  stage("+ batch remap", concurrent(RMAP_VALUES_2_MIB), true),
  stage("+ exclusive seqcount", exclusive, true),
  stage("+ add-return, not cmpxchg", exclusive, true),
  stage("all mapcounts under the seqcount", allExclusive, true),
];

/**
 * Linux 4.8 to 6.1: a PMD entry of a file folio is counted in each of its pages, too (kernel-facts 5.1). The scheme
 * `doublemap` counts as anonymous folios did.
 */
export const FILE_DOUBLEMAP: Kernel = {
  title: "Linux 6.1",
  scheme: named("doublemap"),
  batches: PAGE_BY_PAGE,
  cowRule: "exclusive",
  more: (meter, { isPmd, batch }) => {
    if (isPmd) meter.charge(ATOMICS, 2 ** batch.order);
  },
};

/** Patch 1 of the rework: pages are looked at when a PMD entry comes or goes while one of them has a PTE. */
export const SUBPAGES_SCANNED: Kernel = {
  title: "subpages_mapcount",
  scheme: named("subpages"),
  batches: PAGE_BY_PAGE,
  cowRule: "exclusive",
  more: (meter, { isPmd, batch, hasPtes }) => {
    if (!isPmd || !hasPtes) return;
    meter.charge(LOADS, 2 ** batch.order);
    meter.charge(STRUCT_PAGE_LINES, 2 ** batch.order);
  },
};

/** Patch 2: the same under a bit spinlock in the first tail page. */
export const SUBPAGES_LOCKED: Kernel = {
  ...SUBPAGES_SCANNED,
  title: "subpages_mapcount, bit spinlock",
  more: (meter, counted) => {
    SUBPAGES_SCANNED.more?.(meter, counted);
    // Taken with an atomic, released with a store; the counts under it need no atomics.
    meter.charge(STORES, 2);
    meter.charge(LOADS, 1);
    meter.charge(LARGE_MAPCOUNT_LOCKS, 1);
  },
};

/** Linux 6.2: COMPOUND_MAPPED, no scan and no lock. */
export const COMPOUND_MAPPED: Kernel = {
  title: "COMPOUND_MAPPED",
  scheme: named("subpages"),
  batches: PAGE_BY_PAGE,
  cowRule: "exclusive",
};

/** What counting an operation took: costs, and how many calls of the kernel's loop that were, by their size. */
export interface CountedOperation {
  readonly counting: Readonly<Record<CountingCost, number>>;
  /** Calls for more than one page of a large folio at once, and calls for a page alone. */
  readonly batchCalls: number;
  readonly singleCalls: number;
}

/** More frames than any history touches. */
const FRAME_LIMIT = 16_384;

type Batches = Pick<OperationHistory, "before" | "during">;

const counted = new WeakMap<Kernel, WeakMap<Batches, CountedOperation>>();

/** Hands a history to a kernel and meters its operation; each pair is counted once. */
export function countHistory(kernel: Kernel, history: Batches): CountedOperation {
  let ofKernel = counted.get(kernel);
  if (ofKernel === undefined) counted.set(kernel, (ofKernel = new WeakMap()));
  let result = ofKernel.get(history);
  if (result === undefined) ofKernel.set(history, (result = feedHistory(kernel, history)));
  return result;
}

function feedHistory(kernel: Kernel, { before, during }: Batches): CountedOperation {
  const meter = new Meter();
  const orders = new Uint8Array(FRAME_LIMIT);
  const feeder = new Feeder(kernel, meter, orders);
  for (const batch of before) feeder.feed(batch);
  const start = meter.totals.slice();
  const calls = { batch: feeder.batchCalls, single: feeder.singleCalls };
  for (const batch of during) feeder.feed(batch);
  return {
    counting: meter.since(start),
    batchCalls: feeder.batchCalls - calls.batch,
    singleCalls: feeder.singleCalls - calls.single,
  };
}

class Feeder {
  batchCalls = 0;
  singleCalls = 0;
  private readonly kernel: Kernel;
  private readonly meter: Meter;
  private readonly orders: Uint8Array;
  private readonly counter: Counter;
  private readonly ptesOfPage = new Int32Array(FRAME_LIMIT);
  private readonly pagesWithPte = new Int32Array(FRAME_LIMIT);

  constructor(kernel: Kernel, meter: Meter, orders: Uint8Array) {
    this.kernel = kernel;
    this.meter = meter;
    this.orders = orders;
    this.counter = kernel.scheme.createCounter({ frameCount: FRAME_LIMIT, orders, meter });
  }

  feed(batch: Batch): void {
    this.orders[batch.folio] = batch.order;
    const isPte = batch.level === LEVEL_PTE;
    const isBatched = this.isBatched(batch);
    const step = isPte && !isBatched ? 1 : batch.pageCount;
    for (let first = batch.first; first < batch.first + batch.pageCount; first += step) this.count(batch, first, step);
    // A split PMD gives its pages their references with one addition, batched or not.
    if (!isBatched && isPte && isRemap(batch)) {
      this.meter.charge(REFERENCE_OPERATIONS, 1 - batch.pageCount);
      this.meter.charge(ATOMICS, 1 - batch.pageCount);
    }
  }

  private isBatched(batch: Batch): boolean {
    const { fork, zap, remap } = this.kernel.batches;
    if (batch.kind === "dup") return fork;
    return batch.kind === "remove" ? zap : remap;
  }

  private count(batch: Batch, first: number, pageCount: number): void {
    const { folio, order, level, table, vma, mm, kind } = batch;
    const hadPtes = this.pagesWithPte[folio] > 0;
    const turned = level === LEVEL_PTE ? this.turn(batch, first, pageCount) : 0;
    const { counter } = this;
    if (kind === "remove") counter.remove(folio, first, pageCount, level, table, vma, mm);
    else if (kind === "dup" && counter.dup !== undefined) counter.dup(folio, first, pageCount, level, table, vma, mm);
    else counter.add(folio, first, pageCount, level, table, vma, mm);
    const isPmd = level === LEVEL_PMD;
    if (order > 0) this.kernel.more?.(this.meter, { batch, pageCount, isPmd, turned, hasPtes: hadPtes });
    if (pageCount > 1 && !isPmd) this.batchCalls += 1;
    else this.singleCalls += 1;
  }

  /** Pages of the batch that get their first PTE or lose their last. */
  private turn({ folio, kind }: Batch, first: number, pageCount: number): number {
    let turned = 0;
    for (let frame = folio + first; frame < folio + first + pageCount; frame++) {
      const before = this.ptesOfPage[frame];
      const after = before + (kind === "remove" ? -1 : 1);
      this.ptesOfPage[frame] = after;
      if (before === 0 || after === 0) turned += 1;
    }
    this.pagesWithPte[folio] += kind === "remove" ? -turned : turned;
    return turned;
  }
}

/** PTEs of a whole 2 MiB folio that appear at once, outside of fork: its PMD was split. */
function isRemap({ kind, order, pageCount }: Batch): boolean {
  return kind === "add" && pageCount > 1 && pageCount === 2 ** order;
}

/**
 * 3.1 to 3.5: micro-benchmarks over folio sizes, on the Xeon.
 */
import type { CowRule } from "../../src/memory/index.ts";
import { type TimeRatio, ratioOfTerms } from "../../src/study/index.ts";
import { type Operation, type OperationHistory, recordOperation } from "./histories.ts";
import { type Headline, changeOfRuntime, changeOfThroughput } from "./judge.ts";
import { type Kernel, LINUX_6_10, LINUX_6_12, LINUX_6_8, LINUX_6_9, MM_ID, NO_PAGE_MAPCOUNT } from "./kernels.ts";
import { type TimeOptions, XEON, type Machine, termsOfOperation } from "./prices.ts";
import {
  ALL_ORDERS,
  FORK_SECONDS,
  LARGE_MAPCOUNT,
  LARGE_ORDERS,
  MUNMAP_SECONDS,
  NR_PAGES_MAPPED_SPEEDUP,
  OWNER_TRACKING,
} from "./published.ts";

/** A fault that reuses saves its copy. */
const REUSE_BYTE_RANGE = [-66, -50] as const;
/** The same where large folios play no part: nothing changes. */
const NO_CHANGE = 2;

/**
 * 3.12, in points. What it does not name takes the nearest: remap as fork, pte-dontneed and reuse of whole pages as munmap.
 * A reuse of one byte has a range.
 */
export const TOLERANCE: Readonly<Record<Operation | "cow" | "reuse", Headline["tolerance"]>> = {
  fork: 15,
  munmap: 10,
  remap: 15,
  "cow-byte": 2,
  "reuse-byte": REUSE_BYTE_RANGE,
  "child-reuse-byte": REUSE_BYTE_RANGE,
  "pte-dontneed": 10,
  cow: 2,
  reuse: 10,
};

/** 4 MiB instead of 1 GiB: every cost is linear in the number of folios, which a test holds. */
const PAGES = 1024;

const histories = new Map<string, OperationHistory>();

/** The model's history of an operation under a rule of copy-on-write; each is run once. */
export function historyOf(operation: Operation, order: number, cowRule: CowRule = "large-reuse"): OperationHistory {
  const key = `${operation} ${order} ${cowRule}`;
  let history = histories.get(key);
  if (history === undefined) {
    history = recordOperation(operation, order, PAGES, cowRule);
    histories.set(key, history);
  }
  return history;
}

export interface Comparison {
  readonly machine: Machine;
  readonly kernel: Kernel;
  readonly against: Kernel;
  readonly operation: Operation;
  readonly order: number;
  readonly options?: TimeOptions;
  readonly optionsAgainst?: TimeOptions;
}

/** How many times as long the operation takes under one kernel as under the other. */
export function compareKernels(comparison: Comparison): TimeRatio {
  const { machine, kernel, against, operation, order, options, optionsAgainst } = comparison;
  return ratioOfTerms(
    termsOfOperation(machine, kernel, historyOf(operation, order, kernel.cowRule), options),
    termsOfOperation(machine, against, historyOf(operation, order, against.cowRule), optionsAgainst ?? options),
  );
}

/** "64 KiB" */
export function formatFolio(order: number): string {
  const kib = 4 * 2 ** order;
  return kib >= 1024 ? `${kib / 1024} MiB` : `${kib} KiB`;
}

const FITTED_ORDERS = new Set([2, 9]);

/** A table of before and after, in seconds. */
function batching(
  section: string,
  operation: "fork" | "munmap",
  seconds: { readonly before: readonly number[]; readonly after: readonly number[] },
): Headline[] {
  return ALL_ORDERS.map((order, row) => ({
    section,
    series: `${operation}, rmap batching`,
    label: formatFolio(order),
    published: { kind: "figure", value: (seconds.after[row] / seconds.before[row] - 1) * 100 },
    model: changeOfRuntime(compareKernels({ machine: XEON, kernel: LINUX_6_9, against: LINUX_6_8, operation, order })),
    basis: FITTED_ORDERS.has(order) ? "fitted" : "predicted",
    tolerance: TOLERANCE[operation],
    ...(order === 0
      ? { remark: "small folios are counted as before; what the table shows is the code around it" }
      : {}),
  }));
}

function fewerUpdates(): Headline[] {
  return LARGE_ORDERS.map((order, row) => ({
    section: "3.3",
    series: "munmap, fewer changes of _nr_pages_mapped (speed-up)",
    label: formatFolio(order),
    published: { kind: "figure", value: NR_PAGES_MAPPED_SPEEDUP[row] },
    model: changeOfThroughput(
      compareKernels({ machine: XEON, kernel: LINUX_6_12, against: LINUX_6_10, operation: "munmap", order }),
    ),
    basis: order === 9 ? "fitted" : "predicted",
    tolerance: TOLERANCE.munmap,
  }));
}

function largeMapcount(): Headline[] {
  const rows = (
    operation: Operation,
    kind: "figure" | "slower by less than",
    byOrder: Readonly<Record<number, number>>,
  ): Headline[] =>
    Object.entries(byOrder).map(([order, value]) => ({
      section: "3.4",
      series: `${operation}, one large mapcount`,
      label: formatFolio(Number(order)),
      published: { kind, value },
      model: changeOfRuntime(
        compareKernels({
          machine: XEON,
          kernel: LINUX_6_10,
          against: LINUX_6_9,
          operation,
          order: Number(order),
        }),
      ),
      basis: "predicted",
      tolerance: TOLERANCE[operation],
    }));
  return [
    ...rows("fork", "figure", LARGE_MAPCOUNT.forkAbout),
    ...rows("fork", "slower by less than", LARGE_MAPCOUNT.forkBelow),
    ...rows("munmap", "slower by less than", LARGE_MAPCOUNT.munmapBelow),
    ...rows("remap", "slower by less than", LARGE_MAPCOUNT.remapBelow),
    ...rows("cow-byte", "slower by less than", LARGE_MAPCOUNT.cowByteBelow),
  ];
}

function ownerTracking(): Headline[] {
  const rows = (
    operation: Operation,
    kernel: Kernel,
    published: readonly number[],
    fitted: ReadonlySet<number> = new Set(),
  ): Headline[] =>
    ALL_ORDERS.map((order, row) => ({
      section: "3.5",
      series: `${operation}, ${kernel.title}`,
      label: formatFolio(order),
      published: { kind: "figure", value: published[row] },
      model: changeOfRuntime(compareKernels({ machine: XEON, kernel, against: LINUX_6_12, operation, order })),
      basis: fitted.has(order) ? "fitted" : "predicted",
      tolerance: published[row] === 0 && operation.endsWith("reuse-byte") ? NO_CHANGE : TOLERANCE[operation],
    }));
  return [
    ...rows("munmap", MM_ID, OWNER_TRACKING.munmapMmId),
    ...rows("munmap", NO_PAGE_MAPCOUNT, OWNER_TRACKING.munmapNoMapcount),
    ...rows("fork", MM_ID, OWNER_TRACKING.forkMmId, new Set([2])),
    ...rows("fork", NO_PAGE_MAPCOUNT, OWNER_TRACKING.forkNoMapcount),
    ...rows("cow-byte", MM_ID, OWNER_TRACKING.cowByte),
    ...rows("cow-byte", NO_PAGE_MAPCOUNT, OWNER_TRACKING.cowByte),
    ...rows("reuse-byte", MM_ID, OWNER_TRACKING.reuseByte, new Set([9])),
    ...rows("reuse-byte", NO_PAGE_MAPCOUNT, OWNER_TRACKING.reuseByte),
    ...rows("child-reuse-byte", MM_ID, OWNER_TRACKING.childReuseByte),
    ...rows("child-reuse-byte", NO_PAGE_MAPCOUNT, OWNER_TRACKING.childReuseByte),
  ];
}

/** All rows over folio sizes. */
export function folioSizeHeadlines(): Headline[] {
  return [
    ...batching("3.1", "fork", FORK_SECONDS),
    ...batching("3.2", "munmap", MUNMAP_SECONDS),
    ...fewerUpdates(),
    ...largeMapcount(),
    ...ownerTracking(),
  ];
}

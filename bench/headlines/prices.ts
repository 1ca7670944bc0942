/**
 * From a counted operation to its time: the cost model's units, and what the kernel's loops take beside them.
 *
 * The cost model knows prices of counting and of work. A call for each batch, a call for each page alone, the freeing of a
 * large folio, a system call and the user's own writing are this benchmark's, because only here a kernel that batches is
 * compared with one that does not. All units are one list, so that a ratio moves common ones together.
 */
import type { CostProfile, UnitCost } from "../../src/schemes/index.ts";
import { type Term, XEON_4210R, termsOf } from "../../src/study/index.ts";
import { type FittedPrices, fitPrices } from "./fit.ts";
import type { Operation, OperationHistory } from "./histories.ts";
import { type Kernel, countHistory } from "./kernels.ts";
import { COMPOUND_REWORK, RMAP_ID_AMD, REWORK_BYTES, REWORK_ROUNDS } from "./published.ts";

/** A machine: the cost model's profile and the loops of its kernel. */
export interface Machine {
  readonly profile: CostProfile;
  readonly loops: FittedPrices;
}

export const XEON: Machine = { profile: XEON_4210R, loops: fitPrices() };

/**
 * Two AMD EPYC 7313. The record has only changes in per cent of this machine, no time, so its work is taken from the Xeon;
 * the atomic is fitted to 3.7, munmap, "+ rmap-id": nine atomics are +12.5 %; the writing of a page to reuse, "+ rmap-id".
 */
export function epyc7313(): Machine {
  const { loops } = XEON;
  const withoutAtomics = loops.entryCleared + loops.zap.single + loops.largeFreed / 512;
  const share = RMAP_ID_AMD[1][1] / 100;
  const atomic = (share * withoutAtomics) / (9 - 3 * share);
  const counting = { ...XEON_4210R.counting, atomics: around(atomic) };
  const reusing = loops.fault;
  const copying = reusing + loops.copy + loops.entrySet + loops.entryCleared + 4 * atomic;
  const saved = -RMAP_ID_AMD[1][5] / 100;
  const pageWritten = ((1 - saved) * copying - reusing) / saved;
  return { profile: { ...XEON_4210R, name: "AMD EPYC 7313", counting }, loops: { ...loops, atomic, pageWritten } };
}

/**
 * The machine of the compound mapcount rework, of which little is known. The atomic is fitted to 1 s -> 119 ms, which are
 * 512 atomics a map and a unmap; a line of struct page to 495 -> 103 ms, which are 512 lines; what is left is work.
 */
export function reworkMachine(): Machine & { readonly pmdWorkNs: number; readonly smallPageNs: number } {
  const pairs = (REWORK_ROUNDS * REWORK_BYTES) / 2 ** 21;
  const pairNs = (seconds: number): number => (seconds * 1e9) / pairs;
  const { pmds, pmdsAfterPtes } = COMPOUND_REWORK;
  const atomic = pairNs(pmds.doublemap - pmds.patch1) / (2 * 512);
  const line = pairNs(pmdsAfterPtes.scanned - pmdsAfterPtes.compoundMapped) / (2 * 512);
  const { loads } = XEON_4210R.counting;
  const counting = {
    ...XEON_4210R.counting,
    atomics: around(atomic),
    structPageLines: around(line - loads.ns),
    largeMapcountLocks: around(atomic),
  };
  return {
    profile: { ...XEON_4210R, name: "machine of the compound mapcount rework", counting },
    loops: XEON.loops,
    // Two atomics are _nr_pages_mapped and the entire mapcount, one the reference; all of them twice.
    pmdWorkNs: pairNs(pmds.patch1) - 6 * atomic,
    smallPageNs: (COMPOUND_REWORK.smallPages * 1e9) / (pairs * 512),
  };
}

/** What one row of a table says is not exact: a quarter to either side. */
function around(ns: number): UnitCost {
  return { ns, low: ns * 0.75, high: ns * 1.25 };
}

export interface TimeOptions {
  /** Atomics on lines that another core has just written, of each page. */
  readonly contendedPerPage?: number;
  /** The user writes the whole page and not a byte. */
  readonly isWholePageWritten?: boolean;
  /** Nanoseconds for each page that are the same whatever is counted. */
  readonly otherNsPerPage?: number;
}

/** An operation of a kernel as a sum of priced units: always the same units in the same places. */
export function termsOfOperation(
  machine: Machine,
  kernel: Kernel,
  history: OperationHistory,
  options: TimeOptions = {},
): Term[] {
  const { counting, batchCalls, singleCalls } = countHistory(kernel, history);
  const { pages, work, largeFoliosFreed, calls, operation } = history;
  const contended = (options.contendedPerPage ?? 0) * pages;
  const contendedShare = counting.atomics > 0 ? Math.min(1, contended / counting.atomics) : 0;
  const { loops } = machine;
  const loop = loopOf(operation);
  const loopTerm = (name: "fork" | "zap" | "remap", part: "batch" | "single", times: number): Term => ({
    unit: around(loops[name][part]),
    times: loop === name ? times : 0,
  });
  return [
    ...termsOf({ counting, work }, machine.profile, { contendedShare }),
    ...(["fork", "zap", "remap"] as const).flatMap((name) => [
      loopTerm(name, "batch", batchCalls),
      loopTerm(name, "single", singleCalls),
    ]),
    { unit: around(loops.largeFreed), times: largeFoliosFreed },
    { unit: around(loops.call), times: calls },
    { unit: around(loops.pageWritten), times: options.isWholePageWritten === true ? pages : 0 },
    { unit: around(options.otherNsPerPage ?? 0), times: pages },
  ];
}

/** The loop that handles the entries. A fault is one work of its own. */
function loopOf(operation: Operation): "fork" | "zap" | "remap" | undefined {
  switch (operation) {
    case "fork":
      return "fork";
    case "munmap":
    case "pte-dontneed":
      return "zap";
    case "remap":
      return "remap";
    case "cow-byte":
    case "reuse-byte":
    case "child-reuse-byte":
      return undefined;
  }
}

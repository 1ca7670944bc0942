/**
 * The reference machine: two Intel Xeon Silver 4210R at 2.40 GHz, on which most published figures about counting mappings
 * were measured (David Hildenbrand, 2023 to 2025).
 *
 * Nobody published prices of single steps; these are what makes a few rows of the published tables come out, each from the
 * row that its comment names. bench/headlines/fit.ts computes them from those rows (a test holds both together), and
 * `npm run bench:headlines` predicts all other rows from them. What no row fixes is assumed, marked so, and wide.
 *
 * The rows are in seconds for 1 GiB, 262,144 pages. What a loop of the kernel takes for each batch and for each folio freed
 * is not in the vocabulary of work; the benchmark has prices for them beside these.
 */
import type { CostProfile, UnitCost } from "../schemes/index.ts";

function unit(ns: number, low: number, high: number): UnitCost {
  return { ns, low, high };
}

/** Never charged apart: its atomic is charged as an atomic. */
const NOTHING = unit(0, 0, 0);

/**
 * Prices fitted to literature 3.1-3.5 and 3.7.
 *
 * @example
 * timeOf({ counting: { atomics: 512 }, work: {} }, XEON_4210R).total.ns; // 4116.48
 */
export const XEON_4210R: CostProfile = {
  name: "Intel Xeon Silver 4210R",
  source: "fitted to published tables of 2023 to 2025 (literature 3.1-3.5, 3.7); see docs/headlines.md",
  counting: {
    // 3.3, 2 MiB: one atomic less a page is +27 % (and 3.2 gives the time). 3.5's rows alone would give 6.3 to 9.2.
    atomics: unit(8.04, 6.3, 10.2),
    // One cycle of 2.4 GHz: words of a line that is in the first cache already. A miss is a line's price.
    loads: unit(0.42, 0.2, 2),
    stores: unit(0.42, 0.2, 2),
    // 3.5, fork of 2 MiB without page mapcounts: what is gone with them is an atomic and a line a page, and the atomic takes
    // it all, because neighbouring lines are fetched ahead. 3.8, a scan that does nothing else: 3.7 with its load.
    structPageLines: unit(0, 0, 3.3),
    // 3.5, fork of 16 KiB with owner slots: +4 % is what the bit spinlock takes beyond its atomic and its plain words.
    largeMapcountLocks: unit(5.1, 0, 10),
    // Assumed: a spinlock is an atomic and a store, on a line that may be another core's.
    pageTableLocks: unit(8.5, 6.5, 40),
    // 3.8: 3.7 ns for a line of struct page that is only read; an entry is eight bytes of a line.
    entriesExamined: unit(3.7, 0.5, 8),
    // Assumed: a node of an interval tree is one or two misses, a table another.
    vmasVisited: unit(50, 10, 200),
    tablesVisited: unit(30, 10, 100),
    referenceOperations: NOTHING,
  },
  // 3.7, anon-cow-seq of 20 children, total mapcount only: one more line of the folio that all write is -8.2 % throughput.
  contendedAtomic: unit(244.1, 100, 350),
  work: {
    // 3.5, reuse-byte of 2 MiB: -64 % of a fault that copies, which is 3.7's.
    fault: unit(816.6, 570, 1050),
    // 3.7, cow-byte with rmap ids: nine more atomics are +3.2 %. Between copying and allocating the halves are assumed.
    "page-copied": unit(675.8, 330, 1050),
    "page-allocated": unit(675.8, 330, 1050),
    // Assumed: it writes as much as copying writes and reads nothing.
    "page-zeroed": unit(400, 200, 800),
    // 3.2, before, 4 KiB: a small page. The upper end is a larger folio, 314 whatever its order: before, 16 KiB.
    "page-freed": unit(139.6, 100, 314),
    // 3.1, 2 MiB, after. The upper end is a page on its own, which is a call of 8 more.
    "entry-copied": unit(30.34, 27, 38.7),
    // 3.7, remap, batched: the entry alone, without the two atomics.
    "entry-set": unit(39.05, 30, 48),
    // 3.2, 2 MiB, after.
    "entry-cleared": unit(20.96, 17, 26),
    // Assumed: a page that is allocated and zeroed; one that is freed.
    "table-allocated": unit(1100, 500, 1900),
    "table-freed": unit(139.6, 100, 300),
    // Assumed: the flush of a translation and its interrupt.
    "pmd-split": unit(1000, 300, 3000),
    "walk-vma": unit(50, 10, 200),
    "walk-table": unit(30, 10, 100),
    "walk-entry": unit(3.7, 0.5, 8),
    // Assumed: what pagemap takes for a page on a machine of today (35 to 75, literature has none), and half or twice that.
    "page-scanned": unit(50, 20, 120),
  },
};

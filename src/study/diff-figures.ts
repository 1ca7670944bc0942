/**
 * Figures of memory that are compared: of a process, a group of them or a mapping; what changed, and whether that matters.
 *
 * A figure that depends on history is a range (docs/history.md). Both sides' ranges come from folios' shared bits that
 * the captures do not show, so they are compared end by end: what did not change has no change, and the change from B to
 * A is that from A to B with its sign turned.
 */
import {
  type MappingSums,
  OF_PRIVATE_LEAST,
  OF_PRIVATE_MOST,
  OF_PSS,
  SUM_ANON,
  SUM_FILE,
  SUM_HUGETLB,
  SUM_PMD_ANON,
  SUM_PMD_FILE,
  SUM_PMD_SHMEM,
  SUM_RSS,
  SUM_SHMEM,
  bytesOfPss,
} from "../figures/index.ts";
import { PAGE_SIZE_BYTES } from "../kernel/index.ts";
import type { Range } from "./capture-report.ts";

/** What is compared, in bytes. Pss is truncated once a process or mapping, as the kernel does (kernel-facts 3.6). */
export interface MemoryFigures {
  readonly pssBytes: number;
  readonly ussBytes: Range;
  readonly rssBytes: number;
  readonly rssAnonBytes: number;
  readonly rssFileBytes: number;
  readonly rssShmemBytes: number;
  readonly swapBytes: number;
  readonly hugetlbBytes: number;
  /** Mapped by PMDs: AnonHugePages, ShmemPmdMapped and FilePmdMapped together. */
  readonly pmdMappedBytes: number;
}

/** The fields that are no ranges. */
const PLAIN_KEYS = [
  "pssBytes",
  "rssBytes",
  "rssAnonBytes",
  "rssFileBytes",
  "rssShmemBytes",
  "swapBytes",
  "hugetlbBytes",
  "pmdMappedBytes",
] as const satisfies readonly Exclude<keyof MemoryFigures, "ussBytes">[];

/** All fields. */
export const FIGURE_KEYS: readonly (keyof MemoryFigures)[] = [...PLAIN_KEYS, "ussBytes"];

/** What may change without being a difference: changes up to this part of A's figure, and changes up to these bytes. */
export interface Tolerance {
  readonly percent: number;
  readonly bytes: number;
}

/** Nothing mapped. */
export const NO_FIGURES: MemoryFigures = {
  pssBytes: 0,
  ussBytes: { least: 0, most: 0 },
  rssBytes: 0,
  rssAnonBytes: 0,
  rssFileBytes: 0,
  rssShmemBytes: 0,
  swapBytes: 0,
  hugetlbBytes: 0,
  pmdMappedBytes: 0,
};

/** Columns of a table of sums that figures are made of, in the order of a FigureTotal. */
export function figureColumns(schemeAt: number): readonly number[] {
  return [
    schemeAt + OF_PSS,
    schemeAt + OF_PRIVATE_LEAST,
    schemeAt + OF_PRIVATE_MOST,
    SUM_RSS,
    SUM_ANON,
    SUM_FILE,
    SUM_SHMEM,
    SUM_HUGETLB,
    SUM_PMD_ANON,
    SUM_PMD_SHMEM,
    SUM_PMD_FILE,
  ];
}

/** Sums of the columns of figureColumns, and then of swap entries: pages, and Pss in its units. */
export type FigureTotal = number[];

/** A total of nothing. */
export function emptyTotal(columns: readonly number[]): FigureTotal {
  return [...columns.map(() => 0), 0];
}

/** Adds the rows [from, end). A plain array for each of tens of thousands of VMAs; a typed one lives outside of the heap. */
export function addRows(
  total: FigureTotal,
  { sums, columns, swapPages }: { sums: MappingSums; columns: readonly number[]; swapPages: Float64Array },
  from: number,
  end: number,
): void {
  const { values, width } = sums;
  const count = columns.length;
  for (let row = from; row < end; row++) {
    for (let index = 0; index < count; index++) total[index] += values[row * width + columns[index]];
    total[count] += swapPages[row];
  }
}

/** The figures of a total. */
export function figuresOfTotal(total: FigureTotal): MemoryFigures {
  const [pss, least, most, rss, anon, file, shmem, hugetlb, pmdAnon, pmdShmem, pmdFile, swap] = total;
  return {
    pssBytes: bytesOfPss(pss),
    ussBytes: { least: least * PAGE_SIZE_BYTES, most: most * PAGE_SIZE_BYTES },
    rssBytes: rss * PAGE_SIZE_BYTES,
    rssAnonBytes: anon * PAGE_SIZE_BYTES,
    rssFileBytes: file * PAGE_SIZE_BYTES,
    rssShmemBytes: shmem * PAGE_SIZE_BYTES,
    swapBytes: swap * PAGE_SIZE_BYTES,
    hugetlbBytes: hugetlb * PAGE_SIZE_BYTES,
    pmdMappedBytes: (pmdAnon + pmdShmem + pmdFile) * PAGE_SIZE_BYTES,
  };
}

/** The sum of several, each as it is printed. */
export function sumFigures(several: readonly MemoryFigures[]): MemoryFigures {
  const of = (key: Exclude<keyof MemoryFigures, "ussBytes">): number =>
    several.reduce((sum, each) => sum + each[key], 0);
  return {
    pssBytes: of("pssBytes"),
    ussBytes: {
      least: several.reduce((sum, { ussBytes }) => sum + ussBytes.least, 0),
      most: several.reduce((sum, { ussBytes }) => sum + ussBytes.most, 0),
    },
    rssBytes: of("rssBytes"),
    rssAnonBytes: of("rssAnonBytes"),
    rssFileBytes: of("rssFileBytes"),
    rssShmemBytes: of("rssShmemBytes"),
    swapBytes: of("swapBytes"),
    hugetlbBytes: of("hugetlbBytes"),
    pmdMappedBytes: of("pmdMappedBytes"),
  };
}

/** A figure as a range, whether or not it is one. */
export function rangeOf(figures: MemoryFigures, key: keyof MemoryFigures): Range {
  const figure = figures[key];
  return typeof figure === "number" ? { least: figure, most: figure } : figure;
}

/** The largest change of any figure, in bytes, without its sign; of a range the farther end. null: nothing there. */
export function changeBytes(a: MemoryFigures | null, b: MemoryFigures | null): number {
  const one = a ?? NO_FIGURES;
  const other = b ?? NO_FIGURES;
  let largest = Math.abs(other.ussBytes.least - one.ussBytes.least);
  largest = Math.max(largest, Math.abs(other.ussBytes.most - one.ussBytes.most));
  for (const key of PLAIN_KEYS) largest = Math.max(largest, Math.abs(other[key] - one[key]));
  return largest;
}

/** A product with a decimal fraction may come out smaller than it is, by less than this part of it. */
const ROUNDING = 2 * Number.EPSILON;

/**
 * Whether some figure changed by more than both tolerances allow: by exactly 0.29 percent is not more than 0.29. What A does
 * not have at all changed by any percentage.
 */
export function isBeyond(a: MemoryFigures | null, b: MemoryFigures | null, { percent, bytes }: Tolerance): boolean {
  return FIGURE_KEYS.some((key) => {
    const one = rangeOf(a ?? NO_FIGURES, key);
    const other = rangeOf(b ?? NO_FIGURES, key);
    const exceeds = (from: number, to: number): boolean =>
      Math.abs(to - from) > bytes && Math.abs(to - from) * 100 > percent * from * (1 + ROUNDING);
    return exceeds(one.least, other.least) || exceeds(one.most, other.most);
  });
}

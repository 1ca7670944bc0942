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

/** All fields. */
export const FIGURE_KEYS = [
  "pssBytes",
  "ussBytes",
  "rssBytes",
  "rssAnonBytes",
  "rssFileBytes",
  "rssShmemBytes",
  "swapBytes",
  "hugetlbBytes",
  "pmdMappedBytes",
] as const satisfies readonly (keyof MemoryFigures)[];

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

/** The figures in a row of sums, under the scheme whose columns begin at `schemeAt`. */
export function figuresOfRow(row: Float64Array, schemeAt: number, swapPages: number): MemoryFigures {
  const bytes = (column: number): number => row[column] * PAGE_SIZE_BYTES;
  return {
    pssBytes: bytesOfPss(row[schemeAt + OF_PSS]),
    ussBytes: { least: bytes(schemeAt + OF_PRIVATE_LEAST), most: bytes(schemeAt + OF_PRIVATE_MOST) },
    rssBytes: bytes(SUM_RSS),
    rssAnonBytes: bytes(SUM_ANON),
    rssFileBytes: bytes(SUM_FILE),
    rssShmemBytes: bytes(SUM_SHMEM),
    swapBytes: swapPages * PAGE_SIZE_BYTES,
    hugetlbBytes: bytes(SUM_HUGETLB),
    pmdMappedBytes: bytes(SUM_PMD_ANON) + bytes(SUM_PMD_SHMEM) + bytes(SUM_PMD_FILE),
  };
}

/** The figures of rows [from, end) together, swap entries by row in `swapPages`. */
export function figuresOfRows(
  { sums, schemeAt, swapPages }: { sums: MappingSums; schemeAt: number; swapPages: Float64Array },
  from: number,
  end: number,
): MemoryFigures {
  const total = new Float64Array(sums.width);
  sums.combine(from, end, total);
  let swap = 0;
  for (let row = from; row < end; row++) swap += swapPages[row];
  return figuresOfRow(total, schemeAt, swap);
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

/** How much a figure changed from A to B; null: there is none on that side. */
function figureChange(a: MemoryFigures | null, b: MemoryFigures | null, key: keyof MemoryFigures): Range {
  const one = rangeOf(a ?? NO_FIGURES, key);
  const other = rangeOf(b ?? NO_FIGURES, key);
  const ends = [other.least - one.least, other.most - one.most];
  return { least: Math.min(...ends), most: Math.max(...ends) };
}

/** A figure as a range, whether or not it is one. */
export function rangeOf(figures: MemoryFigures, key: keyof MemoryFigures): Range {
  const figure = figures[key];
  return typeof figure === "number" ? { least: figure, most: figure } : figure;
}

/** The largest change of any figure, in bytes, without its sign; of a range the farther end. */
export function changeBytes(a: MemoryFigures | null, b: MemoryFigures | null): number {
  return Math.max(...FIGURE_KEYS.map((key) => distance(figureChange(a, b, key))));
}

/** Whether some figure changed by more than both tolerances allow. What A does not have at all changed by any percentage. */
export function isBeyond(a: MemoryFigures | null, b: MemoryFigures | null, { percent, bytes }: Tolerance): boolean {
  return FIGURE_KEYS.some((key) => {
    const one = rangeOf(a ?? NO_FIGURES, key);
    const other = rangeOf(b ?? NO_FIGURES, key);
    const exceeds = (from: number, to: number): boolean =>
      Math.abs(to - from) > bytes && Math.abs(to - from) * 100 > percent * from;
    return exceeds(one.least, other.least) || exceeds(one.most, other.most);
  });
}

function distance({ least, most }: Range): number {
  return Math.max(Math.abs(least), Math.abs(most));
}

/**
 * Processes as a table prints them: in whole kB, so that a sum of lines is the sum of the printed figures.
 *
 * The difference between two schemes is taken end by end, least from least and most from most: two ranges of one figure
 * come from one unknown, the shared bits that the folios' histories have left, so their ends belong together.
 */
import type { CaptureReport, ProcessReport, Range } from "../study/index.ts";
import { kbOf } from "./format-number.ts";

/** One scheme's figures of a line, in kB. */
export interface LineFigures {
  readonly pss: number;
  readonly uss: Range;
}

/** A process or a sum of processes, in kB. */
export interface ProcessLine {
  readonly swap: number;
  readonly rss: number;
  /** In the order of the report's schemes. */
  readonly schemes: readonly LineFigures[];
}

/** A process's line. */
export function lineOf(process: ProcessReport, schemes: readonly string[]): ProcessLine {
  return {
    swap: kbOf(process.swapBytes),
    rss: kbOf(process.rssBytes),
    schemes: schemes.map((id) => {
      const { pssBytes, ussBytes } = process.schemes[id];
      return { pss: kbOf(pssBytes), uss: { least: kbOf(ussBytes.least), most: kbOf(ussBytes.most) } };
    }),
  };
}

/** The sum of lines. */
export function sumLines(lines: readonly ProcessLine[], schemeCount: number): ProcessLine {
  const sum = (pick: (line: ProcessLine) => number): number => lines.reduce((all, line) => all + pick(line), 0);
  return {
    swap: sum(({ swap }) => swap),
    rss: sum(({ rss }) => rss),
    schemes: Array.from({ length: schemeCount }, (_, index) => ({
      pss: sum(({ schemes }) => schemes[index].pss),
      uss: {
        least: sum(({ schemes }) => schemes[index].uss.least),
        most: sum(({ schemes }) => schemes[index].uss.most),
      },
    })),
  };
}

/** The processes that totals count: read to the end, a shared address space once. */
export function countedProcesses({ processes }: CaptureReport): ProcessReport[] {
  return processes.filter(({ state }) => state === "complete");
}

/** A figure that is what it is. */
export function exactly(value: number): Range {
  return { least: value, most: value };
}

/** Whether history decides. */
export function isUncertain({ least, most }: Range): boolean {
  return least !== most;
}

/** How far `other` is from `own`. */
export function changeOf(own: Range, other: Range): Range {
  const ends = [other.least - own.least, other.most - own.most];
  return { least: Math.min(...ends), most: Math.max(...ends) };
}

/** The end of a change that is farther from zero. */
export function farthest({ least, most }: Range): number {
  return Math.abs(least) > Math.abs(most) ? least : most;
}

/**
 * The largest change in percent that a process's Pss or Uss sees under any other scheme; Infinity where a figure that
 * was zero is not. A range counts by its farther end: a gate must not pass what it cannot know.
 */
export function largestChangePercent(processes: readonly ProcessReport[], schemes: readonly string[]): number {
  let largest = 0;
  for (const process of processes) {
    const [own, ...others] = lineOf(process, schemes).schemes;
    for (const other of others) {
      const pss = percentOf(other.pss - own.pss, own.pss);
      const uss = Math.max(
        percentOf(other.uss.least - own.uss.least, own.uss.least),
        percentOf(other.uss.most - own.uss.most, own.uss.most),
      );
      largest = Math.max(largest, pss, uss);
    }
  }
  return largest;
}

function percentOf(difference: number, base: number): number {
  if (difference === 0) return 0;
  return base === 0 ? Infinity : (Math.abs(difference) / base) * 100;
}

/**
 * The other schemes' indexes, those of equal figures together: [[1, 2]] where schemes 1 and 2 say the same of everything
 * in `signatures`, one text a scheme.
 */
export function foldEqual(signatures: readonly string[]): number[][] {
  const groups = new Map<string, number[]>();
  for (const [index, signature] of signatures.entries()) {
    if (index === 0) continue;
    const group = groups.get(signature);
    if (group === undefined) groups.set(signature, [index]);
    else group.push(index);
  }
  return [...groups.values()];
}

/** The other schemes' indexes, each for itself. */
export function unfolded(schemes: readonly string[]): number[][] {
  return schemes.slice(1).map((_, index) => [index + 1]);
}

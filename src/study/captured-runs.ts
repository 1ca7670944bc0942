/**
 * The present runs of a capture in one order: VMA by VMA, and within each by page.
 *
 * The readers of a capture divide large VMAs among themselves, so the runs of one may come in several pieces, from several
 * readers. Invariant: the runs of a VMA do not overlap; a capture in which they do was not written by Foliometer.
 */
import type { PresentRuns } from "../capture/index.ts";
import { BadWhatIf } from "./capture-what-if-steps.ts";

/** All readers' columns in one. */
function joinRuns(parts: readonly PresentRuns[]): PresentRuns {
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const all: PresentRuns = {
    count,
    vma: new Int32Array(count),
    page: new Float64Array(count),
    frame: new Uint32Array(count),
    pages: new Int32Array(count),
    step: new Int8Array(count),
    level: new Uint8Array(count),
    file: new Uint8Array(count),
  };
  let at = 0;
  for (const part of parts) {
    all.vma.set(part.vma.subarray(0, part.count), at);
    all.page.set(part.page.subarray(0, part.count), at);
    all.frame.set(part.frame.subarray(0, part.count), at);
    all.pages.set(part.pages.subarray(0, part.count), at);
    all.step.set(part.step.subarray(0, part.count), at);
    all.level.set(part.level.subarray(0, part.count), at);
    all.file.set(part.file.subarray(0, part.count), at);
    at += part.count;
  }
  return all;
}

/** Runs, and which rows each VMA has, in the order of pages. */
export interface SortedRuns {
  readonly runs: PresentRuns;
  readonly rows: Int32Array;
  /** rows[firstOf[vma]] to rows[firstOf[vma + 1] - 1]. */
  readonly firstOf: Int32Array;
}

/** Brings the readers' runs together. O(runs). Throws BadWhatIf if two of a VMA map one page. */
export function sortByVma(parts: readonly PresentRuns[], vmaCount: number): SortedRuns {
  const runs = joinRuns(parts);
  const firstOf = new Int32Array(vmaCount + 1);
  for (let row = 0; row < runs.count; row++) firstOf[runs.vma[row] + 1]++;
  for (let vma = 0; vma < vmaCount; vma++) firstOf[vma + 1] += firstOf[vma];
  const next = firstOf.slice();
  const rows = new Int32Array(runs.count);
  for (let row = 0; row < runs.count; row++) rows[next[runs.vma[row]]++] = row;
  for (let vma = 0; vma < vmaCount; vma++) sortPages(runs, rows.subarray(firstOf[vma], firstOf[vma + 1]));
  return { runs, rows, firstOf };
}

/** Sorts the rows of a VMA by page, which they mostly are already. Throws BadWhatIf if two map one page. */
function sortPages({ page, pages }: PresentRuns, rows: Int32Array): void {
  const follows = (at: number): boolean => page[rows[at - 1]] + pages[rows[at - 1]] <= page[rows[at]];
  const areSorted = (): boolean => {
    for (let at = 1; at < rows.length; at++) if (!follows(at)) return false;
    return true;
  };
  if (areSorted()) return;
  rows.sort((a, b) => page[a] - page[b]);
  if (!areSorted()) throw new BadWhatIf("The capture is damaged: one of its mappings has two entries for one page.");
}

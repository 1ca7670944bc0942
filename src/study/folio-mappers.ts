/**
 * Which address spaces map each large folio, and how much of it: a list of (mm, pages) a folio, from the runs.
 *
 * Two looks at the runs, the first to know how long each folio's list gets. On the way is counted what arm64 could map
 * with its contiguous bit: 16 PTEs, aligned, on 16 aligned frames of one folio (contpte: one TLB entry for 64 KiB). Entries
 * of one block must have equal rights, which pagemap does not show. Those of anonymous memory go with the exclusive bit,
 * where runs end; those of a file go with the VMA, so runs that only that bit cuts are one there.
 */
import type { Capture, PresentRuns } from "../capture/index.ts";
import { KIND_HUGETLB, LEVEL_PTE } from "../kernel/index.ts";

/** Pages of a block that arm64 marks as contiguous, with base pages of 4 KiB. */
export const CONTIGUOUS_PAGES = 16;

/** The lists, and the counts of contiguous blocks. */
export interface FolioMappers {
  /** Items of folio row r: firstOf[r] to firstOf[r + 1] - 1. */
  readonly firstOf: Int32Array;
  /** Row of the mm; one may have several items of a folio. */
  readonly mm: Int32Array;
  readonly pages: Int32Array;
  /** Pages of large folios that PTEs map, and of those, in blocks that could be contiguous; by mm. */
  readonly ptePages: Float64Array;
  readonly contiguousPages: Float64Array;
}

/** Collects them. O(runs + folios mapped by each). */
export async function collectFolioMappers(capture: Capture): Promise<FolioMappers> {
  const { folios, mmAlive } = capture;
  const parts = await capture.presentRuns();
  const firstOf = new Int32Array(folios.count + 1);
  for (const part of parts) {
    eachFolio(capture, part, (row) => {
      firstOf[row + 1]++;
    });
  }
  for (let row = 0; row < folios.count; row++) firstOf[row + 1] += firstOf[row];
  const next = firstOf.slice();
  const mm = new Int32Array(firstOf[folios.count]);
  const pages = new Int32Array(firstOf[folios.count]);
  const ptePages = new Float64Array(mmAlive.length);
  const contiguousPages = new Float64Array(mmAlive.length);
  for (const part of parts) {
    const starts = stretchStarts(part);
    eachFolio(capture, part, (row, run, from, behind) => {
      const at = next[row]++;
      const space = capture.mmOfVma[part.vma[run]];
      const isRepeated = part.step[run] === 0;
      mm[at] = space;
      pages[at] = isRepeated ? part.pages[run] : behind - from;
      if (part.level[run] !== LEVEL_PTE || folios.kind[row] === KIND_HUGETLB) return;
      ptePages[space] += pages[at];
      if ((part.page[run] - part.frame[run]) % CONTIGUOUS_PAGES !== 0 || starts[run] < 0) return;
      contiguousPages[space] += contiguousIn(Math.max(starts[run], folios.headPfn[row]), from, behind);
    });
  }
  return { firstOf, mm, pages, ptePages, contiguousPages };
}

/** Calls `visit` with every stretch of frames [from, behind) that a run has of a large folio. */
function eachFolio(
  { folios, frames }: Capture,
  { count, frame, pages, step }: PresentRuns,
  visit: (row: number, run: number, from: number, behind: number) => void,
): void {
  const { headPfn, order } = folios;
  const { blockFirstFolio } = frames;
  for (let run = 0; run < count; run++) {
    const lowest = step[run] < 0 ? frame[run] - pages[run] + 1 : frame[run];
    const behind = step[run] === 0 ? lowest + 1 : lowest + pages[run];
    let row = blockFirstFolio[lowest >>> 9];
    while (row < folios.count && headPfn[row] + 2 ** order[row] <= lowest) row++;
    for (; row < folios.count && headPfn[row] < behind; row++) {
      visit(row, run, Math.max(lowest, headPfn[row]), Math.min(behind, headPfn[row] + 2 ** order[row]));
    }
  }
}

/** The frame where the ascending stretch begins that a run goes on; -1 for a run that does not ascend. */
function stretchStarts({ count, vma, page, frame, pages, step, level, file }: PresentRuns): Float64Array {
  const starts = new Float64Array(count);
  for (let run = 0; run < count; run++) {
    const ascends = step[run] === 1 || pages[run] === 1;
    const before = run - 1;
    const goesOn =
      run > 0 &&
      starts[before] >= 0 &&
      file[run] === 1 &&
      file[before] === 1 &&
      vma[run] === vma[before] &&
      level[run] === level[before] &&
      page[run] === page[before] + pages[before] &&
      frame[run] === frame[before] + pages[before];
    if (!ascends) starts[run] = -1;
    else starts[run] = goesOn ? starts[before] : frame[run];
  }
  return starts;
}

/** Pages of the whole aligned blocks that end among frames [from, behind) and do not begin before `start`. */
function contiguousIn(start: number, from: number, behind: number): number {
  const first = Math.max(Math.ceil(start / CONTIGUOUS_PAGES), Math.floor(from / CONTIGUOUS_PAGES));
  return Math.max(0, Math.floor(behind / CONTIGUOUS_PAGES) - first) * CONTIGUOUS_PAGES;
}

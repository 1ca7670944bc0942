/**
 * Ranges of one pagemap, entry by entry, as runs: for questions about few pages.
 *
 * The reader of captures (pagemap-reader.ts) is made for whole address spaces, counts as it goes and works off a plan;
 * here is only the decoding. Runs follow the same rules: neighbours equal but for the frame, which steps by -1, 0 or 1;
 * no run but an ascending one goes on into another page table, so that a huge mapping is found whole; each 2 MiB that a
 * PMD could map is asked for its level.
 */
import { readSync } from "node:fs";
import {
  HPAGE_PMD_NR,
  LEVEL_PMD,
  LEVEL_PTE,
  LEVEL_UNKNOWN,
  PAGE_IS_HUGE,
  PAGE_IS_PRESENT,
  PM_PRESENT_HIGH,
  PM_SWAP_HIGH,
} from "../kernel/index.ts";
import { SCAN_REGIONS_MAX, type SystemCalls } from "./ioctl.ts";
import { RUN_LEVEL_SHIFT, RUN_PRESENT } from "./run-layout.ts";
import type { SelectedRun } from "./selected-runs.ts";

const BUFFER_ENTRIES = 16_384;
const WORD = 2 ** 32;
const FRAME_HIGH = 0x7f_ffff;

/** Pages from startPage up to, not including, endPage. */
export interface PageRange {
  readonly startPage: number;
  readonly endPage: number;
}

/** Reads ranges; `bytesRead` adds up. */
export class EntryRanges {
  bytesRead = 0;
  private readonly words = new Int32Array(BUFFER_ENTRIES * 2);
  private readonly bytes = new Uint8Array(this.words.buffer);
  private readonly regions = new Float64Array(SCAN_REGIONS_MAX * 2);
  private readonly calls: SystemCalls | undefined;

  /** Without `calls` the level of what could be huge is unknown. */
  constructor(calls: SystemCalls | undefined) {
    this.calls = calls;
  }

  /**
   * Every entry that is not empty in a range of an open pagemap, as runs of no VMA (-1). Short where the address space
   * ended meanwhile. Throws what readSync throws.
   */
  read(fd: number, { startPage, endPage }: PageRange): SelectedRun[] {
    const found: OpenRun[] = [];
    for (let page = startPage; page < endPage;) {
      const wanted = Math.min(BUFFER_ENTRIES - (page % BUFFER_ENTRIES), endPage - page);
      const got = readSync(fd, this.bytes, 0, wanted * 8, page * 8) >>> 3;
      this.bytesRead += got * 8;
      this.decode(page, got, found);
      page += got;
      if (got < wanted) break;
    }
    return found.flatMap((run) => this.withLevels(fd, run));
  }

  private decode(firstPage: number, count: number, found: OpenRun[]): void {
    const { words } = this;
    for (let at = 0; at < count; at++) {
      const high = words[2 * at + 1];
      if ((high & (PM_PRESENT_HIGH | PM_SWAP_HIGH)) === 0) continue;
      const frame = (words[2 * at] >>> 0) + (high & FRAME_HIGH) * WORD;
      const page = firstPage + at;
      const bits = (high >>> 23) & 0x1ff;
      const last = found[found.length - 1];
      if (last === undefined || !extend(last, page, frame, bits)) found.push({ page, frame, pages: 1, step: 0, bits });
    }
  }

  /** Splits a run where the level changes. */
  private withLevels(fd: number, { page, frame, pages, step, bits }: OpenRun): SelectedRun[] {
    const run = { vma: -1, page, frame, pages, step, bits: bits | (LEVEL_PTE << RUN_LEVEL_SHIFT) };
    const couldBeHuge = (bits & RUN_PRESENT) !== 0 && pages >= HPAGE_PMD_NR && step === 1;
    if (!couldBeHuge || (page - frame) % HPAGE_PMD_NR !== 0) return [run];
    const found: SelectedRun[] = [];
    const first = Math.min(pages, (HPAGE_PMD_NR - (page % HPAGE_PMD_NR)) % HPAGE_PMD_NR);
    for (let at = 0; at < pages;) {
      const length = at === 0 && first > 0 ? first : Math.min(HPAGE_PMD_NR, pages - at);
      const level = length === HPAGE_PMD_NR ? this.levelAt(fd, page + at) : LEVEL_PTE;
      found.push({
        ...run,
        page: page + at,
        frame: frame + at,
        pages: length,
        bits: bits | (level << RUN_LEVEL_SHIFT),
      });
      at += length;
    }
    return found;
  }

  private levelAt(fd: number, page: number): typeof LEVEL_PTE | typeof LEVEL_PMD | typeof LEVEL_UNKNOWN {
    if (this.calls === undefined) return LEVEL_UNKNOWN;
    const found = this.calls.scan({
      fd,
      from: page,
      to: page + HPAGE_PMD_NR,
      maxPages: 0,
      mask: PAGE_IS_PRESENT | PAGE_IS_HUGE,
      anyOf: 0,
      regions: this.regions,
      walkEnd: 0,
    });
    if (found < 0) return LEVEL_UNKNOWN;
    return found > 0 ? LEVEL_PMD : LEVEL_PTE;
  }
}

interface OpenRun {
  readonly page: number;
  readonly frame: number;
  pages: number;
  step: number;
  readonly bits: number;
}

/** Lets a run go on with an entry, if it can. Entries that are not present stay alone: their frame field is no frame. */
function extend(run: OpenRun, page: number, frame: number, bits: number): boolean {
  const { pages, step } = run;
  if (run.page + pages !== page || run.bits !== bits || (bits & RUN_PRESENT) === 0) return false;
  const next = frame - (run.frame + step * (pages - 1));
  if (pages > 1 ? next !== step : Math.abs(next) > 1) return false;
  if (next !== 1 && page % HPAGE_PMD_NR === 0) return false;
  run.step = next;
  run.pages = pages + 1;
  return true;
}

/** Cuts runs where VMAs end and gives each its row; what lies in no VMA is left out. Both ascending. */
export function placeInVmas(runs: readonly SelectedRun[], vmas: readonly PageRange[], firstRow: number): SelectedRun[] {
  const placed: SelectedRun[] = [];
  let row = 0;
  for (const run of runs) {
    while (row < vmas.length && vmas[row].endPage <= run.page) row++;
    for (let each = row; each < vmas.length && vmas[each].startPage < run.page + run.pages; each++) {
      const from = Math.max(run.page, vmas[each].startPage);
      const behind = Math.min(run.page + run.pages, vmas[each].endPage);
      placed.push({
        ...run,
        vma: firstRow + each,
        page: from,
        frame: run.frame + run.step * (from - run.page),
        pages: behind - from,
      });
    }
  }
  return placed;
}

/** Ranges in ascending order, those that touch or overlap as one. */
export function joinRanges(ranges: readonly PageRange[], gapPages = 0): PageRange[] {
  const joined: { startPage: number; endPage: number }[] = [];
  for (const { startPage, endPage } of ranges.toSorted((a, b) => a.startPage - b.startPage)) {
    if (startPage >= endPage) continue;
    const last = joined[joined.length - 1];
    if (last !== undefined && startPage <= last.endPage + gapPages) last.endPage = Math.max(last.endPage, endPage);
    else joined.push({ startPage, endPage });
  }
  return joined;
}

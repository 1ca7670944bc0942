/**
 * Looks for pages of zeros in the memory of a process, through /proc/PID/mem.
 *
 * Only pages that its page table was seen to map are read: reading a hole would fill it. Reading marks a page as accessed.
 * Between the look at the page tables and this one pages move, so the entries are read once more afterwards, and a page
 * counts only if it still has the frame that was asked about. Contents do not leave this file.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { PAGE_SIZE_BYTES, type ProcRefusal, procRefusal } from "../kernel/index.ts";
import { EntryRanges } from "./entry-ranges.ts";
import type { SelectedRun } from "./selected-runs.ts";

/** Pages read by one system call: 1 MiB. */
const PIECE_PAGES = 256;

/** Which pages were read, and which of those were nothing but zeros. */
export interface ZeroPages {
  /** Frames. */
  readonly read: readonly number[];
  readonly zero: readonly number[];
}

/** Reads the pages of ascending runs of one process. */
export function readZeroPages(pid: number, runs: readonly SelectedRun[]): ZeroPages | ProcRefusal {
  let memory = -1;
  let pagemap = -1;
  try {
    memory = openSync(`/proc/${pid}/mem`, "r");
    pagemap = openSync(`/proc/${pid}/pagemap`, "r");
    const found = { read: [] as number[], zero: [] as number[] };
    const pieces = new ContentPieces(memory, pagemap);
    for (const run of runs) pieces.read(run, found);
    return found;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return procRefusal(code, `/proc/${pid}/mem`);
  } finally {
    if (memory >= 0) closeSync(memory);
    if (pagemap >= 0) closeSync(pagemap);
  }
}

class ContentPieces {
  private readonly bytes = Buffer.allocUnsafeSlow(PIECE_PAGES * PAGE_SIZE_BYTES);
  private readonly zeros = Buffer.alloc(PAGE_SIZE_BYTES);
  private readonly entries = new EntryRanges(undefined);
  private readonly memory: number;
  private readonly pagemap: number;

  constructor(memory: number, pagemap: number) {
    this.memory = memory;
    this.pagemap = pagemap;
  }

  read({ page, frame, pages, step }: SelectedRun, found: { read: number[]; zero: number[] }): void {
    for (let from = 0; from < pages; from += PIECE_PAGES) {
      const count = Math.min(PIECE_PAGES, pages - from);
      const got = Math.floor(this.readBytes(page + from, count) / PAGE_SIZE_BYTES);
      const still = this.framesNow(page + from, got);
      for (let at = 0; at < got; at++) {
        const pfn = frame + step * (from + at);
        if (still.get(page + from + at) !== pfn) continue;
        found.read.push(pfn);
        const start = at * PAGE_SIZE_BYTES;
        if (this.bytes.compare(this.zeros, 0, PAGE_SIZE_BYTES, start, start + PAGE_SIZE_BYTES) === 0)
          found.zero.push(pfn);
      }
    }
  }

  /**
   * Bytes read, up to the first page that cannot be: none where what begins the piece was unmapped meanwhile (EIO), for
   * that says nothing of the rest of the process. Addresses above 2^53 are not those of processes' memory.
   */
  private readBytes(page: number, count: number): number {
    try {
      return readSync(this.memory, this.bytes, 0, count * PAGE_SIZE_BYTES, page * PAGE_SIZE_BYTES);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EIO") return 0;
      throw error;
    }
  }

  private framesNow(page: number, count: number): Map<number, number> {
    const frames = new Map<number, number>();
    for (const run of this.entries.read(this.pagemap, { startPage: page, endPage: page + count })) {
      for (let at = 0; at < run.pages; at++) frames.set(run.page + at, run.frame + run.step * at);
    }
    return frames;
  }
}

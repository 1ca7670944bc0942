/**
 * Reads pagemaps, work item by work item, and turns their entries into runs.
 *
 * Dense memory is read straight through in 128 KiB pieces. After a piece without a single entry the reader asks
 * PAGEMAP_SCAN where memory is populated and reads just that, so a reservation of 16 TiB costs what is in it. A scan
 * holds the target's mmap lock while it walks: a call finds at most 2 MiB of populated memory, and the address range it
 * may walk starts at 2 MiB and grows only while calls stay short (see SCAN_SHORT_MS), so holes without page tables are
 * crossed in long strides and the target is never held for long (capture-and-peers C.5, C.6).
 *
 * Every run adds to the difference table of its thread: +1 at its first frame, -1 behind its last. One prefix sum over
 * all threads' tables then is every frame's mapcount, at a cost per run instead of per page.
 *
 * Page tables of shared mappings that another process has byte by byte become one record each (run-templates.ts).
 *
 * The inner loop is all 32-bit integers: a piece never crosses a multiple of 4 GiB of addresses, so a page is its index
 * in the piece, and a frame above 2^31 (8 TiB) is kept in its run but not counted.
 */
import { readSync } from "node:fs";
import {
  HPAGE_PMD_NR,
  LEVEL_PMD,
  LEVEL_PTE,
  LEVEL_UNKNOWN,
  PAGE_IS_HUGE,
  PAGE_IS_PRESENT,
  PAGE_IS_SWAPPED,
  PM_PRESENT_HIGH,
  PM_SWAP_HIGH,
} from "../kernel/index.ts";
import { type FrameDifference, countRun } from "./frame-table.ts";
import type { ScanRequest, SystemCalls } from "./ioctl.ts";
import { SCAN_REGIONS_MAX } from "./ioctl.ts";
import { ITEM_DONE, ITEM_ENDED, ITEM_FAILED, type ReadPlan, type VmaRanges } from "./read-plan.ts";
import {
  FRAME_AT,
  PAGES_AT,
  RUN_LEVEL_SHIFT,
  RUN_PRESENT,
  RUN_TEMPLATE,
  type RunBlocks,
  STEP_AT,
} from "./run-blocks.ts";
import type { RunTemplates } from "./run-templates.ts";

/**
 * Entries read by one system call: 128 KiB. The kernel copies out 512 entries at a time, so more gains nothing. A piece
 * ends at a multiple of this, so it never crosses 4 GiB of addresses, nor cuts a huge mapping.
 */
const BUFFER_ENTRIES = 16_384;
/** Pages between two VMAs that are read through rather than skipped: 4 KiB of pagemap. */
const GAP_PAGES_READ_THROUGH = 512;
/** Regions closer than this are read in one piece. */
const REGION_GAP_PAGES = 256;
/** PAGEMAP_SCAN finds at most this much populated memory a call: 2 MiB. A region that long is read plainly. */
const SCAN_PAGES = 512;
/** A call shorter than this doubles the next call's address range; one longer than SCAN_LONG_MS halves it. */
const SCAN_SHORT_MS = 0.04;
const SCAN_LONG_MS = 0.1;
/** An entry that is there is present or of the swap kind; all other bits alone say something of the VMA. */
const NOT_EMPTY_HIGH = PM_PRESENT_HIGH | PM_SWAP_HIGH;
/** Pages whose addresses share a high word. */
const PAGES_PER_HIGH_WORD = 1_048_576;

/** Counts of one thread. */
export interface ReaderTotals {
  entriesPresent: number;
  /** Entries that are not empty and not present: swap, migration, markers. */
  entriesNotPresent: number;
  /** Entries whose frame lies beyond /proc/kpageflags: device memory. They have no mapcount here. */
  entriesBeyondFrames: number;
  reads: number;
  scans: number;
  longestScanMs: number;
  /** The longest read of pagemap. It takes the target's mmap lock anew for every 2 MiB of its 64 MiB. */
  longestReadMs: number;
  errno: string | undefined;
}

/** Reads items; one per thread. */
export class PagemapReader {
  readonly totals: ReaderTotals = {
    entriesPresent: 0,
    entriesNotPresent: 0,
    entriesBeyondFrames: 0,
    reads: 0,
    scans: 0,
    longestScanMs: 0,
    longestReadMs: 0,
    errno: undefined,
  };
  /** Bytes of pagemap read for the current item. */
  bytesRead = 0;
  private readonly bytes = Buffer.allocUnsafeSlow(BUFFER_ENTRIES * 8);
  private readonly words = new Int32Array(this.bytes.buffer, this.bytes.byteOffset, BUFFER_ENTRIES * 2);
  private readonly request: ScanRequest = {
    fd: -1,
    from: 0,
    to: 0,
    maxPages: 0,
    mask: 0,
    anyOf: 0,
    regions: new Float64Array(SCAN_REGIONS_MAX * 2),
    walkEnd: 0,
  };
  private readonly vmas: VmaRanges;
  private readonly runs: RunBlocks;
  private readonly difference: FrameDifference;
  private readonly calls: SystemCalls | undefined;
  private vma = 0;
  /** The piece in the buffer: its pagemap and its first page. */
  private fd = -1;
  private piecePage = 0;

  /** Receives the runs of a template while one is being decoded. */
  private template: RunTemplates | undefined;
  private readonly templates: RunTemplates;
  private readonly useTemplates: boolean;

  /**
   * Without `calls` holes are read through and levels unknown. If `runs` uses templates, shared mappings refer to them
   * and `countTemplates` must be called when all is read.
   */
  constructor(vmas: VmaRanges, runs: RunBlocks, difference: FrameDifference, calls: SystemCalls | undefined) {
    this.templates = runs.templates;
    this.useTemplates = runs.useTemplates;
    this.vmas = vmas;
    this.runs = runs;
    this.difference = difference;
    this.calls = calls;
  }

  /** Reads the VMAs of an item, neighbours together; returns its status. Never throws for what a target does. */
  readItem(plan: ReadPlan, item: number): number {
    const { startPage, endPage } = this.vmas;
    const endVma = plan.endVma[item];
    let vma = plan.firstVma[item];
    let start = plan.startPage[item];
    this.fd = plan.fd[item];
    this.bytesRead = 0;
    while (vma < endVma) {
      this.vma = vma;
      let end = endPage[vma];
      vma++;
      while (vma < endVma && startPage[vma] - end <= GAP_PAGES_READ_THROUGH) end = endPage[vma++];
      const status = this.readRange(start, vma === endVma ? plan.endPage[item] : end);
      if (status !== ITEM_DONE) return status;
      if (vma < endVma) start = startPage[vma];
    }
    return ITEM_DONE;
  }

  private readRange(start: number, end: number): number {
    let page = start;
    while (page < end) {
      const got = this.readPiece(page, end);
      if (got <= 0) return got === 0 ? ITEM_ENDED : ITEM_FAILED;
      const entries = this.decode(got);
      page += got;
      if (entries === 0 && this.calls !== undefined && end - page > BUFFER_ENTRIES) {
        page = this.readPopulated(this.calls, page, end);
        if (page < 0) return page === -1 ? ITEM_ENDED : ITEM_FAILED;
      }
    }
    return ITEM_DONE;
  }

  /** Reads from `page` to `end` or to the end of the piece. Entries read; 0: the mm is gone; -1: an error. */
  private readPiece(page: number, end: number): number {
    const count = Math.min(BUFFER_ENTRIES - (page % BUFFER_ENTRIES), end - page);
    this.piecePage = page;
    this.totals.reads++;
    const started = performance.now();
    try {
      const got = readSync(this.fd, this.bytes, 0, count * 8, page * 8);
      const elapsed = performance.now() - started;
      if (elapsed > this.totals.longestReadMs) this.totals.longestReadMs = elapsed;
      this.bytesRead += got;
      return got >>> 3;
    } catch (error) {
      this.totals.errno = (error as NodeJS.ErrnoException).code ?? "EIO";
      return -1;
    }
  }

  /**
   * Scans on from `page` and reads what is populated in small pieces. Returns the page from where plain reading should
   * go on: the start of a dense range, or `end`; -1 when the address space is gone, -2 on an error.
   */
  private readPopulated(calls: SystemCalls, page: number, end: number): number {
    const { request } = this;
    let window = HPAGE_PMD_NR;
    request.fd = this.fd;
    while (page < end) {
      request.mask = 0;
      request.anyOf = PAGE_IS_PRESENT | PAGE_IS_SWAPPED;
      request.maxPages = SCAN_PAGES;
      request.from = page;
      // A call ends with a page table, so that it cannot end inside a huge mapping.
      request.to = Math.min(end, Math.floor((page + window) / HPAGE_PMD_NR) * HPAGE_PMD_NR);
      const started = performance.now();
      const found = calls.scan(request);
      const elapsed = performance.now() - started;
      const { walkEnd } = request;
      this.totals.scans++;
      if (elapsed > this.totals.longestScanMs) this.totals.longestScanMs = elapsed;
      if (found < 0) return page;
      // A call that stopped early may have cut its last region, a huge mapping perhaps: the next call finds it whole.
      const cut = walkEnd < request.to && found > 1;
      const resume = cut ? request.regions[2 * found - 2] : walkEnd;
      const dense = this.readRegions(cut ? found - 1 : found);
      if (dense !== undefined) return dense;
      // A walk that ends where it began would repeat for ever: then plain reading goes on.
      if (resume <= page) return page;
      page = resume;
      if (elapsed < SCAN_SHORT_MS) window *= 2;
      else if (elapsed > SCAN_LONG_MS && window > HPAGE_PMD_NR) window /= 2;
    }
    return end;
  }

  /** Reads the regions of the last scan; returns where a dense one starts, or -1 or -2 as readPopulated does. */
  private readRegions(found: number): number | undefined {
    const { regions } = this.request;
    for (let i = 0; i < found;) {
      let page = regions[2 * i];
      let to = regions[2 * i + 1];
      i++;
      if (to - page >= SCAN_PAGES) return page;
      while (i < found && regions[2 * i] - to < REGION_GAP_PAGES && regions[2 * i + 1] - page < SCAN_PAGES) {
        to = regions[2 * i + 1];
        i++;
      }
      while (page < to) {
        const got = this.readPiece(page, to);
        if (got <= 0) return got === 0 ? -1 : -2;
        this.decode(got);
        page += got;
      }
    }
    return undefined;
  }

  /** Turns the `count` entries of the piece into runs, VMA by VMA; returns how many were not empty. */
  private decode(count: number): number {
    const { startPage, endPage } = this.vmas;
    const page = this.piecePage;
    let nonEmpty = 0;
    let index = 0;
    while (index < count) {
      while (endPage[this.vma] <= page + index) this.vma++;
      const from = Math.max(index, startPage[this.vma] - page);
      const stop = Math.min(count, endPage[this.vma] - page);
      if (from < stop) nonEmpty += this.decodeRange(from, stop);
      index = Math.max(from, stop);
    }
    return nonEmpty;
  }

  /** Entries [from, stop), all in the current VMA: whole page tables of shared mappings by template. */
  private decodeRange(from: number, stop: number): number {
    const head = from + ((HPAGE_PMD_NR - ((this.piecePage + from) % HPAGE_PMD_NR)) % HPAGE_PMD_NR);
    if (!this.useTemplates || this.vmas.shared[this.vma] === 0 || head + HPAGE_PMD_NR > stop) {
      return this.decodeVma(from, stop);
    }
    let nonEmpty = head > from ? this.decodeVma(from, head) : 0;
    let index = head;
    for (; index + HPAGE_PMD_NR <= stop; index += HPAGE_PMD_NR) nonEmpty += this.decodeShared(this.templates, index);
    if (index < stop) nonEmpty += this.decodeVma(index, stop);
    return nonEmpty;
  }

  /** One page table of a shared mapping: a template's record if its bytes are known or worth knowing, else runs. */
  private decodeShared(templates: RunTemplates, index: number): number {
    const page = this.piecePage + index;
    let template = templates.find(page, this.bytes, index * 8);
    if (template < 0) {
      templates.begin();
      this.template = templates;
      this.decodeVma(index, index + HPAGE_PMD_NR);
      this.template = undefined;
      template = templates.keep(page, this.bytes, index * 8);
      if (template < 0) return this.decodeVma(index, index + HPAGE_PMD_NR);
    }
    templates.usesOf[template] += 1;
    this.totals.entriesPresent += templates.pages(template);
    this.append(index, template, 0, HPAGE_PMD_NR, 0, RUN_TEMPLATE);
    return templates.pages(template);
  }

  /** Counts the runs of templates, each as often as it is used. */
  countTemplates(): void {
    const { templates, difference } = this;
    for (let template = 0; template < templates.count; template++) {
      const uses = templates.usesOf[template];
      templates.forEachRun(template, -1, (block, at) => {
        const low = block[FRAME_AT + 2 * at];
        const pages = block[PAGES_AT + at];
        const inside = block[FRAME_AT + 2 * at + 1] === 0 && low >= 0;
        if (inside && countRun(difference, low, pages, block[STEP_AT + at], uses)) return;
        this.totals.entriesBeyondFrames += pages * uses;
      });
    }
  }

  /** Entries [from, stop) of the piece, all in the current VMA. */
  private decodeVma(from: number, stop: number): number {
    const { words } = this;
    let index = from;
    let empty = 0;
    while (index < stop) {
      const low = words[2 * index];
      const high = words[2 * index + 1];
      // Soft-dirty alone is no entry: it stands in every hole of a new VMA (kernel-facts 3.7, CONFIG_MEM_SOFT_DIRTY).
      if ((high & NOT_EMPTY_HIGH) === 0) {
        index++;
        empty++;
        continue;
      }
      const start = index++;
      let step = high < 0 ? 1 : 32;
      if (index < stop && words[2 * index + 1] === high) {
        const difference = (words[2 * index] - low) | 0;
        if (difference === step || difference === 0 || difference === -step) {
          step = difference;
          // A huge mapping is found by its ascending run, so no other run may take its first page.
          const end =
            step === 1 ? stop : Math.min(stop, start + HPAGE_PMD_NR - ((this.piecePage + start) % HPAGE_PMD_NR));
          let expected = low;
          while (index < end) {
            expected = (expected + step) | 0;
            if (words[2 * index] !== expected || words[2 * index + 1] !== high) break;
            index++;
          }
        }
      }
      this.emit(start, low, high, index - start, step);
    }
    return stop - from - empty;
  }

  /** Counts a run and keeps it. */
  private emit(index: number, low: number, high: number, pages: number, step: number): void {
    const bits = (high >>> 23) & 0x1ff;
    const frameHigh = high & 0x7f_ffff;
    if (this.template !== undefined) {
      this.append(index, low, frameHigh, pages, step, bits);
      return;
    }
    if ((bits & RUN_PRESENT) === 0) {
      this.totals.entriesNotPresent += pages;
      this.append(index, low, frameHigh, pages, step, bits);
      return;
    }
    this.totals.entriesPresent += pages;
    const counted = frameHigh === 0 && low >= 0 && countRun(this.difference, low, pages, step, 1);
    if (!counted) this.totals.entriesBeyondFrames += pages;
    if (pages >= HPAGE_PMD_NR && step === 1 && ((low ^ (this.piecePage + index)) & (HPAGE_PMD_NR - 1)) === 0) {
      this.emitHuge(index, low, frameHigh, pages, bits);
      return;
    }
    this.append(index, low, frameHigh, pages, step, bits | (LEVEL_PTE << RUN_LEVEL_SHIFT));
  }

  private append(index: number, low: number, frameHigh: number, pages: number, step: number, bits: number): void {
    const pageLow = (this.piecePage % PAGES_PER_HIGH_WORD) + index;
    const addressHigh = Math.floor(this.piecePage / PAGES_PER_HIGH_WORD);
    const into = this.template ?? this.runs;
    into.append(this.vma, pageLow << 12, addressHigh, low, frameHigh, pages, step, bits);
  }

  /** A run that could be mapped by PMDs: asks 2 MiB by 2 MiB, and splits the run where the level changes. */
  private emitHuge(index: number, low: number, frameHigh: number, pages: number, bits: number): void {
    const head = Math.min(pages, (HPAGE_PMD_NR - ((this.piecePage + index) % HPAGE_PMD_NR)) % HPAGE_PMD_NR);
    let from = 0;
    let level = LEVEL_PTE;
    for (let at = 0; at < pages;) {
      const length = at === 0 && head > 0 ? head : Math.min(HPAGE_PMD_NR, pages - at);
      const next = length === HPAGE_PMD_NR ? this.levelAt(this.piecePage + index + at) : LEVEL_PTE;
      if (next !== level && at > from) {
        this.append(index + from, low + from, frameHigh, at - from, 1, bits | (level << RUN_LEVEL_SHIFT));
        from = at;
      }
      level = next;
      at += length;
    }
    this.append(index + from, low + from, frameHigh, pages - from, 1, bits | (level << RUN_LEVEL_SHIFT));
  }

  private levelAt(page: number): typeof LEVEL_PTE | typeof LEVEL_PMD | typeof LEVEL_UNKNOWN {
    const { request, calls } = this;
    if (calls === undefined) return LEVEL_UNKNOWN;
    request.fd = this.fd;
    request.from = page;
    request.to = page + HPAGE_PMD_NR;
    request.maxPages = 0;
    request.mask = PAGE_IS_PRESENT | PAGE_IS_HUGE;
    request.anyOf = 0;
    const found = calls.scan(request);
    if (found < 0) return LEVEL_UNKNOWN;
    return found > 0 ? LEVEL_PMD : LEVEL_PTE;
  }
}

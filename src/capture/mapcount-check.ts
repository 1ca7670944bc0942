/**
 * Holds the counts found against /proc/kpagecount.
 *
 * On a PAGE_MAPCOUNT kernel every frame's count must equal the entries found; on a NO_PAGE_MAPCOUNT kernel the folio's
 * average must (kernel-facts 3.9). A frame that differs is read again on both sides. What differs still is counted and
 * shown; where every frame was compared and the kernel counts more, someone mapped the frame who was not read (refused,
 * or not selected), and the kernel's count is believed.
 */
import { closeSync, openSync, readSync } from "node:fs";
import {
  type FolioColumns,
  HPAGE_PMD_NR,
  KIND_HUGETLB,
  KIND_UNCOUNTED,
  averageOfMappedPages,
  formatProcRefusal,
  procRefusal,
} from "../kernel/index.ts";
import type { Agreement, Machine } from "./capture.ts";
import { FRAME_DISAGREES, FRAME_KIND_MASK, FRAME_LARGE, type FrameTable, folioOfFrame } from "./frame-table.ts";
import type { Readers } from "./readers.ts";

/** Blocks of 512 frames compared by default. */
const SAMPLE_BLOCKS = 64;
const BUFFER_FRAMES = 16_384;
/** Mapped frames closer than this are read in one piece. */
const GAP_FRAMES = 128;

/** What to compare. */
export interface CheckOptions {
  readonly threads: Readers;
  readonly frames: FrameTable;
  readonly mmOfVma: Int32Array;
  readonly fdOfMm: Int32Array;
  readonly mmAlive: Uint8Array;
  readonly machine: Machine;
  readonly folios: FolioColumns;
  readonly everyFrame: boolean;
}

/** Compares, reads again, settles. Corrects `frames.mapcount` and `folios.mappedOutside` where the second look allows. */
export async function checkMapcounts(options: CheckOptions): Promise<{ agreement: Agreement; bytesRead: number }> {
  let fd: number;
  try {
    fd = openSync("/proc/kpagecount", "r");
  } catch (error) {
    const refusal = procRefusal((error as NodeJS.ErrnoException).code ?? "EIO", "/proc/kpagecount");
    return { agreement: { ...NOTHING_CHECKED, refusal: formatProcRefusal(refusal) }, bytesRead: 0 };
  }
  try {
    const reader = new KernelCounts(fd);
    const expected = expectedCounts(options);
    const blocks = options.everyFrame ? undefined : sampleBlocks(options.frames.blockMapped);
    const compared = compareOnce(options, reader, expected, blocks);
    const settled = await compareAgain(options, reader, expected, compared.differing);
    return {
      bytesRead: reader.bytesRead,
      agreement: {
        framesChecked: compared.checked,
        everyFrame: options.everyFrame,
        differedFirst: compared.differing.length,
        ...settled,
        refusal: null,
      },
    };
  } finally {
    closeSync(fd);
  }
}

const NOTHING_CHECKED = { framesChecked: 0, everyFrame: false, differedFirst: 0, differAfter: 0, kernelCountsMore: 0 };

/** Reads kpagecount in pieces. */
class KernelCounts {
  readonly words = new Int32Array(BUFFER_FRAMES * 2);
  private readonly bytes = new Uint8Array(this.words.buffer);
  private readonly fd: number;
  bytesRead = 0;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Low words of counts of frames [pfn, pfn + count) at even indexes of `words`; returns how many were read. */
  read(pfn: number, count: number): number {
    const got = readSync(this.fd, this.bytes, 0, count * 8, pfn * 8);
    this.bytesRead += got;
    return got >>> 3;
  }

  one(pfn: number): number {
    return this.read(pfn, 1) === 1 ? this.words[0] : 0;
  }
}

/** What the kernel should print for a frame, from what was found. */
function expectedCounts({ frames, folios, machine }: CheckOptions): (pfn: number) => number {
  const { mapcount, kind, blockFirstFolio } = frames;
  if (machine.mapcountConfig !== "nopage") return (pfn) => mapcount[pfn];
  return (pfn) => {
    if ((kind[pfn] & FRAME_LARGE) === 0 || (kind[pfn] & FRAME_KIND_MASK) === KIND_HUGETLB) return mapcount[pfn];
    const row = folioOfFrame(blockFirstFolio, folios.headPfn, folios.count, pfn);
    return row < 0 ? mapcount[pfn] : averageOfMappedPages(folios.mappedPages[row], folios.order[row]);
  };
}

/** Evenly spread mapped blocks, from a random start. */
function sampleBlocks(blockMapped: Uint8Array): Uint8Array {
  const chosen = new Uint8Array(blockMapped.length);
  const mapped: number[] = [];
  for (const [block, is] of blockMapped.entries()) if (is === 1) mapped.push(block);
  const stride = Math.max(1, mapped.length / SAMPLE_BLOCKS);
  for (let at = Math.random() * stride; at < mapped.length; at += stride) chosen[mapped[Math.floor(at)]] = 1;
  return chosen;
}

function compareOnce(
  { frames }: CheckOptions,
  reader: KernelCounts,
  expected: (pfn: number) => number,
  blocks: Uint8Array | undefined,
): { checked: number; differing: number[] } {
  const { mapcount, kind, frameCount } = frames;
  const wanted = (pfn: number): boolean =>
    // Pages of a large folio that only others map matter too: its sharing is asked as a whole.
    (mapcount[pfn] !== 0 || (kind[pfn] & FRAME_LARGE) !== 0) &&
    (kind[pfn] & FRAME_KIND_MASK) !== KIND_UNCOUNTED &&
    (blocks === undefined || blocks[pfn >>> 9] === 1);
  const differing: number[] = [];
  let checked = 0;
  for (let pfn = 0; pfn < frameCount;) {
    if ((blocks ?? frames.blockMapped)[pfn >>> 9] === 0) {
      pfn = ((pfn >>> 9) + 1) * HPAGE_PMD_NR;
      continue;
    }
    if (!wanted(pfn)) {
      pfn++;
      continue;
    }
    let end = pfn + 1;
    for (let next = end; next < frameCount && next - end < GAP_FRAMES && next - pfn < BUFFER_FRAMES; next++) {
      if (wanted(next)) end = next + 1;
    }
    const got = reader.read(pfn, end - pfn);
    for (let i = 0; i < got; i++) {
      if (!wanted(pfn + i)) continue;
      checked++;
      if (reader.words[2 * i] !== expected(pfn + i)) differing.push(pfn + i);
    }
    pfn = end;
  }
  return { checked, differing };
}

async function compareAgain(
  options: CheckOptions,
  reader: KernelCounts,
  expected: (pfn: number) => number,
  differing: readonly number[],
): Promise<{ differAfter: number; kernelCountsMore: number }> {
  if (differing.length === 0) return { differAfter: 0, kernelCountsMore: 0 };
  const { threads, frames, mmAlive } = options;
  const asked = Float64Array.from(differing);
  const replies = await threads.askAll(
    () => ({ type: "reread", frames: asked, mmOfVma: options.mmOfVma, mmAlive, fdOfMm: options.fdOfMm }),
    "reread",
  );
  let differAfter = 0;
  let kernelCountsMore = 0;
  const foundFirst = Int32Array.from(differing, (pfn) => frames.mapcount[pfn]);
  for (const [index, pfn] of differing.entries()) {
    const gone = replies.reduce((sum, { before, after }) => sum + before[index] - after[index], 0);
    frames.mapcount[pfn] = Math.max(0, frames.mapcount[pfn] - gone);
    const kernel = reader.one(pfn);
    if (kernel === expected(pfn)) continue;
    differAfter++;
    frames.kind[pfn] |= FRAME_DISAGREES;
    if (kernel <= expected(pfn)) continue;
    kernelCountsMore++;
    if (options.everyFrame) believeKernel(options, pfn, kernel);
  }
  for (const [index, pfn] of differing.entries()) {
    if (frames.mapcount[pfn] !== foundFirst[index]) frames.corrected.push(pfn);
  }
  return { differAfter, kernelCountsMore };
}

/**
 * Someone not read maps the frame: its count is the kernel's, and its folio has mappings outside. What a kernel without
 * mapcounts in pages prints for a large folio is an average over all its mappings: there are as many outside as bring it
 * about, and the page's own count, which nobody knows, is taken to be the average, but not less than was found.
 */
function believeKernel({ frames, folios, machine }: CheckOptions, pfn: number, kernel: number): void {
  const { mapcount, kind, blockFirstFolio } = frames;
  if ((kind[pfn] & FRAME_LARGE) !== 0) {
    const row = folioOfFrame(blockFirstFolio, folios.headPfn, folios.count, pfn);
    if (machine.mapcountConfig === "nopage" && (kind[pfn] & FRAME_KIND_MASK) !== KIND_HUGETLB) {
      if (row >= 0) folios.mappedOutside[row] = kernel * 2 ** folios.order[row] - folios.mappedPages[row];
      mapcount[pfn] = Math.max(mapcount[pfn], kernel);
      return;
    }
    if (row >= 0) folios.mappedOutside[row] += kernel - mapcount[pfn];
  }
  mapcount[pfn] = kernel;
}

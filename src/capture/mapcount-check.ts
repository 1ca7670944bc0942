/**
 * Holds the counts found against /proc/kpagecount.
 *
 * On a PAGE_MAPCOUNT kernel every frame's count must equal the entries found; on a NO_PAGE_MAPCOUNT kernel the folio's
 * average must (kernel-facts 3.9). A frame that differs is read again on both sides. What differs still is counted and
 * shown; where every frame was compared and the kernel counts more, someone mapped the frame who was not read (refused,
 * or not selected), and the kernel's count is believed.
 */
import { closeSync, openSync } from "node:fs";
import { type FolioColumns, KIND_HUGETLB, formatProcRefusal, procRefusal } from "../kernel/index.ts";
import type { Agreement, Machine } from "./capture.ts";
import { FRAME_DISAGREES, FRAME_KIND_MASK, FRAME_LARGE, type FrameTable, folioOfFrame } from "./frame-table.ts";
import { windowsOf } from "./frame-windows.ts";
import { type FoundCounts, KernelCounts, expectedCount } from "./mapcount-compare.ts";
import type { Readers } from "./readers.ts";

/** Blocks of 512 frames compared by default. */
const SAMPLE_BLOCKS = 64;

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
    const found = foundCounts(options);
    const { frames, threads } = options;
    const blocks = options.everyFrame ? frames.blockMapped : sampleBlocks(frames.blockMapped);
    const shares = windowsOf(blocks, frames.frameCount, threads.count);
    const compared = await threads.askAll(
      (index) => ({ type: "compare", fd, found, windows: shares[index] }),
      "compared",
    );
    const differing = compared.flatMap((share) => share.differing);
    const reader = new KernelCounts(fd);
    const settled = await compareAgain(options, reader, found, differing);
    return {
      bytesRead: compared.reduce((sum, share) => sum + share.bytesRead, reader.bytesRead),
      agreement: {
        framesChecked: compared.reduce((sum, share) => sum + share.checked, 0),
        everyFrame: options.everyFrame,
        differedFirst: differing.length,
        ...settled,
        refusal: null,
      },
    };
  } finally {
    closeSync(fd);
  }
}

const NOTHING_CHECKED = { framesChecked: 0, everyFrame: false, differedFirst: 0, differAfter: 0, kernelCountsMore: 0 };

function foundCounts({ frames, folios, machine }: CheckOptions): FoundCounts {
  const { frameCount, mapcount, kind, blockFirstFolio } = frames;
  if (machine.mapcountConfig !== "nopage") return { frameCount, mapcount, kind, averages: undefined };
  const { headPfn, order, mappedPages, count: folioCount } = folios;
  return { frameCount, mapcount, kind, averages: { blockFirstFolio, headPfn, order, mappedPages, folioCount } };
}

/** Evenly spread mapped blocks, from a random start. */
export function sampleBlocks(blockMapped: Uint8Array): Uint8Array {
  const chosen = new Uint8Array(blockMapped.length);
  const mapped: number[] = [];
  for (const [block, is] of blockMapped.entries()) if (is === 1) mapped.push(block);
  const stride = Math.max(1, mapped.length / SAMPLE_BLOCKS);
  for (let at = Math.random() * stride; at < mapped.length; at += stride) chosen[mapped[Math.floor(at)]] = 1;
  return chosen;
}

async function compareAgain(
  options: CheckOptions,
  reader: KernelCounts,
  found: FoundCounts,
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
    // Whoever mapped it is gone: what the kernel counts there now is somebody else's page.
    if (frames.mapcount[pfn] === 0 && foundFirst[index] > 0) continue;
    const kernel = reader.one(pfn);
    const expected = expectedCount(found, pfn);
    if (kernel === expected) continue;
    differAfter++;
    frames.kind[pfn] |= FRAME_DISAGREES;
    if (kernel <= expected) continue;
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

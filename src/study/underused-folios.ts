/**
 * Large anonymous folios that are mostly zeros: memory that a huge page took and nobody wrote to. Plain data.
 *
 * Only contents tell, and reading them reads the memory of live processes; so a sample is read, of each order the same
 * share, evenly spread by frame number, up to a limit. The kernel's own shrinker looks at folios for pages of zeros too, and splits
 * those with more of them than khugepaged's max_ptes_none allows (511 as it comes: none). Here "mostly" is more than half.
 */
import { type Capture, type CapturedProcess, type SelectedRun, readZeroPages } from "../capture/index.ts";
import { KIND_ANON, PAGE_SIZE_BYTES } from "../kernel/index.ts";
import type { FolioOwners } from "./large-folios.ts";
import { processOfMm } from "./mm-groups.ts";

/** Orders that a folio can have: 2^18 pages are a page of 1 GiB. */
const ORDERS = 32;

/** A folio with pages of zeros. */
export interface UnderusedFolio {
  /** Frame number of the head, hexadecimal. */
  readonly pfn: string;
  readonly order: number;
  readonly pid: number;
  readonly name: string;
  readonly pagesRead: number;
  readonly zeroPages: number;
}

/** What the sample shows. */
export interface UnderusedFolios {
  /** Large anonymous folios there are, and those that were read. */
  readonly folios: number;
  readonly foliosRead: number;
  readonly limitBytes: number;
  readonly bytesRead: number;
  readonly zeroBytes: number;
  /** More than half of the pages that were read are zeros. */
  readonly mostlyZeroFolios: number;
  readonly mostlyZeroBytes: number;
  /** Processes whose memory may not be read, or that had ended. */
  readonly processesRefused: number;
  /** Those with a page of zeros, the most first. */
  readonly list: readonly UnderusedFolio[];
}

/** Reads a sample of at most `limitBytes` from the running processes of a capture just taken. */
export async function studyUnderused(
  capture: Capture,
  { mmOfFolio }: FolioOwners,
  limitBytes: number,
): Promise<UnderusedFolios> {
  const { folios } = capture;
  const candidates: number[] = [];
  let bytes = 0;
  for (let row = 0; row < folios.count; row++) {
    if (folios.kind[row] !== KIND_ANON || mmOfFolio[row] < 0) continue;
    candidates.push(row);
    bytes += 2 ** folios.order[row] * PAGE_SIZE_BYTES;
  }
  const sample = evenSample(candidates, folios.order, { limitBytes, bytes });
  const intervals = Float64Array.from(
    sample.flatMap((row) => [folios.headPfn[row], folios.headPfn[row] + 2 ** folios.order[row]]),
  );
  const runs = await capture.runsOfFrames(intervals);
  const read = readOwners(capture, { mmOfFolio, sample }, runs);
  const found = countZeros(capture, { mmOfFolio, sample }, read);
  const mostly = found.filter(({ zeroPages, pagesRead }) => 2 * zeroPages > pagesRead);
  return {
    folios: candidates.length,
    foliosRead: found.length,
    limitBytes,
    bytesRead: found.reduce((sum, { pagesRead }) => sum + pagesRead, 0) * PAGE_SIZE_BYTES,
    zeroBytes: found.reduce((sum, { zeroPages }) => sum + zeroPages, 0) * PAGE_SIZE_BYTES,
    mostlyZeroFolios: mostly.length,
    mostlyZeroBytes: mostly.reduce((sum, { zeroPages }) => sum + zeroPages, 0) * PAGE_SIZE_BYTES,
    processesRefused: read.refused,
    list: found.filter(({ zeroPages }) => zeroPages > 0).toSorted((a, b) => b.zeroPages - a.zeroPages),
  };
}

/**
 * Of each order limitBytes / bytes of the rows (all, if the limit is not below what they hold), evenly spread and rounded
 * down: whichever sizes they have, those chosen hold no more than the limit. Counted in whole bytes, not in shares.
 */
export function evenSample(
  rows: readonly number[],
  order: Uint8Array,
  { limitBytes, bytes }: { readonly limitBytes: number; readonly bytes: number },
): number[] {
  if (limitBytes >= bytes) return [...rows];
  const owed = new Float64Array(ORDERS);
  return rows.filter((row) => {
    const of = order[row];
    owed[of] += limitBytes;
    if (owed[of] < bytes) return false;
    owed[of] -= bytes;
    return true;
  });
}

interface Sample {
  readonly mmOfFolio: Int32Array;
  /** Rows of folios, ascending. */
  readonly sample: readonly number[];
}

/** What a frame's byte says. */
const FRAME_READ = 1;
const FRAME_ZERO = 2;

interface ReadPages {
  /** FRAME_..., by frame: a set of numbers ends at 16.7 million. */
  readonly seen: Uint8Array;
  readonly refused: number;
}

/** Each folio is read where its owner maps it. */
function readOwners(capture: Capture, { mmOfFolio, sample }: Sample, runs: readonly SelectedRun[]): ReadPages {
  const { folios, mmOfVma, frames } = capture;
  const heads = sample.map((row) => folios.headPfn[row]);
  const runsOfMm = new Map<number, SelectedRun[]>();
  for (const run of runs) {
    const mm = mmOfVma[run.vma];
    const at = lastAtMost(heads, Math.min(run.frame, run.frame + run.step * (run.pages - 1)));
    if (mmOfFolio[sample[at]] !== mm) continue;
    const list = runsOfMm.get(mm);
    if (list === undefined) runsOfMm.set(mm, [run]);
    else list.push(run);
  }
  const owners = processOfMm(capture);
  const seen = new Uint8Array(frames.frameCount);
  let refused = 0;
  for (const [mm, own] of runsOfMm) {
    const process = owners[mm];
    if (process === undefined) continue;
    const found = readZeroPages(
      process.pid,
      own.toSorted((a, b) => a.page - b.page),
    );
    if ("what" in found) refused++;
    else {
      for (const pfn of found.read) seen[pfn] |= FRAME_READ;
      for (const pfn of found.zero) seen[pfn] |= FRAME_ZERO;
    }
  }
  return { seen, refused };
}

function lastAtMost(ascending: readonly number[], wanted: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (ascending[middle] <= wanted) low = middle;
    else high = middle - 1;
  }
  return low;
}

function countZeros(capture: Capture, { mmOfFolio, sample }: Sample, { seen }: ReadPages): UnderusedFolio[] {
  const { folios } = capture;
  const owners: readonly (CapturedProcess | undefined)[] = processOfMm(capture);
  return sample.flatMap((row) => {
    const head = folios.headPfn[row];
    const process = owners[mmOfFolio[row]];
    let pagesRead = 0;
    let zeroPages = 0;
    for (let pfn = head; pfn < head + 2 ** folios.order[row]; pfn++) {
      if ((seen[pfn] & FRAME_READ) !== 0) pagesRead++;
      if ((seen[pfn] & FRAME_ZERO) !== 0) zeroPages++;
    }
    if (process === undefined || pagesRead === 0) return [];
    const { pid, name } = process;
    return [{ pfn: `0x${head.toString(16)}`, order: folios.order[row], pid, name, pagesRead, zeroPages }];
  });
}

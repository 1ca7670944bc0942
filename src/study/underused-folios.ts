/**
 * Large anonymous folios that are mostly zeros: memory that a huge page took and nobody wrote to. Plain data.
 *
 * Only contents tell, and reading them reads the memory of live processes; so a sample is read, evenly spread over the
 * folios by frame number, up to a limit. The kernel's own shrinker looks at folios for pages of zeros too, and splits
 * those with more of them than khugepaged's max_ptes_none allows (511 as it comes: none). Here "mostly" is more than half.
 */
import { type Capture, type CapturedProcess, type SelectedRun, readZeroPages } from "../capture/index.ts";
import { KIND_ANON, PAGE_SIZE_BYTES } from "../kernel/index.ts";
import type { FolioOwners } from "./large-folios.ts";
import { processOfMm } from "./mm-groups.ts";

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
  /** Processes whose memory may not be read. */
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
  const sample = evenSample(candidates, bytes <= limitBytes ? 1 : limitBytes / bytes);
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

/** A share of the rows, evenly spread. */
export function evenSample(rows: readonly number[], share: number): number[] {
  const chosen: number[] = [];
  let owed = 0;
  for (const row of rows) {
    owed += share;
    if (owed < 1) continue;
    owed -= 1;
    chosen.push(row);
  }
  return chosen;
}

interface Sample {
  readonly mmOfFolio: Int32Array;
  /** Rows of folios, ascending. */
  readonly sample: readonly number[];
}

interface ReadPages {
  readonly read: ReadonlySet<number>;
  readonly zero: ReadonlySet<number>;
  readonly refused: number;
}

/** Each folio is read where its owner maps it. */
function readOwners(capture: Capture, { mmOfFolio, sample }: Sample, runs: readonly SelectedRun[]): ReadPages {
  const { folios, mmOfVma } = capture;
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
  const read = new Set<number>();
  const zero = new Set<number>();
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
      for (const pfn of found.read) read.add(pfn);
      for (const pfn of found.zero) zero.add(pfn);
    }
  }
  return { read, zero, refused };
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

function countZeros(capture: Capture, { mmOfFolio, sample }: Sample, { read, zero }: ReadPages): UnderusedFolio[] {
  const { folios } = capture;
  const owners: readonly (CapturedProcess | undefined)[] = processOfMm(capture);
  return sample.flatMap((row) => {
    const head = folios.headPfn[row];
    const process = owners[mmOfFolio[row]];
    let pagesRead = 0;
    let zeroPages = 0;
    for (let pfn = head; pfn < head + 2 ** folios.order[row]; pfn++) {
      if (read.has(pfn)) pagesRead++;
      if (zero.has(pfn)) zeroPages++;
    }
    if (process === undefined || pagesRead === 0) return [];
    const { pid, name } = process;
    return [{ pfn: `0x${head.toString(16)}`, order: folios.order[row], pid, name, pagesRead, zeroPages }];
  });
}

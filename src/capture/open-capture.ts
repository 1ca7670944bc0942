/**
 * Opens a stored capture: the same questions get the same answers as when it was taken.
 *
 * The reader threads take the row groups in equal shares, check and count them in one pass; the sums, with the kernel's
 * corrections, are the mapcounts again. Kinds of frames and the columns of folios come from the tables. Everything in the
 * directory is checked before it is believed, because captures are sent around: opening one ends in a capture or in a
 * BadCapture, in time and memory bounded by the size of its files and of the machine it was taken on.
 */
import os from "node:os";
import { FRAME_DISAGREES, FRAME_LARGE, HPAGE_PMD_NR, type SmapsVmaFields } from "../kernel/index.ts";
import { BadCapture } from "./bad-capture.ts";
import { type CaptureFacts, aliveMms } from "./capture-facts.ts";
import type { Capture, FrameFlags } from "./capture.ts";
import { type FrameTable, createDifference, folioOfFrame, indexFolios, sumDifferences } from "./frame-table.ts";
import type { LoadTables } from "./load-runs.ts";
import type { Manifest } from "./manifest.ts";
import type { StoredGroup } from "./mapping-part.ts";
import { Readers } from "./readers.ts";
import { type StoredFiles, readStoredFiles } from "./stored-files.ts";

export interface OpenCaptureOptions {
  /** Reader threads; the default is one a processor, at most 4. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

/** A capture that was read back. Close it when done. */
export interface StoredCapture extends Capture {
  readonly directory: string;
  readonly manifest: Manifest;
  /** What smaps printed of a VMA, where the capture was taken with it and the VMA had not changed meanwhile. */
  smapsOf(vmaRow: number): SmapsVmaFields | undefined;
}

/** Opens the capture in a directory. Throws BadCapture if it cannot be believed. */
export async function openCapture(directory: string, options: OpenCaptureOptions = {}): Promise<StoredCapture> {
  options.signal?.throwIfAborted();
  return openStoredFiles(directory, await readStoredFiles(directory, options.signal), options);
}

/** Opens a capture whose tables were read and checked; `directory` stands in errors. Throws BadCapture. */
export async function openStoredFiles(
  directory: string,
  { manifest, facts, parts }: StoredFiles,
  options: OpenCaptureOptions,
): Promise<StoredCapture> {
  const { signal } = options;
  const mmAlive = aliveMms(facts.processes);
  const groups = parts.flat();
  const wanted = options.threads ?? Math.max(1, Math.min(4, os.availableParallelism()));
  const readers = new Readers(Math.max(1, Math.min(wanted, groups.length)));
  try {
    const frames = await countFrames(directory, readers, groups, facts, mmAlive);
    signal?.throwIfAborted();
    placeFolios(frames, facts);
    return {
      directory,
      manifest,
      machine: facts.machine,
      processes: facts.processes,
      vmas: facts.vmas,
      mmOfVma: facts.mmOfVma,
      folios: facts.folios,
      folioCgroups: facts.folioCgroups,
      mmAlive,
      frames,
      agreement: manifest.agreement,
      cost: manifest.cost,
      notes: manifest.notes,
      wholeMachine: manifest.wholeMachine,
      smapsOf: (vmaRow) => facts.smaps.fields(vmaRow),
      async countClasses(classOfFrame, classCount) {
        const tables = { mmOfVma: facts.mmOfVma, mmAlive, frameCount: frames.frameCount };
        const replies = await readers.askAll(
          () => ({ type: "histograms", tables, classOfFrame, classCount }),
          "histograms",
        );
        return replies.map(({ histograms }) => histograms);
      },
      async presentRuns(choice = {}) {
        const tables = { mmOfVma: facts.mmOfVma, mmAlive, frameCount: frames.frameCount };
        const replies = await readers.askAll(() => ({ type: "presentRuns", tables, choice }), "presentRuns");
        return replies.flatMap(({ runs }) => runs);
      },
      async swappedRuns(isWanted) {
        const tables = { mmOfVma: facts.mmOfVma, mmAlive };
        const replies = await readers.askAll(() => ({ type: "swappedRuns", tables, isWanted }), "swappedRuns");
        return replies.flatMap(({ runs }) => runs);
      },
      async runsOfFrames(intervals) {
        const tables = { mmOfVma: facts.mmOfVma, mmAlive };
        const replies = await readers.askAll(() => ({ type: "selectFrames", tables, intervals }), "selected");
        return replies.flatMap(({ runs }) => runs);
      },
      async runsOfPages(selection) {
        const tables = { mmOfVma: facts.mmOfVma, mmAlive };
        const replies = await readers.askAll(() => ({ type: "selectPages", tables, selection }), "selected");
        return replies.flatMap(({ runs }) => runs);
      },
      flagsOfFrame: (pfn) => storedFlagsOf(frames, facts, pfn),
      close: () => readers.stop(),
    };
  } catch (error) {
    await readers.stop();
    throw error;
  }
}

/** Has the readers load their shares, and sums their counts. */
async function countFrames(
  directory: string,
  readers: Readers,
  groups: readonly StoredGroup[],
  { machine, vmas, mmOfVma, corrections }: CaptureFacts,
  mmAlive: Uint8Array,
): Promise<FrameTable> {
  const { frameCount } = machine;
  const tables: LoadTables = {
    mmOfVma,
    mmAlive,
    startPage: Float64Array.from(vmas, ({ startPage }) => startPage),
    endPage: Float64Array.from(vmas, ({ endPage }) => endPage),
  };
  const differences = allocate(directory, frameCount, () =>
    Array.from({ length: readers.count }, () => createDifference(frameCount)),
  );
  const shares = shareGroups(groups, readers.count);
  const replies = await readers
    .askAll((index) => ({ type: "load", groups: shares[index], difference: differences[index], tables }), "loaded")
    .catch((error: NodeJS.ErrnoException) => {
      // The files were whole a moment ago: someone changes them, or the disk fails.
      if (error.code === undefined) throw error;
      throw new BadCapture("damaged", directory, `cannot be read to its end (${error.code})`);
    });
  const invalid = replies.reduce((sum, reply) => sum + reply.invalid, 0);
  const problem = replies.find(({ firstProblem }) => firstProblem !== undefined)?.firstProblem;
  if (problem !== undefined) {
    throw new BadCapture(
      "damaged",
      directory,
      `has ${invalid} impossible runs among its mappings, the first with ${problem}`,
    );
  }
  const frames = allocate(directory, frameCount, () => sumDifferences(differences, frameCount));
  checkCounts(directory, frames);
  for (const [index, pfn] of corrections.pfn.entries()) frames.mapcount[pfn] = corrections.mapcount[index];
  for (const pfn of corrections.pfn) frames.corrected.push(pfn);
  return frames;
}

/** The number of frames is the captured machine's: this one may not have room for tables of that length. */
function allocate<T>(directory: string, frameCount: number, create: () => T): T {
  try {
    return create();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new BadCapture(
      "damaged",
      directory,
      `needs tables over ${frameCount} frames, which this machine cannot hold`,
    );
  }
}

/** Consecutive groups, as equal in rows as whole groups allow. */
function shareGroups(groups: readonly StoredGroup[], count: number): StoredGroup[][] {
  const total = groups.reduce((sum, { rows }) => sum + rows, 0);
  const shares: StoredGroup[][] = Array.from({ length: count }, () => []);
  let before = 0;
  for (const group of groups) {
    shares[Math.min(count - 1, Math.floor((before / total) * count))].push(group);
    before += group.rows;
  }
  return shares;
}

/** Runs that are possible one by one may still overflow a frame's count together. */
function checkCounts(directory: string, { mapcount, blockMapped, frameCount }: FrameTable): void {
  for (let block = 0; block < blockMapped.length; block++) {
    if (blockMapped[block] === 0) continue;
    const end = Math.min(frameCount, (block + 1) * HPAGE_PMD_NR);
    for (let pfn = block * HPAGE_PMD_NR; pfn < end; pfn++) {
      if (mapcount[pfn] < 0) throw new BadCapture("damaged", directory, "maps a frame more often than can be counted");
    }
  }
}

/** Flags as they were stored: by folio, or by run of small frames. O(log folios + log runs). */
function storedFlagsOf(
  { frameCount, kind, blockFirstFolio }: FrameTable,
  { folios, folioFlags, small }: CaptureFacts,
  pfn: number,
): FrameFlags | undefined {
  if (pfn >= frameCount) return undefined;
  if ((kind[pfn] & FRAME_LARGE) !== 0) {
    const row = folioOfFrame(blockFirstFolio, folios.headPfn, folios.count, pfn);
    return row < 0 ? undefined : { low: folioFlags.low[row], high: folioFlags.high[row] };
  }
  let low = 0;
  let high = small.pfn.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (small.pfn[middle] + small.frames[middle] > pfn) high = middle;
    else low = middle + 1;
  }
  if (low === small.pfn.length || small.pfn[low] > pfn) return undefined;
  return { low: small.flagsLow[low], high: small.flagsHigh[low] };
}

/** Fills the kinds of frames and the index from frames to folios. */
function placeFolios(frames: FrameTable, { folios, small, disagreements }: CaptureFacts): void {
  const { kind, frameCount } = frames;
  for (const [index, pfn] of small.pfn.entries()) kind.fill(small.kind[index], pfn, pfn + small.frames[index]);
  for (let row = 0; row < folios.count; row++) {
    const head = folios.headPfn[row];
    kind.fill(folios.kind[row] | FRAME_LARGE, head, Math.min(frameCount, head + 2 ** folios.order[row]));
  }
  for (const pfn of disagreements) kind[pfn] |= FRAME_DISAGREES;
  indexFolios(frames, folios);
}

/**
 * What would really come free if some processes ended together.
 *
 * Neither the sum of their Uss (what two of them share comes free too) nor of their Rss. By the rules of the kernel:
 *
 *     anonymous, KSM   freed with the folio's last mapping, whole folios at a time: pages of a large folio that others
 *                      map elsewhere stay, and pages of it that nobody maps go with it (kernel-facts 1.7, 2.4)
 *     file, shmem      stay in the page cache, from now on without a mapping, unless the file goes too (vanishing-files.ts)
 *     hugetlb          goes back to the pool, not to free memory; pages of a file in hugetlbfs stay in it
 *     page tables      freed with the address space
 *     swap             a slot is free with the last entry for it (swap-sets.ts)
 *
 * Not seen: pages that the kernel holds for I/O or drivers, sockets and pipes, kernel stacks, the uppermost page table
 * (VmPTE is without it); and of a file that goes, pages that nobody maps at the moment and those that are swapped out.
 */
import type { Capture, CapturedProcess } from "../capture/index.ts";
import { KIND_ANON, KIND_FILE, KIND_KSM, KIND_SHMEM, PAGE_SIZE_BYTES } from "../kernel/index.ts";
import type { Range } from "./capture-report.ts";
import { type CaptureScope, isAllRead, scopeOf } from "./capture-scope.ts";
import { KIND_COLUMNS, type KindBytes, addKindRow, kindBytesOf } from "./kind-bytes.ts";
import { type ProcessName, nameOf, processOfMm } from "./mm-groups.ts";
import { type SharingSets, collectSharingSets } from "./sharing-sets.ts";
import { type SwapSets, collectSwapSets } from "./swap-sets.ts";
import { type VanishingFile, findVanishingFiles } from "./vanishing-files.ts";

/** Raised when a field changes its meaning or goes away. */
export const FREE_VERSION = 1;

/**
 * What ends with some address spaces. Sizes are bytes. What processes add to others in a ranking may take away page cache
 * that those left: then `cache...Bytes` are negative.
 */
export interface FreedMemory {
  /** Memory that comes free: the sum of what follows, without swap, hugetlb and what stays. */
  readonly freed: Range;
  readonly anonBytes: number;
  readonly ksmBytes: number;
  /** Pages that nobody maps, of anonymous folios that go. */
  readonly unmappedBytes: number;
  /** Of files that go with their last mapping: certainly, or unless a descriptor or someone not read keeps them. */
  readonly vanishingBytes: Range;
  readonly pageTablesBytes: number;
  /** Swap space: slots that nobody else has an entry for; at least none where somebody was not read, who may have one. */
  readonly swapBytes: Range;
  /** Back to the hugetlb pool, at most. */
  readonly hugetlbBytes: number;
  /** Page cache that nobody maps any longer and that stays: the kernel can take it when it needs memory... */
  readonly cacheFileBytes: number;
  /** ...and this only by swapping it out. */
  readonly cacheShmemBytes: number;
}

/** Someone who keeps memory. */
export interface Holder {
  /** null: whoever was not read. */
  readonly process: ProcessName | null;
  /** What it maps of the memory that stays; two holders may have the same page. */
  readonly held: KindBytes;
}

/** A process that shares its address space with others that stay. */
export interface KeptSpace {
  readonly process: ProcessName;
  readonly sharedWith: readonly number[];
}

/** The whole answer. */
export interface FreeReport extends CaptureScope {
  readonly schema: "foliometer-free";
  readonly version: typeof FREE_VERSION;
  readonly processes: readonly ProcessName[];
  /** Nothing of these comes free. */
  readonly keptSpaces: readonly KeptSpace[];
  readonly free: FreedMemory;
  /** What they map, every page once. */
  readonly mapped: KindBytes;
  /** What each maps alone, summed: what one would get by ending one of them, times all. */
  readonly aloneSum: KindBytes;
  /** What others map too. */
  readonly stays: KindBytes;
  /** Slots of swap that they have entries for, every slot once: those of `free`, and those that others have too. */
  readonly swappedBytes: number;
  /** Anonymous pages that only these map, in large folios that others map elsewhere. */
  readonly heldByFoliosBytes: number;
  /** Largest first. */
  readonly holders: readonly Holder[];
  readonly notes: readonly string[];
}

/** All of a capture that the question needs; made once for many groups. */
export interface Freeing {
  readonly capture: Capture;
  readonly sets: SharingSets;
  readonly swapSets: SwapSets;
  readonly files: readonly VanishingFile[];
  /** By row of mm; undefined: not read to its end. */
  readonly owners: readonly (CapturedProcess | undefined)[];
  /** By row of mm: the processes that have it, ascending. */
  readonly pidsOfMm: readonly (readonly number[])[];
}

/** Prepares a capture, which stays open. O(runs + frames mapped). Throws TooManySharingSets, TooMuchSwap. */
export async function prepareFreeing(capture: Capture): Promise<Freeing> {
  const sets = await collectSharingSets(capture);
  const files = await findVanishingFiles(capture);
  const swapSets = await collectSwapSets(capture);
  return { capture, sets, swapSets, files, owners: processOfMm(capture), pidsOfMm: listPids(capture) };
}

function listPids({ processes, mmAlive }: Capture): number[][] {
  const pids = Array.from(mmAlive, (): number[] => []);
  for (const { pid, mm, state } of processes) if (state === "complete" || state === "shares-mm") pids[mm].push(pid);
  return pids.map((each) => each.toSorted((a, b) => a - b));
}

/**
 * What comes free when these processes end, and who keeps the rest. `pids` are of processes that were read to their end
 * or share an address space; others are not asked about. O(sets + files).
 */
export function studyFreeing(freeing: Freeing, pids: ReadonlySet<number>): FreeReport {
  const { capture, sets } = freeing;
  const chosen = capture.processes.filter(
    ({ pid, mm }) => pids.has(pid) && mm >= 0 && freeing.owners[mm] !== undefined,
  );
  const { ends, keptSpaces } = endingMms(freeing, chosen, pids);
  const sums = sumSets(sets, ends);
  const swap = sumSwap(freeing.swapSets, ends);
  return {
    schema: "foliometer-free",
    version: FREE_VERSION,
    ...scopeOf(capture),
    processes: chosen.map(nameOf),
    keptSpaces,
    free: freedOf(freeing, ends, { ...sums, swapSlots: swap.freed }),
    mapped: kindBytesOf(sums.mapped),
    aloneSum: kindBytesOf(sums.alone),
    stays: kindBytesOf(sums.stays),
    swappedBytes: swap.touched * PAGE_SIZE_BYTES,
    heldByFoliosBytes: heldByFolios(sums),
    holders: listHolders(freeing, sums.held),
    notes: capture.notes,
  };
}

/** 1 for mms all of whose processes end. */
function endingMms(
  { owners, pidsOfMm }: Freeing,
  chosen: readonly CapturedProcess[],
  pids: ReadonlySet<number>,
): { readonly ends: Uint8Array; readonly keptSpaces: KeptSpace[] } {
  const ends = new Uint8Array(owners.length);
  const keptSpaces: KeptSpace[] = [];
  for (const process of chosen) {
    const sharedWith = pidsOfMm[process.mm].filter((pid) => !pids.has(pid));
    if (sharedWith.length === 0) ends[process.mm] = 1;
    else keptSpaces.push({ process: nameOf(process), sharedWith });
  }
  return { ends, keptSpaces };
}

/** Pages by KIND_... of sets inside, partly inside. */
interface SetSums {
  readonly mapped: Float64Array;
  readonly inside: Float64Array;
  readonly alone: Float64Array;
  readonly stays: Float64Array;
  readonly insideFolios: Float64Array;
  readonly unmapped: Float64Array;
  /** What each row outside keeps, KIND_COLUMNS a row. */
  readonly held: Float64Array;
}

function sumSets(sets: SharingSets, ends: Uint8Array): SetSums {
  const row = (): Float64Array => new Float64Array(KIND_COLUMNS);
  const held = new Float64Array((sets.outsideRow + 1) * KIND_COLUMNS);
  const sums = { mapped: row(), inside: row(), alone: row(), stays: row(), insideFolios: row(), unmapped: row(), held };
  const { firstMember, members } = sets;
  for (let set = 0; set < sets.count; set++) {
    const size = firstMember[set + 1] - firstMember[set];
    let inside = 0;
    for (let at = firstMember[set]; at < firstMember[set + 1]; at++) inside += ends[members[at]] ?? 0;
    if (inside === 0) continue;
    addKindRow(sums.mapped, 0, sets.pages, set);
    if (inside === size) {
      addKindRow(sums.inside, 0, sets.pages, set);
      addKindRow(sums.insideFolios, 0, sets.folioPages, set);
      addKindRow(sums.unmapped, 0, sets.unmappedPages, set);
      if (size === 1) addKindRow(sums.alone, 0, sets.pages, set);
      continue;
    }
    addKindRow(sums.stays, 0, sets.pages, set);
    for (let at = firstMember[set]; at < firstMember[set + 1]; at++) {
      const mm = members[at];
      if (ends[mm] !== 1) addKindRow(sums.held, mm, sets.pages, set);
    }
  }
  return sums;
}

function heldByFolios({ inside, insideFolios }: SetSums): number {
  const pages = [KIND_ANON, KIND_KSM].map((kind) => inside[kind] - insideFolios[kind]);
  return pages.reduce((sum, more) => sum + more, 0) * PAGE_SIZE_BYTES;
}

/** Slots of sets inside, and of sets partly inside too. O(sizes of the sets). */
function sumSwap(
  { count, firstMember, members, slots }: SwapSets,
  ends: Uint8Array,
): { freed: number; touched: number } {
  let freed = 0;
  let touched = 0;
  for (let set = 0; set < count; set++) {
    let inside = 0;
    for (let at = firstMember[set]; at < firstMember[set + 1]; at++) inside += ends[members[at]];
    if (inside > 0) touched += slots[set];
    if (inside === firstMember[set + 1] - firstMember[set]) freed += slots[set];
  }
  return { freed, touched };
}

function freedOf(
  { capture, files, owners }: Freeing,
  ends: Uint8Array,
  sums: SetSums & { readonly swapSlots: number },
): FreedMemory {
  const ending = owners.filter((_, mm) => ends[mm] === 1);
  const certain = new Float64Array(KIND_COLUMNS);
  const possible = new Float64Array(KIND_COLUMNS);
  for (const { mms, pages, isCertain } of files) {
    if (!mms.every((mm) => ends[mm] === 1)) continue;
    addKindRow(possible, 0, pages, 0);
    if (isCertain) addKindRow(certain, 0, pages, 0);
  }
  return freedMemory({
    anonPages: sums.insideFolios[KIND_ANON],
    ksmPages: sums.insideFolios[KIND_KSM],
    unmappedPages: sums.unmapped[KIND_ANON] + sums.unmapped[KIND_KSM],
    certain,
    possible,
    inside: sums.inside,
    pageTablesBytes: ending.reduce((sum, process) => sum + (process?.status.vmPteBytes ?? 0), 0),
    swapBytes: swapRange(capture, sums.swapSlots),
  });
}

/** What FreedMemory is made of, in pages by KIND_... */
export interface FreedParts {
  readonly anonPages: number;
  readonly ksmPages: number;
  readonly unmappedPages: number;
  readonly certain: Float64Array;
  readonly possible: Float64Array;
  /** All that nobody maps any longer. */
  readonly inside: Float64Array;
  readonly pageTablesBytes: number;
  readonly swapBytes: Range;
}

/** The parts put together. */
export function freedMemory(parts: FreedParts): FreedMemory {
  const { certain, possible, inside, pageTablesBytes, swapBytes } = parts;
  const anonBytes = parts.anonPages * PAGE_SIZE_BYTES;
  const ksmBytes = parts.ksmPages * PAGE_SIZE_BYTES;
  const unmappedBytes = parts.unmappedPages * PAGE_SIZE_BYTES;
  const vanishingBytes = { least: kindBytesOf(certain).bytes, most: kindBytesOf(possible).bytes };
  const sure = anonBytes + ksmBytes + unmappedBytes + pageTablesBytes;
  return {
    freed: { least: sure + vanishingBytes.least, most: sure + vanishingBytes.most },
    anonBytes,
    ksmBytes,
    unmappedBytes,
    vanishingBytes,
    pageTablesBytes,
    swapBytes,
    hugetlbBytes: kindBytesOf(inside).hugetlbBytes,
    cacheFileBytes: (inside[KIND_FILE] - possible[KIND_FILE]) * PAGE_SIZE_BYTES,
    cacheShmemBytes: (inside[KIND_SHMEM] - possible[KIND_SHMEM]) * PAGE_SIZE_BYTES,
  };
}

/** Slots that nobody who was read has an entry for any more, in bytes: surely free if everybody was read. */
export function swapRange(capture: Capture, slots: number): Range {
  const most = slots * PAGE_SIZE_BYTES;
  return { least: isAllRead(capture) ? most : 0, most };
}

function listHolders({ sets, owners }: Freeing, held: Float64Array): Holder[] {
  const holders: Holder[] = [];
  for (let mm = 0; mm <= sets.outsideRow; mm++) {
    const owner = owners[mm];
    const bytes = kindBytesOf(held, mm * KIND_COLUMNS);
    if (bytes.bytes > 0) holders.push({ process: owner === undefined ? null : nameOf(owner), held: bytes });
  }
  return holders.sort((a, b) => b.held.bytes - a.held.bytes || (a.process?.pid ?? 0) - (b.process?.pid ?? 0));
}

/**
 * Processes ranked by what ending them would free: each alone, or the few that together free most.
 *
 * The few are found greedily: at each step the process that frees most beside those already taken, and among equals the
 * one with the largest share of what the rest still shares. That is not always the best choice (two may free much
 * together and nothing apart), and is said to be what it is.
 */
import { KIND_ANON, KIND_KSM, PAGE_SIZE_BYTES } from "../kernel/index.ts";
import { type CaptureScope, scopeOf } from "./capture-scope.ts";
import { FREE_VERSION, type FreedMemory, type Freeing, freedMemory, swapRange } from "./freed-memory.ts";
import { KIND_COLUMNS, addKindRow } from "./kind-bytes.ts";
import { type ProcessName, nameOf } from "./mm-groups.ts";

/** A process and what its end frees. */
export interface RankedProcess {
  readonly process: ProcessName;
  /** Others with the same address space; it comes free only when all end. */
  readonly sharedWith: readonly number[];
  /** What it maps and nobody else, of whatever kind: its Uss. */
  readonly aloneBytes: number;
  /** What it maps, every page once. */
  readonly mappedBytes: number;
  readonly free: FreedMemory;
}

/** The ranking. */
export interface FreeRanking extends CaptureScope {
  readonly schema: "foliometer-free-ranking";
  readonly version: typeof FREE_VERSION;
  /** "each": each alone, most first. "together": in the order taken; `free` is what it adds to those before it. */
  readonly order: "each" | "together";
  readonly processes: readonly RankedProcess[];
  /** Processes that were ranked; more than are listed. */
  readonly candidates: number;
  readonly notes: readonly string[];
}

/** Processes that may be taken together. */
export const TOGETHER_MAX = 100;

/** Ranks the processes that `isWanted` chooses, each alone. O(sizes of the sets). */
export function rankEach(freeing: Freeing, isWanted: (process: ProcessName) => boolean): FreeRanking {
  const candidates = findCandidates(freeing, isWanted);
  const tables = tablesAfter(freeing, new Uint8Array(freeing.owners.length));
  const processes = candidates.map((mm) => rankedProcess(freeing, tables, mm));
  processes.sort((a, b) => b.free.freed.least - a.free.freed.least || a.process.pid - b.process.pid);
  return ranking(freeing, "each", processes, candidates.length);
}

/** The `count` processes that free most together, greedily. O(count * sizes of the sets). */
export function rankTogether(
  freeing: Freeing,
  isWanted: (process: ProcessName) => boolean,
  count: number,
): FreeRanking {
  const candidates = findCandidates(freeing, isWanted);
  const taken = new Uint8Array(freeing.owners.length);
  const processes: RankedProcess[] = [];
  while (processes.length < Math.min(count, candidates.length, TOGETHER_MAX)) {
    const tables = tablesAfter(freeing, taken);
    let best: { readonly mm: number; readonly ranked: RankedProcess } | undefined;
    for (const mm of candidates) {
      if (taken[mm] === 1) continue;
      const ranked = rankedProcess(freeing, tables, mm);
      if (best === undefined || isBetter(ranked, best.ranked, tables.share[mm] - tables.share[best.mm])) {
        best = { mm, ranked };
      }
    }
    if (best === undefined) break;
    taken[best.mm] = 1;
    processes.push(best.ranked);
  }
  return ranking(freeing, "together", processes, candidates.length);
}

function isBetter(one: RankedProcess, other: RankedProcess, moreShare: number): boolean {
  const difference = one.free.freed.least - other.free.freed.least;
  return difference > 0 || (difference === 0 && moreShare > 0);
}

function findCandidates({ owners }: Freeing, isWanted: (process: ProcessName) => boolean): number[] {
  return [...owners.keys()].filter((mm) => {
    const owner = owners[mm];
    return owner !== undefined && isWanted(nameOf(owner));
  });
}

function ranking(
  { capture }: Freeing,
  order: FreeRanking["order"],
  processes: readonly RankedProcess[],
  candidates: number,
): FreeRanking {
  const { notes } = capture;
  const head = { schema: "foliometer-free-ranking", version: FREE_VERSION, ...scopeOf(capture) } as const;
  return { ...head, order, processes, candidates, notes };
}

/** Pages by row of mm and kind, of those who are left when some have ended. */
interface MmTables {
  /** Frames that it alone is left to map. */
  readonly alone: Float64Array;
  /** Mapped and unmapped frames of folios that it alone is left to map. */
  readonly folios: Float64Array;
  readonly unmapped: Float64Array;
  /** Frames of files that go with it: certainly, and perhaps. */
  readonly certain: Float64Array;
  readonly possible: Float64Array;
  /** All that it maps. */
  readonly mapped: Float64Array;
  /** Its share of anonymous frames, in pages: a frame that three are left to map is a third of each. */
  readonly share: Float64Array;
  /** By row of mm, slots of swap that it alone is left to have entries for. */
  readonly swapSlots: Float64Array;
}

function tablesAfter({ sets, swapSets, files, owners }: Freeing, ended: Uint8Array): MmTables {
  const table = (): Float64Array => new Float64Array((owners.length + 1) * KIND_COLUMNS);
  const tables = {
    alone: table(),
    folios: table(),
    unmapped: table(),
    certain: table(),
    possible: table(),
    mapped: table(),
    share: new Float64Array(owners.length + 1),
    swapSlots: swapAlone(swapSets, ended),
  };
  const { firstMember, members } = sets;
  for (let set = 0; set < sets.count; set++) {
    let left = 0;
    let last = -1;
    for (let at = firstMember[set]; at < firstMember[set + 1]; at++) {
      const mm = members[at];
      addKindRow(tables.mapped, mm, sets.pages, set);
      if (ended[mm] === 1) continue;
      left++;
      last = mm;
    }
    if (left === 1) {
      addKindRow(tables.alone, last, sets.pages, set);
      addKindRow(tables.folios, last, sets.folioPages, set);
      addKindRow(tables.unmapped, last, sets.unmappedPages, set);
    }
    const anon = sets.pages[set * KIND_COLUMNS + KIND_ANON] + sets.pages[set * KIND_COLUMNS + KIND_KSM];
    for (let at = firstMember[set]; at < firstMember[set + 1]; at++) {
      if (ended[members[at]] !== 1) tables.share[members[at]] += anon / left;
    }
  }
  for (const { mms, pages, isCertain } of files) {
    const left = mms.filter((mm) => ended[mm] !== 1);
    if (left.length !== 1) continue;
    addKindRow(tables.possible, left[0], pages, 0);
    if (isCertain) addKindRow(tables.certain, left[0], pages, 0);
  }
  return tables;
}

/** Slots by the one mm that is left of their set. */
function swapAlone({ count, firstMember, members, slots }: Freeing["swapSets"], ended: Uint8Array): Float64Array {
  const alone = new Float64Array(ended.length);
  for (let set = 0; set < count; set++) {
    const left = members.subarray(firstMember[set], firstMember[set + 1]).filter((mm) => ended[mm] !== 1);
    if (left.length === 1) alone[left[0]] += slots[set];
  }
  return alone;
}

function rankedProcess({ capture, owners, pidsOfMm }: Freeing, tables: MmTables, mm: number): RankedProcess {
  const owner = owners[mm];
  if (owner === undefined) throw new Error(`mm ${mm} has no process`);
  const rowOf = (table: Float64Array): Float64Array => table.subarray(mm * KIND_COLUMNS, (mm + 1) * KIND_COLUMNS);
  const sumOf = (table: Float64Array): number => rowOf(table).reduce((sum, pages) => sum + pages, 0) * PAGE_SIZE_BYTES;
  const { folios, unmapped } = tables;
  const at = mm * KIND_COLUMNS;
  return {
    process: nameOf(owner),
    sharedWith: pidsOfMm[mm].filter((pid) => pid !== owner.pid),
    aloneBytes: sumOf(tables.alone),
    mappedBytes: sumOf(tables.mapped),
    free: freedMemory({
      anonPages: folios[at + KIND_ANON],
      ksmPages: folios[at + KIND_KSM],
      unmappedPages: unmapped[at + KIND_ANON] + unmapped[at + KIND_KSM],
      certain: rowOf(tables.certain),
      possible: rowOf(tables.possible),
      inside: rowOf(tables.alone),
      pageTablesBytes: owner.status.vmPteBytes ?? 0,
      swapBytes: swapRange(capture, tables.swapSlots[mm]),
    }),
  };
}

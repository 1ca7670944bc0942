/**
 * The large folios of a capture: how many of each order and kind, whose they are, which of them hold memory that nobody
 * maps and whether a scheme would notice, and what arm64's contiguous bit could map. Plain data, ready for JSON.
 *
 * A folio is said to be that process's that maps most of it, by pages mapped; if several map as much, the one with the
 * lowest pid. A program's are those of its processes. A folio has one owner and stands in one row.
 */
import type { Capture, CapturedProcess } from "../capture/index.ts";
import { FOLIO_KIND_NAMES, PAGE_SIZE_BYTES } from "../kernel/index.ts";
import type { Scheme } from "../schemes/index.ts";
import type { FolioOrderReport } from "./capture-report.ts";
import { type CaptureScope, scopeOf } from "./capture-scope.ts";
import { CONTIGUOUS_PAGES, type FolioMappers, collectFolioMappers } from "./folio-mappers.ts";
import { reportFolios } from "./machine-figures.ts";
import { type ProcessName, nameOf, processOfMm } from "./mm-groups.ts";
import { type PartialFolios, reportPartialFolios } from "./partial-folios.ts";
import type { UnderusedFolios } from "./underused-folios.ts";

/** Version of the answer of `folios`. */
export const FOLIOS_VERSION = 1;

/** What owners are. */
export const FOLIO_OWNER_KEYS = ["process", "program"] as const;
export type FolioOwnerKey = (typeof FOLIO_OWNER_KEYS)[number];

/** The folios of one owner. */
export interface FolioOwner {
  /** The pid and name of a process, or a program's name; "(not read)" of those that nobody who was read maps. */
  readonly name: string;
  /** The process, where owners are processes. */
  readonly process: ProcessName | null;
  readonly folios: number;
  readonly bytes: number;
  /** Folios by kind: "anon", "file", "shmem", "hugetlb", ... */
  readonly kinds: Readonly<Record<string, number>>;
  /** Mapped by more than one address space. */
  readonly sharedFolios: number;
  /** Address spaces that map the most widely shared of them, at least: those that were not read count as one. */
  readonly sharedByMost: number;
  readonly partialFolios: number;
  /** Bytes of its folios that nobody maps; of files and shared memory they are page cache. */
  readonly unmappedBytes: number;
  /**
   * Pages of large folios that its PTEs map (its own folios or not), and of those in blocks that could be contiguous; a
   * page that several address spaces map counts in each.
   */
  readonly ptePagesBytes: number;
  readonly contiguousBytes: number;
}

/** The answer. */
export interface FoliosReport extends CaptureScope {
  readonly schema: "foliometer-folios";
  readonly version: typeof FOLIOS_VERSION;
  readonly by: FolioOwnerKey;
  readonly orders: readonly FolioOrderReport[];
  /** Those with the most bytes first. */
  readonly owners: readonly FolioOwner[];
  readonly partial: PartialFolios;
  readonly contiguous: {
    /** Whether this is a machine that has contiguous PTEs of 16 pages; elsewhere it says what would be. */
    readonly isArm64: boolean;
    readonly blockPages: number;
    readonly ptePagesBytes: number;
    readonly contiguousBytes: number;
  };
  /** null: contents were not read. */
  readonly underused: UnderusedFolios | null;
  readonly notes: readonly string[];
}

/** Owners by folio row, and how many address spaces map it: what the page tables read say. */
export interface FolioOwners {
  /** Row of the mm that maps most of the folio; -1: nobody who was read. */
  readonly mmOfFolio: Int32Array;
  readonly mappers: FolioMappers;
}

/** Finds the owner of every folio. O(runs). */
export async function findFolioOwners(capture: Capture): Promise<FolioOwners> {
  const mappers = await collectFolioMappers(capture);
  const { firstOf, mm, pages } = mappers;
  const pidOfMm = processOfMm(capture).map((process) => process?.pid ?? Infinity);
  const mmOfFolio = new Int32Array(capture.folios.count).fill(-1);
  const pagesOfMm = new Float64Array(capture.mmAlive.length);
  for (let row = 0; row < capture.folios.count; row++) {
    for (let at = firstOf[row]; at < firstOf[row + 1]; at++) pagesOfMm[mm[at]] += pages[at];
    let best = -1;
    for (let at = firstOf[row]; at < firstOf[row + 1]; at++) {
      const each = mm[at];
      const lead = best < 0 ? 1 : pagesOfMm[each] - pagesOfMm[best] || pidOfMm[best] - pidOfMm[each];
      if (lead > 0) best = each;
    }
    for (let at = firstOf[row]; at < firstOf[row + 1]; at++) pagesOfMm[mm[at]] = 0;
    mmOfFolio[row] = best;
  }
  return { mmOfFolio, mappers };
}

/** The report; contents are read, if at all, by underused-folios.ts. */
export function reportLargeFolios(
  capture: Capture,
  { mmOfFolio, mappers }: FolioOwners,
  options: {
    readonly by: FolioOwnerKey;
    readonly schemes: readonly Scheme[];
    readonly underused: UnderusedFolios | null;
  },
): FoliosReport {
  const processes = processOfMm(capture);
  const ownerName = (row: number): string => ownerNameOf(processes[mmOfFolio[row]], options.by);
  const owners = reportOwners(capture, { mmOfFolio, mappers }, { by: options.by, processes });
  return {
    schema: "foliometer-folios",
    version: FOLIOS_VERSION,
    ...scopeOf(capture),
    by: options.by,
    orders: reportFolios(capture),
    owners,
    partial: reportPartialFolios(capture, options.schemes, ownerName),
    contiguous: {
      isArm64: capture.machine.architecture === "arm64",
      blockPages: CONTIGUOUS_PAGES,
      ptePagesBytes: mappers.ptePages.reduce((sum, pages) => sum + pages, 0) * PAGE_SIZE_BYTES,
      contiguousBytes: mappers.contiguousPages.reduce((sum, pages) => sum + pages, 0) * PAGE_SIZE_BYTES,
    },
    underused: options.underused,
    notes: capture.notes,
  };
}

const NOT_READ = "(not read)";

/** The name of an owner. */
export function ownerNameOf(process: CapturedProcess | undefined, by: FolioOwnerKey): string {
  if (process === undefined) return NOT_READ;
  return by === "process" ? `${process.pid} ${process.name}` : process.name;
}

type OpenOwner = { -readonly [K in keyof FolioOwner]: FolioOwner[K] } & { kinds: Record<string, number> };

function reportOwners(
  { folios }: Capture,
  { mmOfFolio, mappers }: FolioOwners,
  { by, processes }: { readonly by: FolioOwnerKey; readonly processes: readonly (CapturedProcess | undefined)[] },
): FolioOwner[] {
  const owners = new Map<string, OpenOwner>();
  const ownerOf = (process: CapturedProcess | undefined): OpenOwner => {
    const name = ownerNameOf(process, by);
    let owner = owners.get(name);
    if (owner === undefined) {
      owner = newOwner(name, by === "process" && process !== undefined ? nameOf(process) : null);
      owners.set(name, owner);
    }
    return owner;
  };
  for (let row = 0; row < folios.count; row++) {
    const mapped = folios.pagesMapped[row];
    if (mapped === 0) continue;
    const owner = ownerOf(processes[mmOfFolio[row]]);
    const pages = 2 ** folios.order[row];
    const kind = FOLIO_KIND_NAMES[folios.kind[row]] ?? "other";
    const spaces = folios.mmCount[row] + (folios.mappedOutside[row] > 0 ? 1 : 0);
    owner.folios++;
    owner.bytes += pages * PAGE_SIZE_BYTES;
    owner.kinds[kind] = (owner.kinds[kind] ?? 0) + 1;
    if (spaces > 1) owner.sharedFolios++;
    owner.sharedByMost = Math.max(owner.sharedByMost, spaces);
    if (mapped < pages) owner.partialFolios++;
    owner.unmappedBytes += (pages - mapped) * PAGE_SIZE_BYTES;
  }
  for (const [mm, process] of processes.entries()) {
    if (mappers.ptePages[mm] === 0) continue;
    const owner = ownerOf(process);
    owner.ptePagesBytes += mappers.ptePages[mm] * PAGE_SIZE_BYTES;
    owner.contiguousBytes += mappers.contiguousPages[mm] * PAGE_SIZE_BYTES;
  }
  return [...owners.values()].toSorted((a, b) => b.bytes - a.bytes || (a.process?.pid ?? 0) - (b.process?.pid ?? 0));
}

function newOwner(name: string, process: ProcessName | null): OpenOwner {
  return {
    name,
    process,
    folios: 0,
    bytes: 0,
    kinds: {},
    sharedFolios: 0,
    sharedByMost: 0,
    partialFolios: 0,
    unmappedBytes: 0,
    ptePagesBytes: 0,
    contiguousBytes: 0,
  };
}

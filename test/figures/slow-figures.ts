/**
 * Every figure of a small machine, page by page and straight from the rules, with no thought for speed.
 *
 * Each mapped page is looked at on its own: which folio it is in, how often it is mapped, by how many address spaces its
 * folio is. Nothing is grouped, no run, class or histogram exists here, and nothing is imported from src/, so that what
 * the fast way gets wrong is not got wrong here too. The rules: kernel-facts 2.1, 2.6, 3.2, 3.7, 3.9, 3.10.
 */
import {
  type ProcessMapping,
  type SmallEntry,
  type SmallFolio,
  type SmallMachine,
  type SmallSwap,
  type SmallVma,
  SPECIAL_TYPES,
  countTableEntries,
  entriesOf,
  framesOf,
  groupByFolio,
  holdsPage,
  isCounted,
  isHeadExclusive,
} from "./small-machine.ts";

export const SLOW_SCHEMES = ["page", "mm-owner", "mapped-pages"] as const;
export type SlowSchemeId = (typeof SLOW_SCHEMES)[number];

/** Whether a folio is shared: for sure not, for sure, or as its history had it. */
type Sharing = "no" | "yes" | "either";

/** Sums of one scheme over a VMA or a process; Pss in units of 1/4096 byte, the rest in pages. */
export interface SlowSchemeSums {
  pss: number;
  pssAnon: number;
  pssFile: number;
  pssShmem: number;
  privateLeast: number;
  privateMost: number;
  exclusiveLeast: number;
  exclusiveMost: number;
  mapmax: number;
}

/** Sums over a VMA or a process, in pages. */
export interface SlowSums {
  rss: number;
  anon: number;
  ksm: number;
  file: number;
  shmem: number;
  hugetlb: number;
  hugetlbShared: number;
  uncounted: number;
  /** Entries for frames that were free when their flags were looked at. */
  changed: number;
  pmdAnon: number;
  pmdShmem: number;
  pmdFile: number;
  exclusiveMeasured: number;
  swap: number;
  readonly schemes: Record<SlowSchemeId, SlowSchemeSums>;
}

/** Machine-wide figures of one scheme, in pages and counts. */
export interface SlowMachineFigures {
  readonly anonPages: number;
  readonly mapped: number;
  readonly kpagecountChangedFrames: number;
  readonly kpagecountDifference: number;
  readonly mapmaxChangedVmas: number;
  readonly partialNoticed: number;
  readonly partialMissed: number;
  readonly partialMissedPages: number;
  readonly partialPastDecides: number;
  readonly partialPastDecidesPages: number;
}

/** A large folio at rest. */
export interface SlowFolio {
  readonly folio: SmallFolio;
  readonly entries: number;
  readonly pmdEntries: number;
  readonly mappedPages: number;
  readonly mmCount: number;
  readonly pagesMapped: number;
}

export interface SlowFigures {
  /** Mappings of every frame. */
  readonly mapcount: readonly number[];
  /** Of every process, of every VMA; nothing is counted of one that ended. */
  readonly vmas: readonly (readonly SlowSums[])[];
  readonly processes: readonly SlowSums[];
  /** Large folios with a mapping, ascending. */
  readonly folios: readonly SlowFolio[];
  readonly machine: Record<SlowSchemeId, SlowMachineFigures>;
}

const FULL_PAGE = 4096 * 4096;

/** What is known of the machine when one asks about a page. */
interface Knowledge {
  readonly machine: SmallMachine;
  readonly mapcount: readonly number[];
  readonly slowFolios: ReadonlyMap<SmallFolio, SlowFolio>;
  readonly sharing: ReadonlyMap<SmallFolio, Sharing>;
}

/** All figures. O(everything, several times). */
export function slowFigures(machine: SmallMachine): SlowFigures {
  const alive = machine.processes.filter(({ ended }) => !ended);
  const mapcount = Array.from({ length: machine.frameCount }, () => 0);
  for (const { frame } of alive.flatMap(entriesOf)) if (frame < machine.frameCount) mapcount[frame]++;
  const mappings = groupByFolio(machine, alive);
  const slowFolios = new Map<SmallFolio, SlowFolio>();
  const sharing = new Map<SmallFolio, Sharing>();
  for (const folio of machine.folios) {
    const of = mappings.get(folio) ?? [];
    slowFolios.set(folio, describeFolio(folio, of));
    sharing.set(folio, sharingOf(machine, folio, of));
  }
  const known: Knowledge = { machine, mapcount, slowFolios, sharing };
  const vmas = machine.processes.map((process) =>
    process.vmas.map((vma) => (process.ended ? emptySums() : sumVma(vma, known))),
  );
  return {
    mapcount,
    vmas,
    processes: vmas.map(addUp),
    folios: [...slowFolios.values()].filter(({ folio, entries }) => folio.order > 0 && entries > 0),
    machine: {
      page: machineFigures("page", known, vmas),
      "mm-owner": machineFigures("mm-owner", known, vmas),
      "mapped-pages": machineFigures("mapped-pages", known, vmas),
    },
  };
}

function describeFolio(folio: SmallFolio, mappings: readonly ProcessMapping[]): SlowFolio {
  const entries = mappings.flatMap((mapping) => mapping.entries);
  const { all, pmd } = countTableEntries(entries);
  return {
    folio,
    entries: all,
    pmdEntries: pmd,
    mappedPages: entries.length,
    mmCount: mappings.length,
    pagesMapped: new Set(entries.map(({ frame }) => frame)).size,
  };
}

/** What folio_maybe_mapped_shared may say. A kernel that prints it in its exclusive bits leaves nothing open. */
function sharingOf(machine: SmallMachine, folio: SmallFolio, mappings: readonly ProcessMapping[]): Sharing {
  if (machine.config === "nopage" && folio.order > 0) return machine.shared.has(folio) ? "yes" : "no";
  const entries = mappings.flatMap((mapping) => mapping.entries);
  if (countTableEntries(entries).all <= 1) return "no";
  if (folio.order === 0 || folio.kind === "hugetlb" || mappings.length > 1) return "yes";
  // Mapped twice or more by one address space: its history decides, where it could.
  return isHeadExclusive(folio, entries) ? "no" : "either";
}

/** The mapcount that a scheme gives a page. */
function mapcountUnder(scheme: SlowSchemeId, frame: number, folio: SmallFolio, known: Knowledge): number {
  if (scheme === "page" || folio.order === 0) return known.mapcount[frame];
  const { entries, pmdEntries, mappedPages } = known.slowFolios.get(folio)!;
  const nr = framesOf(folio);
  if (entries === 0) return 0;
  if (scheme === "mapped-pages") return Math.max(1, Math.floor((mappedPages + nr / 2) / nr));
  if (entries <= pmdEntries) return pmdEntries;
  return Math.max(1, Math.floor((entries - pmdEntries + nr / 2) / nr) + pmdEntries);
}

function emptySchemeSums(): SlowSchemeSums {
  return {
    pss: 0,
    pssAnon: 0,
    pssFile: 0,
    pssShmem: 0,
    privateLeast: 0,
    privateMost: 0,
    exclusiveLeast: 0,
    exclusiveMost: 0,
    mapmax: 0,
  };
}

function emptySums(): SlowSums {
  return {
    rss: 0,
    anon: 0,
    ksm: 0,
    file: 0,
    shmem: 0,
    hugetlb: 0,
    hugetlbShared: 0,
    uncounted: 0,
    changed: 0,
    pmdAnon: 0,
    pmdShmem: 0,
    pmdFile: 0,
    exclusiveMeasured: 0,
    swap: 0,
    schemes: { page: emptySchemeSums(), "mm-owner": emptySchemeSums(), "mapped-pages": emptySchemeSums() },
  };
}

function sumVma(vma: SmallVma, known: Knowledge): SlowSums {
  const sums = emptySums();
  for (const entry of vma.swap) {
    if (holdsPage(entry.type)) sumPageInMotion(sums, entry);
    else if (entry.type < SPECIAL_TYPES) sums.swap++;
  }
  for (const entry of vma.entries) {
    if (entry.exclusive) sums.exclusiveMeasured++;
    const folio = known.machine.folioOfFrame[entry.frame];
    if (folio?.kind === "freed") sums.changed++;
    else if (folio === undefined || !isCounted(folio.kind)) sums.uncounted++;
    else if (folio.kind === "hugetlb") sumHugetlbPage(sums, folio, known);
    else sumPage(sums, entry, folio, known);
  }
  return sums;
}

/** Of an entry that is not present and holds a page: in Rss, never private, with full Pss (kernel-facts 3.2). */
function sumPageInMotion(sums: SlowSums, { file }: SmallSwap): void {
  sums.rss++;
  sums[file ? "file" : "anon"]++;
  for (const scheme of SLOW_SCHEMES) {
    const of = sums.schemes[scheme];
    of.pss += FULL_PAGE;
    of[file ? "pssFile" : "pssAnon"] += FULL_PAGE;
  }
}

function sumHugetlbPage(sums: SlowSums, folio: SmallFolio, known: Knowledge): void {
  const { entries } = known.slowFolios.get(folio)!;
  sums.hugetlb++;
  if (entries > 1) sums.hugetlbShared++;
  for (const scheme of SLOW_SCHEMES) {
    const of = sums.schemes[scheme];
    if (entries === 1) {
      of.exclusiveLeast++;
      of.exclusiveMost++;
    }
    of.mapmax = Math.max(of.mapmax, entries);
  }
}

function sumPage(sums: SlowSums, { frame, pmd, firstFrame }: SmallEntry, folio: SmallFolio, known: Knowledge): void {
  sums.rss++;
  if (folio.kind === "anon" || folio.kind === "ksm") sums.anon++;
  if (folio.kind === "ksm") sums.ksm++;
  if (folio.kind === "file") sums.file++;
  if (folio.kind === "shmem") sums.shmem++;
  if (pmd && folio.kind === "anon") sums.pmdAnon++;
  if (pmd && folio.kind === "shmem") sums.pmdShmem++;
  if (pmd && folio.kind === "file") sums.pmdFile++;
  const shared = known.sharing.get(folio)!;
  for (const scheme of SLOW_SCHEMES) {
    const of = sums.schemes[scheme];
    const mapcount = mapcountUnder(scheme, frame, folio, known);
    const units = mapcount < 2 ? FULL_PAGE : Math.floor(FULL_PAGE / mapcount);
    of.pss += units;
    if (folio.kind === "file") of.pssFile += units;
    else if (folio.kind === "shmem") of.pssShmem += units;
    else of.pssAnon += units;
    const isPrivate = { least: shared === "no", most: shared !== "yes" };
    if (scheme === "page") isPrivate.least = isPrivate.most = mapcount < 2;
    if (isPrivate.least) of.privateLeast++;
    if (isPrivate.most) of.privateMost++;
    // The first page of the entry answers for all of a PMD's.
    const first = mapcountUnder(scheme, firstFrame, folio, known);
    if (scheme === "page" ? first === 1 : isPrivate.least) of.exclusiveLeast++;
    if (scheme === "page" ? first === 1 : isPrivate.most) of.exclusiveMost++;
    of.mapmax = Math.max(of.mapmax, first);
  }
}

function addUp(vmas: readonly SlowSums[]): SlowSums {
  const total = emptySums();
  for (const vma of vmas) {
    for (const key of Object.keys(total) as (keyof SlowSums)[]) if (key !== "schemes") total[key] += vma[key];
    for (const scheme of SLOW_SCHEMES) {
      const of = total.schemes[scheme];
      const mapmax = Math.max(of.mapmax, vma.schemes[scheme].mapmax);
      for (const key of Object.keys(of) as (keyof SlowSchemeSums)[]) of[key] += vma.schemes[scheme][key];
      of.mapmax = mapmax;
    }
  }
  return total;
}

function machineFigures(
  scheme: SlowSchemeId,
  known: Knowledge,
  vmas: readonly (readonly SlowSums[])[],
): SlowMachineFigures {
  const figures = {
    anonPages: 0,
    mapped: 0,
    kpagecountChangedFrames: 0,
    kpagecountDifference: 0,
    mapmaxChangedVmas: vmas.flat().filter(({ schemes }) => schemes[scheme].mapmax !== schemes.page.mapmax).length,
    partialNoticed: 0,
    partialMissed: 0,
    partialMissedPages: 0,
    partialPastDecides: 0,
    partialPastDecidesPages: 0,
  };
  for (const slow of known.slowFolios.values()) {
    const { folio, entries, pmdEntries, mappedPages, pagesMapped } = slow;
    if (entries === 0 || !isCounted(folio.kind) || folio.kind === "hugetlb") continue;
    const nr = framesOf(folio);
    const isAnonymous = folio.kind === "anon" || folio.kind === "ksm";
    figures[isAnonymous ? "anonPages" : "mapped"] += scheme === "page" && pmdEntries === 0 ? pagesMapped : nr;
    for (let frame = folio.head; frame < folio.head + nr; frame++) {
      const off = Math.abs(mapcountUnder(scheme, frame, folio, known) - known.mapcount[frame]);
      if (known.mapcount[frame] > 0 && off > 0) {
        figures.kpagecountChangedFrames++;
        figures.kpagecountDifference += off;
      }
    }
    if (!isAnonymous || pagesMapped === nr) continue;
    // A folio of which a page is not mapped has no PMD entry, so all its entries are PTEs.
    const noticed = scheme === "page" || (scheme === "mm-owner" ? entries : mappedPages) < nr;
    if (noticed) figures.partialNoticed++;
    else {
      figures.partialMissed++;
      figures.partialMissedPages += nr - pagesMapped;
      // Who shows it only below one entry a page showed it while each page that is left was mapped once.
      figures.partialPastDecides++;
      figures.partialPastDecidesPages += nr - pagesMapped;
    }
  }
  return figures;
}

/**
 * Who maps a folio: every process and VMA, page by page, and what each scheme makes of it. Plain data, ready for JSON.
 *
 * The reverse map that the kernel keeps to itself, put together from the other side. What the schemes say is what they
 * say of a folio at rest (schemes/scheme.ts): where the folio's history decides, both answers are possible, and the answer
 * is "either".
 */
import {
  type CapturedProcess,
  type CountVerdict,
  ENTRY_EXCLUSIVE,
  ENTRY_FILE,
  ENTRY_LEVEL_SHIFT,
  ENTRY_SOFT_DIRTY,
  ENTRY_UFFD_WP,
  type FoundMappings,
  type MappingSearch,
  type SelectedRun,
  countFound,
  judgeCounts,
  observedSharing,
} from "../capture/index.ts";
import {
  FOLIO_KIND_NAMES,
  FolioColumns,
  HPAGE_PMD_NR,
  HPAGE_PUD_NR,
  KIND_HUGETLB,
  KIND_UNCOUNTED,
  LEVEL_PMD,
  LEVEL_PTE,
  LEVEL_UNKNOWN,
  type MapsVma,
  PAGE_SIZE_BYTES,
  readableVmaName,
} from "../kernel/index.ts";
import { type Answer, NO, type Scheme, YES, createAnswersAtRest } from "../schemes/index.ts";
import { flagNames } from "./flag-names.ts";
import { type ProcessName, nameOf } from "./mm-groups.ts";

/** Version of the answers of `who`. */
export const WHO_VERSION = 1;

/** The machine of an answer, and when it was looked at. */
export interface WhoMachine {
  readonly kernelRelease: string;
  readonly architecture: string;
  readonly mapcountConfig: "page" | "nopage" | "unknown";
  readonly pageSizeBytes: number;
  /** Milliseconds since 1970. */
  readonly beganAtMs: number;
  readonly endedAtMs: number;
  readonly bootId: string;
}

/** How the answer was found, and what speaks for it that nobody is missing. */
export interface WhoSearch extends MappingSearch {
  readonly counts: CountVerdict;
}

/** A VMA, in the words of maps. */
export interface WhoVma {
  /** Addresses as hexadecimal numbers, "0x7f0c40021000". */
  readonly start: string;
  readonly end: string;
  /** "rw-p". */
  readonly rights: string;
  readonly name: string;
  readonly offset: number;
}

/** Consecutive pages of the folio at consecutive addresses, whose entries are alike. */
export interface WhoPiece {
  readonly address: string;
  /** Index in the folio of the page that the first entry maps. */
  readonly firstPage: number;
  readonly pages: number;
  /** "unknown": the machine does not tell huge mappings apart. */
  readonly level: "pte" | "pmd" | "pud" | "unknown";
  /** pagemap's bit: the kernel counts no other mapping. Under a PMD its first page answers for all. */
  readonly exclusive: boolean;
  /** null on a kernel that does not track it. */
  readonly softDirty: boolean | null;
  readonly uffdWriteProtected: boolean;
  /** pagemap says that it is a page of a file or of shared memory. */
  readonly ofFile: boolean;
}

/** One VMA that maps some of the folio. */
export interface WhoMapper {
  readonly process: ProcessName;
  /** Other processes with the same address space. */
  readonly sharedWith: readonly number[];
  readonly vma: WhoVma;
  /** Pages of the folio that it maps, each as often as it does. */
  readonly pages: number;
  readonly pieces: readonly WhoPiece[];
}

/** A yes or no of a scheme: "either" where the history decides, "ask" where the reverse map must be walked. */
export type WhoAnswer = "yes" | "no" | "either" | "ask";

/** What a scheme says of the folio. */
export interface WhoScheme {
  readonly id: string;
  /** The captured kernel counts this way. */
  readonly isOwn: boolean;
  /** How many mappings, in the scheme's unit; null: ask the reverse map. */
  readonly mappings: number | null;
  readonly unit: Scheme["unit"];
  readonly others: WhoAnswer;
  readonly partial: WhoAnswer;
  /** What it says of every page alike; null: each page's own count. */
  readonly averageMapcount: number | null;
}

/** The answer about one folio. */
export interface WhoReport {
  readonly schema: "foliometer-who";
  readonly version: typeof WHO_VERSION;
  readonly machine: WhoMachine;
  readonly folio: {
    /** Frame number of the head, hexadecimal. */
    readonly pfn: string;
    readonly order: number;
    readonly pages: number;
    readonly bytes: number;
    readonly kind: string;
    /** Names of kpageflags' bits. */
    readonly flags: readonly string[];
    /** Index of the page that was asked about. */
    readonly askedPage: number;
  };
  /** By page of the folio. */
  readonly mapcounts: {
    readonly found: readonly number[];
    /** /proc/kpagecount, where it was read. */
    readonly kernel: readonly number[] | null;
  };
  readonly totals: {
    readonly entries: number;
    readonly pmdEntries: number;
    readonly addressSpaces: number;
    readonly vmas: number;
    readonly pagesMapped: number;
    /** Mappings that the kernel counts and nobody who was read has; in pages. */
    readonly outside: number;
  };
  readonly mappers: readonly WhoMapper[];
  readonly schemes: readonly WhoScheme[];
  readonly search: WhoSearch;
}

/** An address as JSON has it. */
export function hexOfPage(page: number): string {
  return `0x${page.toString(16)}000`;
}

/** What of the machine an answer carries. */
export function whoMachineOf({ machine }: Pick<FoundMappings, "machine">): WhoMachine {
  const { kernelRelease, architecture, mapcountConfig, pageSizeBytes, beganAtMs, endedAtMs, bootId } = machine;
  return { kernelRelease, architecture, mapcountConfig, pageSizeBytes, beganAtMs, endedAtMs, bootId };
}

/** A VMA in the words of maps. */
export function whoVmaOf({ startPage, endPage, read, write, exec, shared, name, offset }: MapsVma): WhoVma {
  const rights = `${read ? "r" : "-"}${write ? "w" : "-"}${exec ? "x" : "-"}${shared ? "s" : "p"}`;
  return { start: hexOfPage(startPage), end: hexOfPage(endPage), rights, name: readableVmaName(name), offset };
}

/** The processes of an address space, the one that it was read with first. */
export function processesOfMm(processes: readonly CapturedProcess[], row: number): CapturedProcess[] {
  return processes
    .filter(({ mm, state }) => mm === row && (state === "complete" || state === "shares-mm"))
    .toSorted((a, b) => Number(a.state !== "complete") - Number(b.state !== "complete"));
}

/** The answer about the folio in `found`, which must have one. O(runs + pages of the folio). */
export function reportWho(found: FoundMappings, schemes: readonly Scheme[]): WhoReport {
  const { folio, kernelCounts, askedFrame } = found;
  if (folio === undefined) throw new Error("invariant: a report on a folio has a folio");
  const mapcounts = countFound(found);
  const totals = totalsOf(found, mapcounts);
  const pages = 2 ** folio.order;
  return {
    schema: "foliometer-who",
    version: WHO_VERSION,
    machine: whoMachineOf(found),
    folio: {
      pfn: `0x${folio.head.toString(16)}`,
      order: folio.order,
      pages,
      bytes: pages * PAGE_SIZE_BYTES,
      kind: FOLIO_KIND_NAMES[folio.kind],
      flags: flagNames(folio.flags),
      askedPage: askedFrame - folio.head,
    },
    mapcounts: { found: [...mapcounts], kernel: kernelCounts === undefined ? null : [...kernelCounts] },
    totals,
    mappers: mappersOf(found, folio.head),
    schemes: schemesOf(found, mapcounts, totals, schemes),
    search: { ...found.search, counts: judgeCounts(found) },
  };
}

/** Page-table entries of a run. */
function entriesOfRun({ pages, bits }: SelectedRun): number {
  return bits >>> ENTRY_LEVEL_SHIFT === LEVEL_PMD ? Math.ceil(pages / HPAGE_PMD_NR) : pages;
}

function isPmd({ bits }: SelectedRun): boolean {
  return bits >>> ENTRY_LEVEL_SHIFT === LEVEL_PMD;
}

function totalsOf(found: FoundMappings, mapcounts: Int32Array): WhoReport["totals"] {
  const { runs, folio, mmOfVma, kernelCounts, mappedOutside, machine } = found;
  const sum = (some: readonly SelectedRun[]): number => some.reduce((all, run) => all + entriesOfRun(run), 0);
  const wholePages = folio === undefined ? 1 : 2 ** folio.order;
  const isHugetlb = folio?.kind === KIND_HUGETLB;
  const mapped = runs.reduce((all, { pages }) => all + pages, 0);
  // A hugetlb page is mapped by whole entries whatever its size.
  const entries = isHugetlb ? Math.round(mapped / wholePages) : sum(runs);
  let outside = mappedOutside;
  // Of a large folio, an average tells of no page how often it is mapped.
  const hasAverage = machine.mapcountConfig === "nopage" && (folio?.order ?? 0) > 0 && !isHugetlb;
  if (kernelCounts !== undefined && !hasAverage && folio?.kind !== KIND_UNCOUNTED) {
    outside = mapcounts.reduce((all, count, page) => all + Math.max(0, kernelCounts[page] - count), 0);
  }
  return {
    entries,
    pmdEntries: isHugetlb ? entries : sum(runs.filter(isPmd)),
    addressSpaces: new Set(runs.map(({ vma }) => mmOfVma[vma])).size,
    vmas: new Set(runs.map(({ vma }) => vma)).size,
    pagesMapped: mapcounts.reduce((all, count) => all + (count > 0 ? 1 : 0), 0),
    outside,
  };
}

function mappersOf({ runs, vmas, mmOfVma, processes, machine, folio }: FoundMappings, head: number): WhoMapper[] {
  const byVma = new Map<number, SelectedRun[]>();
  for (const run of runs) {
    const list = byVma.get(run.vma);
    if (list === undefined) byVma.set(run.vma, [run]);
    else list.push(run);
  }
  const softDirtyIsKnown = machine.options["CONFIG_MEM_SOFT_DIRTY"] === "y";
  const isHugetlb = folio?.kind === KIND_HUGETLB;
  const mappers: WhoMapper[] = [];
  for (const [vma, own] of byVma) {
    const ofMm = processesOfMm(processes, mmOfVma[vma]);
    const [process] = ofMm;
    if (process === undefined) continue;
    mappers.push({
      process: nameOf(process),
      sharedWith: ofMm.slice(1).map(({ pid }) => pid),
      vma: whoVmaOf(vmas[vma]),
      pages: own.reduce((sum, { pages }) => sum + pages, 0),
      pieces: joinPieces(own).map((run) => describePiece(run, { head, softDirtyIsKnown, isHugetlb })),
    });
  }
  return mappers.toSorted(
    (a, b) => a.process.pid - b.process.pid || Number.parseInt(a.vma.start, 16) - Number.parseInt(b.vma.start, 16),
  );
}

/** Runs of one VMA in the order of addresses; those that only a reader's pieces have cut are one again. */
function joinPieces(runs: readonly SelectedRun[]): SelectedRun[] {
  const joined: SelectedRun[] = [];
  for (const run of runs.toSorted((a, b) => a.page - b.page)) {
    const last = joined[joined.length - 1];
    const goesOn =
      last !== undefined &&
      last.page + last.pages === run.page &&
      last.bits === run.bits &&
      last.frame + last.pages === run.frame &&
      (last.step === 1 || last.pages === 1) &&
      (run.step === 1 || run.pages === 1);
    if (goesOn) joined[joined.length - 1] = { ...last, step: 1, pages: last.pages + run.pages };
    else joined.push(run);
  }
  return joined;
}

const LEVEL_NAMES = { [LEVEL_PTE]: "pte", [LEVEL_PMD]: "pmd", [LEVEL_UNKNOWN]: "unknown" } as const;

function describePiece(
  { page, frame, pages, bits }: SelectedRun,
  about: { readonly head: number; readonly softDirtyIsKnown: boolean; readonly isHugetlb: boolean },
): WhoPiece {
  const level = bits >>> ENTRY_LEVEL_SHIFT;
  const named = level === LEVEL_PTE || level === LEVEL_PMD ? LEVEL_NAMES[level] : "unknown";
  const ofHugetlb = pages >= HPAGE_PUD_NR ? "pud" : "pmd";
  return {
    address: hexOfPage(page),
    firstPage: frame - about.head,
    pages,
    level: about.isHugetlb && pages >= HPAGE_PMD_NR ? ofHugetlb : named,
    exclusive: (bits & ENTRY_EXCLUSIVE) !== 0,
    softDirty: about.softDirtyIsKnown ? (bits & ENTRY_SOFT_DIRTY) !== 0 : null,
    uffdWriteProtected: (bits & ENTRY_UFFD_WP) !== 0,
    ofFile: (bits & ENTRY_FILE) !== 0,
  };
}

const ANSWER_NAMES = ["no", "yes", "either", "ask"] as const;

function schemesOf(
  found: FoundMappings,
  mapcounts: Int32Array,
  totals: WhoReport["totals"],
  schemes: readonly Scheme[],
): WhoScheme[] {
  const { folio, machine } = found;
  if (folio === undefined || folio.kind === KIND_UNCOUNTED) return [];
  const columns = new FolioColumns(1);
  columns.append(folio.head, folio.order, folio.kind, folio.headExclusive && mapcounts[0] > 0);
  columns.entries[0] = totals.entries;
  columns.pmdEntries[0] = totals.pmdEntries;
  columns.mappedPages[0] = mapcounts.reduce((sum, count) => sum + count, 0);
  columns.mmCount[0] = totals.addressSpaces;
  columns.pagesMapped[0] = totals.pagesMapped;
  columns.mappedOutside[0] = totals.outside;
  columns.observed[0] = observedSharing(found);
  const ownConfig = machine.mapcountConfig === "nopage" ? "nopage" : "page";
  const units = unitsOf(found, totals);
  return schemes.map((scheme) => {
    const { shared, partial, pageMapcount } = answersOf(scheme, columns, mapcounts);
    return {
      id: scheme.id,
      isOwn: scheme.kernelConfig === ownConfig,
      // At rest a saturating count says what it once was: that is no answer.
      mappings: scheme.guarantees.mappings === "exact" ? units[scheme.unit] : null,
      unit: scheme.unit,
      others: ANSWER_NAMES[shared],
      partial: ANSWER_NAMES[partial],
      averageMapcount: pageMapcount < 0 ? null : pageMapcount,
    };
  });
}

/** A small folio has one mapcount, where a scheme does not count it as it counts large ones. */
function answersOf(
  scheme: Scheme,
  columns: FolioColumns,
  mapcounts: Int32Array,
): { readonly shared: Answer; readonly partial: Answer; readonly pageMapcount: number } {
  if (columns.order[0] === 0 && scheme.smallFolios === "mapcount") {
    const shared = mapcounts[0] + columns.mappedOutside[0] > 1 ? YES : NO;
    return { shared, partial: NO, pageMapcount: -1 };
  }
  const answers = createAnswersAtRest(1);
  scheme.answerAtRest(columns, answers);
  return {
    shared: answers.shared[0] as Answer,
    partial: columns.order[0] === 0 ? NO : (answers.partial[0] as Answer),
    pageMapcount: answers.pageMapcount[0],
  };
}

/** Mappings in the units that schemes count; what others hold who were not read is one more of each, at least. */
function unitsOf(
  { runs }: FoundMappings,
  { entries, vmas, outside }: WhoReport["totals"],
): Record<Scheme["unit"], number> {
  const tables = new Set<string>();
  for (const run of runs) {
    const pagesPerTable = isPmd(run) ? HPAGE_PUD_NR : HPAGE_PMD_NR;
    const last = Math.floor((run.page + run.pages - 1) / pagesPerTable);
    for (let table = Math.floor(run.page / pagesPerTable); table <= last; table++) {
      tables.add(`${run.vma} ${pagesPerTable} ${table}`);
    }
  }
  return { entries: entries + outside, vmas: vmas + Math.min(1, outside), tables: tables.size + Math.min(1, outside) };
}

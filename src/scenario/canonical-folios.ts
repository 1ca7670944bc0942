/**
 * Folios named by where they are mapped, so that two dumps can be compared whatever labels each has given.
 *
 * The walk goes through the processes in one order, through each in order of address, and numbers folios as it meets
 * them: folio 1 is the first mapped folio of the first process. Runs are taken apart into pages first, because where a
 * run ends is a matter of the recorder. Invariant: two dumps of the same state come out equal, page by page.
 */
import { type Dump, type FolioDump, isSmallFolio } from "./dump.ts";

/** What one page-table entry says. */
export interface CanonicalEntry {
  readonly address: number;
  readonly flags: string;
  /** `folio 3 page 0`, `ZERO`, `swap type=0 off=0x1`, or "" for a marker. */
  readonly where: string;
}

/** A folio under its number. */
export interface CanonicalFolio {
  readonly number: number;
  /** Where it was met first: "process P at 0x200000000". */
  readonly firstSeen: string;
  readonly label: string;
  readonly dump: FolioDump;
}

export interface CanonicalDump {
  readonly entries: ReadonlyMap<string, readonly CanonicalEntry[]>;
  readonly folios: readonly CanonicalFolio[];
  /** Labels of folios in pagemap that the dump does not describe; a dump that is whole has none. */
  readonly unknownLabels: readonly string[];
  /** Folios described and mapped nowhere. */
  readonly unmappedLabels: readonly string[];
}

const PAGE_BYTES = 4096;
const FOLIO_RUN = /^F(?<first>[0-9]+)(?:\[(?<from>[0-9]+)-[0-9]+\](?:\*(?<times>[0-9]+))?|\.\.F[0-9]+)$/;
const SWAP_RUN = /^swap type=(?<type>[0-9]+) off=0x(?<offset>[0-9a-f]+)$/;
const LABEL_RANGE = /^F(?<first>[0-9]+)(?:\.\.F(?<last>[0-9]+))?$/;

/** Swap devices have types up to this (x86); migration entries, markers and the like those above. */
const SWAP_TYPE_LAST = 24;

/** A page of a folio by the recorder's label, or the text of what else an entry holds. */
type Where = { readonly label: number; readonly page: number } | string;

/** What the entry at `index` of a run holds. */
function whereInRun(where: string, index: number): Where {
  const folio = FOLIO_RUN.exec(where)?.groups;
  if (folio !== undefined) {
    const label = Number(folio.first);
    if (folio.from === undefined) return { label: label + index, page: 0 };
    return { label, page: Number(folio.from) + (folio.times === undefined ? index : 0) };
  }
  const swap = SWAP_RUN.exec(where)?.groups;
  // The types above are markers: all entries of a run hold the same word.
  if (swap === undefined || Number(swap.type) > SWAP_TYPE_LAST) return where;
  return `swap type=${swap.type} off=0x${(Number.parseInt(swap.offset, 16) + index).toString(16)}`;
}

/** Small folios in a row share an entry; every label gets its own. */
function describedFolios(dump: Dump): Map<number, FolioDump> {
  const byLabel = new Map<number, FolioDump>();
  for (const [key, folio] of Object.entries(dump.folios)) {
    const range = LABEL_RANGE.exec(key)?.groups;
    const first = Number(range?.first);
    const last = Number(range?.last ?? range?.first);
    for (let label = first; label <= last && label - first < FOLIOS_MAX; label++) byLabel.set(label, folio);
  }
  return byLabel;
}

/** A damaged recording must not make this walk for ever. */
const FOLIOS_MAX = 1 << 20;
const RUN_PAGES_MAX = 1 << 20;

/** Takes a dump apart; `processOrder` names the processes to walk first. */
export function canonicalDump(dump: Dump, processOrder: readonly string[]): CanonicalDump {
  const described = describedFolios(dump);
  const numbers = new Map<number, CanonicalFolio>();
  const unknownLabels: string[] = [];
  const entries = new Map<string, CanonicalEntry[]>();
  const own = Object.keys(dump.processes);
  const order = [...processOrder.filter((name) => Object.hasOwn(dump.processes, name)), ...own];
  const placeOf = (where: Where, process: string, address: number): string => {
    if (typeof where === "string") return where;
    let folio = numbers.get(where.label);
    if (folio === undefined) {
      const found = described.get(where.label);
      if (found === undefined) {
        unknownLabels.push(`F${where.label}`);
        return `F${where.label} (not described)`;
      }
      const firstSeen = `process ${process} at 0x${address.toString(16)}`;
      folio = { number: numbers.size + 1, firstSeen, label: `F${where.label}`, dump: found };
      numbers.set(where.label, folio);
    }
    return `folio ${folio.number} page ${where.page}`;
  };
  for (const process of new Set(order)) {
    const found: CanonicalEntry[] = [];
    for (const { base, page, n, flags, where } of dump.processes[process].pagemap) {
      for (let index = 0; index < n && index < RUN_PAGES_MAX; index++) {
        const address = Number(base) + (page + index) * PAGE_BYTES;
        found.push({ address, flags, where: placeOf(whereInRun(where, index), process, address) });
      }
    }
    entries.set(process, found);
  }
  const unmapped = [...described.keys()].filter((label) => !numbers.has(label)).map((label) => `F${label}`);
  return { entries, folios: [...numbers.values()], unknownLabels, unmappedLabels: unmapped };
}

/** A folio's figure as one text for its pages: "0-255: 2, 256-511: 1"; runs are made as long as they can be. */
export function formatRuns(runs: readonly (readonly [number, number, number | string])[]): string {
  const merged: [number, number, number | string][] = [];
  for (const [first, last, value] of runs) {
    const before = merged.at(-1);
    if (before !== undefined && before[2] === value && before[1] + 1 === first) before[1] = last;
    else merged.push([first, last, value]);
  }
  return merged.map(([first, last, value]) => `${first === last ? first : `${first}-${last}`}: ${value}`).join("; ");
}

/** All figures of a folio by name, as text: what a comparison goes through. */
export function folioFigures(folio: FolioDump): ReadonlyMap<string, string> {
  if (isSmallFolio(folio)) {
    const figures = new Map([
      ["pages", folio.pages.toString()],
      ["kpagecount", formatRuns([[0, 0, folio.kpagecount]])],
      ["kpageflags", formatRuns([[0, 0, folio.kpageflags]])],
    ]);
    if (folio.refcount !== undefined) figures.set("refcount", folio.refcount.toString());
    if (folio.mapcount !== undefined) figures.set("mapcount", folio.mapcount.toString());
    if (folio.anon_exclusive !== undefined) figures.set("anon_exclusive", folio.anon_exclusive.toString());
    return figures;
  }
  const figures = new Map([
    ["pages", folio.pages.toString()],
    ["pfn", folio.pfn],
    ["kpagecount", formatRuns(folio.kpagecount)],
    ["kpageflags", formatRuns(folio.kpageflags)],
  ]);
  for (const [name, value] of Object.entries(folio.raw ?? {})) {
    figures.set(`raw ${name}`, Array.isArray(value) ? ownersText(value as string[]) : String(value));
  }
  if (folio.raw_page_mapcount !== undefined) figures.set("raw_page_mapcount", formatRuns(folio.raw_page_mapcount));
  if (folio.raw_anon_exclusive !== undefined) figures.set("raw_anon_exclusive", formatRuns(folio.raw_anon_exclusive));
  return figures;
}

function ownersText(owners: readonly string[]): string {
  return owners.join(" ");
}

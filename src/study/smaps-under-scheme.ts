/**
 * A process's smaps as the kernel would print it under another scheme.
 *
 * What does not depend on counting (sizes, Rss, Referenced, flags, swap) is the kernel's own text, read when the capture
 * was taken or just now. What does is put in from the capture: Pss and its parts, Private and Shared, Locked. pagemap
 * does not show which pages are dirty, only smaps does, as totals by Private and Shared under the kernel's own scheme.
 * Where pages change sides, how many of the dirty ones change with them is known exactly if a side was all dirty or all
 * clean, and else lies between bounds; then it is split in proportion and the VMA is named in `estimated`.
 */
import type { Capture, CapturedProcess } from "../capture/index.ts";
import { ATTRIBUTES, ATTRIBUTE_FILE, ATTRIBUTE_PMD_HEAD } from "../capture/index.ts";
import {
  OF_PSS,
  OF_PSS_ANON,
  OF_PSS_FILE,
  OF_PSS_SHMEM,
  PSS_FULL_PAGE,
  PSS_UNITS_PER_BYTE,
  SUM_RSS,
  kbOfPss,
  pssOfPage,
} from "../figures/index.ts";
import {
  KIND_HUGETLB,
  PAGE_SIZE_BYTES,
  isAnonKind,
  type SmapsRollup,
  type SmapsVma,
  type SmapsVmaFields,
} from "../kernel/index.ts";
import type { Scheme } from "../schemes/index.ts";
import { type CaptureSums, orderSchemes, sumCapture } from "./report-on-capture.ts";

const PAGE_KB = PAGE_SIZE_BYTES / 1024;

/** Which value of an answer that depends on unknown history is printed: private as often as possible, or as rarely. */
export type HistoryChoice = "most-private" | "least-private";

/** Smaps of a process under a scheme. */
export interface SmapsUnderScheme {
  readonly vmas: readonly SmapsVma[];
  readonly rollup: SmapsRollup;
  /** Sentences about VMAs whose clean/dirty split is a proportion, whose sharing depends on history, or that moved. */
  readonly estimated: readonly string[];
}

/** Pages of a VMA by side under the kernel's scheme and under the one asked for. */
export interface Sides {
  privateBoth: number;
  toShared: number;
  toPrivate: number;
  sharedBoth: number;
  /** Pages whose side under the scheme asked for depends on history. */
  uncertain: number;
  /** Pss units under the scheme asked for, of the pages on each of its sides. */
  privateUnits: number;
  sharedUnits: number;
}

/** What a process's smaps are computed from, beside the capture. */
export interface SmapsQuestion {
  readonly scheme: Scheme;
  /** All schemes there are; the running kernel's own is among them. */
  readonly all: readonly Scheme[];
  readonly history: HistoryChoice;
}

/**
 * Computes it. `facts` is the kernel's smaps of the process, VMA by VMA. VMAs that are in one of both only are kept as
 * the kernel printed them and named.
 */
export async function smapsUnderScheme(
  capture: Capture,
  process: CapturedProcess,
  facts: readonly SmapsVma[],
  options: SmapsQuestion & {
    /** The kernel's smaps_rollup, if it was read: sums of what it truncates VMA by VMA are exact only there. */
    readonly rollup?: SmapsRollup;
  },
): Promise<SmapsUnderScheme> {
  const prepared = await prepareSmaps(capture, options);
  return smapsOfProcess(prepared, process, facts, options.rollup);
}

/** Everything that the smaps of all processes of a capture have in common. */
export interface PreparedSmaps {
  readonly capture: Capture;
  readonly sums: CaptureSums;
  /** The scheme asked for, as a place among those of the sums; the kernel's own has 0. */
  readonly schemeIndex: number;
  /** By VMA row. */
  readonly sides: readonly Sides[];
}

/** One pass over the capture, for any number of processes. */
export async function prepareSmaps(capture: Capture, { scheme, all, history }: SmapsQuestion): Promise<PreparedSmaps> {
  const own = orderSchemes(capture, all)[0];
  return prepareSmapsFrom(capture, await sumCapture(capture, [own, scheme]), { scheme, history });
}

/** The same without a pass, from sums whose schemes are in the order of `orderSchemes` and hold the one asked for. */
export function prepareSmapsFrom(
  capture: Capture,
  sums: CaptureSums,
  { scheme, history }: Pick<SmapsQuestion, "scheme" | "history">,
): PreparedSmaps {
  const schemeIndex = sums.schemes.findIndex(({ id }) => id === scheme.id);
  if (schemeIndex < 0) throw new Error(`the sums are not of the scheme ${scheme.id}`);
  return { capture, sums, schemeIndex, sides: sidesOfVmas(sums, schemeIndex, history) };
}

/** Smaps of one process. `facts` and `rollup` are what the kernel prints for it. */
export function smapsOfProcess(
  { capture, sums, schemeIndex, sides }: PreparedSmaps,
  process: CapturedProcess,
  facts: readonly SmapsVma[],
  rollup?: SmapsRollup,
): SmapsUnderScheme {
  const rows = new Map<number, number>();
  for (let row = process.firstVma; row < process.endVma; row++) rows.set(capture.vmas[row].startPage, row);
  const estimated: string[] = [];
  let anyChange = false;
  const units = { pss: 0, anon: 0, file: 0, shmem: 0, dirty: 0, locked: 0 };
  const vmas = facts.map((vma) => {
    const row = rows.get(vma.header.startPage);
    const place = (): string => `${vma.header.startPage.toString(16)}000 ${vma.header.name}`.trim();
    if (row === undefined || capture.vmas[row].endPage !== vma.header.endPage) {
      if (vma.fields.rss > 0) estimated.push(`${place()}: not in the capture; printed as the kernel counts.`);
      return vma;
    }
    const rssPages = sums.vmas.get(row, SUM_RSS);
    if (rssPages * PAGE_KB !== vma.fields.rss) estimated.push(`${place()}: changed between the capture and smaps.`);
    const at = sums.vmas.schemeAt(schemeIndex);
    const pss = sums.vmas.get(row, at + OF_PSS);
    const samePss = pss === sums.vmas.get(row, sums.vmas.schemeAt(0) + OF_PSS);
    const changed = changeVma(vma.fields, sides[row], { place, samePss }, estimated);
    if (!samePss || changed.moved) anyChange = true;
    units.pss += pss;
    units.anon += sums.vmas.get(row, at + OF_PSS_ANON);
    units.file += sums.vmas.get(row, at + OF_PSS_FILE);
    units.shmem += sums.vmas.get(row, at + OF_PSS_SHMEM);
    units.dirty += changed.dirtyUnits;
    const isLocked = vma.fields.vmFlags.includes("lo");
    if (isLocked) units.locked += pss;
    const fields = { ...changed.fields, pss: kbOfPss(pss), locked: isLocked ? kbOfPss(pss) : vma.fields.locked };
    return { ...vma, fields };
  });
  return { vmas, rollup: rollUp(vmas, units, { kernel: rollup, anyChange }), estimated };
}

/** Sides of the pages of each VMA. */
function sidesOfVmas(
  { classes, histograms, movingPages }: CaptureSums,
  schemeIndex: number,
  history: HistoryChoice,
): Sides[] {
  const sides = Array.from(movingPages, (moving): Sides => ({
    privateBoth: 0,
    toShared: 0,
    toPrivate: 0,
    // Shared with full Pss under every scheme (kernel-facts 3.2).
    sharedBoth: moving,
    uncertain: 0,
    privateUnits: 0,
    sharedUnits: moving * PSS_FULL_PAGE,
  }));
  for (const { triples } of histograms) {
    for (let at = 0; at < triples.length; at += 3) {
      const row = triples[at];
      const frameClass = classes.classes[Math.floor(triples[at + 1] / ATTRIBUTES)];
      if ((triples[at + 1] & ATTRIBUTE_PMD_HEAD) !== 0 || frameClass.answers.length === 0) continue;
      if (frameClass.kind === KIND_HUGETLB) continue;
      // Changed while they were read: in no sum, so on no side.
      if (((triples[at + 1] & ATTRIBUTE_FILE) !== 0) === isAnonKind(frameClass.kind)) continue;
      const own = frameClass.answers[0];
      const other = frameClass.answers[schemeIndex];
      const pages = triples[at + 2];
      const side = sides[row];
      const isPrivate = history === "most-private" ? other.privateMost : other.privateLeast;
      if (other.privateMost !== other.privateLeast) side.uncertain += pages;
      const key = own.privateMost ? (isPrivate ? "privateBoth" : "toShared") : isPrivate ? "toPrivate" : "sharedBoth";
      side[key] += pages;
      side[isPrivate ? "privateUnits" : "sharedUnits"] += pages * pssOfPage(other.mapcount);
    }
  }
  return sides;
}

/** The VMA's fields with Private, Shared and Pss_Dirty under the scheme asked for. */
function changeVma(
  fields: SmapsVmaFields,
  sides: Sides,
  { place, samePss }: { readonly place: () => string; readonly samePss: boolean },
  estimated: string[],
): { fields: SmapsVmaFields; dirtyUnits: number; moved: boolean } {
  const moved = sides.toShared + sides.toPrivate > 0;
  if (!moved && samePss) return { fields, dirtyUnits: (fields.pssDirty ?? 0) * 1024 * PSS_UNITS_PER_BYTE, moved };
  const privateOwn = sides.privateBoth + sides.toShared;
  const sharedOwn = sides.sharedBoth + sides.toPrivate;
  const dirtyToShared = splitDirty(fields.privateDirty / PAGE_KB, sides.toShared, privateOwn);
  const dirtyToPrivate = splitDirty(fields.sharedDirty / PAGE_KB, sides.toPrivate, sharedOwn);
  const privatePages = sides.privateBoth + sides.toPrivate;
  const sharedPages = sides.sharedBoth + sides.toShared;
  const privateDirty = clamp(fields.privateDirty / PAGE_KB - dirtyToShared.pages + dirtyToPrivate.pages, privatePages);
  const sharedDirty = clamp(fields.sharedDirty / PAGE_KB - dirtyToPrivate.pages + dirtyToShared.pages, sharedPages);
  const dirtyUnits =
    share(sides.privateUnits, privateDirty, privatePages) + share(sides.sharedUnits, sharedDirty, sharedPages);
  if (!dirtyToShared.exact || !dirtyToPrivate.exact) estimated.push(`${place()}: clean and dirty split in proportion.`);
  if (sides.uncertain > 0) {
    estimated.push(`${place()}: ${sides.uncertain * PAGE_KB} kB are Private or Shared depending on history.`);
  }
  return {
    dirtyUnits,
    moved,
    fields: {
      ...fields,
      privateClean: (privatePages - privateDirty) * PAGE_KB,
      privateDirty: privateDirty * PAGE_KB,
      sharedClean: (sharedPages - sharedDirty) * PAGE_KB,
      sharedDirty: sharedDirty * PAGE_KB,
      ...(fields.pssDirty === undefined ? {} : { pssDirty: kbOfPss(dirtyUnits) }),
    },
  };
}

/** How many of `dirty` pages among `all` are in a part of `moved` pages. */
function splitDirty(dirty: number, moved: number, all: number): { pages: number; exact: boolean } {
  if (moved === 0 || dirty === 0) return { pages: 0, exact: true };
  const least = Math.max(0, dirty - (all - moved));
  const most = Math.min(moved, dirty);
  if (least >= most) return { pages: most, exact: true };
  return { pages: Math.min(most, Math.max(least, Math.round((dirty * moved) / all))), exact: false };
}

function clamp(pages: number, most: number): number {
  return Math.min(most, Math.max(0, pages));
}

/** The part of a side's Pss that its dirty pages have; exact if all pages or none are dirty. */
function share(units: number, dirty: number, pages: number): number {
  return pages === 0 ? 0 : dirty === pages ? units : Math.floor((units * dirty) / pages);
}

/** Sums of all VMAs; Pss-like figures are summed before they are truncated (kernel-facts 3.6). */
function rollUp(
  vmas: readonly SmapsVma[],
  units: { pss: number; anon: number; file: number; shmem: number; dirty: number; locked: number },
  { kernel, anyChange }: { readonly kernel: SmapsRollup | undefined; readonly anyChange: boolean },
): SmapsRollup {
  const first = vmas.find(({ header }) => header.name !== "[vsyscall]");
  const counted = vmas.filter(({ header }) => header.name !== "[vsyscall]");
  const sum = (pick: (fields: SmapsVmaFields) => number): number =>
    counted.reduce((all, { fields }) => all + pick(fields), 0);
  const header = {
    startPage: first?.header.startPage ?? 0,
    endPage: counted.at(-1)?.header.endPage ?? 0,
    read: false,
    write: false,
    exec: false,
    shared: false,
    offset: 0,
    offsetHex: "00000000",
    device: "00:00",
    inode: 0,
    name: "[rollup]",
  };
  const optional = first?.fields;
  if (kernel !== undefined && !anyChange) return kernel;
  return {
    header: kernel?.header ?? header,
    extras: kernel?.extras ?? [],
    fields: {
      rss: sum(({ rss }) => rss),
      pss: kbOfPss(units.pss),
      ...(optional?.pssDirty === undefined ? {} : { pssDirty: kbOfPss(units.dirty) }),
      pssAnon: kbOfPss(units.anon),
      pssFile: kbOfPss(units.file),
      pssShmem: kbOfPss(units.shmem),
      sharedClean: sum((fields) => fields.sharedClean),
      sharedDirty: sum((fields) => fields.sharedDirty),
      privateClean: sum((fields) => fields.privateClean),
      privateDirty: sum((fields) => fields.privateDirty),
      referenced: sum((fields) => fields.referenced),
      anonymous: sum((fields) => fields.anonymous),
      ...(optional?.ksm === undefined ? {} : { ksm: sum(({ ksm }) => ksm ?? 0) }),
      lazyFree: sum((fields) => fields.lazyFree),
      anonHugePages: sum((fields) => fields.anonHugePages),
      shmemPmdMapped: sum((fields) => fields.shmemPmdMapped),
      ...(optional?.filePmdMapped === undefined
        ? {}
        : { filePmdMapped: sum(({ filePmdMapped }) => filePmdMapped ?? 0) }),
      sharedHugetlb: sum((fields) => fields.sharedHugetlb),
      privateHugetlb: sum((fields) => fields.privateHugetlb),
      swap: sum((fields) => fields.swap),
      swapPss: kernel?.fields.swapPss ?? sum((fields) => fields.swapPss),
      locked: kbOfPss(units.locked),
    },
  };
}

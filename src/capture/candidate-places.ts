/**
 * Where in other address spaces the same pages can be mapped, without a reverse map: candidates, not a proof.
 *
 * Anonymous memory keeps its addresses over fork, so a relative has the page where the asked process has it, unless it
 * was moved (mremap). A page of a file, or of shared memory, is wherever a VMA of the same file covers its offset; so is a
 * private copy that was moved. The vdso has no file but one name. What this misses - moved anonymous memory, KSM pages -
 * the kernel's counts show (found-mappings.ts), and then every page table is read.
 *
 * A question may be about tens of thousands of VMAs, and is put to every process: pages of one file are one place with
 * many stretches, which meet the VMAs of a process by binary search.
 */
import { readFileSync } from "node:fs";
import { type MapsVma, PAGE_SIZE_BYTES, parseMapsText } from "../kernel/index.ts";
import { type PageRange, joinRanges } from "./entry-ranges.ts";

/** Pages of a VMA that are asked about. */
export interface AskedPages extends PageRange {
  readonly vma: MapsVma;
}

/** Ranges closer than this are read as one: 4 KiB of pagemap. */
export const GAP_PAGES = 512;
/** More ranges than this are not read where the process has no VMA. */
const RANGES_READ_BLINDLY = 32;

/** Pages of a file, or of what has only a name. */
export interface FilePages {
  readonly matches: (vma: MapsVma) => boolean;
  /** Pages of the file, ascending and apart. */
  readonly ranges: readonly PageRange[];
}

interface FilePlace extends FilePages {
  /** Text that every line of maps about it holds. */
  readonly needle: string;
}

/** Where to look in any address space. */
export class CandidatePlaces {
  private readonly sameAddresses: readonly PageRange[];
  private readonly files: readonly FilePlace[];

  /** Candidates for the pages that one process has there. Ranges may reach beyond the VMA, as a folio may. */
  constructor(asked: readonly AskedPages[]) {
    this.sameAddresses = joinRanges(asked, GAP_PAGES);
    this.files = filePlacesOf(asked);
  }

  /** Ranges of one process, ascending. Throws what reading its maps throws. */
  rangesOf(pid: number): readonly PageRange[] {
    const isBlind = this.files.length === 0 && this.sameAddresses.length <= RANGES_READ_BLINDLY;
    return isBlind ? this.sameAddresses : this.rangesIn(readFileSync(`/proc/${pid}/maps`, "latin1"));
  }

  /** Ranges of a process with these maps. If ranges are few, only lines that mention one of the files are parsed. */
  rangesIn(mapsText: string): readonly PageRange[] {
    const { sameAddresses, files } = this;
    const isFew = sameAddresses.length <= RANGES_READ_BLINDLY;
    const all = isFew ? undefined : parseMapsText(mapsText);
    const same = all?.flatMap((vma) => overlaps(sameAddresses, vma)) ?? sameAddresses;
    const ofFiles = files.flatMap((file) => placesInVmas(all ?? vmasMentioning(mapsText, file.needle), file));
    return ofFiles.length === 0 && isFew ? sameAddresses : joinRanges([...same, ...ofFiles], GAP_PAGES);
  }
}

/** The VMAs whose line holds a text: most processes have none, and of hundreds of lines a database's have one. */
function vmasMentioning(mapsText: string, needle: string): MapsVma[] {
  let lines = "";
  for (let at = mapsText.indexOf(needle); at >= 0;) {
    const end = mapsText.indexOf("\n", at);
    const behind = end < 0 ? mapsText.length : end + 1;
    lines += mapsText.slice(mapsText.lastIndexOf("\n", at) + 1, behind);
    at = mapsText.indexOf(needle, behind);
  }
  return parseMapsText(lines);
}

/** The files of the pages that are asked about, each once. */
function filePlacesOf(asked: readonly AskedPages[]): FilePlace[] {
  const places = new Map<string, { readonly matches: FilePages["matches"]; readonly ranges: PageRange[] }>();
  for (const { vma, startPage, endPage } of asked) {
    const needle = needleOf(vma);
    if (needle === undefined) continue;
    let place = places.get(needle);
    if (place === undefined) places.set(needle, (place = { matches: matcherOf(vma), ranges: [] }));
    const filePage = pageInFile(vma, startPage);
    place.ranges.push({ startPage: filePage, endPage: filePage + endPage - startPage });
  }
  return [...places].map(([needle, { matches, ranges }]) => ({ needle, matches, ranges: joinRanges(ranges) }));
}

/** What every line of maps about the same file or special mapping holds; undefined for anonymous memory. */
function needleOf(vma: MapsVma): string | undefined {
  const { device, inode, name } = vma;
  if (inode !== 0) return ` ${device} ${inodeTextOf(vma)} `;
  // Special mappings: one content under one name, wherever it lies.
  return /^\[v(?:dso|var|syscall)/.test(name) ? name : undefined;
}

function matcherOf(vma: MapsVma): FilePages["matches"] {
  const { device, inode, name } = vma;
  if (inode === 0) return (other) => other.name === name;
  const inodeText = inodeTextOf(vma);
  return (other) => inodeTextOf(other) === inodeText && other.device === device;
}

/** The inode's digits as maps prints them, exact also where the number is not. */
export function inodeTextOf({ inode, inodeText }: MapsVma): string {
  return inodeText ?? String(inode);
}

/** Page of the file at a page of the VMA; of a VMA without a file, pages from its start. */
export function pageInFile({ startPage, offset, inode }: MapsVma, page: number): number {
  return page - startPage + (inode === 0 ? 0 : offset / PAGE_SIZE_BYTES);
}

/** Where the VMAs among these that match have the pages. O(VMAs * log ranges + places). */
export function placesInVmas(vmas: readonly MapsVma[], { matches, ranges }: FilePages): PageRange[] {
  return vmas.filter(matches).flatMap((vma) => {
    const firstPage = pageInFile(vma, vma.startPage);
    const shown = { startPage: firstPage, endPage: firstPage + vma.endPage - vma.startPage };
    const toAddress = vma.startPage - firstPage;
    return overlaps(ranges, shown).map(({ startPage, endPage }) => ({
      startPage: startPage + toAddress,
      endPage: endPage + toAddress,
    }));
  });
}

/** The parts of ranges, ascending and apart, that lie in another. */
function overlaps(ranges: readonly PageRange[], { startPage, endPage }: PageRange): PageRange[] {
  let low = 0;
  for (let high = ranges.length; low < high;) {
    const middle = (low + high) >>> 1;
    if (ranges[middle].endPage <= startPage) low = middle + 1;
    else high = middle;
  }
  const found: PageRange[] = [];
  for (let at = low; at < ranges.length && ranges[at].startPage < endPage; at++) {
    found.push({
      startPage: Math.max(startPage, ranges[at].startPage),
      endPage: Math.min(endPage, ranges[at].endPage),
    });
  }
  return found;
}

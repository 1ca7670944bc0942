/**
 * Where in other address spaces the same pages can be mapped, without a reverse map: candidates, not a proof.
 *
 * Anonymous memory keeps its addresses over fork, so a relative has the page where the asked process has it, unless it
 * was moved (mremap). A page of a file, or of shared memory, is wherever a VMA of the same file covers its offset; so is a
 * private copy that was moved. The vdso has no file but one name. What this misses - moved anonymous memory, KSM pages -
 * the kernel's counts show (found-mappings.ts), and then every page table is read.
 */
import { readFileSync } from "node:fs";
import { type MapsVma, PAGE_SIZE_BYTES, parseMapsText } from "../kernel/index.ts";
import { type PageRange, joinRanges } from "./entry-ranges.ts";

/** Pages of a VMA that are asked about. */
export interface AskedPages extends PageRange {
  readonly vma: MapsVma;
}

/** A stretch of a file, or of what has only a name: whose, and which pages of it. */
interface FilePlace extends PageRange {
  /** Text that every line of maps about it holds. */
  readonly needle: string;
  readonly matches: (vma: MapsVma) => boolean;
}

/** Where to look in any address space. */
export class CandidatePlaces {
  private readonly sameAddresses: readonly PageRange[];
  private readonly files: readonly FilePlace[];

  /** Candidates for the pages that one process has there. Ranges may reach beyond the VMA, as a folio may. */
  constructor(asked: readonly AskedPages[]) {
    this.sameAddresses = joinRanges(asked);
    this.files = asked.flatMap(filePlaceOf);
  }

  /** Whether maps have to be read to know the ranges. */
  get needsMaps(): boolean {
    return this.files.length > 0;
  }

  /**
   * Ranges of one process, ascending. Throws what reading its maps throws. Nothing is parsed unless the text mentions
   * one of the files.
   */
  rangesOf(pid: number): readonly PageRange[] {
    if (!this.needsMaps) return this.sameAddresses;
    const text = readFileSync(`/proc/${pid}/maps`, "latin1");
    const files = this.files.filter(({ needle }) => text.includes(needle));
    if (files.length === 0) return this.sameAddresses;
    const vmas = parseMapsText(text);
    return joinRanges([...this.sameAddresses, ...files.flatMap((file) => rangesIn(vmas, file))]);
  }
}

function filePlaceOf({ vma, startPage, endPage }: AskedPages): FilePlace[] {
  const { device, inode, name, inodeText } = vma;
  const filePage = pageInFile(vma, startPage);
  const range = { startPage: filePage, endPage: filePage + endPage - startPage };
  if (inode !== 0) {
    const needle = ` ${device} ${inodeText ?? inode} `;
    return [{ ...range, needle, matches: (other) => other.inode === inode && other.device === device }];
  }
  // Special mappings: one content under one name, wherever it lies.
  if (!/^\[v(?:dso|var|syscall)/.test(name)) return [];
  return [{ ...range, needle: name, matches: (other) => other.name === name }];
}

/** Page of the file at a page of the VMA; of a VMA without a file, pages from its start. */
export function pageInFile({ startPage, offset, inode }: MapsVma, page: number): number {
  return page - startPage + (inode === 0 ? 0 : offset / PAGE_SIZE_BYTES);
}

/** Where the VMAs among these that match have pages [startPage, endPage) of the file. */
export function rangesIn(
  vmas: readonly MapsVma[],
  { matches, startPage, endPage }: Pick<FilePlace, "matches"> & PageRange,
): PageRange[] {
  return vmas.filter(matches).flatMap((vma) => {
    const from = Math.max(vma.startPage, vma.startPage + startPage - pageInFile(vma, vma.startPage));
    const behind = Math.min(vma.endPage, vma.startPage + endPage - pageInFile(vma, vma.startPage));
    return from < behind ? [{ startPage: from, endPage: behind }] : [];
  });
}

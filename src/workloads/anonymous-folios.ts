/**
 * What the workloads on anonymous memory share: folio sizes that the kernel can be told to use, and memory made of them.
 *
 * Sizes are those of Documentation/admin-guide/mm/transhuge.rst for pages of 4 KiB: 16 KiB to 2 MiB. 32 KiB is not among
 * them, because the driver of the kernel lab uses it to find out owner ids; nor are small pages, of which all schemes say
 * the same. A mapping begins at a multiple of 2 MiB, so that every folio lies naturally aligned in it and none straddles two
 * page tables.
 */
import type { WorkloadParameter } from "./workload.ts";

/** Bytes of a base page, in KiB. */
export const PAGE_KB = 4;
/** What a PMD maps, in KiB: a page table of 512 entries. */
export const TABLE_KB = 2048;

const FOLIO_KB_CHOICES = [16, 64, 128, 256, 512, 1024, 2048];

/** The parameter `folioKb`. */
export function folioSizeParameter(standard: number, why: string): WorkloadParameter {
  return {
    about: `KiB of a folio; one of 2048 is mapped by a PMD. ${why}`,
    default: standard,
    min: FOLIO_KB_CHOICES[0],
    max: FOLIO_KB_CHOICES[FOLIO_KB_CHOICES.length - 1],
    choices: FOLIO_KB_CHOICES,
  };
}

/** Asks the kernel for folios of this size in memory that is advised. */
export function useFolios(folioKb: number): string {
  return `thp ${folioKb}kB madvise`;
}

/** Where and how large; in KiB. */
interface FolioRange {
  readonly process: string;
  /** The mapping's name. */
  readonly name: string;
  /** A multiple of 2 MiB. */
  readonly address: number;
  readonly sizeKb: number;
}

/** Maps private anonymous memory and advises folios for it. Nothing is there yet. */
export function mapFolios({ process, name, address, sizeKb }: FolioRange): string[] {
  return [
    `${process} mmap ${name} 0x${address.toString(16)} ${sizeKb}k rw anon,priv`,
    `${process} madvise @${name} ${sizeKb}k hugepage`,
  ];
}

/** The same, and every page written. */
export function fillFolios(range: FolioRange): string[] {
  return [...mapFolios(range), `${range.process} touch @${range.name} ${range.sizeKb}k w`];
}

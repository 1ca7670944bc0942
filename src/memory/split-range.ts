/**
 * /sys/kernel/debug/split_huge_pages: splits the folios that a process maps in a range.
 *
 * Every page of the range is looked at, so a folio that cannot be split at its first page is tried again at the next: a
 * THP that three processes map with PMD entries needs three pages. Whatever happens, the write succeeds.
 */
import { PAGE_SIZE_BYTES } from "../kernel/index.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { presentFrame } from "./move-pages.ts";
import { canSplitFolio, splitFolio } from "./split-folio.ts";
import { PMD_TABLE_PAGES, findPmdTable, nextPmd, pmdEntryOf } from "./table-walk.ts";

/** split_huge_pages_pid: splits to `order` what is mapped in [startAddress, endAddress). Always 0. */
export function splitRange(memory: Memory, mm: Mm, startAddress: number, endAddress: number, order: number): number {
  const { frames } = memory;
  const end = Math.floor(endAddress / PAGE_SIZE_BYTES);
  for (let page = Math.floor(startAddress / PAGE_SIZE_BYTES); page < end; page++) {
    const vma = mm.findVma(page);
    if (vma === undefined) break;
    if (vma.isHugetlb) {
      // The loop's own step then passes over the next VMA's first page.
      page = vma.end;
      continue;
    }
    const frame = presentFrame(memory, mm, page);
    if (frame === 0) {
      page = Math.min(lastUnmappedPage(memory, mm, page), vma.end - 1);
      continue;
    }
    const head = frames.headOf(frame);
    if (order >= frames.order[head]) continue;
    if (frames.extraOf(head)?.hasPrivate !== true && !canSplitFolio(memory, head)) continue;
    splitFolio(memory, head, order);
  }
  return 0;
}

/** The last page from here on that certainly has no entry, for lack of a table. */
function lastUnmappedPage(memory: Memory, mm: Mm, page: number): number {
  if (findPmdTable(memory, mm, page) === 0) return page - (page % PMD_TABLE_PAGES) + PMD_TABLE_PAGES - 1;
  return pmdEntryOf(memory, mm, page) === 0 ? nextPmd(page) - 1 : page;
}

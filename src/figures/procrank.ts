/**
 * Android's procrank: Pss and Uss of a process from its pagemap and kpagecount, without smaps (literature 4.1).
 *
 * For each page present: pss += page size / count, uss += page size if count is 1. The division is one of whole numbers,
 * page by page, so that three pages with a count of 3 add 3 * 1365 bytes. A count of 0 adds nothing: the zero page has none.
 * Where kpagecount prints the folio's average, both are estimates, and Uss counts pages that are not the process's alone.
 */
import { PAGE_SIZE_BYTES } from "../kernel/index.ts";

/** The sums of one process, in bytes. */
export class ProcrankAccount {
  pssBytes = 0;
  ussBytes = 0;

  /** A page that is present, with what kpagecount prints of its frame. */
  addPage(count: number): void {
    if (count >= 1) this.pssBytes += Math.floor(PAGE_SIZE_BYTES / count);
    if (count === 1) this.ussBytes += PAGE_SIZE_BYTES;
  }
}

/**
 * How a kernel counts that does not say so: found out by what /proc/kpagecount prints.
 *
 * A kernel built without IKCONFIG, of which no configuration lies under /boot, tells nobody whether it keeps a mapcount
 * in every page. Its counts do, wherever it matters: where the pages of a large folio are mapped unevenly. With a
 * mapcount in every page their counts differ as the entries do; without, all pages of a folio show one average
 * (kernel-facts 3.9). Where no folio is mapped unevenly both ways print the same counts, and the question stays open.
 *
 * A count below the entries that were found refutes page counting; the average found proves the other way only if all
 * processes were read. Folios change while they are looked at, so several are asked and the majority decides.
 */
import { closeSync, openSync, readSync } from "node:fs";
import {
  type FolioColumns,
  HPAGE_PMD_NR,
  KIND_HUGETLB,
  KIND_UNCOUNTED,
  type PageMapcountConfig,
  averageOfMappedPages,
} from "../kernel/index.ts";
import type { FrameTable } from "./frame-table.ts";

/** Folios asked at most. */
const WITNESSES_MAX = 64;

/** What one unevenly mapped folio says: its entries' counts as found, and as printed. `complete`: all processes were read. */
export function testimonyOf(
  found: ArrayLike<number>,
  printed: ArrayLike<number>,
  { complete }: { readonly complete: boolean },
): PageMapcountConfig {
  const pages = found.length;
  let most = 0;
  let sum = 0;
  for (let page = 0; page < pages; page++) {
    if (printed[page] !== printed[0]) return "page";
    if (found[page] > most) most = found[page];
    sum += found[page];
  }
  if (printed[0] < most) return "nopage";
  return complete && printed[0] === averageOfMappedPages(sum, Math.log2(pages)) ? "nopage" : "unknown";
}

/** Asks unevenly mapped folios; "unknown" if there are none, or /proc/kpagecount cannot be read. */
export function findOutCounting(
  { mapcount, frameCount }: Pick<FrameTable, "mapcount" | "frameCount">,
  folios: FolioColumns,
  reading: { readonly complete: boolean },
): PageMapcountConfig {
  let fd: number;
  try {
    fd = openSync("/proc/kpagecount", "r");
  } catch {
    // The check of the counts reports the refusal.
    return "unknown";
  }
  const words = new Int32Array(HPAGE_PMD_NR * 2);
  const bytes = new Uint8Array(words.buffer);
  const votes = { page: 0, nopage: 0, unknown: 0 };
  try {
    for (let row = 0; row < folios.count && votes.page + votes.nopage < WITNESSES_MAX; row++) {
      const pages = 2 ** folios.order[row];
      const head = folios.headPfn[row];
      const kind = folios.kind[row];
      if (kind === KIND_HUGETLB || kind === KIND_UNCOUNTED || pages > HPAGE_PMD_NR || head + pages > frameCount)
        continue;
      const found = mapcount.subarray(head, head + pages);
      if (found.every((count) => count === found[0])) continue;
      if (readSync(fd, bytes, 0, pages * 8, head * 8) < pages * 8) continue;
      const printed = Int32Array.from({ length: pages }, (_, page) => words[2 * page]);
      votes[testimonyOf(found, printed, reading)] += 1;
    }
  } finally {
    closeSync(fd);
  }
  if (votes.page === votes.nopage) return "unknown";
  return votes.page > votes.nopage ? "page" : "nopage";
}

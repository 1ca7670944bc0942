/**
 * MADV_COLLAPSE: whole 2 MiB of memory become one folio mapped by a PMD, whatever the settings say (mm/khugepaged.c).
 *
 * Each aligned 2 MiB is tried by itself. Some failures end the call, others only count; it succeeds if all of the range
 * was or became huge. khugepaged itself sleeps in this model.
 */
import { HPAGE_PMD_NR } from "../kernel/index.ts";
import { collapseAnon } from "./collapse-anon.ts";
import { collapseFile } from "./collapse-file.ts";
import { EAGAIN, EBUSY, EINVAL } from "./errno.ts";
import { drainLru } from "./lru-batches.ts";
import type { Memory } from "./memory.ts";
import { ORDER_PMD, allowableOrders } from "./thp-orders.ts";
import type { Vma } from "./vma.ts";

/** enum scan_result, as far as MADV_COLLAPSE meets it. */
export type CollapseResult =
  | "succeed"
  | "pmd-mapped"
  | "no-table"
  | "no-pmd"
  | "none-pte"
  | "not-present"
  | "uffd-wp"
  | "not-anon"
  | "page-null"
  | "page-count"
  | "page-lru"
  | "page-lock"
  | "page-compound"
  | "truncated"
  | "has-private"
  | "vma-check"
  | "fail";

/** After these the rest of the range is tried all the same. */
const GOES_ON: ReadonlySet<CollapseResult> = new Set([
  "no-table",
  "not-present",
  "uffd-wp",
  "page-null",
  "page-count",
  "page-lru",
  "page-lock",
  "page-compound",
]);

/** madvise_collapse: pages [start, end) of the VMA. 0 or -errno of the last failure. */
export function collapseRange(memory: Memory, vma: Vma, start: number, end: number): number {
  if ((allowableOrders(memory, vma, "forced") & ORDER_PMD) === 0) return -EINVAL;
  drainLru(memory);
  const first = Math.ceil(start / HPAGE_PMD_NR) * HPAGE_PMD_NR;
  const last = end - (end % HPAGE_PMD_NR);
  let huge = 0;
  let failure: CollapseResult = "fail";
  for (let page = first; page < last; page += HPAGE_PMD_NR) {
    const result = vma.isAnonymous ? collapseAnon(memory, vma, page) : collapseFile(memory, vma, page);
    if (result === "succeed" || result === "pmd-mapped") huge++;
    else {
      failure = result;
      if (!GOES_ON.has(result)) break;
    }
  }
  return huge === (last - first) / HPAGE_PMD_NR ? 0 : -errnoOf(failure);
}

/** madvise_collapse_errno. */
function errnoOf(result: CollapseResult): number {
  if (result === "none-pte") return EBUSY;
  return result === "page-count" || result === "page-lru" || result === "page-lock" ? EAGAIN : EINVAL;
}

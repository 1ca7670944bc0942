/**
 * From a scheme's answers about a page to what /proc shows of it: the divisor of its Pss, Private or Shared, exclusive or
 * not, its kpagecount.
 *
 * Two rules of the kernel (kernel-facts 3.2, 3.7). With a mapcount in every page, a page is private when it has fewer than
 * two mappings in the whole system, and exclusive when it has exactly one. Without, both follow the folio: it is not maybe
 * mapped shared. At rest that may have two answers, so private and exclusive are pairs: at least, at most.
 */
import { type Answer, EITHER, type FigureRules, NO } from "../schemes/index.ts";

/** What a scheme makes of one page. */
export interface PageAnswers {
  /** Divides the page's Pss; also its kpagecount and, at the most, numa_maps' mapmax. */
  readonly mapcount: number;
  readonly privateLeast: boolean;
  readonly privateMost: boolean;
  readonly exclusiveLeast: boolean;
  readonly exclusiveMost: boolean;
}

/** The answers about a page with this mapcount, in a folio with this answer to "others". */
export function pageAnswers(rules: FigureRules, mapcount: number, shared: Answer): PageAnswers {
  if (rules.privateBy === "page-mapcount") {
    const isPrivate = mapcount < 2;
    const exclusive = mapcount === 1;
    return {
      mapcount,
      privateLeast: isPrivate,
      privateMost: isPrivate,
      exclusiveLeast: exclusive,
      exclusiveMost: exclusive,
    };
  }
  const least = shared === NO;
  const most = shared === NO || shared === EITHER;
  return { mapcount, privateLeast: least, privateMost: most, exclusiveLeast: least, exclusiveMost: most };
}

/** Pages that a large folio adds to AnonPages or Mapped (kernel-facts 2.6). */
export function statisticsPages(
  rules: FigureRules,
  folio: { readonly order: number; readonly pmdEntries: number; readonly pagesMapped: number },
): number {
  if (folio.pagesMapped === 0) return 0;
  const all = 2 ** folio.order;
  return rules.statistics === "whole-folio" || folio.pmdEntries > 0 ? all : folio.pagesMapped;
}

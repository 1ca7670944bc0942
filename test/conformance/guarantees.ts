/**
 * Holds a scheme's answers against the truth, as far as the scheme says that they can be trusted.
 *
 * One check a question; each reads the declared guarantee and nothing else of the scheme. A question that a counter of
 * mappings cannot be asked has a reason instead of a check.
 */
import { type Counter, EITHER, NO, type Question, type Scheme, YES } from "../../src/schemes/index.ts";
import type { FolioTruth } from "./page-tables.ts";

/** Says what is wrong with the answers about one folio; undefined: nothing. */
export type Check = (scheme: Scheme, counter: Counter, folio: number, truth: FolioTruth) => string | undefined;

/** What can be asked of a counter. */
export const CHECKS: Partial<Record<Question, Check>> = {
  mapped: (scheme, counter, folio, { entries }) => differs(scheme, "mapped", counter.mapped(folio), entries > 0),
  mappings: (scheme, counter, folio, { entries }) => differs(scheme, "mappings", counter.mappings(folio), entries),
  pageMapcount: checkPageMapcount,
  others: checkOthers,
  partial: checkPartial,
};

/** Why a question is not asked here. */
export const SKIPPED: Partial<Record<Question, string>> = {
  otherVmas: "no scheme of the registry counts VMAs: the rmap must be asked",
  canReuse:
    "needs the reference count, which no counter has: history.test.ts holds it against the truth in all short lives",
  stopWalk: "is mappings compared with what the walk has found: as exact as mappings, which is checked",
  extraReferences: "is the reference count less mappings: as exact as mappings, which is checked",
  pinned: "is answered by the pin count, which no way of counting mappings touches",
};

function differs(
  scheme: Scheme,
  question: Question,
  said: number | boolean,
  expected: number | boolean,
): string | undefined {
  if (scheme.guarantees[question] !== "exact" || said === expected) return undefined;
  return `${question} is ${said}, not ${expected}`;
}

function checkPageMapcount(scheme: Scheme, counter: Counter, folio: number, truth: FolioTruth): string | undefined {
  const { pageMapcounts, mappedPages } = truth;
  const guarantee = scheme.guarantees.pageMapcount;
  for (let page = 0; page < pageMapcounts.length; page++) {
    const said = counter.pageMapcount(folio, page);
    if (guarantee === "exact" && said !== pageMapcounts[page]) {
      return `pageMapcount of page ${page} is ${said}, not ${pageMapcounts[page]}`;
    }
    if (guarantee !== "estimate") continue;
    const average = Math.round(mappedPages / pageMapcounts.length);
    if (Math.abs(said - average) > 1) return `pageMapcount is ${said}, the average rounds to ${average}`;
    if (said > 0 !== mappedPages > 0) return `pageMapcount is ${said} with ${mappedPages} pages mapped`;
  }
  return undefined;
}

function checkOthers(scheme: Scheme, counter: Counter, folio: number, truth: FolioTruth): string | undefined {
  const guarantee = scheme.guarantees.others;
  for (const mm of truth.entriesOfMm.keys()) {
    const expected = truth.entriesOfMm.size > 1 ? YES : NO;
    const said = counter.others(folio, mm);
    if (said === EITHER) return "others is EITHER, which is an answer at rest only";
    if (guarantee === "exact" && said !== expected) return `others of mm ${mm} is ${said}, not ${expected}`;
    if (guarantee === "one-sided" && said === NO && expected === YES)
      return `others of mm ${mm} is NO: false "exclusive"`;
  }
  return undefined;
}

function checkPartial(scheme: Scheme, counter: Counter, folio: number, truth: FolioTruth): string | undefined {
  const guarantee = scheme.guarantees.partial;
  const said = counter.partial(folio);
  const expected = isPartial(truth) ? YES : NO;
  if (said === EITHER) return "partial is EITHER, which is an answer at rest only";
  if (guarantee === "exact" && said !== expected) return `partial is ${said}, not ${expected}`;
  if (guarantee === "one-sided" && said === YES && expected === NO) return "partial is YES: false alarm";
  return undefined;
}

/** Some page of the folio is mapped and another is not. */
export function isPartial({ pagesMapped, pageMapcounts }: FolioTruth): boolean {
  return pagesMapped > 0 && pagesMapped < pageMapcounts.length;
}

/**
 * Holds one answer against the truth, as far as the scheme says that it can be trusted (docs/schemes.md, Guarantees).
 *
 * The one place where a declared guarantee gets its meaning: the study counts by it, the conformance suite and the runs of
 * recorded scenarios fail by it. It reads what a scheme declares and nothing else of it.
 */
import {
  type Answer,
  EITHER,
  type Guarantee,
  NO,
  type Question,
  type Scheme,
  UNKNOWN,
  UNKNOWN_COUNT,
  YES,
} from "../schemes/index.ts";

/** The answer is the truth. */
export const EXACT = 0;
/** Not the truth, but on the side that the guarantee allows. */
export const ALLOWED = 1;
/** Against the guarantee. */
export const WRONG = 2;
/** The scheme said that it does not know, as it may. */
export const NO_ANSWER = 3;
export type Judgement = typeof EXACT | typeof ALLOWED | typeof WRONG | typeof NO_ANSWER;

/** All questions, in the order in which they are reported. */
export const QUESTIONS = [
  "mapped",
  "mappings",
  "pageMapcount",
  "others",
  "otherVmas",
  "partial",
  "canReuse",
  "stopWalk",
  "extraReferences",
  "pinned",
] as const satisfies readonly Question[];

/** Questions whose answer is a yes or no. */
export type YesNoQuestion = Exclude<Question, "mappings" | "pageMapcount" | "extraReferences">;

/** What is never said wrongly where a guarantee is one-sided. */
const SURE: Readonly<Record<YesNoQuestion, Answer>> = {
  mapped: NO,
  others: NO,
  otherVmas: NO,
  partial: YES,
  canReuse: YES,
  stopWalk: YES,
  pinned: NO,
};

/** Small folios and hugetlb have one mapcount, which cannot tell two mappings of one address space from two of two. */
export function guaranteeOf(
  scheme: Scheme,
  question: Question,
  { order, isHugetlb }: { readonly order: number; readonly isHugetlb: boolean },
): Guarantee {
  const guarantee = scheme.guarantees[question];
  return guarantee === "probable" && (order === 0 || isHugetlb) ? "one-sided" : guarantee;
}

/** Judges a yes or no. */
export function judgeAnswer(question: YesNoQuestion, guarantee: Guarantee, said: Answer, truth: boolean): Judgement {
  if (said === UNKNOWN) return guarantee === "exact" ? WRONG : NO_ANSWER;
  // EITHER is an answer about folios found at rest only.
  if (said === EITHER) return WRONG;
  if (said === (truth ? YES : NO)) return EXACT;
  // Reuse also asks the reference count, so a refusal costs a copy and is never wrong.
  if (question === "canReuse") return said === YES ? WRONG : ALLOWED;
  if (guarantee === "estimate") return ALLOWED;
  // A partial mapping that a scheme cannot see is UNKNOWN to it, never NO.
  if (question === "partial") return WRONG;
  return guarantee === "one-sided" && said !== SURE[question] ? ALLOWED : WRONG;
}

/** Judges a count that is no estimate. */
export function judgeCount(guarantee: Guarantee, said: number, truth: number): Judgement {
  if (said === truth) return EXACT;
  return said === UNKNOWN_COUNT && guarantee !== "exact" ? NO_ANSWER : WRONG;
}

/**
 * Judges `pageMapcount`. An estimate has to be within 1 of the folio's true average, and positive just if the folio is
 * mapped; `mappedPages` is the sum of the true mapcounts of all `nrPages` pages.
 */
export function judgePageMapcount(
  guarantee: Guarantee,
  said: number,
  folio: { readonly truth: number; readonly mappedPages: number; readonly nrPages: number },
): Judgement {
  if (guarantee !== "estimate") return judgeCount(guarantee, said, folio.truth);
  if (said === UNKNOWN_COUNT) return NO_ANSWER;
  if (!isFairEstimate(said, folio.mappedPages, folio.nrPages)) return WRONG;
  return said === folio.truth ? EXACT : ALLOWED;
}

function isFairEstimate(said: number, mappedPages: number, nrPages: number): boolean {
  return Math.abs(said - Math.round(mappedPages / nrPages)) <= 1 && said > 0 === mappedPages > 0;
}

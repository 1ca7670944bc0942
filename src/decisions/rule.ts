/**
 * A rule by which the kernel decides something from a count, and what follows when the count is wrong.
 *
 * One rule a consumer (kernel-facts 4.1-4.5). A rule asks named questions of whoever answers (`Answers`): the page tables,
 * the kernel's own count, or any scheme; it knows none of them. The same rule gives the decision under the truth and the
 * decision under a scheme; where they differ, `wrongYes` or `wrongNo` says what that costs and whom. UNKNOWN means that
 * the scheme cannot say: the reverse map is walked, the decision is then that of the truth, and the walk is charged.
 */
import type { FrameKind } from "../memory/index.ts";
import type { Answer, Counter, Question } from "../schemes/index.ts";

/** Who is asked. A scheme's counter is one; so is the truth (truth-answers.ts). */
export type Answers = Pick<
  Counter,
  | "mapped"
  | "mappings"
  | "pageMapcount"
  | "others"
  | "otherVmas"
  | "isMaybeMappedShared"
  | "partial"
  | "canReuse"
  | "stopWalk"
  | "extraReferences"
  | "pinned"
  | "mappingReferences"
> & {
  /** What `mappings` counts; rules that compare with a number of entries ask another question where it is not entries. */
  readonly unit: "entries" | "vmas" | "tables";
};

/** The folio and who asks about it. One object is filled anew for every decision. */
export interface Situation {
  head: number;
  order: number;
  kind: FrameKind;
  /** -1: nobody in particular. */
  mm: number;
  vma: number;
  /** Entries of the batch; 0: the folio as a whole. */
  entries: number;
  /** References that neither mappings nor caches hold, and those of caches. */
  extraReferences: number;
  cacheReferences: number;
}

/** What a wrong decision does. The first three are never acceptable. */
export type ConsequenceKind =
  | "leak"
  | "corruption"
  | "use-after-free"
  | "needless-copy"
  | "memory-held"
  | "memory-growth"
  | "not-reclaimed"
  | "wrong-reclaim"
  | "refused"
  | "moved-for-others"
  | "skipped"
  | "needless-work"
  | "harmless";

export interface Consequence {
  readonly kind: ConsequenceKind;
  /** One clause: what happens, to whom. */
  readonly text: string;
  /** Bytes copied, held, not reclaimed, ... by one such decision; absent: nothing to weigh. */
  readonly bytes?: (situation: Situation) => number;
}

/**
 * Who cannot say: the reverse map is walked to know; or YES means that the operation walks it anyway (that walk is charged
 * when it is made), so that only NO costs one; or it has just been walked, and a count that was lost learns from it; or the
 * operation goes on as after NO, and what that costs shows in how far its walk goes.
 */
export type IfUnknown = "a walk" | "the operation's walk" | "just walked" | "go on";

export interface DecisionRule {
  /** Stable. */
  readonly id: string;
  /** What is decided, as a question: "may the write fault reuse this small page?" */
  readonly title: string;
  /** File and function of the kernel. */
  readonly where: string;
  /** "kernel-facts 4.1" */
  readonly source: string;
  readonly asks: readonly Question[];
  /** "met": operations of the model ask it; "surveyed": asked of all folios at rest, as the kernel might at any time. */
  readonly asked: "met" | "surveyed";
  /** For a survey: is this folio one that the kernel could ask about? */
  readonly applies: (situation: Situation) => boolean;
  readonly decide: (answers: Answers, situation: Situation) => Answer;
  /**
   * The kernel reads a flag that an earlier YES of `defer-split` has set, and that stays (kernel-facts 2.7): what a count says
   * now decides only while it is not set.
   */
  readonly readsPartiallyMapped?: true;
  /** What it takes to decide where the scheme cannot say. Default: "a walk". */
  readonly ifUnknown?: IfUnknown;
  /**
   * The rule refuses more than it must: is YES all the same right, though the rule says NO of the truth? A scheme that
   * counts otherwise and says it then is not wrong. Absent: never.
   */
  readonly isSafeYes?: (truth: Answers, situation: Situation) => boolean;
  /** What YES and NO mean: "reuse in place", "copy". */
  readonly yes: string;
  readonly no: string;
  /** The scheme says YES, the truth NO. */
  readonly wrongYes: Consequence;
  /** The scheme says NO, the truth YES. */
  readonly wrongNo: Consequence;
}

/** Consequences that no scheme may have. */
export function isUnsafe({ kind }: Consequence): boolean {
  return kind === "leak" || kind === "corruption" || kind === "use-after-free";
}

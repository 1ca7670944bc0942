/**
 * One decision: what was decided, what the truth would have decided, and what every scheme would have.
 */
import type { NO, UNKNOWN, YES } from "../schemes/index.ts";
import type { DecisionRule, Situation } from "./rule.ts";

/** What a scheme decides. UNKNOWN: it cannot say; the reverse map is walked and the truth decides. */
export type SchemeDecision = typeof NO | typeof YES | typeof UNKNOWN;

/** Filled anew for every decision: copy what you keep. */
export interface DecisionRecord {
  rule: DecisionRule;
  situation: Situation;
  /** By the page tables and the holders of references. */
  truth: typeof NO | typeof YES;
  /** What the operation then did: the decision of the scheme that the kernel counts by. */
  taken: boolean;
  /** One a scheme, in the order of the machine's schemes. */
  decisions: SchemeDecision[];
}

export type DecisionListener = (record: DecisionRecord) => void;

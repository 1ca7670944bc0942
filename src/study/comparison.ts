/**
 * What comparing schemes over one history gives: plain data, the same for a workload, a scenario and a capture.
 *
 * Everything that a report prints of a comparison is in here; nothing in here is text to be parsed. Stable but for
 * additions: `schema` and `version` say so. Invariant: every array by scheme has the order of `schemes`.
 */
import type { ConsequenceKind } from "../decisions/index.ts";
import type { TimeRatio } from "./cost-model.ts";
import type { CountingCost, Guarantee, Nanoseconds, Question } from "../schemes/index.ts";

export const COMPARISON_VERSION = 1;

export interface Comparison {
  readonly schema: "foliometer-comparison";
  readonly version: typeof COMPARISON_VERSION;
  readonly workload: ComparedWorkload;
  readonly sample: StudySample;
  /** The scheme that the kernel of the history counts by, and whose decisions it follows; "": nobody decides in it. */
  readonly kernel: string;
  /** The scheme that costs are compared with. */
  readonly against: string;
  /** The price list. */
  readonly costs: { readonly name: string; readonly source: string };
  readonly schemes: readonly ComparedScheme[];
  /** Asked for, but unable to count this history's entries; in no array by scheme. */
  readonly excluded: readonly { readonly id: string; readonly reason: string }[];
  readonly questions: readonly QuestionRow[];
  readonly decisions: readonly DecisionRow[];
  readonly operations: readonly OperationRow[];
  /** Partially mapped folios that a scheme did not see: how much, how long. One a scheme. */
  readonly hiddenMemory: readonly HiddenMemory[];
  readonly verdicts: readonly Verdict[];
  /** What a reader must know of this history: sentences. */
  readonly notes: readonly string[];
}

export interface ComparedWorkload {
  readonly id: string;
  readonly title: string;
  readonly source: string;
  readonly parameters: Readonly<Record<string, number>>;
  readonly seed: number;
  readonly steps: number;
  /** Batches of mapping events that the schemes counted. */
  readonly events: number;
  readonly foliosMax: number;
  readonly mappedBytesMax: number;
  readonly processesMax: number;
}

/**
 * What was looked at between steps. Counts of questions are of those really asked; where a step touches more than the
 * bounds allow, a seeded sample is asked about.
 */
export interface StudySample {
  /** Folios touched by steps, each once a step, and how many of them were asked about and surveyed. */
  readonly foliosTouched: number;
  readonly foliosAsked: number;
  readonly foliosSurveyed: number;
  /** The bounds. */
  readonly foliosPerStep: number;
  readonly surveyedPerStep: number;
  readonly scannedPerStep: number;
  readonly pagesPerFolio: number;
  /** Address spaces and VMAs that ask about one folio. */
  readonly askersPerFolio: number;
}

export interface ComparedScheme {
  readonly id: string;
  readonly title: string;
  readonly stateBits: { readonly perFolio: number; readonly perPage: number };
  /** Bytes of state for all folios at the moment when most memory was mapped. */
  readonly stateBytes: number;
}

/** How often a question was asked, and how it was answered. The four counts add up to `asked`. */
export interface QuestionRow {
  readonly question: Question;
  readonly asked: number;
  readonly byScheme: readonly {
    readonly guarantee: Guarantee;
    readonly exact: number;
    /** Not the truth, but on the side that the guarantee allows. */
    readonly allowed: number;
    /** Against the guarantee: a bug or a finding. */
    readonly wrong: number;
    /** No answer: the reverse map must be asked. */
    readonly unknown: number;
    /** What giving all these answers cost, without the reverse map walks that the unknown ones need. */
    readonly counting: Readonly<Record<CountingCost, number>>;
  }[];
}

export interface DecisionRow {
  readonly decision: string;
  readonly title: string;
  readonly where: string;
  readonly yes: string;
  readonly no: string;
  readonly asked: number;
  readonly how: "met" | "surveyed";
  /** Of `asked`: the truth says YES. */
  readonly truthYes: number;
  readonly byScheme: readonly DecisionOfScheme[];
}

export interface DecisionOfScheme {
  /** Decided YES where the truth says NO, and what that does. */
  readonly wrongYes: FlippedDecisions;
  readonly wrongNo: FlippedDecisions;
  /** Could not say, and the reverse map was walked for this decision alone: not where the operation walks anyway. */
  readonly walks: number;
}

export interface FlippedDecisions {
  readonly count: number;
  readonly consequence: ConsequenceKind;
  readonly text: string;
  readonly isUnsafe: boolean;
  /** Copied, held, refused ... by all of them. 0 of a surveyed decision: nothing was done, and folios are asked about anew. */
  readonly bytes: number;
  /** Line of the first; 0 if there is none. */
  readonly firstLine: number;
}

export interface OperationRow {
  readonly operation: string;
  /** How many, and how many page-table entries they touched. */
  readonly count: number;
  readonly entries: number;
  readonly byScheme: readonly {
    /** Costs of counting and of questions, in all. */
    readonly counting: Readonly<Record<CountingCost, number>>;
    /** Time of the whole operation: work and counting. */
    readonly time: Nanoseconds;
    /** The same of counting alone. */
    readonly countingTime: Nanoseconds;
    /** time / time of `against`. */
    readonly ratio: TimeRatio;
    /** The one step with the largest ratio, which an average may hide. */
    readonly worst: { readonly ratio: TimeRatio; readonly line: number; readonly text: string };
  }[];
}

/** Anonymous folios that are partially mapped, while the scheme says that they are not or that it cannot tell. */
export interface HiddenMemory {
  readonly foliosMax: number;
  /** Bytes of unmapped pages in them, at most at one time. */
  readonly bytesMax: number;
  /** The longest that one stayed hidden, in steps of the history, and how many are hidden at its end. */
  readonly stepsMax: number;
  readonly foliosAtEnd: number;
}

/** What a maintainer can quote. */
export interface Verdict {
  readonly scheme: string;
  /** Unsafe decisions and broken guarantees, each with the shortest scenario found that shows it. */
  readonly breaks: readonly Finding[];
  /** Wrong in the harmless direction, the most frequent first. */
  readonly loses: readonly string[];
  /** Operations that take ten times as long as under `against`, or longer. */
  readonly catastrophic: readonly (Finding & { readonly operation: string; readonly ratio: number })[];
  /** State that it does without, against `against`. Negative: it needs more. */
  readonly freesBitsPerPage: number;
  readonly freesBitsPerFolio: number;
  /** One sentence. */
  readonly line: string;
}

export interface Finding {
  readonly text: string;
  /** A scenario, ready to be run; "" if the history is no scenario. */
  readonly scenario: string;
}

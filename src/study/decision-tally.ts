/**
 * Counts decisions: how often a scheme decides otherwise than the truth would, in which direction, and what follows.
 *
 * Heard are those that operations make (met) and those asked of folios at rest (surveyed). A scheme that cannot say has
 * the reverse map walked and then decides as the truth: a walk, no flip. Where the operation walks anyway, has just walked
 * or goes on without, not knowing is neither. There is a row for every rule, also for those that
 * nobody asked. Invariant: `asked` of a row is the number of records heard, for all schemes alike.
 */
import { type Consequence, type DecisionRecord, type DecisionRule, isUnsafe, makesWalk } from "../decisions/index.ts";
import { type NO, UNKNOWN, YES } from "../schemes/index.ts";
import type { DecisionRow, FlippedDecisions } from "./comparison.ts";

/** What has been heard of one direction of one rule under one scheme. */
interface Flips {
  count: number;
  bytes: number;
  firstLine: number;
}

/** Has the scheme in this row put the folio on the deferred split queue? */
type IsQueued = (row: number, folio: { readonly head: number; readonly order: number }) => boolean;

interface Heard {
  readonly rule: DecisionRule;
  asked: number;
  truthYes: number;
  readonly wrongYes: Flips[];
  readonly wrongNo: Flips[];
  readonly walks: Float64Array;
}

export class DecisionTally {
  private readonly schemeCount: number;
  private readonly isQueued: IsQueued;
  /** By the rule's id. */
  private readonly heard = new Map<string, Heard>();
  /** Counted for the first time since the last step: the line of a step is known when it is done. */
  private readonly fresh: Flips[] = [];

  constructor(schemeCount: number, rules: readonly DecisionRule[], isQueued: IsQueued = () => false) {
    this.schemeCount = schemeCount;
    this.isQueued = isQueued;
    for (const rule of rules) this.begin(rule);
  }

  /** A DecisionListener: nothing of the record is kept. */
  readonly hear = (record: DecisionRecord): void => {
    const heard = this.heard.get(record.rule.id) ?? this.begin(record.rule);
    heard.asked++;
    if (record.truth === YES) heard.truthYes++;
    const { decisions, truth } = record;
    const isWalk = makesWalk(record.rule, truth);
    for (let row = 0; row < this.schemeCount; row++) {
      const decision = decisions[row];
      if (decision === truth) continue;
      // Not by what it would say now: it has set the flag.
      if (record.rule.readsPartiallyMapped === true && truth === YES && this.isQueued(row, record.situation)) continue;
      if (decision === UNKNOWN) {
        if (isWalk) heard.walks[row]++;
      } else this.flip(decision === YES ? heard.wrongYes[row] : heard.wrongNo[row], record, decision);
    }
  };

  private flip(flips: Flips, { rule, situation }: DecisionRecord, decision: typeof YES | typeof NO): void {
    const { bytes } = decision === YES ? rule.wrongYes : rule.wrongNo;
    if (flips.count++ === 0) this.fresh.push(flips);
    // A folio at rest is asked about again and again: a sum over surveys is nobody's memory.
    if (bytes !== undefined && rule.asked === "met") flips.bytes += bytes(situation);
  }

  /** What was heard since the last call belongs to the step of this line. */
  endStep(line: number): void {
    for (const flips of this.fresh) flips.firstLine = line;
    this.fresh.length = 0;
  }

  private begin(rule: DecisionRule): Heard {
    const none = (): Flips[] => Array.from({ length: this.schemeCount }, () => ({ count: 0, bytes: 0, firstLine: 0 }));
    const heard: Heard = {
      rule,
      asked: 0,
      truthYes: 0,
      wrongYes: none(),
      wrongNo: none(),
      walks: new Float64Array(this.schemeCount),
    };
    this.heard.set(rule.id, heard);
    return heard;
  }

  /** Whether any heard decision of this rule came out unsafe under the scheme. */
  hasUnsafe(ruleId: string, row: number): boolean {
    const heard = this.heard.get(ruleId);
    if (heard === undefined) return false;
    const { rule, wrongYes, wrongNo } = heard;
    return (isUnsafe(rule.wrongYes) && wrongYes[row].count > 0) || (isUnsafe(rule.wrongNo) && wrongNo[row].count > 0);
  }

  rows(): DecisionRow[] {
    return Array.from(this.heard.values(), ({ rule, asked, truthYes, wrongYes, wrongNo, walks }) => ({
      decision: rule.id,
      title: rule.title,
      where: rule.where,
      yes: rule.yes,
      no: rule.no,
      asked,
      how: rule.asked,
      truthYes,
      byScheme: Array.from({ length: this.schemeCount }, (_, row) => ({
        wrongYes: flipped(rule.wrongYes, wrongYes[row]),
        wrongNo: flipped(rule.wrongNo, wrongNo[row]),
        walks: walks[row],
      })),
    }));
  }
}

function flipped(consequence: Consequence, flips: Flips): FlippedDecisions {
  return {
    count: flips.count,
    consequence: consequence.kind,
    text: consequence.text,
    isUnsafe: isUnsafe(consequence),
    bytes: flips.bytes,
    firstLine: flips.firstLine,
  };
}

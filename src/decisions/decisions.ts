/**
 * Who decides: the kernel's count or any scheme in its place, and beside it, if somebody listens, every scheme and the truth.
 *
 * An operation names the decision; its rule is looked up and asks whoever decides. Where that one cannot say, the reverse
 * map is walked and the truth decides. Listening changes no decision; but a scheme that learns from walks learns from
 * those that it would have made, and its meter is charged for them.
 */
import type { CowRule, KernelDecisions, OperationDecision } from "../memory/index.ts";
import {
  type Answer,
  type Counter,
  type Meter,
  NO,
  type PageTableView,
  type RmapVisitor,
  UNKNOWN,
  YES,
  askRmap,
} from "../schemes/index.ts";
import { emptySituation } from "./answers.ts";
import type { DecisionListener, DecisionRecord, SchemeDecision } from "./decision-record.ts";
import { rulesOf } from "./registry.ts";
import type { Answers, DecisionRule, Situation } from "./rule.ts";

/** A scheme that is asked beside the one that decides. */
export interface AskedScheme {
  readonly answers: Answers;
  readonly counter: Counter;
  readonly meter: Meter;
}

export interface DecisionsOptions {
  /** Decides. */
  readonly answers: Answers;
  readonly cowRule: CowRule;
  readonly truth: Answers;
  /** Fills in what is so of the folio `head` now; who asks is filled in already or will be. */
  readonly lookAt: (head: number, situation: Situation) => void;
  readonly pageTables: PageTableView;
  /** Asked when somebody listens, in this order. */
  readonly studied: readonly AskedScheme[];
  /** The decider's own counter and meter if it may have to ask the reverse map. */
  readonly decider?: { readonly counter: Counter; readonly meter: Meter } | undefined;
}

export class Decisions implements KernelDecisions {
  private readonly answers: Answers;
  private readonly truth: Answers;
  private readonly lookAt: DecisionsOptions["lookAt"];
  private readonly pageTables: PageTableView;
  private readonly studied: readonly AskedScheme[];
  private readonly decider: DecisionsOptions["decider"];
  private readonly isDeciderStudied: boolean;
  private readonly rules: ReadonlyMap<string, DecisionRule>;
  private readonly record: DecisionRecord;
  private lastRule: DecisionRule;
  private listener: DecisionListener | undefined;

  constructor(options: DecisionsOptions) {
    this.answers = options.answers;
    this.truth = options.truth;
    this.lookAt = options.lookAt;
    this.pageTables = options.pageTables;
    this.studied = options.studied;
    this.decider = options.decider;
    this.isDeciderStudied = options.studied.some(({ counter }) => counter === options.decider?.counter);
    const rules = rulesOf(options.cowRule);
    this.rules = new Map(rules.map((rule) => [rule.id, rule]));
    this.lastRule = rules[0];
    this.record = { rule: rules[0], situation: emptySituation(), truth: NO, taken: false, decisions: [] };
  }

  /** Called at every decision, with a record that is filled anew each time. undefined: nobody listens. */
  listen(listener: DecisionListener | undefined): void {
    this.listener = listener;
  }

  decide(decision: OperationDecision, head: number, mm: number, vma: number, entries: number): boolean {
    const rule = this.ruleOf(decision);
    const { situation } = this.record;
    this.lookAt(head, situation);
    situation.mm = mm;
    situation.vma = vma;
    situation.entries = entries;
    const isAskedAgain = this.listener !== undefined && this.isDeciderStudied;
    const before = isAskedAgain ? this.decider?.meter.totals.slice() : undefined;
    let answer = rule.decide(this.answers, situation);
    // A decider that is studied is charged where it is asked as one of them.
    if (before !== undefined) this.decider?.meter.totals.set(before);
    if (this.listener === undefined) {
      if (answer === UNKNOWN) answer = this.walkForDecider(rule);
      return answer === YES;
    }
    const truth = certain(rule.decide(this.truth, situation));
    if (answer === UNKNOWN) answer = this.isDeciderStudied ? truth : this.walkForDecider(rule);
    this.tell(this.listener, rule, truth, answer === YES);
    return answer === YES;
  }

  noted(decision: OperationDecision, head: number, taken: boolean): void {
    if (this.listener === undefined) return;
    const rule = this.ruleOf(decision);
    const { situation } = this.record;
    this.lookAt(head, situation);
    situation.mm = -1;
    situation.vma = -1;
    situation.entries = 0;
    this.tell(this.listener, rule, certain(rule.decide(this.truth, situation)), taken);
  }

  /** Operations ask the same again and again: a write fault of every page, for one. */
  private ruleOf(decision: OperationDecision): DecisionRule {
    if (decision === this.lastRule.id) return this.lastRule;
    const rule = this.rules.get(decision);
    if (rule === undefined) throw new Error(`invariant broken: the operation's decision ${decision} has no rule`);
    this.lastRule = rule;
    return rule;
  }

  /** The decider cannot say: it walks, may learn, and the truth decides. */
  private walkForDecider(rule: DecisionRule): Answer {
    const truth = certain(rule.decide(this.truth, this.record.situation));
    if (this.decider !== undefined) this.walkFor(rule, truth, this.decider);
    return truth;
  }

  /**
   * The walk that answers what the rule asks, unless the operation makes it or goes on without. It ends as soon as the
   * answer is certain; one that sees all teaches the counter.
   */
  private walkFor(
    rule: DecisionRule,
    truth: typeof NO | typeof YES,
    { counter, meter }: { readonly counter: Counter; readonly meter: Meter },
  ): void {
    const { head, mm } = this.record.situation;
    const { pageTables } = this;
    if (rule.ifUnknown === "just walked") askRmap(head, { pageTables, counter });
    if (!makesWalk(rule, truth)) return;
    let visit: RmapVisitor | undefined;
    if (rule.asks.every((question) => question === "mapped")) visit = () => false;
    else if (rule.asks.every((question) => question === "others")) {
      visit = (_first, _pageCount, _level, _table, _vma, found) => found === mm;
    }
    askRmap(head, { pageTables, visit, counter, meter });
  }

  private tell(listener: DecisionListener, rule: DecisionRule, truth: typeof NO | typeof YES, taken: boolean): void {
    const { record, studied } = this;
    record.rule = rule;
    record.truth = truth;
    record.taken = taken;
    for (let index = 0; index < studied.length; index++) {
      const { answers, counter, meter } = studied[index];
      const decision = decisionOf(rule.decide(answers, record.situation));
      if (decision === UNKNOWN) this.walkFor(rule, truth, { counter, meter });
      const isSafe = decision === YES && truth === NO && rule.isSafeYes?.(this.truth, record.situation) === true;
      record.decisions[index] = isSafe ? NO : decision;
    }
    listener(record);
  }
}

/** Is the reverse map walked for this rule's sake alone where the answer is UNKNOWN? */
export function makesWalk({ ifUnknown = "a walk" }: DecisionRule, truth: typeof NO | typeof YES): boolean {
  return ifUnknown === "a walk" || (ifUnknown === "the operation's walk" && truth === NO);
}

/** A rule's answer as a decision: what has no answer needs a walk. */
export function decisionOf(answer: Answer): SchemeDecision {
  return answer === YES || answer === NO ? answer : UNKNOWN;
}

function certain(answer: Answer): typeof NO | typeof YES {
  if (answer !== YES && answer !== NO) throw new Error("invariant broken: the truth is known");
  return answer;
}

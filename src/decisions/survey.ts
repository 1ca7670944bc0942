/**
 * A survey: what the kernel would decide about folios at rest if it asked now.
 *
 * Many who ask a count are met by no operation of the model: NUMA balancing, khugepaged, compaction, idle tracking. Each of
 * them might come by at any time, so their rules are put to folios between two steps: once a folio, or once for every
 * address space that maps it where the rule says "others than me". Nothing is walked for a scheme, nothing is learned and
 * nothing is charged: UNKNOWN is recorded as such.
 */
import { entriesOfBatch } from "../kernel/index.ts";
import {
  NO,
  YES,
  type Counter,
  type PageTableView,
  type ReferenceView,
  type RmapVisitor,
  type Scheme,
} from "../schemes/index.ts";
import { type DecidedFolios, SchemeAnswers, emptySituation, lookAt } from "./answers.ts";
import type { DecisionListener, DecisionRecord } from "./decision-record.ts";
import { decisionOf } from "./decisions.ts";
import { DECISION_RULES } from "./registry.ts";
import type { Answers, DecisionRule } from "./rule.ts";
import { TruthAnswers } from "./truth-answers.ts";

/** What a survey needs of a machine; every StudiedMachine has it. */
export interface SurveyedMachine {
  readonly studied: readonly { readonly scheme: Scheme; readonly counter: Counter }[];
  readonly pageTables: PageTableView;
  readonly references: ReferenceView;
  orderOf(folio: number): number;
  kindOf(folio: number): ReturnType<DecidedFolios["kindOf"]>;
}

/** One walk of a folio's reverse map, remembered: every question of the survey replays it. */
class RememberedWalk implements PageTableView {
  private readonly pageTables: PageTableView;
  private folio = -1;
  private batches: Parameters<RmapVisitor>[] = [];
  /** Entries by address space, in the order in which the walk meets them. */
  readonly entriesOfMms = new Map<number, number>();

  constructor(pageTables: PageTableView) {
    this.pageTables = pageTables;
  }

  remember(folio: number): void {
    this.folio = folio;
    this.batches = [];
    this.entriesOfMms.clear();
    this.pageTables.walk(folio, (...batch) => {
      const [, pageCount, level, , , mm] = batch;
      this.batches.push(batch);
      this.entriesOfMms.set(mm, (this.entriesOfMms.get(mm) ?? 0) + entriesOfBatch(pageCount, level));
      return true;
    });
  }

  entriesOfVma(folio: number, vma: number): number {
    return this.pageTables.entriesOfVma(folio, vma);
  }

  entriesOfTable(folio: number, vma: number, table: number): number {
    return this.pageTables.entriesOfTable(folio, vma, table);
  }

  walk(folio: number, visit: RmapVisitor): void {
    if (folio !== this.folio) throw new Error("invariant broken: a survey asks about one folio at a time");
    for (const batch of this.batches) if (!visit(...batch)) return;
  }
}

/** Rules whose answer depends on who asks. */
function asksForMm({ asks }: DecisionRule): boolean {
  return asks.some((question) => question === "others" || question === "canReuse" || question === "stopWalk");
}

/** The rules that no operation of the model asks. */
export const SURVEYED_RULES: readonly DecisionRule[] = DECISION_RULES.filter(({ asked }) => asked === "surveyed");

/**
 * Puts every surveyed rule to each of `folios` (heads). The listener gets a record that is filled anew each time; `taken` is
 * the truth, since nothing was done. O(folios x address spaces x rules).
 */
export function surveyDecisions(machine: SurveyedMachine, folios: Iterable<number>, listener: DecisionListener): void {
  const walk = new RememberedWalk(machine.pageTables);
  const truth = new TruthAnswers(walk, machine.references, (folio) => machine.orderOf(folio));
  const answers = machine.studied.map(({ scheme, counter }) => new SchemeAnswers(scheme, counter));
  const record: DecisionRecord = {
    rule: SURVEYED_RULES[0],
    situation: emptySituation(),
    truth: NO,
    taken: false,
    decisions: answers.map(() => NO),
  };
  const { situation } = record;
  for (const head of folios) {
    lookAt(machine, head, situation);
    walk.remember(head);
    for (const rule of SURVEYED_RULES) {
      if (!rule.applies(situation)) continue;
      record.rule = rule;
      if (!asksForMm(rule)) {
        situation.mm = -1;
        situation.entries = 0;
        ask(record, truth, answers, listener);
        continue;
      }
      for (const [mm, entries] of walk.entriesOfMms) {
        situation.mm = mm;
        situation.entries = entries;
        ask(record, truth, answers, listener);
      }
    }
  }
}

function ask(record: DecisionRecord, truth: Answers, answers: readonly Answers[], listener: DecisionListener): void {
  const { rule, situation } = record;
  const real = decisionOf(rule.decide(truth, situation));
  record.truth = real === NO ? NO : YES;
  record.taken = real !== NO;
  for (let index = 0; index < answers.length; index++) {
    record.decisions[index] = decisionOf(rule.decide(answers[index], situation));
  }
  listener(record);
}

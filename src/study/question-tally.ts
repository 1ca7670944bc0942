/**
 * Asks every scheme every question about a folio and counts how the answers compare with the truth, and what they cost.
 *
 * All schemes are asked exactly the same: the pages and the address spaces are chosen once for a folio. What an answer
 * costs is the difference of the scheme's meter around it; none of it is charged to an operation (operation-tally.ts).
 * Invariant: for each scheme the four counts of a question add up to how often it was asked.
 */
import { NO, type Question, UNKNOWN, UNKNOWN_COUNT, YES, COST_NAMES } from "../schemes/index.ts";
import type { Answer, CountingCost, Scheme } from "../schemes/index.ts";
import type { StudiedScheme } from "../scenario/index.ts";
import type { QuestionRow } from "./comparison.ts";
import {
  ALLOWED,
  EXACT,
  type Judgement,
  NO_ANSWER,
  QUESTIONS,
  WRONG,
  type YesNoQuestion,
  guaranteeOf,
  judgeAnswer,
  judgeCount,
  judgePageMapcount,
} from "./question-judge.ts";
import type { SampleBounds, Sampler } from "./question-sample.ts";
import type { FolioTruth } from "./question-truth.ts";

const JUDGEMENTS = 4;
const COSTS = COST_NAMES.length;

/** The first answer against a guarantee. */
export interface BrokenGuarantee {
  readonly question: Question;
  /** Position in the machine's schemes. */
  readonly scheme: number;
  readonly line: number;
  /** "others of a folio of order 2 is NO, not YES (one-sided)" */
  readonly text: string;
}

/** Counts answers. */
export class QuestionTally {
  /** The first of each question and scheme. */
  readonly broken: BrokenGuarantee[] = [];
  private readonly studied: readonly StudiedScheme[];
  private readonly sampler: Sampler;
  private readonly bounds: SampleBounds;
  private readonly asked = new Float64Array(QUESTIONS.length);
  /** By question, scheme, judgement; by question, scheme, cost. */
  private readonly judged: Float64Array;
  private readonly costs: Float64Array;
  private readonly pages: Int32Array;
  private readonly mms: Int32Array;
  private readonly vmas: Int32Array;
  private readonly before = new Float64Array(COSTS);
  private line = 0;

  constructor(studied: readonly StudiedScheme[], sampler: Sampler, bounds: SampleBounds) {
    this.studied = studied;
    this.sampler = sampler;
    this.bounds = bounds;
    this.judged = new Float64Array(QUESTIONS.length * studied.length * JUDGEMENTS);
    this.costs = new Float64Array(QUESTIONS.length * studied.length * COSTS);
    this.pages = new Int32Array(bounds.pagesPerFolio);
    this.mms = new Int32Array(bounds.askersPerFolio);
    this.vmas = new Int32Array(bounds.askersPerFolio);
  }

  /** Asks everything about a folio. `line`: of the step before. */
  ask(truth: FolioTruth, line: number): void {
    this.line = line;
    const { bounds, sampler } = this;
    const picks = {
      pages: sampler.pick(truth.nrPages, bounds.pagesPerFolio, this.pages),
      mms: sampler.pick(truth.mmCount, bounds.askersPerFolio, this.mms),
      vmas: sampler.pick(truth.vmaCount, bounds.askersPerFolio, this.vmas),
      fewer: sampler.below(4096),
    };
    const once = [1, 1, picks.pages, picks.mms, picks.vmas, 1, truth.isAnon ? picks.mms : 0, 2, 1, 1];
    for (let question = 0; question < QUESTIONS.length; question++) this.asked[question] += once[question];
    for (let row = 0; row < this.studied.length; row++) this.askScheme(row, truth, picks);
  }

  private askScheme(
    row: number,
    truth: FolioTruth,
    picks: { readonly pages: number; readonly mms: number; readonly vmas: number; readonly fewer: number },
  ): void {
    const { scheme, counter, meter } = this.studied[row];
    const { head } = truth;
    const { totals } = meter;
    this.before.set(totals);
    this.answer(row, 0, truth, counter.mapped(head), truth.entries > 0);
    this.bill(row, 0, totals);
    this.count(row, 1, counter.mappings(head), truth.unitsOf(scheme), scheme.guarantees.mappings, truth);
    this.bill(row, 1, totals);
    for (let at = 0; at < picks.pages; at++) {
      this.pageMapcount(row, scheme, truth, { page: this.pages[at], said: counter.pageMapcount(head, this.pages[at]) });
    }
    this.bill(row, 2, totals);
    for (let at = 0; at < picks.mms; at++) {
      this.answer(row, 3, truth, counter.others(head, truth.mms[this.mms[at]]), truth.mmCount > 1);
    }
    this.bill(row, 3, totals);
    for (let at = 0; at < picks.vmas; at++) {
      this.answer(row, 4, truth, counter.otherVmas(head, truth.vmas[this.vmas[at]]), truth.vmaCount > 1);
    }
    this.bill(row, 4, totals);
    this.answer(row, 5, truth, counter.partial(head), truth.isPartial);
    this.bill(row, 5, totals);
    if (truth.isAnon) {
      const isAlone = truth.mmCount === 1 && truth.references === 0;
      for (let at = 0; at < picks.mms; at++) {
        this.answer(row, 6, truth, counter.canReuse(head, truth.mms[this.mms[at]]), isAlone);
      }
    }
    this.bill(row, 6, totals);
    // All found, and fewer.
    const units = truth.unitsOf(scheme);
    const fewer = units === 0 ? 0 : picks.fewer % units;
    this.answer(row, 7, truth, counter.stopWalk(head, units), true);
    this.answer(row, 7, truth, counter.stopWalk(head, fewer), fewer >= units);
    this.bill(row, 7, totals);
    this.count(row, 8, counter.extraReferences(head), truth.extraReferences, scheme.guarantees.extraReferences, truth);
    this.bill(row, 8, totals);
    this.answer(row, 9, truth, counter.pinned(head), truth.pins > 0);
    this.bill(row, 9, totals);
  }

  private answer(row: number, question: number, truth: FolioTruth, said: Answer, isTrue: boolean): void {
    const name = QUESTIONS[question] as YesNoQuestion;
    const { scheme } = this.studied[row];
    const guarantee = guaranteeOf(scheme, name, truth);
    const judgement = judgeAnswer(name, guarantee, said, isTrue);
    this.judged[this.at(question, row) * JUDGEMENTS + judgement]++;
    if (judgement === WRONG) this.breakWord(row, question, truth, ANSWER_NAMES[said], ANSWER_NAMES[isTrue ? YES : NO]);
  }

  private count(
    row: number,
    question: number,
    said: number,
    expected: number,
    guarantee: Scheme["guarantees"]["mappings"],
    truth: FolioTruth,
  ): void {
    this.judge(row, question, judgeCount(guarantee, said, expected), truth, said, expected);
  }

  private pageMapcount(
    row: number,
    { guarantees }: Scheme,
    truth: FolioTruth,
    { page, said }: { readonly page: number; readonly said: number },
  ): void {
    const expected = truth.pageMapcount(page);
    const judgement =
      said === expected && guarantees.pageMapcount !== "estimate"
        ? EXACT
        : judgePageMapcount(guarantees.pageMapcount, said, {
            truth: expected,
            mappedPages: truth.mappedPages,
            nrPages: truth.nrPages,
          });
    this.judge(row, 2, judgement, truth, said, expected);
  }

  private judge(
    row: number,
    question: number,
    judgement: Judgement,
    truth: FolioTruth,
    said: number,
    expected: number,
  ): void {
    this.judged[this.at(question, row) * JUDGEMENTS + judgement]++;
    if (judgement !== WRONG) return;
    this.breakWord(row, question, truth, said === UNKNOWN_COUNT ? ANSWER_NAMES[UNKNOWN] : `${said}`, `${expected}`);
  }

  private breakWord(row: number, question: number, truth: FolioTruth, said: string, expected: string): void {
    const name = QUESTIONS[question];
    if (this.broken.some((each) => each.scheme === row && each.question === name)) return;
    const { scheme } = this.studied[row];
    const text = `${name} of a folio of order ${truth.order} is ${said}, not ${expected} (${scheme.guarantees[name]})`;
    this.broken.push({ question: name, scheme: row, line: this.line, text });
  }

  private at(question: number, row: number): number {
    return question * this.studied.length + row;
  }

  /** Adds what the meter has counted since the last bill. */
  private bill(row: number, question: number, totals: Float64Array): void {
    const { costs, before } = this;
    const base = this.at(question, row) * COSTS;
    for (let cost = 0; cost < COSTS; cost++) {
      costs[base + cost] += totals[cost] - before[cost];
      before[cost] = totals[cost];
    }
  }

  /** One row a question, in the order of QUESTIONS. */
  rows(): QuestionRow[] {
    return QUESTIONS.map((question, index) => ({
      question,
      asked: this.asked[index],
      byScheme: this.studied.map(({ scheme }, row) => {
        const base = this.at(index, row) * JUDGEMENTS;
        return {
          guarantee: scheme.guarantees[question],
          exact: this.judged[base + EXACT],
          allowed: this.judged[base + ALLOWED],
          wrong: this.judged[base + WRONG],
          unknown: this.judged[base + NO_ANSWER],
          counting: namedCosts(this.costs, this.at(index, row) * COSTS),
        };
      }),
    }));
  }
}

const ANSWER_NAMES = ["NO", "YES", "EITHER", "UNKNOWN"];

/** Ten costs of a column by name. */
export function namedCosts(column: Float64Array, first: number): Record<CountingCost, number> {
  return Object.fromEntries(COST_NAMES.map((name, cost) => [name, column[first + cost]])) as Record<
    CountingCost,
    number
  >;
}

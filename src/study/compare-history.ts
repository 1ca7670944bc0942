/**
 * One history under all schemes: runs it step by step, hears what is decided, asks what is to be asked, adds up.
 *
 * A generator, so that whoever drives it can show progress and stop it between two steps; it knows no clock. After each
 * step the folios that it touched are looked at: all of them for what is mapped and hidden, a sample for questions and for
 * decisions at rest. Invariant: what the study asks changes no count that it reports but the costs of the answers.
 */
import { DECISION_RULES, type DecisionRule, surveyDecisions } from "../decisions/index.ts";
import type { CostProfile } from "../schemes/index.ts";
import type { HistoryStep, StudiedHistory, StudiedMachine } from "../scenario/index.ts";
import { type Random, seededRandom } from "../workloads/index.ts";
import { COMPARISON_VERSION, type ComparedWorkload, type Comparison, type StudySample } from "./comparison.ts";
import { DecisionTally } from "./decision-tally.ts";
import { HiddenMemoryTally } from "./hidden-memory.ts";
import { MappedState } from "./mapped-state.ts";
import { priceOperations } from "./operation-price.ts";
import { OperationTally } from "./operation-tally.ts";
import { DEFAULT_BOUNDS, type SampleBounds, Sampler } from "./question-sample.ts";
import { type BrokenGuarantee, QuestionTally } from "./question-tally.ts";
import { FolioTruth } from "./question-truth.ts";
import { ScanTally } from "./scan-tally.ts";
import { verdictsOf } from "./verdict.ts";

/** What is known of a history before it runs. */
export type WorkloadFacts = Omit<ComparedWorkload, "steps" | "events" | "foliosMax" | "mappedBytesMax">;

export interface StudyOptions {
  readonly workload: WorkloadFacts;
  /** Id of the scheme that decides. */
  readonly kernel: string;
  /** Id of the scheme that costs are compared with: one of the machine's. */
  readonly against: string;
  readonly costs: CostProfile;
  /** By which the history decides; today's if not given. */
  readonly rules?: readonly DecisionRule[];
  /** Schemes that cannot count this history. */
  readonly excluded?: Comparison["excluded"];
  readonly bounds?: SampleBounds;
  /** Processes alive now, where that is not known before; asked after each step. */
  readonly processesNow?: () => number;
}

/** Where a study is. */
export interface StudyProgress {
  readonly phase: "history" | "witness";
  /** Steps of the history done, or candidates for a witness tried. */
  readonly done: number;
  /** The step, or the finding. */
  readonly text: string;
}

/** What a comparison is made of, and the first answer against each guarantee. */
export interface StudiedComparison {
  readonly comparison: Comparison;
  readonly broken: readonly BrokenGuarantee[];
}

/** Runs a history to its end, a step a turn. Throws what the history throws, and RangeError for an unknown `against`. */
export function* comparingHistory(
  history: StudiedHistory,
  options: StudyOptions,
): Generator<StudyProgress, StudiedComparison> {
  if (!history.machine.studied.some(({ scheme }) => scheme.id === options.against)) {
    throw new RangeError(`no scheme ${options.against} counts in this history`);
  }
  const study = new Study(history, options);
  for (let step = study.step(); step !== undefined; step = study.step()) {
    yield { phase: "history", done: study.steps, text: step.text };
  }
  return study.finish();
}

/** The state before the first step is there once: so many times the folios of a step are looked at. */
const START_FACTOR = 32;

/** A study under way. */
export class Study {
  steps = 0;
  readonly questions: QuestionTally;
  readonly decisions: DecisionTally;
  readonly operations: OperationTally;
  private readonly history: StudiedHistory;
  private readonly machine: StudiedMachine;
  private readonly options: StudyOptions;
  private readonly bounds: SampleBounds;
  private readonly against: number;
  private readonly sampler: Sampler;
  private readonly hidden: HiddenMemoryTally;
  private readonly scans: ScanTally;
  private readonly state = new MappedState();
  private readonly truth = new FolioTruth();
  private readonly picks: Int32Array;
  private processesMax: number;
  private foliosTouched = 0;
  private foliosAsked = 0;
  private foliosSurveyed = 0;

  constructor(history: StudiedHistory, options: StudyOptions) {
    const { machine } = history;
    this.history = history;
    this.machine = machine;
    this.options = options;
    this.bounds = options.bounds ?? DEFAULT_BOUNDS;
    this.processesMax = options.workload.processesMax;
    const random: Random = seededRandom(options.workload.seed);
    this.sampler = new Sampler(random);
    this.questions = new QuestionTally(machine.studied, this.sampler, this.bounds);
    this.hidden = new HiddenMemoryTally(machine);
    this.decisions = new DecisionTally(machine.studied.length, options.rules ?? DECISION_RULES, (row, folio) =>
      this.hidden.isQueued(row, folio),
    );
    this.against = machine.studied.findIndex(({ scheme }) => scheme.id === options.against);
    this.operations = new OperationTally(machine, { profile: options.costs, against: this.against });
    this.scans = new ScanTally(machine, this.operations, this.sampler, this.bounds.scannedPerStep);
    this.picks = new Int32Array(START_FACTOR * Math.max(this.bounds.foliosPerStep, this.bounds.surveyedPerStep));
    machine.listenToDecisions((record) => {
      this.decisions.hear(record);
      this.operations.hear(record);
    });
    // What was mapped before the first step: a capture's state.
    this.look(0, {
      foliosPerStep: this.bounds.foliosPerStep * START_FACTOR,
      surveyedPerStep: this.bounds.surveyedPerStep * START_FACTOR,
    });
    this.decisions.endStep(0);
  }

  /** The next step and the look at what it touched; undefined at the end. */
  step(): HistoryStep | undefined {
    this.operations.begin();
    const step = this.history.next();
    if (step === undefined) return undefined;
    this.operations.end(step);
    this.steps++;
    this.look(step.line, this.bounds);
    this.decisions.endStep(step.line);
    this.processesMax = Math.max(this.processesMax, this.options.processesNow?.() ?? 0);
    return step;
  }

  private look(line: number, bounds: Pick<SampleBounds, "foliosPerStep" | "surveyedPerStep">): void {
    const { machine, hidden, state, truth, sampler, picks } = this;
    for (const head of machine.takeUnmapped()) {
      state.unmapped(head);
      hidden.forget(head, this.steps);
    }
    const touched = machine.takeTouched();
    this.foliosTouched += touched.length;
    for (const head of touched) {
      state.mapped(head, machine.orderOf(head));
      // A candidate for a witness asks no questions, and then nobody reads what was hidden in it either.
      if (bounds.foliosPerStep === 0 || !hidden.concerns(head)) continue;
      truth.read(machine, head);
      hidden.look(truth, this.steps);
    }
    state.endStep();
    hidden.endStep();
    const asked = sampler.pick(touched.length, bounds.foliosPerStep, picks);
    for (let at = 0; at < asked; at++) {
      truth.read(machine, touched[picks[at]]);
      this.questions.ask(truth, line);
    }
    this.foliosAsked += asked;
    const surveyed = sampler.pick(touched.length, bounds.surveyedPerStep, picks);
    if (surveyed > 0) {
      const folios = Array.from(picks.subarray(0, surveyed), (place) => touched[place]);
      surveyDecisions(machine, folios, this.decisions.hear);
    }
    this.foliosSurveyed += surveyed;
    this.scans.scan(touched, truth, line);
  }

  /** The comparison of what was seen so far; its findings have no witnesses yet. */
  finish(): StudiedComparison {
    const { machine, options, state } = this;
    machine.listenToDecisions(undefined);
    const found: Omit<Comparison, "verdicts"> = {
      notes: [],
      schema: "foliometer-comparison",
      version: COMPARISON_VERSION,
      workload: {
        ...options.workload,
        steps: this.steps,
        events: machine.events,
        foliosMax: state.foliosMax,
        mappedBytesMax: state.mappedBytesMax,
        processesMax: this.processesMax,
      },
      sample: this.sample(),
      kernel: options.kernel,
      against: options.against,
      costs: { name: options.costs.name, source: options.costs.source },
      schemes: machine.studied.map(({ scheme }) => ({
        id: scheme.id,
        title: scheme.title,
        stateBits: scheme.stateBits,
        stateBytes: state.stateBytesOf(scheme),
      })),
      excluded: options.excluded ?? [],
      questions: this.questions.rows(),
      decisions: this.decisions.rows(),
      operations: priceOperations(this.operations.results(), { profile: options.costs, against: this.against }),
      hiddenMemory: this.hidden.results(this.steps),
    };
    const { broken } = this.questions;
    return { comparison: { ...found, verdicts: verdictsOf(found, broken) }, broken };
  }

  private sample(): StudySample {
    const { foliosTouched, foliosAsked, foliosSurveyed, bounds } = this;
    return { foliosTouched, foliosAsked, foliosSurveyed, ...bounds };
  }
}

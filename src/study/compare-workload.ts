/**
 * The verdict for a workload, a scenario or any other history: run it under all schemes, then look for minimal scenarios.
 *
 * The history runs once, with all schemes counting side by side; each finding is then shown by a scenario of its own, so
 * small that nothing can be left out of it. Witnesses exist where the history is a scenario. Same workload, values, seed
 * and prices: same result.
 */
import { rulesOf } from "../decisions/index.ts";
import type { CowRule } from "../memory/index.ts";
import {
  EntryMachine,
  type KernelConfig,
  type Scenario,
  type StudiedHistory,
  createModelHistory,
  historyOfSteps,
} from "../scenario/index.ts";
import { type CostProfile, SCHEMES, type Scheme } from "../schemes/index.ts";
import {
  type EntryWorkload,
  type ScenarioWorkload,
  type Workload,
  type WorkloadValues,
  leastValues,
  scenarioOfWorkload,
  seededRandom,
  valuesOf,
} from "../workloads/index.ts";
import {
  type StudiedComparison,
  type StudyOptions,
  type StudyProgress,
  type WorkloadFacts,
  comparingHistory,
} from "./compare-history.ts";
import type { Comparison } from "./comparison.ts";
import type { SampleBounds } from "./question-sample.ts";
import { type TurnOptions, runInTurns } from "./study-turns.ts";
import { findingsOf, verdictOf, witnessKey } from "./verdict.ts";
import type { SchemeFinding } from "./verdict-findings.ts";
import { type WitnessBounds, type WitnessSource, searchingWitness } from "./witness-search.ts";

/** How a comparison is made. */
export interface CompareOptions extends TurnOptions {
  readonly schemes: readonly Scheme[];
  /** The scheme that costs are compared with; it counts, too, if it is not among `schemes`. */
  readonly against: Scheme;
  readonly costs: CostProfile;
  /** How the kernel of the model is built: what decides unless `decidedBy` is given. Default "page". */
  readonly config?: KernelConfig;
  readonly cowRule?: CowRule;
  readonly decidedBy?: Scheme;
  readonly bounds?: SampleBounds;
  /** false: no minimal scenarios are looked for. */
  readonly witnesses?: boolean | WitnessBounds;
}

/** Seed of the samples where the history itself has none. */
const NO_SEED = 1;

/** Compares schemes over a workload. Throws BadWorkload for values that it cannot have. */
export async function compareWorkload(
  workload: Workload,
  { values, seed }: { readonly values: WorkloadValues; readonly seed: number },
  options: CompareOptions,
): Promise<Comparison> {
  return workload.kind === "scenario"
    ? await compareScenarioWorkload(workload, valuesOf(workload, values), seed, options)
    : await compareEntryWorkload(workload, valuesOf(workload, values), seed, options);
}

/** Compares schemes over a scenario. Throws ScenarioStopped where the model cannot follow it. */
export async function compareScenario(scenario: Scenario, options: CompareOptions): Promise<Comparison> {
  const facts: WorkloadFacts = {
    id: scenario.file,
    title: "a scenario",
    source: scenario.file,
    parameters: {},
    seed: NO_SEED,
    processesMax: processesOf(scenario),
  };
  return await runInTurns(comparingScenario(scenario, { facts, smaller: [] }, options), options);
}

/**
 * Compares schemes over any history: a capture with steps that did not happen. There are no witnesses. The machine's
 * schemes are those compared; `options.schemes` that it does not have are named in `excluded`.
 */
export async function compareHistory(
  history: StudiedHistory,
  facts: WorkloadFacts,
  options: CompareOptions,
  processesNow?: () => number,
): Promise<Comparison> {
  const { studied } = history.machine;
  const isStudied = (scheme: Scheme): boolean => studied.some((each) => each.scheme === scheme);
  const against = isStudied(options.against) ? options.against : studied[0]?.scheme;
  if (against === undefined) throw new RangeError("no scheme can count this history");
  const study: StudyOptions = {
    ...studyOptions(facts, options),
    kernel: "",
    against: against.id,
    excluded: options.schemes
      .filter((scheme) => !isStudied(scheme))
      .map(({ id }) => ({ id, reason: "it cannot count PMD entries that map a part of a folio" })),
    ...(processesNow === undefined ? {} : { processesNow }),
  };
  return (await runInTurns(comparingHistory(history, study), options)).comparison;
}

async function compareScenarioWorkload(
  workload: ScenarioWorkload,
  values: WorkloadValues,
  seed: number,
  options: CompareOptions,
): Promise<Comparison> {
  const { scenario, frameCount } = scenarioOfWorkload(workload, values, seed);
  const { id, title, source } = workload;
  const facts = { id, title, source, parameters: values, seed, processesMax: processesOf(scenario) };
  const smaller = smallerValues(workload, values).map((each) => () => scenarioOfWorkload(workload, each, seed).text);
  return await runInTurns(comparingScenario(scenario, { facts, smaller, frameCount }, options), options);
}

async function compareEntryWorkload(
  workload: EntryWorkload,
  values: WorkloadValues,
  seed: number,
  options: CompareOptions,
): Promise<Comparison> {
  const machine = new EntryMachine({ ...workload.machine, schemes: schemesOf(options), seed });
  const history = historyOfSteps(machine, workload.steps(machine, values, seededRandom(seed)));
  const { id, title, source } = workload;
  const facts = { id, title, source, parameters: values, seed, processesMax: 0 };
  return await compareHistory(history, facts, options, () => machine.mmCount);
}

/** Shares of the way from the least parameters to those asked for, at which a finding is looked for first. */
const SHARES = [0, 1 / 64, 1 / 16, 1 / 4];

/** Smaller values of all parameters together, the smallest first; each is a value that the parameter may have. */
export function smallerValues(workload: Workload, values: WorkloadValues): WorkloadValues[] {
  const least = leastValues(workload);
  const all = SHARES.map((share) =>
    Object.fromEntries(
      Object.entries(workload.parameters).map(([name, { choices }]) => {
        const wanted = least[name] + Math.floor((values[name] - least[name]) * share);
        return [name, choices?.findLast((choice) => choice <= wanted) ?? wanted] as const;
      }),
    ),
  );
  const isSame = (one: WorkloadValues, other: WorkloadValues): boolean =>
    Object.keys(one).every((name) => one[name] === other[name]);
  return all.filter((each, index) => !isSame(each, values) && !all.slice(0, index).some((one) => isSame(one, each)));
}

/** Processes alive at one time, at most. */
function processesOf({ commands }: Scenario): number {
  let alive = 0;
  let most = 0;
  for (const { kind } of commands) {
    if (kind === "spawn" || kind === "fork") most = Math.max(most, ++alive);
    else if (kind === "exit") alive--;
  }
  return most;
}

function schemesOf({ schemes, against }: CompareOptions): readonly Scheme[] {
  return schemes.includes(against) ? schemes : [against, ...schemes];
}

function studyOptions(facts: WorkloadFacts, options: CompareOptions): StudyOptions {
  const { config = "page", cowRule = "large-reuse", decidedBy, against, costs, bounds } = options;
  const kernel = decidedBy ?? SCHEMES.find(({ kernelConfig }) => kernelConfig === config);
  return {
    workload: facts,
    kernel: kernel?.id ?? "",
    against: against.id,
    costs,
    rules: rulesOf(cowRule),
    ...(bounds === undefined ? {} : { bounds }),
  };
}

/** A scenario under all schemes, and then a witness for each finding. */
function* comparingScenario(
  scenario: Scenario,
  {
    facts,
    smaller,
    frameCount,
  }: {
    readonly facts: WorkloadFacts;
    readonly smaller: readonly (() => string)[];
    readonly frameCount?: number;
  },
  options: CompareOptions,
): Generator<StudyProgress, Comparison> {
  const study = studyOptions(facts, options);
  const historyOf = (what: Scenario, schemes: readonly Scheme[], frames = frameCount): StudiedHistory =>
    createModelHistory(what, {
      config: options.config ?? "page",
      schemes,
      seed: facts.seed,
      ...(frames === undefined ? {} : { frameCount: frames }),
      ...(options.cowRule === undefined ? {} : { cowRule: options.cowRule }),
      ...(options.decidedBy === undefined ? {} : { decidedBy: options.decidedBy }),
    });
  const studied = yield* comparingHistory(historyOf(scenario, schemesOf(options)), study);
  if (options.witnesses === false) return studied.comparison;
  const bounds = typeof options.witnesses === "object" ? options.witnesses : undefined;
  return yield* witnessing(studied, { text: scenario.text, smaller, historyOf, study }, options, bounds);
}

/** Puts a witness to each finding. */
function* witnessing(
  { comparison, broken }: StudiedComparison,
  source: WitnessSource,
  options: CompareOptions,
  bounds: WitnessBounds | undefined,
): Generator<StudyProgress, Comparison> {
  const schemes = schemesOf(options);
  const scenarios = new Map<string, string>();
  const byKind = new Map<string, string[]>();
  for (const finding of findingsOf(comparison, broken)) {
    const pair = { scheme: schemes[finding.row], against: options.against };
    const kind = nameOfKind(finding);
    const earlier = byKind.get(kind) ?? [];
    const scenario = yield* searchingWitness(finding, pair, { ...source, earlier }, bounds);
    scenarios.set(witnessKey(finding.row, finding.text), scenario);
    if (scenario !== "" && !earlier.includes(scenario)) byKind.set(kind, [...earlier, scenario]);
  }
  const verdicts = schemes.map((_, row) => verdictOf(comparison, row, { broken, scenarios }));
  return { ...comparison, verdicts };
}

/** Findings of one name may have one witness. */
function nameOfKind({ kind }: SchemeFinding): string {
  if (kind.by === "decision") return `decision ${kind.decision}`;
  return kind.by === "answer" ? `answer ${kind.question}` : `operation ${kind.operation}`;
}

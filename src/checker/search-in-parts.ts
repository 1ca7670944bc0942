/**
 * A check by several workers: each has a part of the states, and this keeps them in step.
 *
 * Whoever has threads gives a `WorkerPart` for each (a thread that answers round after round with its SearchPart); this file
 * has no threads of its own and is the same in a browser. Rounds go out to all parts at once; what they hand over is delivered
 * with the next. A level is over when no part has states of it left; the search is over when a level begins with nothing.
 * States, transitions, depth and verdicts are those of a search in one thread (explore.ts) where it is complete; where a
 * property is broken or a limit reached, the parts have gone on for a while, each with its share of the limits.
 *
 * Always breadth first. Livelocks are not looked for: their search is one of circles, and not to be cut in parts.
 */
import type { CheckOptions, CheckResult, PropertyOutcome } from "./check.ts";
import { type CheckWatch, Watcher } from "./check-watch.ts";
import { pathThrough, planSearch, type SearchPlan } from "./plan-search.ts";
import { LIVELOCK } from "./property-names.ts";
import type { Handover, RoundReport, RoundRequest, StateOnWay } from "./search-part.ts";
import type { StepMachine } from "./step-machine.ts";
import { tellStory } from "./story.ts";
import { StepsError } from "./syntax.ts";

/** A SearchPart somewhere. */
export interface WorkerPart {
  readonly round: (request: RoundRequest) => Promise<RoundReport>;
  readonly stateOnWay: (number: number) => Promise<StateOnWay>;
}

export const MAX_PARTS = 64;

/**
 * As `checkMachine`, by the parts of `workers` (number k is part k of as many). Rejects with StepsError for what they cannot do.
 */
export async function checkInParts(
  machine: StepMachine,
  options: CheckOptions,
  workers: readonly WorkerPart[],
  watch?: CheckWatch,
): Promise<CheckResult> {
  if (options.search === "depth-first") throw new StepsError("several workers search breadth first");
  if (options.liveness === true || options.properties?.includes(LIVELOCK) === true) {
    throw new StepsError("livelocks are looked for by one worker");
  }
  if (workers.length < 1 || workers.length > MAX_PARTS) throw new StepsError(`there can be 1 to ${MAX_PARTS} workers`);
  const plan = planSearch(machine, options);
  const search = new SearchInParts(plan, workers, watch);
  const coverage = await search.run();
  const properties: PropertyOutcome[] = [];
  for (const number of plan.properties.keys()) properties.push(await search.outcomeOf(number, coverage));
  return { configuration: machine.name, options, coverage, figures: search.figures, properties };
}

class SearchInParts {
  private readonly plan: SearchPlan;
  private readonly workers: readonly WorkerPart[];
  private readonly watcher: Watcher;
  private reports: readonly RoundReport[] = [];
  private depth = -1;
  /** For each property the state of the level that broke it first, among all parts. */
  private readonly brokenAt: Int32Array;

  constructor(plan: SearchPlan, workers: readonly WorkerPart[], watch: CheckWatch | undefined) {
    this.plan = plan;
    this.workers = workers;
    this.watcher = new Watcher(watch, 1);
    this.brokenAt = new Int32Array(plan.properties.length).fill(-1);
  }

  async run(): Promise<CheckResult["coverage"]> {
    let beginsLevel = true;
    for (;;) {
      const arrivals = this.workers.map((_, part) => arrivalsAt(this.reports, part));
      this.reports = await Promise.all(
        this.workers.map((worker, part) => worker.round({ arrivals: arrivals[part], beginsLevel })),
      );
      this.noteBroken();
      const isIdle = this.reports.every(({ expanded }) => expanded === 0);
      if (beginsLevel && !isIdle) this.depth++;
      if (this.isEndedByBroken) return "stopped-at-broken";
      const full = this.reports.find((report) => report.full !== undefined)?.full;
      if (full !== undefined) return full;
      if (beginsLevel && isIdle) return "complete";
      if (!this.look()) return "interrupted";
      beginsLevel = this.reports.every(({ isLevelDone }) => isLevelDone);
    }
  }

  get figures(): CheckResult["figures"] {
    const sum = (of: (report: RoundReport) => number): number =>
      this.reports.reduce((total, report) => total + of(report), 0);
    return {
      states: sum(({ states }) => states),
      transitions: sum(({ transitions }) => transitions),
      depth: Math.max(0, this.depth),
      bytes: sum(({ bytes }) => bytes),
      stateWords: this.plan.layout.words,
    };
  }

  async outcomeOf(number: number, coverage: CheckResult["coverage"]): Promise<PropertyOutcome> {
    const { name, when, isChecked } = this.plan.properties[number];
    const isComplete = coverage === "complete";
    if (!isChecked) return { name, when, outcome: "not-checked" };
    if (when === "sometimes") {
      const isSeen = this.reports.some(({ seen }) => seen[number] === 1);
      return { name, when, outcome: isSeen ? "seen" : isComplete ? "unseen" : "not-seen-so-far" };
    }
    if (this.brokenAt[number] < 0) return { name, when, outcome: isComplete ? "holds" : "holds-so-far" };
    const way = await this.wayTo(this.brokenAt[number]);
    const path = pathThrough(this.plan, way.length, (index) => way[index]);
    const { machine, options } = this.plan;
    return { name, when, outcome: "broken", story: tellStory(machine, options, { property: { name, when }, path }) };
  }

  private get isEndedByBroken(): boolean {
    return this.plan.options.allProperties !== true && this.brokenAt.some((state) => state >= 0);
  }

  /** The first round that breaks a property is one of the shallowest level that does: that state is kept. */
  private noteBroken(): void {
    for (const { brokenAt } of this.reports) {
      for (const [property, state] of brokenAt.entries()) {
        if (state >= 0 && this.brokenAt[property] < 0) this.brokenAt[property] = state;
      }
    }
  }

  private async wayTo(number: number): Promise<readonly Int32Array[]> {
    const way: Int32Array[] = [];
    for (let at = number; at >= 0;) {
      const { words, parent } = await this.workers[at % this.workers.length].stateOnWay(at);
      way.push(words);
      at = parent;
    }
    return way.toReversed();
  }

  private look(): boolean {
    const waiting = this.reports
      .flatMap(({ departures }) => departures)
      .reduce((sum, one) => sum + one.parents.length, 0);
    return this.watcher.look(() => ({ ...this.figures, frontier: waiting }));
  }
}

function arrivalsAt(reports: readonly RoundReport[], part: number): readonly Handover[] {
  return reports.map(({ departures }) => departures[part]).filter(({ parents }) => parents.length > 0);
}

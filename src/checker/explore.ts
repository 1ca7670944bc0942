/**
 * A check from its question to its answer: explore, give every property its verdict, tell how the broken ones came about.
 *
 * The search (search-states.ts) says which states there are and where properties break; its way there is walked again for the
 * story (story.ts). Livelocks are looked for afterwards, in a search without reductions (search-livelock.ts).
 */
import type { CheckConfiguration, CheckOptions, CheckResult, PropertyOutcome } from "./check.ts";
import { type CheckWatch, Watcher } from "./check-watch.ts";
import { elaborate } from "./elaborate.ts";
import { type ChosenProperty, pathThrough, planSearch, type SearchPlan } from "./plan-search.ts";
import { LIVELOCK } from "./property-names.ts";
import { checkLivelock } from "./search-livelock.ts";
import { StateSearch } from "./search-states.ts";
import type { StepMachine } from "./step-machine.ts";
import { tellStory } from "./story.ts";

export type { CheckProgress, CheckWatch } from "./check-watch.ts";
export { DEFAULT_MEMORY_LIMIT_BYTES, DEFAULT_STATE_LIMIT } from "./plan-search.ts";

/**
 * Checks a configuration: parses, fits and explores it. Throws StepsError if it cannot be run (a mistake in a text, an unknown
 * property or constant, a limit that makes no sense, a text that has no meaning somewhere on the way).
 */
export function check(configuration: CheckConfiguration, options: CheckOptions = {}, watch?: CheckWatch): CheckResult {
  return checkMachine(elaborate(configuration), options, watch);
}

/** As `check`, for a machine. */
export function checkMachine(machine: StepMachine, options: CheckOptions = {}, watch?: CheckWatch): CheckResult {
  const plan = planSearch(machine, options);
  const search = new StateSearch(plan, { watch });
  const coverage = search.run();
  const properties = plan.properties.map((property, number) => outcomeOf(plan, search, { property, number, coverage }));
  if (asksForLivelock(options)) {
    properties.push(coverage === "complete" ? findLivelock(plan, watch) : notChecked(LIVELOCK));
  }
  return { configuration: machine.name, options, coverage, figures: search.figures, properties };
}

function asksForLivelock({ liveness, properties }: CheckOptions): boolean {
  return properties === undefined ? liveness === true : properties.includes(LIVELOCK);
}

function notChecked(name: string): PropertyOutcome {
  return { name, when: "built-in", outcome: "not-checked" };
}

function findLivelock({ machine, options, limits }: SearchPlan, watch: CheckWatch | undefined): PropertyOutcome {
  const watcher = new Watcher(watch);
  const goesOn = (states: number): boolean =>
    watcher.look(() => ({ states, transitions: 0, frontier: 0, depth: 0, bytes: 0 }));
  return checkLivelock(machine, options, { ...limits, goesOn });
}

function outcomeOf(
  plan: SearchPlan,
  search: StateSearch,
  {
    property: { name, when, isChecked },
    number,
    coverage,
  }: { readonly property: ChosenProperty; readonly number: number; readonly coverage: CheckResult["coverage"] },
): PropertyOutcome {
  const isComplete = coverage === "complete";
  if (!isChecked) return { name, when, outcome: "not-checked" };
  if (when === "sometimes") {
    const isSeen = plan.compiled.isSettled[number] === 1;
    return { name, when, outcome: isSeen ? "seen" : isComplete ? "unseen" : "not-seen-so-far" };
  }
  const brokenAt = search.brokenAt[number];
  if (brokenAt < 0) return { name, when, outcome: isComplete ? "holds" : "holds-so-far" };
  const way = search.wayTo(brokenAt);
  const path = pathThrough(plan, way.length, (index) => search.store.wordsOf(way[index]));
  return {
    name,
    when,
    outcome: "broken",
    story: tellStory(plan.machine, plan.options, { property: { name, when }, path }),
  };
}

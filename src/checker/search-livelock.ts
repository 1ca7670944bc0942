/**
 * The search for a livelock: all states of a system without any reduction, then the circles among them (livelock.ts).
 *
 * Reductions are off (livelock.ts says why), so this is a larger search than that for the other properties; none of them is
 * checked in it. Transitions are not kept: whenever the analysis asks for a state's, generated code makes them again, the
 * store knows the number of each (state-store.ts), and the compiled machine what it does for its thread (`deeds`).
 */
import type { CheckOptions, PropertyOutcome } from "./check.ts";
import type { CompiledMachine } from "./compile-machine.ts";
import type { CheckerState } from "./interpret.ts";
import { type Deed, findLivelock, type LivelockGraph } from "./livelock.ts";
import { MIN_MEMORY_LIMIT_BYTES, planSearch } from "./plan-search.ts";
import { LIVELOCK } from "./property-names.ts";
import { pathOfStates } from "./retrace.ts";
import { StateSearch } from "./search-states.ts";
import { unpackState } from "./state-layout.ts";
import type { StateStore } from "./state-store.ts";
import type { StepMachine } from "./step-machine.ts";
import { tellStory } from "./story.ts";

export interface LivelockLimits {
  readonly stateLimit: number;
  /** Of the states, the table that finds them, and their parents. */
  readonly memoryLimitBytes: number;
  /** Asked at the beginning and now and then, with the number of states found; false ends the search. */
  readonly goesOn?: (states: number) => boolean;
}

/**
 * none: no fair circle without progress in all of the `states` states. not-finished: at a limit, nothing is known. found: the
 * states of a shortest way to the circle, once around it and back to the state number `repeatsFrom` of the path.
 */
export type LivelockFinding =
  | { readonly outcome: "none" | "not-finished"; readonly states: number }
  | {
      readonly outcome: "found";
      readonly states: number;
      readonly path: readonly CheckerState[];
      readonly repeatsFrom: number;
    };

/** In the order of their numbers in the compiled machine's `deeds`. */
const DEEDS: readonly Deed[] = ["other", "progress", "work"];

/** Looks for a livelock. Throws StepsError where the text has no meaning, or the options. */
export function searchLivelock(
  machine: StepMachine,
  { memory = "sc", bufferEntries = 2 }: Pick<CheckOptions, "memory" | "bufferEntries">,
  { stateLimit, memoryLimitBytes, goesOn = () => true }: LivelockLimits,
): LivelockFinding {
  const whole: CheckOptions = {
    memory,
    bufferEntries,
    stateLimit,
    partialOrderReduction: false,
    symmetry: false,
    properties: [],
    memoryLimitBytes: Math.max(memoryLimitBytes, MIN_MEMORY_LIMIT_BYTES),
  };
  const plan = planSearch(machine, whole, { hasDeeds: true });
  const watch = { now: () => 0, everyMs: 0, progress: ({ states }: { readonly states: number }) => goesOn(states) };
  const search = new StateSearch(plan, { watch, isNumbered: true });
  const isWhole = goesOn(0) && search.run() === "complete" && search.figures.bytes <= memoryLimitBytes;
  const { states } = search.figures;
  if (!isWhole) return { outcome: "not-finished", states };
  const circle = findLivelock(graphOf(machine, plan.compiled, search.store));
  if (circle === undefined) return { outcome: "none", states };
  const way = search.wayTo(circle[0]);
  const path = [...way, ...circle.slice(1), circle[0]].map((number) =>
    unpackState(machine, plan.layout, search.store.wordsOf(number), 0),
  );
  return { outcome: "found", states, path, repeatsFrom: way.length - 1 };
}

/** The verdict on property livelock, with its story. Throws StepsError as `searchLivelock` does. */
export function checkLivelock(machine: StepMachine, options: CheckOptions, limits: LivelockLimits): PropertyOutcome {
  const property = { name: LIVELOCK, when: "built-in" } as const;
  const finding = searchLivelock(machine, options, limits);
  switch (finding.outcome) {
    case "none":
      return { ...property, outcome: "holds" };
    case "not-finished":
      return { ...property, outcome: "holds-so-far" };
    case "found": {
      const { path, repeatsFrom } = finding;
      const story = tellStory(machine, options, { property, path: pathOfStates(path), repeatsFrom });
      return { ...property, outcome: "broken", story };
    }
  }
}

function graphOf({ threads }: StepMachine, compiled: CompiledMachine, store: StateStore): LivelockGraph {
  const { words } = compiled.layout;
  const { deeds, counters } = compiled;
  return {
    stateCount: store.count,
    threadCount: threads.length,
    forEachTransition: (state, visit) => {
      // Its own: a visitor may ask for another state's transitions.
      const out = new Int32Array(Math.max(1, compiled.maxSuccessors) * words);
      const end = compiled.expand(store.chunkOf(state), store.indexOf(state), out, 0);
      const done = deeds.slice(0, end / words);
      const nowhere = counters[3];
      compiled.failed.length = 0;
      for (const [number, deed] of done.entries()) {
        visit(store.numberOf(out, number * words), deed >> 2, DEEDS[deed & 3]);
      }
      for (let thread = 0; thread < threads.length; thread++) {
        if ((nowhere & (1 << thread)) !== 0) visit(-1, thread, "other");
      }
    },
  };
}

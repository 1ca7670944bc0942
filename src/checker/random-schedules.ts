/**
 * Random schedules: for systems too large to finish.
 *
 * Each schedule runs the system once, from its first state to its end, to a broken property or to a limit of steps; at every
 * state on the way all properties are looked at, and all that could happen next, so that an assertion that any next transition
 * fails is found too. Nothing found proves nothing; what is found is a way that can be walked. Invariant: a schedule
 * follows from the seed and its own number alone: `firstSchedule` N and one schedule replay number N of any run with
 * the same seed and options.
 */
import { didYouMean } from "../scenario/index.ts";
import { seededRandom } from "../workloads/index.ts";
import {
  type CheckerState,
  initialState,
  type SuccessorOptions,
  type Successors,
  successors,
  type Transition,
} from "./interpret.ts";
import { priorityScheduler, type RandomSource, type Scheduler, walkScheduler } from "./random-schedulers.ts";
import { SHORTEN_STATES_MAX, shortenWay } from "./shorten-way.ts";
import { hashState } from "./state-hash.ts";
import type { StepMachine } from "./step-machine.ts";
import { StepsError } from "./syntax.ts";
import {
  isBrokenByTransition,
  isDecidedByState,
  type WatchedProperty,
  watchedProperties,
} from "./watched-properties.ts";

/** How many schedules, drawn how. */
export interface RandomOptions extends SuccessorOptions {
  /** A whole number, 0 to 2^53 - 1. */
  readonly seed: number;
  /** How many schedules are run, at least 1. */
  readonly schedules: number;
  /** The number of the first, default 0. */
  readonly firstSchedule?: number;
  /** By random priorities (the default), or a walk on which all have the same chance (random-schedulers.ts). */
  readonly strategy?: "priorities" | "walk";
  /** Ordering constraints of the bugs that are looked for, at least 1, default 3; for priorities only. */
  readonly depth?: number;
  /** Transitions after which a schedule is cut short, default 10,000. */
  readonly maxSteps?: number;
  /** Names of the properties to check; all if absent. */
  readonly properties?: readonly string[];
  /** Distinct states that are counted, default 1,000,000 (about 40 bytes each). */
  readonly distinctLimit?: number;
  /** States that may be expanded to shorten the way to a broken property; 0 leaves it as it was found. */
  readonly shortenBudget?: number;
}

/** How far a random exploration has come. */
export interface RandomProgress {
  /** Schedules that were run. */
  readonly schedules: number;
  /** Those of them that reached `maxSteps`. */
  readonly cutShort: number;
  /** Transitions of all schedules. */
  readonly steps: number;
  /** Transitions of the longest schedule. */
  readonly longest: number;
  /** Different states seen, up to `distinctLimit`. */
  readonly distinctStates: number;
}

/** The way of a schedule to a broken property. */
export interface BrokenSchedule {
  readonly property: string;
  /** The number of the schedule: with the seed it replays the way as it was found. */
  readonly schedule: number;
  /** Transitions of the way as it was found, before it was shortened. */
  readonly foundAfter: number;
  readonly first: CheckerState;
  /** From the first state to the one that breaks the property, or up to the transition that does. */
  readonly transitions: readonly Transition[];
}

/** What is known of one property after the schedules. */
export interface RandomFinding {
  readonly name: string;
  readonly when: WatchedProperty["when"];
  readonly outcome: "holds-so-far" | "broken" | "seen" | "not-seen-so-far";
}

/** What came of random schedules. */
export interface RandomResult extends RandomProgress {
  readonly coverage: "schedules-done" | "stopped-at-broken" | "interrupted";
  /** More states than `distinctLimit` were seen; they were checked but not told apart. */
  readonly hasMoreStates: boolean;
  readonly findings: readonly RandomFinding[];
  readonly broken?: BrokenSchedule;
}

/** Called after every schedule; false ends the exploration. */
export type RandomWatch = (progress: RandomProgress) => boolean;

const DEFAULT_DEPTH = 3;
const DEFAULT_MAX_STEPS = 10_000;
const DEFAULT_DISTINCT = 1_000_000;
/** Walks by which the length of a schedule is measured before priorities are drawn. */
const MEASURING_WALKS = 4;
/** Odd: multiplying by it maps 32-bit numbers one to one. */
const STREAM_FACTOR = 0x9e37_79b1;

/**
 * Runs random schedules up to the first broken property.
 *
 * Throws StepsError where the text has no meaning, and for a property that there is not.
 * @example exploreRandomly(machine, { seed: 1, schedules: 1000 }).broken?.transitions.length; // 17
 */
export function exploreRandomly(machine: StepMachine, options: RandomOptions, watch?: RandomWatch): RandomResult {
  refuseUnknown(machine, options.properties);
  const exploration = new RandomExploration(machine, options);
  const { schedules, firstSchedule = 0 } = options;
  for (let schedule = firstSchedule; schedule < firstSchedule + schedules; schedule++) {
    const broken = exploration.run(schedule);
    const isToStop = watch?.(exploration.progress()) === false;
    if (broken !== undefined) return exploration.result("stopped-at-broken", broken);
    if (isToStop) return exploration.result("interrupted");
  }
  return exploration.result("schedules-done");
}

function refuseUnknown(machine: StepMachine, names: readonly string[] = []): void {
  const known = watchedProperties(machine).map(({ name }) => name);
  for (const name of names) {
    if (name === "livelock") throw new StepsError("livelock needs all states: random schedules cannot find it");
    if (!known.includes(name)) throw new StepsError(`there is no property "${name}": ${didYouMean(name, known)}`);
  }
}

class RandomExploration {
  private readonly machine: StepMachine;
  private readonly options: RandomOptions;
  private readonly watched: readonly WatchedProperty[];
  private readonly first: CheckerState;
  private readonly seen = new Set<string>();
  private readonly states = new Set<number>();
  private readonly maxSteps: number;
  private readonly distinctLimit: number;
  private readonly counts = { schedules: 0, cutShort: 0, steps: 0, longest: 0 };
  private hasMoreStates = false;
  private readonly expectedSteps: number;

  constructor(machine: StepMachine, options: RandomOptions) {
    const { maxSteps = DEFAULT_MAX_STEPS, distinctLimit = DEFAULT_DISTINCT, strategy = "priorities" } = options;
    this.machine = machine;
    this.options = options;
    this.watched = watchedProperties(machine, options.properties);
    this.first = initialState(machine);
    this.maxSteps = maxSteps;
    this.distinctLimit = distinctLimit;
    this.expectedSteps = strategy === "priorities" ? this.measure() : 0;
  }

  progress(): RandomProgress {
    return { ...this.counts, distinctStates: this.states.size };
  }

  result(coverage: RandomResult["coverage"], broken?: BrokenSchedule): RandomResult {
    const findings = this.watched.map(({ name, when }): RandomFinding => {
      if (when === "sometimes") return { name, when, outcome: this.seen.has(name) ? "seen" : "not-seen-so-far" };
      return { name, when, outcome: broken?.property === name ? "broken" : "holds-so-far" };
    });
    const result = { coverage, findings, hasMoreStates: this.hasMoreStates, ...this.progress() };
    return broken === undefined ? result : { ...result, broken };
  }

  /** Runs one schedule; its way if it breaks a property. */
  run(schedule: number): BrokenSchedule | undefined {
    const random = this.randomOf(schedule + 1);
    const { property, way, isCutShort } = this.walk(random, this.schedulerFor(random));
    this.counts.schedules++;
    this.counts.steps += way.length;
    this.counts.longest = Math.max(this.counts.longest, way.length);
    if (isCutShort) this.counts.cutShort++;
    if (property === undefined) return undefined;
    const { machine, options } = this;
    const { shortenBudget: budget = SHORTEN_STATES_MAX } = options;
    const transitions = shortenWay({ machine, options, property, budget }, way);
    return { property: property.name, schedule, foundAfter: way.length, first: this.first, transitions };
  }

  private schedulerFor(random: RandomSource): Scheduler {
    const { strategy = "priorities", depth = DEFAULT_DEPTH } = this.options;
    if (strategy === "walk") return walkScheduler(random);
    const actorCount = this.machine.threads.length * 2;
    return priorityScheduler(random, { actorCount, depth, expectedSteps: this.expectedSteps });
  }

  /** The numbers of one schedule: no two of a seed share theirs. */
  private randomOf(stream: number): RandomSource {
    const { seed } = this.options;
    const low = (seed ^ Math.imul(stream, STREAM_FACTOR)) >>> 0;
    return seededRandom(Math.floor(seed / 2 ** 32) * 2 ** 32 + low);
  }

  /** The length of schedules: the longest of a few walks that nobody looks at. */
  private measure(): number {
    const random = this.randomOf(0);
    let longest = 1;
    for (let walk = 0; walk < MEASURING_WALKS; walk++) {
      let state = this.first;
      let steps = 0;
      for (; steps < this.maxSteps; steps++) {
        const next = successors(this.machine, state, this.options).transitions.filter((each) => !each.leadsNowhere);
        if (next.length === 0) break;
        ({ state } = next[Math.floor(random() * next.length)]);
      }
      longest = Math.max(longest, steps);
    }
    return longest;
  }

  private walk(random: RandomSource, scheduler: Scheduler): Walked {
    const way: Transition[] = [];
    const rounds = new Rounds();
    let state = this.first;
    for (;;) {
      const next = successors(this.machine, state, this.options);
      const hash = hashState(state);
      const broken = this.isNew(hash) ? this.check(state, next) : undefined;
      if (broken !== undefined) {
        const { property, breaking } = broken;
        return { property, way: breaking === undefined ? way : [...way, breaking], isCutShort: false };
      }
      const possible = next.transitions.filter(({ leadsNowhere }) => !leadsNowhere);
      if (possible.length === 0) return { way, isCutShort: false };
      if (way.length >= this.maxSteps) return { way, isCutShort: true };
      const going = rounds.cameRound(hash);
      if (going !== undefined) scheduler.giveWay(going);
      const actors = [...new Set(possible.map(actorOf))].sort((a, b) => a - b);
      const actor = scheduler.choose(actors, way.length);
      const own = possible.filter((transition) => actorOf(transition) === actor);
      const taken = own[own.length === 1 ? 0 : Math.floor(random() * own.length)];
      rounds.goes(actor, hash);
      way.push(taken);
      ({ state } = taken);
    }
  }

  /** Whether this state is seen for the first time, as far as is known. */
  private isNew(hash: number): boolean {
    if (this.states.has(hash)) return false;
    if (this.states.size < this.distinctLimit) this.states.add(hash);
    else this.hasMoreStates = true;
    return true;
  }

  /** What is broken in this state or by a transition from it. */
  private check(state: CheckerState, next: Successors): Broken | undefined {
    for (const property of this.watched) {
      if (isDecidedByState(this.machine, property, state, next)) {
        if (property.when !== "sometimes") return { property };
        this.seen.add(property.name);
      }
      const breaking = next.transitions.find((transition) => isBrokenByTransition(property, transition));
      if (breaking !== undefined) return { property, breaking };
    }
    return undefined;
  }
}

interface Broken {
  readonly property: WatchedProperty;
  readonly breaking?: Transition;
}

interface Walked {
  readonly property?: WatchedProperty;
  readonly way: readonly Transition[];
  readonly isCutShort: boolean;
}

/** A thread, or the buffer of one. */
function actorOf({ thread, kind }: Transition): number {
  return thread * 2 + (kind === "drain" ? 1 : 0);
}

/** Notices that one actor goes round: it has been in this state since it took over. */
class Rounds {
  private going: number | undefined;
  private readonly since = new Set<number>();

  goes(actor: number, from: number): void {
    if (actor !== this.going) this.since.clear();
    this.going = actor;
    this.since.add(from);
  }

  /** The actor that has come back to this state by itself. */
  cameRound(state: number): number | undefined {
    return this.since.has(state) ? this.going : undefined;
  }
}

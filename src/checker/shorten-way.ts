/**
 * A way to a broken property that says less: without the transitions and the context switches that it does not need.
 *
 * The way is taken for a list of wishes and replayed: a wish that cannot be granted any more is passed over, and the replay
 * ends at the first state or transition that breaks the property. What still ends so and is shorter, or as long with fewer
 * switches, takes the place of what was. Left out are whole operations, then halves, quarters and so on down to single
 * transitions (after Zeller and Hildebrandt's ddmin, 2002), of the whole way and of each thread; then a thread's run is moved
 * to its next or last one. Invariant: every way that is returned is one that the interpreter has just walked. No claim that
 * it is the shortest: that is what breadth first is for.
 */
import { type CheckerState, initialState, type SuccessorOptions, successors, type Transition } from "./interpret.ts";
import type { StepMachine } from "./step-machine.ts";
import { isBrokenByTransition, isDecidedByState, type WatchedProperty } from "./watched-properties.ts";

/** States that are expanded for shortening, unless another budget is given. */
export const SHORTEN_STATES_MAX = 20_000;

/** What is to be broken, where, and what it may cost. */
export interface ShortenTask {
  readonly machine: StepMachine;
  readonly options: SuccessorOptions;
  readonly property: WatchedProperty;
  /** States that may be expanded. */
  readonly budget?: number;
}

type Way = readonly Transition[];

/** A way that breaks the property with at most as many transitions and, of as many, fewer switches; `way` if none is found. */
export function shortenWay(task: ShortenTask, way: Way): Way {
  const replay = new Replay(task);
  let best = way;
  for (;;) {
    const before = best;
    best = leaveOutOperations(replay, best);
    best = leaveOutPieces(replay, best, wholeWay);
    best = leaveOutPieces(replay, best, threadsOf);
    best = joinRuns(replay, best);
    if (best === before || replay.isSpent) return best;
  }
}

/** Where another thread goes on than the one before. */
export function switchesOf(way: Way): number {
  return way.filter(({ thread }, index) => index > 0 && thread !== way[index - 1].thread).length;
}

function isBetter(one: Way, other: Way): boolean {
  return one.length < other.length || (one.length === other.length && switchesOf(one) < switchesOf(other));
}

/** Leaves out pieces of what `pieces` gives for the way: halves of each list, quarters, down to single transitions. */
function leaveOutPieces(replay: Replay, way: Way, pieces: (way: Way) => readonly (readonly number[])[]): Way {
  let best = way;
  for (let size = Math.ceil(way.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let list = 0; list < pieces(best).length; list++) {
      for (let end = pieces(best)[list]?.length ?? 0; end > 0; end -= size) {
        const without = new Set(pieces(best)[list]?.slice(Math.max(end - size, 0), end));
        const shorter = replay.run(best.filter((_, index) => !without.has(index)));
        if (shorter !== undefined && isBetter(shorter, best)) best = shorter;
        if (replay.isSpent) return best;
      }
    }
  }
  return best;
}

/** Leaves out operations of one thread, each as a whole. */
function leaveOutOperations(replay: Replay, way: Way): Way {
  let best = way;
  for (let number = operationsOf(way).length - 1; number >= 0 && !replay.isSpent; number--) {
    const without = new Set(operationsOf(best)[number]);
    if (without.size === 0) continue;
    const shorter = replay.run(best.filter((_, index) => !without.has(index)));
    if (shorter !== undefined && isBetter(shorter, best)) best = shorter;
  }
  return best;
}

/** All transitions, in one list. */
function wholeWay(way: Way): readonly (readonly number[])[] {
  return [[...way.keys()]];
}

/** The transitions of each thread. */
function threadsOf(way: Way): readonly (readonly number[])[] {
  const lists = new Map<number, number[]>();
  for (const [index, { thread }] of way.entries()) lists.set(thread, [...(lists.get(thread) ?? []), index]);
  return [...lists.values()];
}

/** The transitions of each operation: those of one thread up to the one that finishes it. */
function operationsOf(way: Way): readonly (readonly number[])[] {
  return threadsOf(way).flatMap((own) => {
    const operations: number[][] = [[]];
    for (const index of own) {
      operations[operations.length - 1].push(index);
      if (way[index].finishedOperation) operations.push([]);
    }
    return operations.filter(({ length }) => length > 0);
  });
}

/** Moves each run of one thread behind that thread's run before, or in front of its next. */
function joinRuns(replay: Replay, way: Way): Way {
  let best = way;
  for (let start = 0; start < best.length && !replay.isSpent; start = runEnd(best, start)) {
    for (const joined of joinedWays(best, start)) {
      const shorter = replay.run(joined);
      if (shorter === undefined || !isBetter(shorter, best)) continue;
      best = shorter;
      break;
    }
  }
  return best;
}

function joinedWays(way: Way, start: number): Way[] {
  const end = runEnd(way, start);
  const { thread } = way[start];
  const run = way.slice(start, end);
  const rest = way.toSpliced(start, end - start);
  const ways: Way[] = [];
  const last = way.slice(0, start).findLastIndex((other) => other.thread === thread);
  if (last >= 0) ways.push(rest.toSpliced(last + 1, 0, ...run));
  const next = way.slice(end).findIndex((other) => other.thread === thread);
  if (next >= 0) ways.push(rest.toSpliced(start + next, 0, ...run));
  return ways;
}

function runEnd(way: Way, start: number): number {
  let end = start + 1;
  while (end < way.length && way[end].thread === way[start].thread) end++;
  return end;
}

class Replay {
  private readonly task: ShortenTask;
  private left: number;

  constructor(task: ShortenTask) {
    this.task = task;
    this.left = task.budget ?? SHORTEN_STATES_MAX;
  }

  get isSpent(): boolean {
    return this.left <= 0;
  }

  /** The way that these wishes lead to, up to where it breaks the property; undefined if it does not. */
  run(wishes: Way): Way | undefined {
    const { machine, options, property } = this.task;
    let state: CheckerState = initialState(machine);
    const way: Transition[] = [];
    for (let wish = 0; ;) {
      if (this.isSpent) return undefined;
      this.left--;
      const next = successors(machine, state, options);
      if (isDecidedByState(machine, property, state, next)) return way;
      const breaking = next.transitions.find((transition) => isBrokenByTransition(property, transition));
      if (breaking !== undefined) return [...way, breaking];
      let granted: Transition | undefined;
      while (granted === undefined && wish < wishes.length) granted = grant(machine, wishes[wish++], next.transitions);
      if (granted === undefined) return undefined;
      way.push(granted);
      state = granted.state;
    }
  }
}

/** The transition that does as wished: of the same thread, with the same decisions and step, or those that begin most like them. */
function grant(machine: StepMachine, wish: Transition, transitions: Way): Transition | undefined {
  const wanted = decisionsOf(machine, wish);
  let best: Transition | undefined;
  let closest = -1;
  for (const transition of transitions) {
    if (transition.thread !== wish.thread || transition.kind !== wish.kind || transition.leadsNowhere) continue;
    const decisions = decisionsOf(machine, transition);
    let alike = 0;
    while (alike < wanted.length && decisions[alike] === wanted[alike]) alike++;
    if (alike > closest) {
      best = transition;
      closest = alike;
    }
  }
  return best;
}

/**
 * The alternatives that a transition decided for, and the line of its step: by places in the text, so that a wish may be
 * granted in another round of a loop than the one it was made in.
 */
function decisionsOf(machine: StepMachine, { thread, trace, visible }: Transition): readonly string[] {
  const { instructions } = machine.threads[thread];
  const decisions: string[] = [];
  for (const [index, at] of trace.entries()) {
    const instruction = instructions[at];
    if (instruction.op !== "choose" || index + 1 === trace.length) continue;
    const { origin, targets } = instruction;
    const alternative = targets.indexOf(trace[index + 1]);
    decisions.push(`${origin.text}:${origin.line}:${origin.column} ${alternative}`);
  }
  if (visible !== undefined) decisions.push(`${visible.origin.text}:${visible.origin.line}:${visible.origin.column}`);
  return decisions;
}

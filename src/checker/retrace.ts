/**
 * From the states that a search came through back to what happened between them.
 *
 * A fast explorer keeps states and parents and forgets the rest: it may have run a thread through several safe steps at once,
 * and under symmetry it keeps one state for many that are like it. So the way is walked again from the first state with the
 * interpreter. Between two states of the path one thread has moved, in one transition or in a chain of them; the first state
 * found that the path takes for its next one is where the walk goes on. Transitions that break the property in question go
 * first, as the way that was meant ends with one.
 */
import {
  type CheckerState,
  initialState,
  keyOfState,
  type SuccessorOptions,
  successors,
  type Transition,
} from "./interpret.ts";
import type { StepMachine } from "./step-machine.ts";

/** The states of a path, as its search knows them. */
export interface StatePath {
  /** At least 1: the first state. */
  readonly length: number;
  /** Whether the search would take `state` for its state number `index`: the same, or under symmetry one like it. */
  readonly matches: (state: CheckerState, index: number) => boolean;
}

/** A path walked again. */
export interface Retraced {
  readonly first: CheckerState;
  /** One access (or one store reaching memory) each. */
  readonly transitions: readonly Transition[];
  /** For each state of the path the number of transitions before it. */
  readonly reachedAfter: readonly number[];
}

/** States that are looked at between two states of a path before the path is taken for none. */
const CHAIN_LIMIT = 50_000;

/** The path of an explorer that keeps states as they are. */
export function pathOfStates(states: readonly CheckerState[]): StatePath {
  const keys = states.map(keyOfState);
  return { length: keys.length, matches: (state, index) => keyOfState(state) === keys[index] };
}

/**
 * Walks the path again. With `breaking`, the name of a property that a transition breaks by itself (an assertion, below-zero,
 * unlock), the way ends with such a transition: one on the path, or one behind its last state.
 *
 * Throws an Error if the path is none of this machine's under these options: a bug of the search that gives it.
 */
export function retrace(
  machine: StepMachine,
  options: SuccessorOptions,
  path: StatePath,
  breaking: string | undefined,
): Retraced {
  const first = initialState(machine);
  if (!path.matches(first, 0)) throw new Error("the path does not begin with the first state");
  const breaks = ({ failures }: Transition): boolean => failures.some(({ property }) => property === breaking);
  const transitions: Transition[] = [];
  const reachedAfter = [0];
  let at = first;
  for (let index = 1; index < path.length; index++) {
    const hop = findChain(machine, options, at, breaks, ({ state }) => path.matches(state, index));
    if (hop === undefined) throw new Error(`the path is none: nothing leads to its state ${index}`);
    transitions.push(...hop);
    reachedAfter.push(transitions.length);
    at = transitions[transitions.length - 1].state;
  }
  if (breaking === undefined) return { first, transitions, reachedAfter };
  const onPath = transitions.findIndex(breaks);
  if (onPath >= 0) return { first, transitions: transitions.slice(0, onPath + 1), reachedAfter };
  const last = findChain(machine, options, at, breaks, breaks);
  if (last === undefined) throw new Error(`the path is none: nothing at its end breaks ${breaking}`);
  return { first, transitions: [...transitions, ...last], reachedAfter };
}

/** A chain of states, as far back as its beginning. */
interface Link {
  readonly transition: Transition;
  readonly before: Link | undefined;
}

/** The shortest chain of one thread's transitions that ends with one that `isEnd`; of several one that breaks something. */
function findChain(
  machine: StepMachine,
  options: SuccessorOptions,
  from: CheckerState,
  breaks: (transition: Transition) => boolean,
  isEnd: (transition: Transition) => boolean,
): Transition[] | undefined {
  const seen = new Set<string>();
  let links = linksFrom(machine, options, from, undefined, breaks);
  while (links.length > 0) {
    const end = links.find(({ transition }) => isEnd(transition));
    if (end !== undefined) return transitionsOf(end);
    const next: Link[] = [];
    for (const link of links) {
      const { transition } = link;
      // The same state may belong to the chains of two threads.
      const key = `${transition.thread} ${keyOfState(transition.state)}`;
      if (transition.leadsNowhere || seen.has(key)) continue;
      seen.add(key);
      next.push(...linksFrom(machine, options, transition.state, link, breaks));
    }
    if (seen.size > CHAIN_LIMIT) return undefined;
    links = next;
  }
  return undefined;
}

function linksFrom(
  machine: StepMachine,
  options: SuccessorOptions,
  state: CheckerState,
  before: Link | undefined,
  breaks: (transition: Transition) => boolean,
): Link[] {
  const all = successors(machine, state, options).transitions;
  const own = before === undefined ? all : all.filter(({ thread }) => thread === before.transition.thread);
  const ordered = [...own.filter(breaks), ...own.filter((transition) => !breaks(transition))];
  return ordered.map((transition) => ({ transition, before }));
}

function transitionsOf(end: Link): Transition[] {
  const transitions: Transition[] = [];
  for (let link: Link | undefined = end; link !== undefined; link = link.before) transitions.push(link.transition);
  return transitions.toReversed();
}

/**
 * The graph in which livelocks are looked for, as the interpreter has it: every state, one access a transition.
 *
 * A `choose` that comes back to itself without a step (a thread with nothing to do) is a transition too, so that such a
 * thread is no reason to call a circle of others unfair; work it is not.
 */
import {
  initialState,
  keyOfState,
  operationOf,
  successors,
  type CheckerState,
  type SuccessorOptions,
  type Transition,
} from "../../src/checker/interpret.ts";
import type { Deed, LivelockGraph } from "../../src/checker/livelock.ts";
import type { StepMachine } from "../../src/checker/step-machine.ts";

/** The states behind a graph, with the shortest way to each. */
export interface InterpretedStates extends LivelockGraph {
  readonly states: readonly CheckerState[];
  /** The numbers of the states on a shortest way from the first state to this one, both included. */
  readonly wayTo: (state: number) => readonly number[];
}

/** All states of the machine; undefined if there are more than `stateLimit`. Throws StepsError where the text has no meaning. */
export function interpretStates(
  machine: StepMachine,
  options: SuccessorOptions,
  stateLimit: number,
): InterpretedStates | undefined {
  const states: CheckerState[] = [];
  const parents: number[] = [];
  const numbers = new Map<string, number>();
  const numberOf = (state: CheckerState, parent: number): number => {
    const key = keyOfState(state);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, states.length);
    parents.push(parent);
    return states.push(state) - 1;
  };
  numberOf(initialState(machine), -1);
  for (let from = 0; from < states.length; from++) {
    if (states.length > stateLimit) return undefined;
    for (const { leadsNowhere, state } of successors(machine, states[from], options).transitions) {
      if (!leadsNowhere) numberOf(state, from);
    }
  }
  const threadCount = machine.threads.length;
  return {
    states,
    stateCount: states.length,
    threadCount,
    forEachTransition: (from, visit) => {
      for (const transition of successors(machine, states[from], options).transitions) {
        const to = transition.leadsNowhere ? -1 : numberOf(transition.state, from);
        const process = transition.thread + (transition.kind === "drain" ? threadCount : 0);
        visit(to, process, deedOf(machine, states[from], transition));
      }
    },
    wayTo: (state) => {
      const way: number[] = [];
      for (let at = state; at >= 0; at = parents[at]) way.push(at);
      return way.toReversed();
    },
  };
}

/** What the transition does for its thread. */
export function deedOf(machine: StepMachine, from: CheckerState, transition: Transition): Deed {
  const { thread, state, finishedOperation, visible } = transition;
  const { instructions } = machine.threads[thread];
  if (finishedOperation || (transition.kind === "step" && instructions[state.pcs[thread]].op === "stop"))
    return "progress";
  if (visible === undefined) return "other";
  const isInside = operationOf(machine, from, thread) >= 0 || operationOf(machine, state, thread) >= 0;
  return isInside || instructions.every(({ op }) => op !== "begin") ? "work" : "other";
}

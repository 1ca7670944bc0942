/**
 * The order of locks of a whole system: the interpreter's search of all states, one access at a time, watched by `LockOrder`.
 *
 * Reductions run through critical sections and would hide what is held in them, so this search has none; where a system
 * is too large for it, the graph is that of the states up to the limit, and says so.
 */
import type { LockOrderFound } from "./check.ts";
import type { SuccessorOptions } from "./interpret.ts";
import { LockOrder } from "./lock-order.ts";
import { exploreReference } from "./reference-explore.ts";
import type { StepMachine } from "./step-machine.ts";

/** Looks at every state, or at `stateLimit` of them. O(transitions), a few microseconds each. */
export function seeLockOrder(machine: StepMachine, options: SuccessorOptions, stateLimit: number): LockOrderFound {
  const order = new LockOrder(machine);
  const { coverage, states } = exploreReference(machine, {
    ...options,
    stateLimit,
    visit: ({ state, successors }) => order.visit(state, successors),
  });
  return { ...order.result(), states, isComplete: coverage === "complete" };
}

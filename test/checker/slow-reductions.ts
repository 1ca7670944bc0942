/**
 * The reductions, used as plainly as they can be said: what the fast explorer must also find.
 *
 * Every state is expanded with all of its threads; a thread that comes to rest in front of a safe step goes on at once; of
 * states that are permutations of each other the one with the least key is kept.
 */
import {
  initialState,
  keyOfState,
  successors,
  type CheckerState,
  type SuccessorOptions,
  type Transition,
} from "../../src/checker/interpret.ts";
import { liveRegisters } from "../../src/checker/live-registers.ts";
import type { StepMachine, ValueKind } from "../../src/checker/step-machine.ts";
import type { Symmetry } from "../../src/checker/symmetries.ts";
import { isBrokenByTransition, isDecidedByState, watchedProperties } from "../../src/checker/watched-properties.ts";

export interface SlowOptions extends SuccessorOptions {
  readonly safe?: readonly Uint8Array[];
  readonly permutations?: readonly Symmetry[];
  /** More states than this are an error. */
  readonly stateLimit: number;
}

export interface SlowResult {
  /** Names of the properties that are broken, or seen if they are `sometimes`, sorted. */
  readonly decided: readonly string[];
  readonly states: number;
}

/** Explores all that is left after the reductions. */
export function exploreReduced(machine: StepMachine, options: SlowOptions): SlowResult {
  const { safe, permutations = [], stateLimit } = options;
  const decided = new Set<string>();
  const properties = watchedProperties(machine);
  const states: CheckerState[] = [];
  const known = new Set<string>();
  const reach = (state: CheckerState): void => {
    const least = leastOf(machine, state, permutations);
    if (known.has(least.key)) return;
    known.add(least.key);
    states.push(least.state);
    if (states.length > stateLimit) throw new Error(`more than ${stateLimit} states`);
  };
  const take = (transition: Transition): void => {
    for (const property of properties) if (isBrokenByTransition(property, transition)) decided.add(property.name);
    if (transition.leadsNowhere) return;
    const { thread, state } = transition;
    if (safe?.[thread][state.pcs[thread]] !== 1) {
      reach(state);
      return;
    }
    const next = successors(machine, state, options);
    const own = next.transitions.filter(({ thread: other, kind }) => other === thread && kind === "step");
    if (own.length !== 1 || next.mayBlock[thread] === 1) throw new Error("a safe step that waits, or is a choice");
    take(own[0]);
  };
  reach(initialState(machine));
  for (const state of states) {
    const next = successors(machine, state, options);
    for (const property of properties) {
      if (isDecidedByState(machine, property, state, next)) decided.add(property.name);
    }
    for (const transition of next.transitions) take(transition);
  }
  return { decided: [...decided].sort(), states: states.length };
}

function leastOf(
  machine: StepMachine,
  state: CheckerState,
  permutations: readonly Symmetry[],
): { readonly key: string; readonly state: CheckerState } {
  let least = { key: keyOfState(state), state };
  for (const permutation of permutations) {
    const other = permute(machine, state, permutation);
    const key = keyOfState(other);
    if (key < least.key) least = { key, state: other };
  }
  return least;
}

/** The state with everything where the symmetry takes it. */
export function permute(machine: StepMachine, state: CheckerState, symmetry: Symmetry): CheckerState {
  const variables = new Int32Array(state.variables.length);
  for (const [index, value] of state.variables.entries()) {
    variables[symmetry.variables[index]] = renamed(machine, value, machine.variables[index].value, index, symmetry);
  }
  const pcs = new Int32Array(state.pcs.length);
  const registers = [...state.registers];
  const buffers = [...state.buffers];
  for (const [thread, pc] of state.pcs.entries()) {
    const image = symmetry.threads[thread];
    pcs[image] = pc;
    const own = machine.threads[thread];
    const live = liveRegisters(own)[pc];
    registers[image] = state.registers[thread].map((value, register) =>
      live.has(register) ? renamed(machine, value, own.registers[register].value, -1, symmetry) : value,
    );
    buffers[image] = state.buffers[thread].map(({ variable, value }) => ({
      variable: symmetry.variables[variable],
      value: renamed(machine, value, machine.variables[variable].value, variable, symmetry),
    }));
  }
  return { variables, pcs, registers, buffers };
}

function renamed(machine: StepMachine, value: number, kind: ValueKind, variable: number, symmetry: Symmetry): number {
  if (kind.kind === "element") return value < 0 ? value : symmetry.elements[kind.set][value];
  if (kind.kind === "number" || value === 0) return value;
  if (!machine.variables[variable].hasReaders) return symmetry.threads[value - 1] + 1;
  const count = machine.threads.length;
  if (value >= 1 << count) return (symmetry.threads[(value >> count) - 1] + 1) << count;
  let readers = 0;
  for (let thread = 0; thread < count; thread++) {
    if ((value & (1 << thread)) !== 0) readers |= 1 << symmetry.threads[thread];
  }
  return readers;
}

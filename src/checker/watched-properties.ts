/**
 * Which properties a state or a transition decides.
 *
 * `always` is broken where its condition is false, `never` where it is true, `quiet` where it is false and nobody is at
 * work; `sometimes` is seen where it is true. Assertions, below-zero and unlock are broken by transitions, deadlock by a state
 * from which nobody may be able to go on. docs/step-language.md has the rules, interpret.ts what they rest on.
 */
import { type CheckerState, evaluate, isDeadlock, isQuiet, type Successors, type Transition } from "./interpret.ts";
import { BUILT_IN_PROPERTIES } from "./reference-explore.ts";
import type { MachineProperty, StepMachine } from "./step-machine.ts";

/** A property of the text, or one that every system has. */
export interface WatchedProperty {
  readonly name: string;
  readonly when: MachineProperty["when"] | "built-in";
  readonly condition?: MachineProperty["condition"];
}

/** The machine's properties in order, then the built-in ones; only those of `names` if names are given. */
export function watchedProperties(machine: StepMachine, names?: readonly string[]): readonly WatchedProperty[] {
  const builtIn = BUILT_IN_PROPERTIES.map((name) => ({ name, when: "built-in" as const }));
  return [...machine.properties, ...builtIn].filter(({ name }) => names === undefined || names.includes(name));
}

/** Whether this state breaks the property, or is what a `sometimes` asks for. */
export function isDecidedByState(
  machine: StepMachine,
  { name, when, condition }: WatchedProperty,
  state: CheckerState,
  next: Pick<Successors, "mayBlock">,
): boolean {
  if (when === "built-in") return name === "deadlock" && isDeadlock(machine, state, next);
  if (when === "assert" || condition === undefined) return false;
  if (when === "quiet" && !isQuiet(machine, state)) return false;
  const isTrue = evaluate(machine, condition, state.variables, NO_REGISTERS) !== 0;
  return when === "never" || when === "sometimes" ? isTrue : !isTrue;
}

/** Whether this transition breaks the property by itself. */
export function isBrokenByTransition({ name, when }: WatchedProperty, { failures }: Transition): boolean {
  return (when === "assert" || when === "built-in") && failures.some(({ property }) => property === name);
}

const NO_REGISTERS = new Int32Array(0);

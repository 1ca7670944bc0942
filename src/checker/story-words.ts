/**
 * What one transition did, in the words of a kernel developer: "total is 2", "total 2 -> 3", "got large".
 *
 * A load says what it read, a store what it made of what, a lock who has it. Under TSO it says where a value was: in the
 * thread's own store buffer, or on its way to memory.
 */
import { variableAt } from "./evaluate.ts";
import { placesIn, visitExpression } from "./instruction-flow.ts";
import type { CheckerState, Transition } from "./interpret.ts";
import type { Instruction, MachineExpression, StepMachine, ValueKind, VariablePlace } from "./step-machine.ts";
import { StepsError } from "./syntax.ts";
import { heldBy, type Access } from "./take-step.ts";

/** Variables that a sentence lists at most. */
const LISTED = 12;

/** A value for a reader: "none" and "mm 1" where it is of a set. */
function describeValue(machine: StepMachine, { value: kind }: { readonly value: ValueKind }, value: number): string {
  if (kind.kind !== "element") return String(value);
  return value === -1 ? "none" : `${machine.sets[kind.set].name} ${value}`;
}

/** What a transition did from the state `before`. */
export function describeTransition(machine: StepMachine, transition: Transition, before: CheckerState): string {
  const { access, visible, kind } = transition;
  if (kind === "drain") {
    return access === undefined ? "" : describeDrain(machine, access);
  }
  const picks = describePicks(machine, transition);
  const did =
    visible === undefined ? describeEnd(machine, transition) : describeStep(machine, transition, visible, before);
  return picks === "" ? did : `${picks}; ${did}`;
}

function describeDrain(machine: StepMachine, { variable, after }: Access): string {
  const { name, kind } = machine.variables[variable];
  if (kind === "lock") return `the unlock of ${name} reaches memory`;
  return `the store of ${name} = ${describeValue(machine, machine.variables[variable], after)} reaches memory`;
}

/** "p = 1, m = 0": the registers that a `pick` has set on the way to the step. */
function describePicks(machine: StepMachine, { thread, trace }: Transition): string {
  const { instructions, registers } = machine.threads[thread];
  const picks: string[] = [];
  for (const [index, pc] of trace.entries()) {
    const here = instructions[pc];
    if (index === 0 || here.op !== "set" || instructions[trace[index - 1]].op !== "choose") continue;
    const register = registers[here.register];
    if (here.value.kind !== "constant") continue;
    picks.push(`${register.name} = ${describeValue(machine, register, here.value.value)}`);
  }
  return picks.join(", ");
}

/** A transition without a step: the thread has chosen to do nothing, or ended. */
function describeEnd(machine: StepMachine, { thread, state }: Transition): string {
  const { instructions } = machine.threads[thread];
  return instructions[state.pcs[thread]].op === "stop" ? "ends" : "goes on";
}

function describeStep(
  machine: StepMachine,
  { thread, access, failures, leadsNowhere }: Transition,
  step: Instruction,
  before: CheckerState,
): string {
  if (step.op === "fence") return "all its stores have reached memory";
  if (step.op === "await") return `goes on, as it is so: ${listValues(machine, step.condition, before.variables)}`;
  if (access === undefined) return "";
  const { variable, before: old, after, wasDone, isBuffered } = access;
  const { name } = machine.variables[variable];
  const value = (of: number): string => describeValue(machine, machine.variables[variable], of);
  const change = old === after ? `${name} stays ${value(after)}` : `${name} ${value(old)} -> ${value(after)}`;
  switch (step.op) {
    case "load": {
      const isOwn = before.buffers[thread].some((entry) => entry.variable === variable);
      return `${name} is ${value(after)}${isOwn ? ", as its own store buffer has it" : ""}`;
    }
    case "store":
      return isBuffered ? `${name} = ${value(after)} waits in the store buffer` : change;
    case "cas":
      return wasDone || leadsNowhere ? change : `${name} is ${value(old)}: not exchanged`;
    case "lock":
      return `got ${name}${step.isShared ? " shared" : ""}`;
    case "trylock":
      return wasDone
        ? `got ${name}${step.isShared ? " shared" : ""}`
        : `did not get ${heldBy(machine, variable, old, thread)}`;
    case "unlock":
      if (!wasDone) return failures.find(({ property }) => property === "unlock")?.message ?? `did not hold ${name}`;
      return isBuffered ? `the unlock of ${name} waits in the store buffer` : `released ${name}`;
    default:
      return change;
  }
}

/**
 * "total is 2, owner is none": the variables that a condition looks at, in the order of their numbers. Without the registers
 * an index that hangs on one may mean any element.
 */
export function listValues(
  machine: StepMachine,
  condition: MachineExpression,
  variables: Int32Array,
  registers?: Int32Array,
): string {
  const looked = new Set(placesIn(condition).flatMap((at) => variablesAt(machine, at, variables, registers)));
  const sorted = [...looked].sort((a, b) => a - b);
  const isTelling = (variable: number): boolean => variables[variable] !== 0;
  const chosen = sorted.length <= LISTED ? sorted : sorted.filter(isTelling).slice(0, LISTED);
  const listed = chosen.map(
    (variable) =>
      `${machine.variables[variable].name} is ${describeValue(machine, machine.variables[variable], variables[variable])}`,
  );
  const left = sorted.filter((variable) => !chosen.includes(variable));
  if (left.length === 0) return listed.join(", ");
  const rest = left.some(isTelling) ? `${left.length} more` : "all others 0";
  return [...listed, rest].join(", ");
}

function variablesAt(
  machine: StepMachine,
  at: VariablePlace,
  variables: Int32Array,
  registers: Int32Array | undefined,
): readonly number[] {
  if (registers === undefined && at.index !== undefined && readsRegister(at.index)) {
    return Array.from({ length: at.count }, (_, offset) => at.base + offset);
  }
  try {
    return [variableAt(machine, at, variables, registers ?? new Int32Array(0))];
  } catch (error) {
    // A part that the condition leaves alone, as in `o != none && mapped[o]`, need not be anywhere.
    if (error instanceof StepsError) return [];
    throw error;
  }
}

function readsRegister(expression: MachineExpression): boolean {
  let reads = false;
  visitExpression(expression, ({ kind }) => {
    if (kind === "register") reads = true;
  });
  return reads;
}

/**
 * A way to a broken property as a story: one line an access, with what was read or done and what changed in memory.
 *
 * The way is walked again with the interpreter (retrace.ts), so that a story says what happened and not what the search kept
 * of it: every step by itself, also those that a reduced search took at once. A deadlock's story ends with a line for each
 * thread that waits.
 */
import type { PropertyOutcome, Story, StoryChange, StoryStep } from "./check.ts";
import {
  type Blocked,
  type CheckerState,
  operationIn,
  type SuccessorOptions,
  successors,
  type Transition,
} from "./interpret.ts";
import { retrace, type Retraced, type StatePath } from "./retrace.ts";
import { describeEnding } from "./story-ending.ts";
import { describeTransition } from "./story-words.ts";
import type { MachineThread, Origin, StepMachine } from "./step-machine.ts";

/** The property that a way breaks (a `sometimes`: has) at its end. */
export type ToldProperty = Pick<PropertyOutcome, "name" | "when">;

/** The first state, and what happened from there. */
export type Way = Pick<Retraced, "first" | "transitions">;

export interface StoryRequest {
  readonly property: ToldProperty;
  /** To the state that has it, or from which (or to which) a transition breaks the property by itself. */
  readonly path: StatePath;
  /** Livelock: the number of the state (in the path) that the path comes back to at its end. */
  readonly repeatsFrom?: number;
}

/** Tells how the property came to be broken from the states on the way. Throws an Error if they are no way. */
export function tellStory(machine: StepMachine, options: SuccessorOptions, request: StoryRequest): Story {
  const { property, path, repeatsFrom } = request;
  const way = retrace(machine, options, path, breaksByTransition(property) ? property.name : undefined);
  const story = tellWay(machine, options, property, way);
  return repeatsFrom === undefined ? story : { ...story, repeatsFrom: way.reachedAfter[repeatsFrom] };
}

/** Tells how the property came to be broken by these transitions, one behind the other. */
export function tellWay(machine: StepMachine, options: SuccessorOptions, property: ToldProperty, way: Way): Story {
  const end = way.transitions.at(-1);
  const state = end?.state ?? way.first;
  const blocked = end?.leadsNowhere === true ? [] : successors(machine, state, options).blocked;
  const waits = property.name === "deadlock" ? waitingSteps(machine, blocked) : [];
  const ending = end === undefined ? { state, blocked } : { state, blocked, breaking: end };
  return {
    property: property.name,
    ending: describeEnding(machine, property, ending),
    threads: machine.threads.map(({ name }) => name),
    steps: [...stepsOf(machine, way), ...waits],
    ...touchedValues(machine, way),
  };
}

function breaksByTransition({ name, when }: ToldProperty): boolean {
  return when === "assert" || (when === "built-in" && name !== "deadlock" && name !== "livelock");
}

/** Where a store in a buffer comes from. */
interface Sender {
  readonly origin: Origin;
  readonly operation: string;
}

function stepsOf(machine: StepMachine, { first, transitions }: Way): StoryStep[] {
  const senders: Sender[][] = machine.threads.map(() => []);
  let before = first;
  return transitions.map((transition) => {
    const { thread, kind, access } = transition;
    const sender = kind === "drain" ? senders[thread].shift() : senderOf(machine, transition);
    if (sender === undefined) throw new Error("a store reaches memory that nobody has made");
    if (access?.isBuffered === true) senders[thread].push(sender);
    const { source, text, line, column } = sender.origin;
    const step: StoryStep = {
      thread,
      source,
      position: { text, line, column },
      operation: sender.operation,
      ...(transition.finishedOperation ? { endsOperation: true as const } : {}),
      what: describeTransition(machine, transition, before),
      changes: changesOf(machine, before, transition),
    };
    before = transition.state;
    return step;
  });
}

/** The step of a transition, or what it went through last: the choice to do nothing, the end. */
function senderOf(machine: StepMachine, { thread, visible, trace, state }: Transition): Sender {
  const own = machine.threads[thread];
  const pc = visible === undefined ? state.pcs[thread] : own.instructions.indexOf(visible);
  const { origin } = own.instructions[visible === undefined ? (trace[0] ?? pc) : pc];
  return { origin, operation: operationName(machine, own, pc) };
}

function operationName(machine: StepMachine, thread: MachineThread, pc: number): string {
  return machine.operations[operationIn(thread, pc)] ?? "";
}

function changesOf(machine: StepMachine, before: CheckerState, transition: Transition): StoryChange[] {
  const after = valuesBehind(transition);
  return machine.variables.flatMap(({ name, kind }, variable) => {
    const change = { name, before: before.variables[variable], after: after[variable] };
    if (change.before === change.after) return [];
    return [kind === "ghost" ? { ...change, isGhost: true as const } : change];
  });
}

/** The variables behind a transition, also where it leads nowhere: a count below zero is in no state. */
function valuesBehind({ state: { variables }, leadsNowhere, access }: Transition): Int32Array {
  return leadsNowhere && access !== undefined ? variables.with(access.variable, access.after) : variables;
}

/** A line for each thread and thing that it waits for: two alternatives may wait for the same. */
function waitingSteps(machine: StepMachine, blocked: readonly Blocked[]): StoryStep[] {
  const told = new Set<string>();
  return blocked.flatMap(({ thread, at, on }) => {
    const key = `${thread} ${on}`;
    if (told.has(key)) return [];
    told.add(key);
    const own = machine.threads[thread];
    const { source, text, line, column } = own.instructions[at].origin;
    const position = { text, line, column };
    return [
      { thread, source, position, operation: operationName(machine, own, at), what: `waits for ${on}`, changes: [] },
    ];
  });
}

/** The variables that some transition changed or looked at, as they were at the beginning and are at the end. */
function touchedValues(machine: StepMachine, { first, transitions }: Way): Pick<Story, "before" | "after"> {
  const touched = new Set<number>();
  let { variables } = first;
  for (const transition of transitions) {
    const next = valuesBehind(transition);
    if (transition.access !== undefined) touched.add(transition.access.variable);
    for (const variable of machine.variables.keys()) if (variables[variable] !== next[variable]) touched.add(variable);
    variables = next;
  }
  const sorted = [...touched].sort((a, b) => a - b);
  const valuesIn = (of: Int32Array): Record<string, number> =>
    Object.fromEntries(sorted.map((variable) => [machine.variables[variable].name, of[variable]]));
  return { before: valuesIn(first.variables), after: valuesIn(variables) };
}

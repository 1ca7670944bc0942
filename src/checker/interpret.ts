/**
 * The meaning of a transition, in its obviously right form: states as plain objects, every successor of a state.
 *
 * A thread rests at a step, at a `choose`, at the `begin` of an operation, at `stop`, and at first at its instruction 0. A
 * transition takes it on: through everything local, through choices and the beginnings of operations, to the next step; it
 * takes that step, and then the local instructions behind it up to the next place of rest. So a choice of an operation, of a
 * page and the first lock are one transition. Three corners:
 *
 * - A `choose` or `begin` that a transition comes to a second time before it has taken a step (the empty alternative of a
 *   loop) is a place of rest: such a transition takes no step. Nor does one that comes to `stop` before a step.
 * - A choice of which no alternative exists (every `require` fails) blocks its thread for ever.
 * - A failed assertion or unlock is noted and the thread goes on. A count below zero leads nowhere (take-step.ts).
 *
 * Under TSO the oldest store of every buffer may reach memory at any time, a transition of its own. Ghosts are the checker's
 * and change at once; assertions, `await` and properties look at memory. Registers that are dead where their thread rests
 * (live-registers.ts) are 0 in a state.
 */
import type { MemoryOrder } from "./check.ts";
import { enter, goLocally, type Underway } from "./go-locally.ts";
import { liveRegisters } from "./live-registers.ts";
import { operationAt, OUTSIDE } from "./operation-at.ts";
import { isRest, isStep, type Instruction, type MachineThread, type StepMachine } from "./step-machine.ts";
import { StepsError } from "./syntax.ts";
import { takeStep, type Access, type BufferedStore, type Failure } from "./take-step.ts";

export { evaluate } from "./evaluate.ts";
export { MAX_LOCAL_INSTRUCTIONS } from "./go-locally.ts";
export type { Access, BufferedStore, Failure } from "./take-step.ts";

export interface CheckerState {
  readonly variables: Int32Array;
  /** The instruction at which each thread rests. */
  readonly pcs: Int32Array;
  /** Of each thread; dead ones are 0. */
  readonly registers: readonly Int32Array[];
  /** Of each thread, oldest first; always empty under sequential consistency. */
  readonly buffers: readonly (readonly BufferedStore[])[];
}

export interface SuccessorOptions {
  /** Default "sc". */
  readonly memory?: MemoryOrder;
  /** Default 2. */
  readonly bufferEntries?: number;
}

export interface Transition {
  readonly thread: number;
  /** drain: the thread's oldest buffered store reaches memory. */
  readonly kind: "step" | "drain";
  readonly state: CheckerState;
  /** What this transition breaks by itself: assertions, "unlock", "below-zero". */
  readonly failures: readonly Failure[];
  /** A count went below zero: `state` is as far as it came, and no state that a search goes on from. */
  readonly leadsNowhere: boolean;
  readonly finishedOperation: boolean;
  /** The step that was taken; absent for a drain and for a thread that only chose or ended. */
  readonly visible?: Instruction;
  /** What that step (or the drain) did. */
  readonly access?: Access;
  /** The numbers of the instructions that the thread went through, in order. */
  readonly trace: readonly number[];
}

/** A thread, or an alternative of it, that must wait for another thread. */
export interface Blocked {
  readonly thread: number;
  /** For what, in words: "ptl[0], which mapper[1] holds". */
  readonly on: string;
  /** The instruction that cannot be taken: a lock, an await, a choice without an alternative. */
  readonly at: number;
  /** The lock (a variable) that it waits for. */
  readonly lock?: number;
}

export interface Successors {
  readonly transitions: Transition[];
  readonly blocked: readonly Blocked[];
  /** By thread, 1: it is blocked, or some alternative of it is. */
  readonly mayBlock: Uint8Array;
}

const DEFAULT_BUFFER_ENTRIES = 2;

/** What is known of a thread before it runs. */
interface ThreadFacts {
  readonly live: readonly ReadonlySet<number>[];
  readonly operation: Int32Array;
}

const knownFacts = new WeakMap<MachineThread, ThreadFacts>();

function factsOf(thread: MachineThread): ThreadFacts {
  let facts = knownFacts.get(thread);
  if (facts === undefined) {
    facts = { live: liveRegisters(thread), operation: operationAt(thread) };
    knownFacts.set(thread, facts);
  }
  return facts;
}

/**
 * The first state: variables as declared, `initially` run, every thread at its beginning.
 *
 * Throws StepsError if `initially` waits, chooses, fails, or leaves a lock held.
 */
export function initialState(machine: StepMachine): CheckerState {
  const variables = Int32Array.from(machine.variables, ({ initial }) => initial);
  if (machine.initially !== undefined) runAlone(machine, machine.initially, variables);
  return {
    variables,
    pcs: new Int32Array(machine.threads.length),
    registers: machine.threads.map(({ registers }) => new Int32Array(registers.length)),
    buffers: machine.threads.map(() => []),
  };
}

function runAlone(machine: StepMachine, initially: MachineThread, variables: Int32Array): void {
  const walk: Underway = {
    machine,
    instructions: initially.instructions,
    thread: 0,
    variables,
    bufferEntries: 0,
    buffer: [],
    registers: new Int32Array(initially.registers.length),
    failures: [],
    pc: 0,
    trace: [],
    finishedOperation: false,
  };
  for (;;) {
    const here = walk.instructions[walk.pc];
    if (here.op === "stop") break;
    if (here.op === "choose") {
      throw new StepsError("initially has nothing to choose: it is one first state", here.origin);
    }
    if (isStep(here)) {
      const outcome = takeStep(walk, here);
      if (outcome.kind === "blocked") throw new StepsError(`initially waits for ever for ${outcome.on}`, here.origin);
      enter(walk, walk.pc + 1);
    } else if (here.op === "begin") enter(walk, walk.pc + 1);
    else goLocally(walk, here);
    const [failure] = walk.failures;
    if (failure !== undefined) {
      throw new StepsError(`initially breaks ${failure.property}: ${failure.message}`, here.origin);
    }
  }
  const held = machine.variables.find(({ kind }, variable) => kind === "lock" && variables[variable] !== 0);
  if (held !== undefined) {
    throw new StepsError(`initially leaves ${held.name} locked`, initially.instructions[0]?.origin);
  }
}

/** All that can happen next. Throws StepsError where the text has no meaning. */
export function successors(machine: StepMachine, state: CheckerState, options: SuccessorOptions): Successors {
  const { memory = "sc", bufferEntries = DEFAULT_BUFFER_ENTRIES } = options;
  const found: Found = { state, transitions: [], blocked: [], mayBlock: new Uint8Array(machine.threads.length) };
  for (const [thread, { instructions }] of machine.threads.entries()) {
    const walk: Underway = {
      machine,
      thread,
      instructions,
      pc: state.pcs[thread],
      trace: [],
      finishedOperation: false,
      variables: state.variables.slice(),
      registers: state.registers[thread].slice(),
      failures: [],
      buffer: [...state.buffers[thread]],
      bufferEntries: memory === "tso" ? bufferEntries : 0,
    };
    if (instructions[walk.pc].op !== "stop") goToStep(walk, found, new Set());
    const [oldest] = state.buffers[thread];
    if (oldest !== undefined) found.transitions.push(drain(state, thread, oldest));
  }
  return found;
}

interface Found extends Successors {
  readonly state: CheckerState;
  readonly blocked: Blocked[];
}

/**
 * Takes the thread through local instructions and every choice to its step, and on to where it rests. `passed`: the choices
 * and beginnings that it has come through on this way. False if the alternative does not exist: its `require` fails.
 */
function goToStep(walk: Underway, found: Found, passed: ReadonlySet<number>): boolean {
  for (;;) {
    const here = walk.instructions[walk.pc];
    if (isStep(here)) {
      takeAndSettle(walk, here, found);
      return true;
    }
    if (here.op === "stop" || passed.has(walk.pc)) {
      settle(walk, found, {});
      return true;
    }
    if (here.op === "choose") {
      chooseEach(walk, here.targets, found, new Set([...passed, walk.pc]));
      return true;
    }
    if (here.op === "begin") {
      passed = new Set([...passed, walk.pc]);
      enter(walk, walk.pc + 1);
    } else if (!goLocally(walk, here)) return false;
  }
}

function chooseEach(walk: Underway, targets: readonly number[], found: Found, passed: ReadonlySet<number>): void {
  let existing = 0;
  for (const target of targets) {
    const alternative: Underway = {
      ...walk,
      variables: walk.variables.slice(),
      registers: walk.registers.slice(),
      buffer: [...walk.buffer],
      failures: [...walk.failures],
      trace: [...walk.trace],
    };
    enter(alternative, target);
    if (goToStep(alternative, found, passed)) existing++;
  }
  const { source } = walk.instructions[walk.pc].origin;
  if (existing === 0) block(walk, found, { on: `an alternative, and has none: ${source}` });
}

function takeAndSettle(walk: Underway, step: Instruction, found: Found): void {
  const outcome = takeStep(walk, step);
  if (outcome.kind === "buffered") return;
  if (outcome.kind === "blocked") {
    block(walk, found, outcome);
    return;
  }
  const did = { visible: step, ...(outcome.access === undefined ? {} : { access: outcome.access }) };
  if (outcome.kind === "taken") {
    enter(walk, walk.pc + 1);
    while (!isRest(walk.instructions[walk.pc])) {
      if (!goLocally(walk, walk.instructions[walk.pc])) throw new Error("a require stands behind a step");
    }
    settle(walk, found, did);
    return;
  }
  walk.trace.push(walk.pc);
  found.transitions.push({ ...transitionOf(walk, found.state), ...did, leadsNowhere: true });
}

function block(walk: Underway, found: Found, { on, lock }: { readonly on: string; readonly lock?: number }): void {
  const { thread, pc } = walk;
  found.blocked.push(lock === undefined ? { thread, on, at: pc } : { thread, on, at: pc, lock });
  found.mayBlock[thread] = 1;
}

/** The thread rests: its dead registers are 0, its live ones in their ranges. */
function settle(walk: Underway, found: Found, did: Pick<Transition, "visible" | "access">): void {
  const { machine, registers, pc } = walk;
  const thread = machine.threads[walk.thread];
  const live = factsOf(thread).live[pc];
  for (const [register, { name, min, max }] of thread.registers.entries()) {
    if (!live.has(register)) registers[register] = 0;
    else if (registers[register] < min || registers[register] > max) {
      const value = registers[register];
      throw new StepsError(
        `${name} of ${thread.name} is ${value}, outside of its range ${min}..${max}`,
        walk.instructions[pc].origin,
      );
    }
  }
  found.transitions.push({ ...transitionOf(walk, found.state), ...did });
}

function transitionOf(walk: Underway, from: CheckerState): Transition {
  const { thread, variables, registers, buffer, failures, finishedOperation, trace } = walk;
  const state: CheckerState = {
    variables,
    pcs: from.pcs.with(thread, walk.pc),
    registers: from.registers.with(thread, registers),
    buffers: from.buffers.with(thread, buffer),
  };
  return { thread, kind: "step", state, failures, leadsNowhere: false, finishedOperation, trace };
}

function drain(state: CheckerState, thread: number, { variable, value }: BufferedStore): Transition {
  const access: Access = {
    variable,
    before: state.variables[variable],
    after: value,
    wasDone: true,
    isBuffered: false,
  };
  const variables = state.variables.with(variable, value);
  const buffers = state.buffers.with(thread, state.buffers[thread].slice(1));
  const after: CheckerState = { ...state, variables, buffers };
  return {
    thread,
    kind: "drain",
    state: after,
    failures: [],
    leadsNowhere: false,
    finishedOperation: false,
    access,
    trace: [],
  };
}

/**
 * Whether nobody can go on: every thread is at its end or blocked, or may decide to be (an alternative of it is blocked), at
 * least one of the latter, and no store is on its way to memory. All threads at their ends is the end, not a deadlock.
 */
export function isDeadlock(
  machine: StepMachine,
  state: CheckerState,
  { mayBlock }: Pick<Successors, "mayBlock">,
): boolean {
  const isStuck = machine.threads.every(
    ({ instructions }, thread) => mayBlock[thread] === 1 || instructions[state.pcs[thread]].op === "stop",
  );
  return isStuck && mayBlock.includes(1) && state.buffers.every((buffer) => buffer.length === 0);
}

/** The operation (index into StepMachine.operations) in which a thread rests, or -1 outside of all. */
export function operationOf(machine: StepMachine, state: CheckerState, thread: number): number {
  return operationIn(machine.threads[thread], state.pcs[thread]);
}

/** The operation in which a thread is that is at its instruction `pc`, or -1; at a `begin` it is still outside. */
export function operationIn(thread: MachineThread, pc: number): number {
  return factsOf(thread).operation[pc];
}

/** Whether no thread is inside an operation and every store has reached memory: when `quiet` properties must hold. */
export function isQuiet(machine: StepMachine, state: CheckerState): boolean {
  return machine.threads.every(
    (_, thread) => operationOf(machine, state, thread) === OUTSIDE && state.buffers[thread].length === 0,
  );
}

/** A string that two states share if and only if they are the same state of one machine. */
export function keyOfState({ variables, pcs, registers, buffers }: CheckerState): string {
  const written = buffers.map((buffer) => buffer.map(({ variable, value }) => `${variable}=${value}`).join(","));
  return [variables.join(), pcs.join(), registers.map((own) => own.join()).join(";"), written.join(";")].join("|");
}

/**
 * What one step does: a load, a store, an atomic, a lock, taken by a thread under way.
 *
 * Under TSO each thread has a buffer of stores, first in and first out (docs/step-language.md). A store and an unlock go into
 * it and wait while it is full; a load looks there first, newest first; everything else waits until it is empty and then goes
 * to memory. Three rules that the language page leaves open:
 *
 * - `unlock_shared` is an atomic: it takes one reader's bit out of a word that other readers change too, as up_read() does.
 * - A thread that holds a lock shared and asks for it shared again waits for itself, as lockdep would have it: a writer that
 *   comes between would make it a deadlock.
 * - A word that would go below its range has no state behind it: the step fails and leads nowhere.
 *
 *     a lock:              0 free, t + 1 held by thread t
 *     a lock with readers: bit t for each reader t, (t + 1) << threads for a writer
 */
import { evaluate, variableAt } from "./evaluate.ts";
import type { Instruction, MachineExpression, StepMachine, VariablePlace } from "./step-machine.ts";
import { StepsError, type Position } from "./syntax.ts";

/** A store that has not reached memory. */
export interface BufferedStore {
  readonly variable: number;
  readonly value: number;
}

/** A property that a transition breaks by itself, and how, in words. */
export interface Failure {
  readonly property: string;
  readonly message: string;
  /** An assertion: the instruction, and what it saw there; the step behind it may have changed that. */
  readonly found?: { readonly at: number; readonly variables: Int32Array; readonly registers: Int32Array };
}

/** What a step did to its variable: seen from its thread, before and after. */
export interface Access {
  readonly variable: number;
  readonly before: number;
  readonly after: number;
  /** A trylock or a cas may fail; everything else that was taken was done. */
  readonly wasDone: boolean;
  /** It waits in the store buffer: memory has the value of before. */
  readonly isBuffered: boolean;
}

/** A thread under way from one place of rest to the next: what it changes is its own copy. */
export interface Walk {
  readonly machine: StepMachine;
  readonly thread: number;
  readonly variables: Int32Array;
  readonly registers: Int32Array;
  /** Oldest first. */
  readonly buffer: BufferedStore[];
  /** Entries that `buffer` can have; 0 under sequential consistency: a store is memory's at once. */
  readonly bufferEntries: number;
  readonly failures: Failure[];
}

/**
 * taken: done. blocked: it must wait for another thread, `on` says for what ("ptl[0], which mapper[1] holds"), `lock` is that variable. buffered: it
 * must wait for its own stores. nowhere: a word below its range; `failures` says so.
 */
export type StepOutcome =
  | { readonly kind: "taken" | "nowhere"; readonly access?: Access }
  | { readonly kind: "blocked"; readonly on: string; readonly lock?: number }
  | { readonly kind: "buffered" };

const TAKEN: StepOutcome = { kind: "taken" };
const BUFFERED: StepOutcome = { kind: "buffered" };

/** Takes the step `instruction` if it can be taken. Throws StepsError where the text has no meaning (evaluate.ts; a range). */
export function takeStep(walk: Walk, instruction: Instruction): StepOutcome {
  switch (instruction.op) {
    case "load":
      return load(walk, instruction.register, placeOf(walk, instruction.at, instruction.origin));
    case "store":
      return store(walk, instruction, valueOf(walk, instruction.value, instruction.origin));
    case "unlock":
      return unlock(walk, instruction);
    default:
      break;
  }
  if (walk.buffer.length > 0) return BUFFERED;
  switch (instruction.op) {
    case "add":
    case "swap":
    case "cas":
      return atomic(walk, instruction);
    case "lock":
    case "trylock":
      return lock(walk, instruction);
    case "fence":
      return TAKEN;
    case "await":
      return valueOf(walk, instruction.condition, instruction.origin) === 0
        ? { kind: "blocked", on: instruction.origin.source }
        : TAKEN;
    default:
      throw new Error(`${instruction.op} is no step`);
  }
}

/** The variable as the thread sees it: its own newest store of it, else memory's. */
function seen({ buffer, variables }: Walk, variable: number): number {
  return buffer.findLast((entry) => entry.variable === variable)?.value ?? variables[variable];
}

function load(walk: Walk, register: number, variable: number): StepOutcome {
  const value = seen(walk, variable);
  walk.registers[register] = value;
  return taken(variable, value, value);
}

function store(walk: Walk, instruction: Extract<Instruction, { op: "store" }>, value: number): StepOutcome {
  const variable = placeOf(walk, instruction.at, instruction.origin);
  return write(walk, variable, value, instruction.origin);
}

/** A plain store: into the buffer if there is one. */
function write(walk: Walk, variable: number, after: number, position: Position): StepOutcome {
  const before = seen(walk, variable);
  const isBuffered = walk.bufferEntries > 0;
  if (isBuffered && walk.buffer.length >= walk.bufferEntries) return BUFFERED;
  if (!isInRange(walk, variable, after, position)) return nowhere(variable, before, after);
  if (isBuffered) walk.buffer.push({ variable, value: after });
  else walk.variables[variable] = after;
  return { kind: "taken", access: { variable, before, after, wasDone: true, isBuffered } };
}

function atomic(walk: Walk, instruction: Extract<Instruction, { op: "add" | "swap" | "cas" }>): StepOutcome {
  const { origin, register } = instruction;
  const variable = placeOf(walk, instruction.at, origin);
  const before = walk.variables[variable];
  const operand = valueOf(walk, instruction.value, origin);
  if (instruction.op === "cas" && before !== valueOf(walk, instruction.expected, origin)) {
    setRegister(walk, register, 0);
    return { kind: "taken", access: { variable, before, after: before, wasDone: false, isBuffered: false } };
  }
  const after = instruction.op === "add" ? (before + operand) | 0 : operand;
  if (!isInRange(walk, variable, after, origin)) return nowhere(variable, before, after);
  walk.variables[variable] = after;
  const results = { add: after, swap: before, cas: 1 };
  setRegister(walk, register, results[instruction.op]);
  return taken(variable, before, after);
}

function lock(
  walk: Walk,
  instruction: Extract<Instruction, { op: "lock" | "unlock" } | { op: "trylock" }>,
): StepOutcome {
  const { machine, thread, variables } = walk;
  const variable = placeOf(walk, instruction.at, instruction.origin);
  const { readerBit, writerValue, firstWriter } = lockValues(machine, variable, thread);
  const before = variables[variable];
  const isFree = instruction.isShared ? before < firstWriter && (before & readerBit) === 0 : before === 0;
  const isTry = instruction.op === "trylock";
  if (!isFree && !isTry) return { kind: "blocked", on: heldBy(machine, variable, before, thread), lock: variable };
  if (isFree) variables[variable] = instruction.isShared ? before | readerBit : writerValue;
  if (isTry) setRegister(walk, instruction.register, isFree ? 1 : 0);
  const after = variables[variable];
  return { kind: "taken", access: { variable, before, after, wasDone: isFree, isBuffered: false } };
}

function unlock(walk: Walk, instruction: Extract<Instruction, { op: "lock" | "unlock" }>): StepOutcome {
  const { machine, thread, variables, failures } = walk;
  if (instruction.isShared && walk.buffer.length > 0) return BUFFERED;
  const variable = placeOf(walk, instruction.at, instruction.origin);
  const { readerBit, writerValue, firstWriter } = lockValues(machine, variable, thread);
  const before = seen(walk, variable);
  const isHeld = instruction.isShared ? before < firstWriter && (before & readerBit) !== 0 : before === writerValue;
  if (!isHeld) {
    const { name } = machine.variables[variable];
    const how = instruction.isShared ? " shared" : "";
    const message = `${machine.threads[thread].name} unlocks ${name}${how}, which it does not hold${how}`;
    failures.push({ property: "unlock", message });
    return { kind: "taken", access: { variable, before, after: before, wasDone: false, isBuffered: false } };
  }
  if (!instruction.isShared) return write(walk, variable, 0, instruction.origin);
  variables[variable] = before & ~readerBit;
  return taken(variable, before, variables[variable]);
}

/** How a lock says that `thread` has it; any value from `firstWriter` on is a writer's. */
function lockValues(machine: StepMachine, variable: number, thread: number) {
  const shift = machine.variables[variable].hasReaders ? machine.threads.length : 0;
  return {
    readerBit: shift === 0 ? 0 : 1 << thread,
    writerValue: (thread + 1) << shift,
    firstWriter: 1 << shift,
  };
}

/** The threads that hold a lock of this value. */
export function holdersOf(machine: StepMachine, variable: number, value: number): readonly number[] {
  return machine.threads.flatMap((_, thread) => {
    const { readerBit, writerValue, firstWriter } = lockValues(machine, variable, thread);
    return value === writerValue || (value < firstWriter && (value & readerBit) !== 0) ? [thread] : [];
  });
}

/** A lock and who has it, in words: "ptl[0], which mapper[1] holds". */
export function heldBy(machine: StepMachine, variable: number, value: number, asker: number): string {
  const { name } = machine.variables[variable];
  const holders = holdersOf(machine, variable, value);
  if (holders.length === 1 && holders[0] === asker) return `${name}, which it holds itself`;
  const names = holders.map((thread) => (thread === asker ? "itself" : machine.threads[thread].name));
  return `${name}, which ${names.join(" and ")} ${names.length === 1 ? "holds" : "hold"}`;
}

/**
 * Whether the variable can have this value. A word that goes below 0 (or below none) breaks property below-zero; every other
 * value out of its range is the text's fault, and thrown: no verdict would mean anything.
 */
export function isInRange(walk: Walk, variable: number, value: number, position: Position): boolean {
  const { name, kind, min, max } = walk.machine.variables[variable];
  if (value >= min && value <= max) return true;
  if (kind === "word" && value < min && (min === 0 || min === -1)) {
    const { name: thread } = walk.machine.threads[walk.thread];
    walk.failures.push({ property: "below-zero", message: `${thread} makes ${name} ${value}, below ${min}` });
    return false;
  }
  throw new StepsError(`${name} would be ${value}, outside of its range ${min}..${max}`, position);
}

function taken(variable: number, before: number, after: number): StepOutcome {
  return { kind: "taken", access: { variable, before, after, wasDone: true, isBuffered: false } };
}

function nowhere(variable: number, before: number, after: number): StepOutcome {
  return { kind: "nowhere", access: { variable, before, after, wasDone: false, isBuffered: false } };
}

function setRegister({ registers }: Walk, register: number, value: number): void {
  if (register >= 0) registers[register] = value;
}

function valueOf(walk: Walk, expression: MachineExpression, position: Position): number {
  return evaluate(walk.machine, expression, walk.variables, walk.registers, position);
}

function placeOf(walk: Walk, at: VariablePlace, position: Position): number {
  return variableAt(walk.machine, at, walk.variables, walk.registers, position);
}

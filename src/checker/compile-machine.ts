/**
 * A checked system as generated JavaScript on packed states: all successors of a state, all properties of a state.
 *
 * This is the fast twin of interpret.ts, and every number and verdict of it is tested equal. It is generated because the loop
 * over states runs this millions of times a second (compile-expression.ts says what the text may contain: names made here,
 * and numbers). It needs an engine that permits `new Function`; where a page's policy forbids it there is no fast search.
 *
 * The threads' bits that say who may be blocked are those of one number, so at most 30 threads.
 */
import { type Code, ExpressionCode, type Fault, readField } from "./compile-expression.ts";
import type { BuiltInNumbers } from "./compile-step.ts";
import { compileThread, declareWords, type ThreadFunctions } from "./compile-thread.ts";
import { MAX_LOCAL_INSTRUCTIONS } from "./interpret.ts";
import { operationAt, OUTSIDE } from "./operation-at.ts";
import type { StateLayout } from "./state-layout.ts";
import type { MachineProperty, StepMachine } from "./step-machine.ts";
import { StepsError } from "./syntax.ts";

/** A failed property, and what had failed before it on the same way. */
export interface FailureList {
  readonly property: number;
  readonly next: FailureList | null;
}

/** The functions of a machine. Properties are numbers: the machine's in order, then `builtIn`'s. */
export interface CompiledMachine {
  readonly layout: StateLayout;
  readonly builtIn: BuiltInNumbers & { readonly deadlock: number };
  /** States that `expand` appends at most. */
  readonly maxSuccessors: number;
  /**
   * Appends the states behind the one at `states[from]` to `out` at index `at`; the new end is the result. Properties that
   * the state (deadlock) or a transition breaks are added to `failed`, transitions that led nowhere to `counters`.
   */
  readonly expand: (states: Int32Array, from: number, out: Int32Array, at: number) => number;
  /** Adds the always, never and quiet properties that a state breaks to `failed`, the `sometimes` that it has to `seen`. */
  readonly checkState: (states: Int32Array, from: number) => void;
  /** Numbers of properties, in the order in which they failed; whoever reads them empties the list. */
  readonly failed: number[];
  /** 1 for each property that need not be looked at: a `sometimes` that was seen, what is not to be checked. */
  readonly isSettled: Uint8Array;
  /** [2]: transitions that led nowhere, of all states so far; [3]: bits of the threads whose did, of the last state. */
  readonly counters: Int32Array;
  /**
   * With `hasDeeds`: of the k-th state that `expand` appended (from index 0 on) who made it and what that was for its thread:
   * four times the thread (a store leaving a buffer: threadCount more) and 0 other, 1 progress, 2 work (livelock.ts).
   */
  readonly deeds: Uint8Array;
  /** The generated text, for whoever wants to read it. */
  readonly source: Code;
}

const MAX_THREADS = 30;

/**
 * Compiles `machine` for states laid out by `layout`.
 *
 * Throws StepsError for a machine of too many threads, or whatever operation-at.ts refuses.
 */
export function compileMachine(
  machine: StepMachine,
  layout: StateLayout,
  { hasDeeds = false }: { readonly hasDeeds?: boolean } = {},
): CompiledMachine {
  if (machine.threads.length > MAX_THREADS) {
    throw new StepsError(
      `${machine.name} has ${machine.threads.length} threads; at most ${MAX_THREADS} can be explored`,
    );
  }
  const own = machine.properties.length;
  const builtIn = { deadlock: own, belowZero: own + 1, unlock: own + 2 };
  const expressions = new ExpressionCode(machine, layout);
  const threads: ThreadFunctions[] = [];
  let scratchWords = 0;
  const shared = { machine, layout, expressions, builtIn, hasDeeds };
  for (const thread of machine.threads.keys()) {
    const compiled = compileThread(thread, { ...shared, scratchFrom: scratchWords });
    scratchWords += compiled.scratchWords;
    threads.push(compiled);
  }
  const functions = threads.map(({ code }) => code).join("");
  const expand = compileExpand(layout, threads, builtIn.deadlock);
  const checkState = compileProperties(machine, layout, expressions);
  const tables = expressions.tables.map((_, table) => `const T${table}=T[${table}];\n`).join("");
  const quiet = layout.threads.map((_, thread) => `const Q${thread}=Q[${thread}];\n`).join("");
  const source = `"use strict";\n${tables}${quiet}${functions}${expand}${checkState}return {expand,checkState};\n`;
  const runtime = createRuntime(own + 3, expressions.faults);
  const maxSuccessors = threads.reduce((sum, thread) => sum + thread.maxSuccessors, 0);
  const deeds = new Uint8Array(hasDeeds ? maxSuccessors : 0);
  const { expand: expandState, checkState: check } = instantiate(source, {
    ...runtime.names,
    T: expressions.tables,
    Q: restsOutside(machine, layout),
    S: new Int32Array(scratchWords),
    G: deeds,
  });
  return {
    layout,
    builtIn,
    maxSuccessors,
    expand: expandState,
    checkState: check,
    failed: runtime.failed,
    isSettled: runtime.names.V,
    counters: runtime.names.K,
    deeds,
    source,
  };
}

function compileExpand(layout: StateLayout, threads: readonly ThreadFunctions[], deadlock: number): Code {
  const all = 2 ** threads.length - 1;
  const buffers = layout.threads.flatMap(({ buffer }) =>
    buffer.entries.length === 0 ? [] : [`&&${readField(buffer.length)}===0`],
  );
  const stuck = `if(K[0]!==0&&(K[0]|K[1])===${all}${buffers.join("")})F(${deadlock});\n`;
  const body = `${threads.map(({ dispatch }) => dispatch).join("")}${stuck}return n;\n`;
  const words = declareWords("const w", body, (word) => `s[i+${word}]`);
  return `function expand(s,i,out,n){\nK[0]=0;K[1]=0;K[3]=0;\n${words}${body}}\n`;
}

/** Of each thread and rest 1 if it is outside of every operation there. */
function restsOutside({ threads }: StepMachine, layout: StateLayout): readonly Uint8Array[] {
  return threads.map((thread, number) => {
    const operations = operationAt(thread);
    return Uint8Array.from(layout.threads[number].rests, (rest) => (operations[rest] === OUTSIDE ? 1 : 0));
  });
}

function compileProperties(machine: StepMachine, layout: StateLayout, expressions: ExpressionCode): Code {
  expressions.startFunction();
  const checks = machine.properties.map((property, number) =>
    property.when !== "quiet" ? checkOf(property, number, expressions) : "",
  );
  const quiet = machine.properties.map((property, number) =>
    property.when === "quiet" ? checkOf(property, number, expressions) : "",
  );
  const isQuiet = layout.threads.map(
    ({ pc, buffer }, thread) =>
      `Q${thread}[${readField(pc)}]===1${buffer.entries.length === 0 ? "" : `&&${readField(buffer.length)}===0`}`,
  );
  const body = checks.join("") + (quiet.join("") === "" ? "" : `if(${isQuiet.join("&&")}){\n${quiet.join("")}}\n`);
  const words = declareWords("const w", body, (word) => `s[i+${word}]`);
  return `function checkState(s,i){\n${expressions.declareTemporaries()}${words}${body}}\n`;
}

function checkOf({ when, condition, origin }: MachineProperty, number: number, expressions: ExpressionCode): Code {
  if (condition === undefined || when === "assert") return "";
  const isTrue = expressions.condition(condition, origin);
  const isDecided = when === "never" || when === "sometimes" ? isTrue : `!${isTrue}`;
  return `if(V[${number}]===0&&${isDecided}){${when === "sometimes" ? `V[${number}]=1;` : `F(${number});`}}\n`;
}

/** What the generated text calls; see compile-expression.ts and compile-step.ts for the names. */
function createRuntime(properties: number, faults: readonly Fault[]) {
  const failed: number[] = [];
  const counters = new Int32Array(4);
  const fail = (property: number): void => {
    failed.push(property);
  };
  const commit = (list: FailureList | null): void => {
    const last: number[] = [];
    for (let at = list; at !== null; at = at.next) last.push(at.property);
    failed.push(...last.toReversed());
  };
  const names = {
    K: counters,
    V: new Uint8Array(properties),
    A: (next: FailureList | null, property: number): FailureList => ({ property, next }),
    C: commit,
    F: fail,
    N: (list: FailureList | null, property: number, thread: number): void => {
      commit(list);
      fail(property);
      counters[2]++;
      counters[3] |= 1 << thread;
    },
    X: (fault: number, value: number): never => {
      throw new StepsError(faults[fault].message(value), faults[fault].position);
    },
    Z: (): never => {
      throw new StepsError(`a thread goes through ${MAX_LOCAL_INSTRUCTIONS} instructions without a rest`);
    },
  };
  return { names, failed };
}

type Functions = Pick<CompiledMachine, "expand" | "checkState">;

function instantiate(source: Code, names: Readonly<Record<string, unknown>>): Functions {
  // The one place where text becomes code; what may stand in it is said in compile-expression.ts.
  // eslint-disable-next-line typescript/no-implied-eval
  const make = new Function(...Object.keys(names), source) as (...values: unknown[]) => Functions;
  return make(...Object.values(names));
}

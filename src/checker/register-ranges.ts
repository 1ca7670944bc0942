/**
 * Which values each register of a thread can have, followed along the thread's instructions.
 *
 * At every instruction each register has an interval. An assignment gives the interval of what is assigned; a branch narrows
 * both sides by its condition; where ways meet, intervals are joined, to the fixed point. A bound that still moves after
 * JOINS_MAX joins would perhaps move for ever (a loop that counts) and is widened to the end of int32. A register's range is
 * the join of what is assigned to it; widened bounds become -128 and 127, which the explorers check, and a text that needs
 * more says so (`let r: 0..1000 = ...`). Invariant: without given ranges an interval holds every value in every run.
 */
import { followersOf, registerWrittenBy } from "./instruction-flow.ts";
import type { Instruction, MachineExpression, Variable } from "./step-machine.ts";
import {
  EVERYTHING,
  INT32_MAX,
  INT32_MIN,
  type Interval,
  TRUTH,
  intervalOf,
  joinIntervals,
} from "./value-intervals.ts";

/** Joins at one instruction before bounds that still move are widened. */
const JOINS_MAX = 12;
/** The bounds of a register whose own are not known. */
const UNKNOWN_BOUNDS: Interval = { min: -128, max: 127 };

/** Intervals of all registers; empty (min > max) for one that nothing was assigned to. */
interface Intervals {
  readonly mins: Int32Array;
  readonly maxs: Int32Array;
}

/** What the analysis of a thread has found. */
export interface RegisterRanges {
  /** The join of what is assigned to each register; undefined for one that nothing is assigned to. */
  readonly assigned: readonly (Interval | undefined)[];
  /** The interval of a register before the instruction. */
  readonly before: (instruction: number, register: number) => Interval;
}

type Binary = Extract<MachineExpression, { kind: "binary" }>;
type Comparison = "==" | "!=" | "<" | "<=" | ">" | ">=";

/** The comparison that is true when this one is false; and the one with its sides exchanged. */
const NEGATED: Readonly<Record<Comparison, Comparison>> = {
  "==": "!=",
  "!=": "==",
  "<": ">=",
  "<=": ">",
  ">": "<=",
  ">=": "<",
};
const MIRRORED: Readonly<Record<Comparison, Comparison>> = {
  "==": "==",
  "!=": "!=",
  "<": ">",
  "<=": ">=",
  ">": "<",
  ">=": "<=",
};

/** Analyses a thread. Registers with a `given` range have that; the others what is assigned to them. */
export function findRegisterRanges(
  instructions: readonly Instruction[],
  given: readonly (Interval | undefined)[],
  variables: readonly Variable[],
): RegisterRanges {
  const states: (Intervals | undefined)[] = instructions.map(() => undefined);
  const joins = new Uint32Array(instructions.length);
  const waiting = new Set<number>([0]);
  states[0] = unassigned(given.length);
  for (let at = leastOf(waiting); at >= 0; at = leastOf(waiting)) {
    waiting.delete(at);
    const state = states[at];
    if (state === undefined) continue;
    for (const [next, after] of statesBehind(instructions[at], at, { state, given, variables })) {
      const before = states[next];
      if (before === undefined) states[next] = after;
      else if (!joinInto(before, after, joins[next]++ >= JOINS_MAX)) continue;
      waiting.add(next);
    }
  }
  const assigned: (Interval | undefined)[] = given.map(() => undefined);
  for (const [at, instruction] of instructions.entries()) {
    const register = registerWrittenBy(instruction);
    const state = states[at];
    if (register < 0 || state === undefined) continue;
    const written = given[register] ?? writtenInterval(instruction, state, variables);
    const known = assigned[register];
    assigned[register] = known === undefined ? written : joinIntervals(known, written);
  }
  return { assigned, before: (at, register) => narrower(states[at], assigned, register) };
}

/** The range of a register from its interval: widened bounds become -128 and 127 where the other bound allows it. */
export function rangeOfInterval(interval: Interval | undefined): Interval {
  if (interval === undefined) return { min: 0, max: 0 };
  const { min, max } = interval;
  return {
    min: min === INT32_MIN && max >= UNKNOWN_BOUNDS.min ? UNKNOWN_BOUNDS.min : min,
    max: max === INT32_MAX && min <= UNKNOWN_BOUNDS.max ? UNKNOWN_BOUNDS.max : max,
  };
}

/** Instructions are taken in their order, so that what comes before a loop is done before the loop. */
function leastOf(waiting: ReadonlySet<number>): number {
  let least = -1;
  for (const at of waiting) if (least < 0 || at < least) least = at;
  return least;
}

function unassigned(registers: number): Intervals {
  return {
    mins: new Int32Array(registers).fill(INT32_MAX),
    maxs: new Int32Array(registers).fill(INT32_MIN),
  };
}

/** Both hold: what is known at the instruction, and what is ever assigned. */
function narrower(
  state: Intervals | undefined,
  assigned: readonly (Interval | undefined)[],
  register: number,
): Interval {
  const ever = assigned[register] ?? EVERYTHING;
  if (state === undefined) return ever;
  return { min: Math.max(state.mins[register], ever.min), max: Math.min(state.maxs[register], ever.max) };
}

/** Joins a state into one that is kept; whether that one has changed. */
function joinInto(kept: Intervals, { mins, maxs }: Intervals, isWidened: boolean): boolean {
  let changes = false;
  for (let register = 0; register < mins.length; register++) {
    if (mins[register] < kept.mins[register]) {
      kept.mins[register] = isWidened && kept.mins[register] <= kept.maxs[register] ? INT32_MIN : mins[register];
      changes = true;
    }
    if (maxs[register] > kept.maxs[register]) {
      kept.maxs[register] = isWidened && kept.mins[register] <= kept.maxs[register] ? INT32_MAX : maxs[register];
      changes = true;
    }
  }
  return changes;
}

interface Known {
  readonly state: Intervals;
  readonly given: readonly (Interval | undefined)[];
  readonly variables: readonly Variable[];
}

/** The instructions behind one, each with what is known there. */
function statesBehind(instruction: Instruction, at: number, known: Known): readonly (readonly [number, Intervals])[] {
  const { state, given, variables } = known;
  if (instruction.op === "branch") {
    const sides = [
      [instruction.then, narrowed(state, instruction.condition, true, variables)],
      [instruction.otherwise, narrowed(state, instruction.condition, false, variables)],
    ] as const;
    return sides.flatMap(([next, after]) => (after === undefined ? [] : [[next, after] as const]));
  }
  if (instruction.op === "require") {
    const after = narrowed(state, instruction.condition, true, variables);
    return after === undefined ? [] : [[at + 1, after]];
  }
  const register = registerWrittenBy(instruction);
  const after = copyOf(state);
  if (register >= 0) {
    const { min, max } = given[register] ?? writtenInterval(instruction, state, variables);
    after.mins[register] = min;
    after.maxs[register] = max;
  }
  const followers = followersOf(instruction, at);
  return followers.map((next, number) => [next, number === 0 ? after : copyOf(after)]);
}

function copyOf({ mins, maxs }: Intervals): Intervals {
  return { mins: mins.slice(), maxs: maxs.slice() };
}

/** The interval that an instruction gives to its register. */
function writtenInterval(instruction: Instruction, state: Intervals, variables: readonly Variable[]): Interval {
  switch (instruction.op) {
    case "load":
    case "add":
    case "swap":
      return variables[instruction.at.base];
    case "cas":
    case "trylock":
      return TRUTH;
    case "set":
      return intervalIn(state, instruction.value, variables);
    default:
      return EVERYTHING;
  }
}

function intervalIn(
  { mins, maxs }: Intervals,
  expression: MachineExpression,
  variables: readonly Variable[],
): Interval {
  return intervalOf(expression, (register) => ({ min: mins[register], max: maxs[register] }), variables);
}

/** What is known when the condition has turned out to be `outcome`; undefined if it cannot. */
function narrowed(
  state: Intervals,
  condition: MachineExpression,
  outcome: boolean,
  variables: readonly Variable[],
): Intervals | undefined {
  switch (condition.kind) {
    case "not":
      return narrowed(state, condition.operand, !outcome, variables);
    case "register":
      return narrowedBy(copyOf(state), condition, outcome ? "!=" : "==", { min: 0, max: 0 });
    case "binary":
      return narrowedByOperator(state, condition, outcome, variables);
    default:
      return copyOf(state);
  }
}

function narrowedByOperator(
  state: Intervals,
  condition: Binary,
  outcome: boolean,
  variables: readonly Variable[],
): Intervals | undefined {
  const { operator, left, right } = condition;
  if (operator === "&&" || operator === "||") {
    // Of a true `&&` and of a false `||` both sides are known, of the others only that one of them is.
    if ((operator === "&&") !== outcome) return copyOf(state);
    const first = narrowed(state, left, outcome, variables);
    return first === undefined ? undefined : narrowed(first, right, outcome, variables);
  }
  if (!(operator in NEGATED)) return copyOf(state);
  const comparison = outcome ? (operator as Comparison) : NEGATED[operator as Comparison];
  const after = narrowedBy(copyOf(state), left, comparison, intervalIn(state, right, variables));
  if (after === undefined) return undefined;
  return narrowedBy(after, right, MIRRORED[comparison], intervalIn(state, left, variables));
}

/** Narrows in place a register that compares so with something in `other`; undefined if nothing is left. */
function narrowedBy(
  state: Intervals,
  expression: MachineExpression,
  comparison: Comparison,
  other: Interval,
): Intervals | undefined {
  if (expression.kind !== "register") return state;
  const { register } = expression;
  let { [register]: min } = state.mins;
  let { [register]: max } = state.maxs;
  if (comparison === "==" || comparison === ">=") min = Math.max(min, other.min);
  if (comparison === "==" || comparison === "<=") max = Math.min(max, other.max);
  if (comparison === ">") min = Math.max(min, other.min + 1);
  if (comparison === "<") max = Math.min(max, other.max - 1);
  if (comparison === "!=" && other.min === other.max) {
    if (min === other.min) min++;
    if (max === other.max) max--;
  }
  if (min > max) return undefined;
  state.mins[register] = min;
  state.maxs[register] = max;
  return state;
}

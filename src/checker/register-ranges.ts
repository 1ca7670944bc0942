/**
 * Which values each register of a thread can have, followed along the thread's instructions.
 *
 * At every instruction each register has an interval. An assignment gives the interval of what is assigned; a branch narrows
 * both sides by its condition; where ways meet, intervals are joined, to the fixed point. A bound that still moves after
 * ROUNDS_MAX rounds of a loop would perhaps move for ever and is widened to the end of int32. A register's range is the join
 * of what is assigned to it; widened bounds become -128 and 127, which the explorers check, and a text that needs more says
 * so (`let r: 0..1000 = ...`). Invariant: without given ranges, and with sums that wrap, an interval holds every value in
 * every run.
 */
import { followersOf, registerWrittenBy } from "./instruction-flow.ts";
import type { Instruction, MachineExpression, Variable } from "./step-machine.ts";
import {
  EVERYTHING,
  INT32_MAX,
  INT32_MIN,
  type Interval,
  type Overflow,
  TRUTH,
  intervalOf,
  joinIntervals,
} from "./value-intervals.ts";

/** Rounds of a loop after which bounds that still move are widened. */
const ROUNDS_MAX = 12;
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

/**
 * Analyses a thread. Registers with a `given` range have that; the others what is assigned to them. Ranges that the explorers
 * check may take it that sums stay within int32 (`overflow`); what is to be proven may not.
 */
export function findRegisterRanges(
  instructions: readonly Instruction[],
  given: readonly (Interval | undefined)[],
  variables: readonly Variable[],
  overflow: Overflow,
): RegisterRanges {
  const known = { given, variables, overflow };
  const states: (Intervals | undefined)[] = instructions.map(() => undefined);
  const rounds = new Uint32Array(instructions.length);
  const waiting = new Set<number>([0]);
  states[0] = unassigned(given.length);
  for (let at = leastOf(waiting); at >= 0; at = leastOf(waiting)) {
    waiting.delete(at);
    const state = states[at];
    if (state === undefined) continue;
    for (const [next, after] of statesBehind(instructions[at], at, { ...known, state })) {
      const before = states[next];
      // Every loop goes back somewhere, and there alone it is widened: what its condition bounds behind that stays bounded.
      const isBack = next <= at;
      if (before === undefined) states[next] = after;
      else if (!joinInto(before, after, isBack && rounds[next]++ >= ROUNDS_MAX)) continue;
      waiting.add(next);
    }
  }
  const assigned: (Interval | undefined)[] = given.map(() => undefined);
  for (const [at, instruction] of instructions.entries()) {
    const register = registerWrittenBy(instruction);
    const state = states[at];
    if (register < 0 || state === undefined) continue;
    const written = given[register] ?? writtenInterval(instruction, { ...known, state });
    const before = assigned[register];
    assigned[register] = before === undefined ? written : joinIntervals(before, written);
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
  readonly overflow: Overflow;
}

/** The instructions behind one, each with what is known there. */
function statesBehind(instruction: Instruction, at: number, known: Known): readonly (readonly [number, Intervals])[] {
  const { state, given } = known;
  if (instruction.op === "branch") {
    const sides = [
      [instruction.then, narrowed(known, instruction.condition, true)],
      [instruction.otherwise, narrowed(known, instruction.condition, false)],
    ] as const;
    return sides.flatMap(([next, after]) => (after === undefined ? [] : [[next, after] as const]));
  }
  if (instruction.op === "require") {
    const after = narrowed(known, instruction.condition, true);
    return after === undefined ? [] : [[at + 1, after]];
  }
  const register = registerWrittenBy(instruction);
  const after = copyOf(state);
  if (register >= 0) {
    const { min, max } = given[register] ?? writtenInterval(instruction, known);
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
function writtenInterval(instruction: Instruction, known: Known): Interval {
  switch (instruction.op) {
    case "load":
    case "add":
    case "swap":
      return known.variables[instruction.at.base];
    case "cas":
    case "trylock":
      return TRUTH;
    case "set":
      return intervalIn(known, instruction.value);
    default:
      return EVERYTHING;
  }
}

function intervalIn({ state, variables, overflow }: Known, expression: MachineExpression): Interval {
  const { mins, maxs } = state;
  return intervalOf(expression, (register) => ({ min: mins[register], max: maxs[register] }), variables, overflow);
}

/** What is known when the condition has turned out to be `outcome`; undefined if it cannot. */
function narrowed(known: Known, condition: MachineExpression, outcome: boolean): Intervals | undefined {
  switch (condition.kind) {
    case "not":
      return narrowed(known, condition.operand, !outcome);
    case "register":
      return narrowedBy(copyOf(known.state), condition, outcome ? "!=" : "==", { min: 0, max: 0 });
    case "binary":
      return narrowedByOperator(known, condition, outcome);
    default:
      return copyOf(known.state);
  }
}

function narrowedByOperator(known: Known, condition: Binary, outcome: boolean): Intervals | undefined {
  const { operator, left, right } = condition;
  if (operator === "&&" || operator === "||") {
    // Of a true `&&` and of a false `||` both sides are known, of the others only that one of them is.
    if ((operator === "&&") !== outcome) return copyOf(known.state);
    const state = narrowed(known, left, outcome);
    return state === undefined ? undefined : narrowed({ ...known, state }, right, outcome);
  }
  if (!(operator in NEGATED)) return copyOf(known.state);
  const comparison = outcome ? (operator as Comparison) : NEGATED[operator as Comparison];
  const after = narrowedBy(copyOf(known.state), left, comparison, intervalIn(known, right));
  if (after === undefined) return undefined;
  return narrowedBy(after, right, MIRRORED[comparison], intervalIn(known, left));
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

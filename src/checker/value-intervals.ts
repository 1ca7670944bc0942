/**
 * Between which bounds values lie: intervals of expressions, and ranges of registers.
 *
 * A register's range is what its assignments can give, joined over all of them to the fixed point of a thread. A loop that
 * counts would go on for ever: a bound that still moves after ROUNDS rounds is widened to the end of int32, and such a bound
 * then becomes -128 or 127 in the register's range, which the explorers check; a text that needs more says so
 * (`let r: 0..1000 = ...`). Invariant: an interval computed without widened or given bounds holds every value of the
 * expression in every run.
 */
import type { Instruction, MachineExpression, Variable } from "./step-machine.ts";

/** int32, both bounds included. */
export interface Interval {
  readonly min: number;
  readonly max: number;
}

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;
const EVERYTHING: Interval = { min: INT32_MIN, max: INT32_MAX };
const TRUTH: Interval = { min: 0, max: 1 };
/** Rounds over a thread's assignments before a bound that still moves is widened. */
const ROUNDS = 16;
/** The bounds of a register whose own are not known. */
const UNKNOWN_BOUNDS: Interval = { min: -128, max: 127 };

/** The interval of an expression, given those of registers and variables. */
export function intervalOf(
  expression: MachineExpression,
  registers: readonly (Interval | undefined)[],
  variables: readonly Variable[],
): Interval {
  const of = (part: MachineExpression): Interval => intervalOf(part, registers, variables);
  switch (expression.kind) {
    case "constant":
      return { min: expression.value, max: expression.value };
    case "register":
      return registers[expression.register] ?? EVERYTHING;
    case "variable":
      return variables[expression.at.base];
    case "table":
      return { min: Math.min(...expression.values), max: Math.max(...expression.values) };
    case "not":
      return TRUTH;
    case "negate": {
      const { min, max } = of(expression.operand);
      return int32(-max, -min);
    }
    case "conditional":
      return joinIntervals(of(expression.then), of(expression.otherwise));
    case "binary":
      return binaryInterval(expression.operator, of(expression.left), of(expression.right));
  }
}

/** The least interval that holds both. */
export function joinIntervals(a: Interval, b: Interval): Interval {
  return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) };
}

/** What passes the ends of int32 comes back at the other end: then nothing is known. (-0 + 0 is 0.) */
function int32(min: number, max: number): Interval {
  return min < INT32_MIN || max > INT32_MAX ? EVERYTHING : { min: min + 0, max: max + 0 };
}

function binaryInterval(
  operator: Extract<MachineExpression, { kind: "binary" }>["operator"],
  a: Interval,
  b: Interval,
): Interval {
  switch (operator) {
    case "+":
      return int32(a.min + b.min, a.max + b.max);
    case "-":
      return int32(a.min - b.max, a.max - b.min);
    case "*": {
      const corners = [a.min * b.min, a.min * b.max, a.max * b.min, a.max * b.max];
      return int32(Math.min(...corners), Math.max(...corners));
    }
    case "/": {
      // A quotient is furthest from 0 for the divisors -1 and 1, nearest for the bounds; a divisor of 0 gives no value.
      const divisors = [b.min, b.max, ...[-1, 1].filter((each) => each > b.min && each < b.max)].filter(
        (each) => each !== 0,
      );
      const ends = divisors.flatMap((divisor) => [Math.trunc(a.min / divisor), Math.trunc(a.max / divisor)]);
      if (ends.length === 0) return { min: 0, max: 0 };
      return int32(Math.min(...ends), Math.max(...ends));
    }
    case "%": {
      // The remainder has the sign of the left side and is nearer to 0 than the right side, and no further than the left.
      const most = Math.max(Math.abs(b.min), Math.abs(b.max), 1) - 1;
      return int32(Math.max(Math.min(a.min, 0), -most), Math.min(Math.max(a.max, 0), most));
    }
    case "min":
      return { min: Math.min(a.min, b.min), max: Math.min(a.max, b.max) };
    case "max":
      return { min: Math.max(a.min, b.min), max: Math.max(a.max, b.max) };
    case "||":
    case "&&":
    case "==":
    case "!=":
    case "<":
    case "<=":
    case ">":
    case ">=":
      return TRUTH;
  }
}

/** The interval that an instruction gives to its register, or undefined if it writes none. */
function writtenInterval(
  instruction: Instruction,
  registers: readonly (Interval | undefined)[],
  variables: readonly Variable[],
): Interval | undefined {
  switch (instruction.op) {
    case "load":
    case "add":
    case "swap":
      return variables[instruction.at.base];
    case "cas":
    case "trylock":
      return TRUTH;
    case "set":
      return intervalOf(instruction.value, registers, variables);
    default:
      return undefined;
  }
}

/**
 * The intervals of a thread's registers: those that are `given` stay, the others hold what is assigned to them. A register
 * that nothing is assigned to is undefined. Bounds that would move for ever are the ends of int32.
 */
export function registerIntervals(
  instructions: readonly Instruction[],
  given: readonly (Interval | undefined)[],
  variables: readonly Variable[],
): (Interval | undefined)[] {
  const intervals = [...given];
  for (let round = 0, moves = true; moves; round++) {
    moves = false;
    for (const instruction of instructions) {
      const register = "register" in instruction ? instruction.register : -1;
      if (register < 0 || given[register] !== undefined) continue;
      if (instruction.op === "set" && readsUnassigned(instruction.value, intervals)) continue;
      const written = writtenInterval(instruction, intervals, variables);
      if (written === undefined) continue;
      const before = intervals[register];
      const joined = before === undefined ? written : joinIntervals(before, written);
      if (before !== undefined && joined.min === before.min && joined.max === before.max) continue;
      intervals[register] = round < ROUNDS || before === undefined ? joined : widen(before, joined);
      moves = true;
    }
  }
  return intervals;
}

/** A register that nothing has been assigned to yet in this analysis has no value: what is made of it comes in a later round. */
function readsUnassigned(expression: MachineExpression, intervals: readonly (Interval | undefined)[]): boolean {
  switch (expression.kind) {
    case "constant":
    case "variable":
      return false;
    case "register":
      return intervals[expression.register] === undefined;
    case "table":
      return readsUnassigned(expression.index, intervals);
    case "not":
    case "negate":
      return readsUnassigned(expression.operand, intervals);
    case "binary":
      return readsUnassigned(expression.left, intervals) || readsUnassigned(expression.right, intervals);
    case "conditional":
      return (
        readsUnassigned(expression.condition, intervals) ||
        readsUnassigned(expression.then, intervals) ||
        readsUnassigned(expression.otherwise, intervals)
      );
  }
}

function widen(before: Interval, joined: Interval): Interval {
  return {
    min: joined.min < before.min ? INT32_MIN : before.min,
    max: joined.max > before.max ? INT32_MAX : before.max,
  };
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

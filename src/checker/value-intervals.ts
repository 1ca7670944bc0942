/**
 * Between which bounds the value of an expression lies.
 *
 * Invariant: an interval holds every value that the expression can have when its registers lie in theirs, unless it is told
 * that sums stay within int32 (`Overflow`).
 */
import type { MachineExpression, Variable } from "./step-machine.ts";

/** int32, both bounds included. */
export interface Interval {
  readonly min: number;
  readonly max: number;
}

export const INT32_MIN = -(2 ** 31);
export const INT32_MAX = 2 ** 31 - 1;
/** What is known of a number of which nothing is known. */
export const EVERYTHING: Interval = { min: INT32_MIN, max: INT32_MAX };
/** 0 or 1. */
export const TRUTH: Interval = { min: 0, max: 1 };
/**
 * What a sum that passes an end of int32 becomes: anything, as the number comes back at the other end; or no more than that
 * end, for ranges that are checked wherever they matter.
 */
export type Overflow = "wraps" | "stays";

/** The interval of an expression, given those of registers and variables. */
export function intervalOf(
  expression: MachineExpression,
  registers: (register: number) => Interval,
  variables: readonly Variable[],
  overflow: Overflow = "wraps",
): Interval {
  const of = (part: MachineExpression): Interval => intervalOf(part, registers, variables, overflow);
  switch (expression.kind) {
    case "constant":
      return { min: expression.value, max: expression.value };
    case "register":
      return registers(expression.register);
    case "variable":
      return variables[expression.at.base];
    case "table":
      return { min: Math.min(...expression.values), max: Math.max(...expression.values) };
    case "not":
      return TRUTH;
    case "negate": {
      const { min, max } = of(expression.operand);
      return int32(-max, -min, overflow);
    }
    case "conditional":
      return joinIntervals(of(expression.then), of(expression.otherwise));
    case "binary":
      return binaryInterval(expression.operator, of(expression.left), of(expression.right), overflow);
  }
}

/** The least interval that holds both. */
export function joinIntervals(a: Interval, b: Interval): Interval {
  return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) };
}

/** The interval, within int32. (-0 + 0 is 0.) */
function int32(min: number, max: number, overflow: Overflow): Interval {
  if (min >= INT32_MIN && max <= INT32_MAX) return { min: min + 0, max: max + 0 };
  if (overflow === "wraps") return EVERYTHING;
  return { min: Math.min(Math.max(min, INT32_MIN), INT32_MAX), max: Math.min(Math.max(max, INT32_MIN), INT32_MAX) };
}

function binaryInterval(
  operator: Extract<MachineExpression, { kind: "binary" }>["operator"],
  a: Interval,
  b: Interval,
  overflow: Overflow,
): Interval {
  switch (operator) {
    case "+":
      return int32(a.min + b.min, a.max + b.max, overflow);
    case "-":
      return int32(a.min - b.max, a.max - b.min, overflow);
    case "*": {
      const corners = [a.min * b.min, a.min * b.max, a.max * b.min, a.max * b.max];
      return int32(Math.min(...corners), Math.max(...corners), overflow);
    }
    case "/": {
      // A quotient is furthest from 0 for the divisors -1 and 1, nearest for the bounds; a divisor of 0 gives no value.
      const divisors = [b.min, b.max, ...[-1, 1].filter((each) => each > b.min && each < b.max)].filter(
        (each) => each !== 0,
      );
      const ends = divisors.flatMap((divisor) => [Math.trunc(a.min / divisor), Math.trunc(a.max / divisor)]);
      if (ends.length === 0) return { min: 0, max: 0 };
      return int32(Math.min(...ends), Math.max(...ends), overflow);
    }
    case "%": {
      // The remainder has the sign of the left side and is nearer to 0 than the right side, and no further than the left.
      const most = Math.max(Math.abs(b.min), Math.abs(b.max), 1) - 1;
      return int32(Math.max(Math.min(a.min, 0), -most), Math.min(Math.max(a.max, 0), most), overflow);
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

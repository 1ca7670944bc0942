/**
 * Intervals against values: whatever the registers hold in theirs, the expression lies in its own.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { machineOf } from "../../test/checker/machine-text.ts";
import { evaluate } from "./evaluate.ts";
import type { MachineExpression } from "./step-machine.ts";
import { StepsError } from "./syntax.ts";
import { type Interval, intervalOf } from "./value-intervals.ts";

const machine = machineOf("thread t { }");

function intervalIn(expression: MachineExpression, intervals: readonly Interval[]): Interval {
  return intervalOf(expression, (register) => intervals[register], machine.variables);
}

const bound = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: -5, max: 5 }) },
  { weight: 1, arbitrary: fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 46_341, -65_536) },
);
const held = fc
  .record({ bounds: fc.tuple(bound, bound), where: fc.double({ min: 0, max: 1, noNaN: true }) })
  .map(({ bounds, where }) => {
    const [min, max] = bounds.toSorted((a, b) => a - b);
    return { interval: { min, max }, value: Math.floor(min + where * (max - min)) };
  });

const expressions = fc.letrec<{ expression: MachineExpression }>((tie) => ({
  expression: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({ kind: fc.constant("register" as const), register: fc.nat(1) }),
    fc.record({ kind: fc.constant("constant" as const), value: bound }),
    fc.record({
      kind: fc.constant("binary" as const),
      operator: fc.constantFrom(
        ...(["||", "&&", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "min", "max"] as const),
      ),
      left: tie("expression"),
      right: tie("expression"),
    }),
    fc.record({ kind: fc.constantFrom("not" as const, "negate" as const), operand: tie("expression") }),
    fc.record({
      kind: fc.constant("conditional" as const),
      condition: tie("expression"),
      then: tie("expression"),
      otherwise: tie("expression"),
    }),
    fc.record({
      kind: fc.constant("table" as const),
      values: fc.array(bound, { minLength: 1, maxLength: 3 }),
      index: tie("expression"),
    }),
  ),
})).expression;

test("the value of an expression lies in its interval", () => {
  let compared = 0;
  fc.assert(
    fc.property(expressions, fc.tuple(held, held), (expression, registers) => {
      let value: number;
      try {
        const values = Int32Array.from(registers, (register) => register.value);
        value = evaluate(machine, expression, new Int32Array(0), values);
      } catch (error) {
        if (error instanceof StepsError) return;
        throw error;
      }
      const { min, max } = intervalIn(
        expression,
        registers.map((register) => register.interval),
      );
      compared++;
      expect(value).toBeGreaterThanOrEqual(min);
      expect(value).toBeLessThanOrEqual(max);
    }),
    { numRuns: 5000 },
  );
  expect(compared).toBeGreaterThan(2000);
});

const binary = (operator: "+" | "-" | "*" | "/" | "%", left: number, right: number): MachineExpression => ({
  kind: "binary",
  operator,
  left: { kind: "register", register: left },
  right: { kind: "register", register: right },
});

test.each([
  ["+", { min: 0, max: 3 }, { min: -1, max: 4 }, { min: -1, max: 7 }],
  ["-", { min: 0, max: 3 }, { min: -1, max: 4 }, { min: -4, max: 4 }],
  ["*", { min: -2, max: 3 }, { min: -1, max: 4 }, { min: -8, max: 12 }],
  ["/", { min: -7, max: 9 }, { min: 0, max: 4 }, { min: -7, max: 9 }],
  ["/", { min: 4, max: 9 }, { min: 2, max: 4 }, { min: 1, max: 4 }],
  ["%", { min: 0, max: 100 }, { min: 1, max: 4 }, { min: 0, max: 3 }],
  ["%", { min: -100, max: 2 }, { min: -4, max: 4 }, { min: -3, max: 2 }],
] as const)("small values under %s keep a tight interval", (operator, left, right, expected) => {
  expect(intervalIn(binary(operator, 0, 1), [left, right])).toEqual(expected);
});

test("a sum that may pass the end of int32 may be anything", () => {
  const large = { min: 0, max: 2 ** 31 - 1 };
  expect(intervalIn(binary("+", 0, 1), [large, { min: 0, max: 1 }])).toEqual({ min: -(2 ** 31), max: 2 ** 31 - 1 });
});

/**
 * Folded expressions against the same expressions as they were written: equal values, equal faults.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { machineOf } from "../../test/checker/machine-text.ts";
import { evaluate } from "./evaluate.ts";
import {
  constantExpression,
  foldBinary,
  foldConditional,
  foldList,
  foldNegate,
  foldNot,
  foldTable,
  foldTruth,
  isTruth,
  type MachineOperator,
} from "./fold-expression.ts";
import type { MachineExpression } from "./step-machine.ts";
import { StepsError } from "./syntax.ts";

const REGISTERS = 3;
const OPERATORS: readonly MachineOperator[] = [
  "||",
  "&&",
  "==",
  "!=",
  "<",
  "<=",
  ">",
  ">=",
  "+",
  "-",
  "*",
  "/",
  "%",
  "min",
  "max",
];

const machine = machineOf("thread t { }");

/** The value, or "fault" where there is none. */
function valueOf(expression: MachineExpression, registers: readonly number[]): number | "fault" {
  try {
    return evaluate(machine, expression, new Int32Array(0), Int32Array.from(registers));
  } catch (error) {
    if (error instanceof StepsError) return "fault";
    throw error;
  }
}

const someNumber = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -3, max: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 65_536) },
);

/** Expressions as they are written, with nothing folded. */
const written = fc.letrec<{ expression: MachineExpression }>((tie) => ({
  expression: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({ kind: fc.constant("constant" as const), value: someNumber }),
    fc.record({ kind: fc.constant("register" as const), register: fc.nat(REGISTERS - 1) }),
    fc.record({
      kind: fc.constant("binary" as const),
      operator: fc.constantFrom(...OPERATORS),
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
      values: fc.array(someNumber, { minLength: 1, maxLength: 3 }),
      index: tie("expression"),
    }),
  ),
})).expression;

/** The same expression through the folding constructors. */
function fold(expression: MachineExpression): MachineExpression {
  switch (expression.kind) {
    case "constant":
      return constantExpression(expression.value);
    case "register":
    case "variable":
      return expression;
    case "binary":
      return foldBinary(expression.operator, fold(expression.left), fold(expression.right));
    case "not":
      return foldNot(fold(expression.operand));
    case "negate":
      return foldNegate(fold(expression.operand));
    case "conditional":
      return foldConditional(fold(expression.condition), fold(expression.then), fold(expression.otherwise));
    case "table":
      return foldTable(expression.values, fold(expression.index));
  }
}

const registerValues = fc.array(someNumber, { minLength: REGISTERS, maxLength: REGISTERS });

test("a folded expression has the value of the written one, and a fault where that has one", () => {
  fc.assert(
    fc.property(written, registerValues, (expression, registers) => {
      expect(valueOf(fold(expression), registers)).toBe(valueOf(expression, registers));
    }),
    { numRuns: 5000 },
  );
});

test("an expression without registers and faults folds to a constant", () => {
  const closed = written.map(withoutRegisters);
  fc.assert(
    fc.property(closed, (expression) => {
      const value = valueOf(expression, []);
      if (value === "fault") return;
      // What is dropped behind a fault that is never looked at leaves the rest as it is.
      if (hasFault(expression)) return;
      expect(fold(expression)).toEqual({ kind: "constant", value });
    }),
    { numRuns: 3000 },
  );
});

function withoutRegisters(expression: MachineExpression): MachineExpression {
  switch (expression.kind) {
    case "register":
      return { kind: "constant", value: expression.register };
    case "binary":
      return { ...expression, left: withoutRegisters(expression.left), right: withoutRegisters(expression.right) };
    case "not":
    case "negate":
      return { ...expression, operand: withoutRegisters(expression.operand) };
    case "conditional":
      return {
        kind: "conditional",
        condition: withoutRegisters(expression.condition),
        then: withoutRegisters(expression.then),
        otherwise: withoutRegisters(expression.otherwise),
      };
    case "table":
      return { ...expression, index: withoutRegisters(expression.index) };
    case "constant":
    case "variable":
      return expression;
  }
}

function hasFault(expression: MachineExpression): boolean {
  if (valueOf(expression, []) === "fault") return true;
  switch (expression.kind) {
    case "binary":
      return hasFault(expression.left) || hasFault(expression.right);
    case "not":
    case "negate":
      return hasFault(expression.operand);
    case "conditional":
      return [expression.condition, expression.then, expression.otherwise].some(hasFault);
    case "table":
      return hasFault(expression.index);
    default:
      return false;
  }
}

test("the truth of an expression is 1 where it is not 0", () => {
  fc.assert(
    fc.property(written, registerValues, (expression, registers) => {
      const value = valueOf(expression, registers);
      expect(valueOf(foldTruth(fold(expression)), registers)).toBe(value === "fault" ? value : value === 0 ? 0 : 1);
    }),
    { numRuns: 2000 },
  );
});

test("what is called a truth by its form is 0 or 1", () => {
  let truths = 0;
  fc.assert(
    fc.property(written, registerValues, (expression, registers) => {
      if (!isTruth(expression)) return;
      truths++;
      expect([0, 1, "fault"]).toContain(valueOf(expression, registers));
    }),
    { numRuns: 2000 },
  );
  expect(truths).toBeGreaterThan(200);
});

test("a list is folded in its order, and an empty one is what it is told to be", () => {
  const register: MachineExpression = { kind: "register", register: 0 };
  const faulty = foldBinary("/", constantExpression(1), constantExpression(0));
  // The false operand comes first, so that the fault behind it is never looked at.
  expect(foldList("&&", [constantExpression(0), faulty, register], 1)).toEqual(constantExpression(0));
  expect(foldList("||", [foldTruth(register), constantExpression(0)], 0)).toEqual(foldTruth(register));
  expect(foldList("+", [], 0)).toEqual(constantExpression(0));
  expect(foldList("&&", [], 1)).toEqual(constantExpression(1));
});

test("a fault is kept where && would come to it before the side that is false", () => {
  const faulty = foldBinary("%", constantExpression(5), constantExpression(0));
  expect(valueOf(foldBinary("&&", faulty, constantExpression(0)), [])).toBe("fault");
  expect(valueOf(foldBinary("&&", constantExpression(0), faulty), [])).toBe(0);
});

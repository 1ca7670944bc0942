import { describe, expect, test } from "vitest";
import { evaluate, variableAt } from "./evaluate.ts";
import type { MachineExpression, StepMachine } from "./step-machine.ts";

const variable = { name: "x[0]", kind: "word", min: 0, max: 9, initial: 0, hasReaders: false, array: "x" } as const;
const machine: StepMachine = {
  name: "one array",
  sets: [],
  variables: [0, 1].map((element) => ({
    ...variable,
    value: { kind: "number" },
    indexes: [{ set: -1, element }],
  })),
  threads: [],
  operations: [],
  properties: [],
  constants: {},
};
const variables = Int32Array.of(5, 7);
const registers = Int32Array.of(1, -3);
const position = { text: "text", line: 4, column: 2 };

const constant = (value: number): MachineExpression => ({ kind: "constant", value });
const register = (number: number): MachineExpression => ({ kind: "register", register: number });
const element = (index: MachineExpression): MachineExpression => ({
  kind: "variable",
  at: { base: 0, count: 2, index },
});
type Operator = Extract<MachineExpression, { kind: "binary" }>["operator"];
const binary = (left: MachineExpression, operator: Operator, right: MachineExpression): MachineExpression => ({
  kind: "binary",
  operator,
  left,
  right,
});
const valueOf = (expression: MachineExpression): number =>
  evaluate(machine, expression, variables, registers, position);

describe("values", () => {
  test.each<[number, Operator, number, number]>([
    [-7, "/", 2, -3],
    [-7, "%", 2, -1],
    [2_147_483_647, "+", 1, -2_147_483_648],
    [-2_147_483_648, "-", 1, 2_147_483_647],
    [65_537, "*", 65_537, 131_073],
    [3, "min", -2, -2],
    [3, "max", -2, 3],
    [2, "&&", 4, 1],
    [0, "||", 4, 1],
    [0, "||", 0, 0],
    [3, "<=", 3, 1],
    [3, "!=", 3, 0],
  ])("%i %s %i is %i", (left, operator, right, value) => {
    expect(valueOf(binary(constant(left), operator, constant(right)))).toBe(value);
  });

  test("the least int32 negated is itself, and 0 is never -0", () => {
    expect(valueOf({ kind: "negate", operand: constant(-2_147_483_648) })).toBe(-2_147_483_648);
    expect(valueOf({ kind: "negate", operand: constant(0) })).toBe(0);
    expect(valueOf(binary(constant(-4), "%", constant(2)))).toBe(0);
  });

  test("registers, variables by index and tables", () => {
    expect(valueOf(element(register(0)))).toBe(7);
    expect(valueOf({ kind: "table", values: [10, 20], index: register(0) })).toBe(20);
    expect(variableAt(machine, { base: 0, count: 2, index: register(0) }, variables, registers)).toBe(1);
    expect(variableAt(machine, { base: 1, count: 1 }, variables, registers)).toBe(1);
  });
});

describe("what has no value", () => {
  const outside = element(register(1));
  const byZero = binary(constant(1), "/", constant(0));

  test("an index outside of its array or table, and a division by 0, with their line", () => {
    expect(() => valueOf(outside)).toThrow("text:4:2: index -3 is outside of x, which has 2 elements");
    expect(() => valueOf({ kind: "table", values: [1], index: constant(1) })).toThrow("outside of a table of 1");
    expect(() => valueOf(byZero)).toThrow("1 / 0 has no value");
    expect(() => valueOf(binary(constant(1), "%", constant(0)))).toThrow("1 % 0 has no value");
  });

  test("it does not matter on the side that is left alone", () => {
    expect(valueOf(binary(constant(0), "&&", outside))).toBe(0);
    expect(valueOf(binary(constant(1), "||", byZero))).toBe(1);
    expect(valueOf({ kind: "conditional", condition: constant(1), then: constant(3), otherwise: byZero })).toBe(3);
    expect(() => valueOf(binary(constant(1), "&&", outside))).toThrow("index");
  });
});

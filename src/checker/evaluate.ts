/**
 * The value of an expression, as slowly and plainly as it can be said.
 *
 * int32 throughout, true is 1, division truncates, `&&`, `||` and `? :` leave the other side alone. What has no value (an
 * index outside of its array, a division by 0) is a fault of the text and is thrown with the line it comes from: an explorer
 * that made up a value there would prove something about another text.
 */
import type { MachineExpression, StepMachine, VariablePlace } from "./step-machine.ts";
import { StepsError, type Position } from "./syntax.ts";

type Binary = Extract<MachineExpression, { kind: "binary" }>;

/**
 * The value of `expression` (int32) for these variables and registers.
 *
 * Throws StepsError for an index outside of its array or table and for a division by 0; `position` says where it stands.
 */
export function evaluate(
  machine: StepMachine,
  expression: MachineExpression,
  variables: Int32Array,
  registers: Int32Array,
  position?: Position,
): number {
  const valueOf = (part: MachineExpression): number => evaluate(machine, part, variables, registers, position);
  switch (expression.kind) {
    case "constant":
      return expression.value;
    case "register":
      return registers[expression.register];
    case "variable":
      return variables[variableAt(machine, expression.at, variables, registers, position)];
    case "table": {
      const index = valueOf(expression.index);
      if (index < 0 || index >= expression.values.length) {
        throw new StepsError(`index ${index} is outside of a table of ${expression.values.length}`, position);
      }
      return expression.values[index];
    }
    case "binary":
      return evaluateBinary(expression, valueOf, position);
    case "not":
      return valueOf(expression.operand) === 0 ? 1 : 0;
    case "negate":
      return -valueOf(expression.operand) | 0;
    case "conditional":
      return valueOf(valueOf(expression.condition) === 0 ? expression.otherwise : expression.then);
  }
}

function evaluateBinary(
  { operator, left, right }: Binary,
  valueOf: (part: MachineExpression) => number,
  position: Position | undefined,
): number {
  const a = valueOf(left);
  if (operator === "&&") return a !== 0 && valueOf(right) !== 0 ? 1 : 0;
  if (operator === "||") return a !== 0 || valueOf(right) !== 0 ? 1 : 0;
  const b = valueOf(right);
  switch (operator) {
    case "==":
      return a === b ? 1 : 0;
    case "!=":
      return a === b ? 0 : 1;
    case "<":
      return a < b ? 1 : 0;
    case "<=":
      return a <= b ? 1 : 0;
    case ">":
      return a > b ? 1 : 0;
    case ">=":
      return a >= b ? 1 : 0;
    case "+":
      return (a + b) | 0;
    case "-":
      return (a - b) | 0;
    case "*":
      return Math.imul(a, b);
    case "/":
    case "%":
      if (b === 0) throw new StepsError(`${a} ${operator} 0 has no value`, position);
      return operator === "/" ? (a / b) | 0 : (a % b) | 0;
    case "min":
      return Math.min(a, b);
    case "max":
      return Math.max(a, b);
  }
}

/** The number of the variable at `at`. Throws StepsError for an index outside of its array. */
export function variableAt(
  machine: StepMachine,
  at: VariablePlace,
  variables: Int32Array,
  registers: Int32Array,
  position?: Position,
): number {
  if (at.index === undefined) return at.base;
  const index = evaluate(machine, at.index, variables, registers, position);
  if (index < 0 || index >= at.count) {
    const { array } = machine.variables[at.base];
    throw new StepsError(`index ${index} is outside of ${array}, which has ${at.count} elements`, position);
  }
  return at.base + index;
}

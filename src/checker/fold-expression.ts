/**
 * Expressions with their constants folded: what a configuration fixes is computed once, here.
 *
 * The constructors below make the expression that they are named after, or a simpler one of the same value. Invariant: the
 * value is the same for all registers and variables, and so are the faults (division by zero, an index outside): an operand
 * that may have one is only dropped where `&&`, `||` and `? :` would not have looked at it. int32 throughout; true is 1.
 */
import type { MachineExpression, VariablePlace } from "./step-machine.ts";

type Binary = Extract<MachineExpression, { kind: "binary" }>;
export type MachineOperator = Binary["operator"];

const ZERO: MachineExpression = { kind: "constant", value: 0 };
const ONE: MachineExpression = { kind: "constant", value: 1 };
const TRUTHS: ReadonlySet<string> = new Set(["||", "&&", "==", "!=", "<", "<=", ">", ">="]);
const OPPOSITE: Readonly<Partial<Record<MachineOperator, MachineOperator>>> = {
  "==": "!=",
  "!=": "==",
  "<": ">=",
  "<=": ">",
  ">": "<=",
  ">=": "<",
};

/** The constant, as an int32. */
export function constantExpression(value: number): MachineExpression {
  if (value === 0) return ZERO;
  return value === 1 ? ONE : { kind: "constant", value: value | 0 };
}

/** The operator applied to two int32; undefined for a division by zero, which has no value. */
export function applyOperator(operator: MachineOperator, left: number, right: number): number | undefined {
  switch (operator) {
    case "||":
      return left !== 0 || right !== 0 ? 1 : 0;
    case "&&":
      return left !== 0 && right !== 0 ? 1 : 0;
    case "==":
      return left === right ? 1 : 0;
    case "!=":
      return left === right ? 0 : 1;
    case "<":
      return left < right ? 1 : 0;
    case "<=":
      return left <= right ? 1 : 0;
    case ">":
      return left > right ? 1 : 0;
    case ">=":
      return left >= right ? 1 : 0;
    case "+":
      return (left + right) | 0;
    case "-":
      return (left - right) | 0;
    case "*":
      return Math.imul(left, right);
    case "/":
      return right === 0 ? undefined : (left / right) | 0;
    case "%":
      return right === 0 ? undefined : (left % right) | 0;
    case "min":
      return Math.min(left, right);
    case "max":
      return Math.max(left, right);
  }
}

/** Whether the form of an expression says that it is 0 or 1. */
export function isTruth(expression: MachineExpression): boolean {
  if (expression.kind === "constant") return expression.value === 0 || expression.value === 1;
  if (expression.kind === "conditional") return isTruth(expression.then) && isTruth(expression.otherwise);
  return expression.kind === "not" || (expression.kind === "binary" && TRUTHS.has(expression.operator));
}

/** 1 if the expression is not 0, else 0. */
export function foldTruth(expression: MachineExpression): MachineExpression {
  if (isTruth(expression)) return expression;
  if (expression.kind === "constant") return ONE;
  return { kind: "binary", operator: "!=", left: expression, right: ZERO };
}

/** The operator over two expressions. */
export function foldBinary(
  operator: MachineOperator,
  left: MachineExpression,
  right: MachineExpression,
): MachineExpression {
  if (operator === "&&" || operator === "||") return foldJunction(operator, left, right);
  if (left.kind === "constant" && right.kind === "constant") {
    const value = applyOperator(operator, left.value, right.value);
    if (value !== undefined) return constantExpression(value);
  }
  return withoutNeutral(operator, left, right) ?? { kind: "binary", operator, left, right };
}

/** `x + 0`, `1 * x` and their like, which are x; a truth compared with 0. */
function withoutNeutral(
  operator: MachineOperator,
  left: MachineExpression,
  right: MachineExpression,
): MachineExpression | undefined {
  const first = left.kind === "constant" ? left.value : undefined;
  const second = right.kind === "constant" ? right.value : undefined;
  if (operator === "+" && first === 0) return right;
  if ((operator === "+" || operator === "-") && second === 0) return left;
  if (operator === "*" && first === 1) return right;
  if ((operator === "*" || operator === "/") && second === 1) return left;
  if (second === 0 && isTruth(left)) {
    if (operator === "!=") return left;
    if (operator === "==") return foldNot(left);
  }
  return undefined;
}

function foldJunction(operator: "&&" | "||", left: MachineExpression, right: MachineExpression): MachineExpression {
  /** The value of an operand that the result is, whatever the other one is. */
  const decides = operator === "&&" ? 0 : 1;
  if (left.kind === "constant") {
    return (left.value === 0) === (decides === 0) ? constantExpression(decides) : foldTruth(right);
  }
  if (right.kind === "constant" && (right.value === 0) !== (decides === 0)) return foldTruth(left);
  return { kind: "binary", operator, left, right };
}

/** `!operand`. */
export function foldNot(operand: MachineExpression): MachineExpression {
  if (operand.kind === "constant") return constantExpression(operand.value === 0 ? 1 : 0);
  if (operand.kind === "not") return foldTruth(operand.operand);
  if (operand.kind === "binary") {
    const opposite = OPPOSITE[operand.operator];
    if (opposite !== undefined) return { ...operand, operator: opposite };
  }
  return { kind: "not", operand };
}

/** `-operand`. */
export function foldNegate(operand: MachineExpression): MachineExpression {
  return operand.kind === "constant" ? constantExpression(-operand.value | 0) : { kind: "negate", operand };
}

/** `condition ? then : otherwise`. */
export function foldConditional(
  condition: MachineExpression,
  then: MachineExpression,
  otherwise: MachineExpression,
): MachineExpression {
  if (condition.kind === "constant") return condition.value === 0 ? otherwise : then;
  if (then.kind === "constant" && otherwise.kind === "constant" && isTruth(condition)) {
    if (then.value === 1 && otherwise.value === 0) return condition;
    if (then.value === 0 && otherwise.value === 1) return foldNot(condition);
  }
  return { kind: "conditional", condition, then, otherwise };
}

/** `values[index]`. */
export function foldTable(values: readonly number[], index: MachineExpression): MachineExpression {
  if (index.kind === "constant" && index.value >= 0 && index.value < values.length) {
    return constantExpression(values[index.value]);
  }
  return { kind: "table", values, index };
}

/**
 * The operator over a list (of truths for && and ||), as a tree as flat as can be, in the list's order; `empty` is its value
 * for none.
 */
export function foldList(
  operator: "&&" | "||" | "+",
  operands: readonly MachineExpression[],
  empty: number,
): MachineExpression {
  if (operands.length === 0) return constantExpression(empty);
  if (operands.length === 1) return operands[0];
  const middle = operands.length >> 1;
  return foldBinary(
    operator,
    foldList(operator, operands.slice(0, middle), empty),
    foldList(operator, operands.slice(middle), empty),
  );
}

/** The expression made anew from its leaves up, each leaf and table as `replace` has it. */
export function rebuildExpression(
  expression: MachineExpression,
  replace: (part: MachineExpression) => MachineExpression,
): MachineExpression {
  const again = (part: MachineExpression): MachineExpression => rebuildExpression(part, replace);
  switch (expression.kind) {
    case "constant":
    case "register":
      return replace(expression);
    case "variable":
      return replace({ kind: "variable", at: rebuildPlace(expression.at, replace) });
    case "table":
      return replace(foldTable(expression.values, again(expression.index)));
    case "binary":
      return foldBinary(expression.operator, again(expression.left), again(expression.right));
    case "not":
      return foldNot(again(expression.operand));
    case "negate":
      return foldNegate(again(expression.operand));
    case "conditional":
      return foldConditional(again(expression.condition), again(expression.then), again(expression.otherwise));
  }
}

/** The place with its index made anew (`rebuildExpression`). */
export function rebuildPlace(
  at: VariablePlace,
  replace: (part: MachineExpression) => MachineExpression,
): VariablePlace {
  return at.index === undefined ? at : { ...at, index: rebuildExpression(at.index, replace) };
}

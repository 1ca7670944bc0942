/**
 * An expression with something else in place of its words and registers: what walks and renamings have in common.
 *
 * A word is replaced as a whole, with its index; what `fill` gives is not looked into again.
 */
import type { MachineExpression } from "./step-machine.ts";

/** The expression with its outermost words and its registers replaced. */
export function replaceLeaves(
  expression: MachineExpression,
  fill: (part: MachineExpression) => MachineExpression,
): MachineExpression {
  const inner = (part: MachineExpression): MachineExpression => replaceLeaves(part, fill);
  switch (expression.kind) {
    case "constant":
      return expression;
    case "register":
    case "variable":
      return fill(expression);
    case "table":
      return { ...expression, index: inner(expression.index) };
    case "binary":
      return { ...expression, left: inner(expression.left), right: inner(expression.right) };
    case "not":
    case "negate":
      return { ...expression, operand: inner(expression.operand) };
    case "conditional":
      return {
        kind: "conditional",
        condition: inner(expression.condition),
        then: inner(expression.then),
        otherwise: inner(expression.otherwise),
      };
  }
}

/**
 * Where an element of an array lies: arrays are flattened row by row, and what is constant in an index is added to the base.
 *
 *     pte[mm][page], 3 x 2      variable base + mm * 2 + page
 *     pte[1][p]                 base + 2, index p, count 2
 *     pte[m][1]                 base + 1, index m * 2, count 5: m = 3 gives 6 and is seen to be outside
 *     pte[m][p]                 base, index rows[m] + p: p = 2 must not become the next row's 0
 *
 * With several indexes that are not constant a product alone would not notice one that is outside of its dimension, so each
 * goes through a table of its multiples (an index outside of a table is a fault). `withoutNeedlessTables` makes a product of
 * a table where the index is known to be inside.
 */
import { constantExpression, foldBinary, foldTable, rebuildExpression } from "./fold-expression.ts";
import type { MachineExpression, VariablePlace } from "./step-machine.ts";
import type { ArraySymbol } from "./symbols.ts";
import type { Interval } from "./value-intervals.ts";

/** The place of an element; constant indexes are inside (the caller has looked). */
export function arrayElement(array: ArraySymbol, indexes: readonly MachineExpression[]): VariablePlace {
  let base = array.base;
  let last = 0;
  const moving: { index: MachineExpression; stride: number; elements: number }[] = [];
  let stride = array.count;
  for (const [dimension, index] of indexes.entries()) {
    const { elements } = array.axes[dimension];
    stride /= elements;
    if (index.kind === "constant") base += index.value * stride;
    else {
      moving.push({ index, stride, elements });
      last += (elements - 1) * stride;
    }
  }
  if (moving.length === 0) return { base, count: 1 };
  const terms =
    moving.length === 1
      ? [foldBinary("*", moving[0].index, constantExpression(moving[0].stride))]
      : moving.map((each) => foldTable(multiples(each.stride, each.elements), each.index));
  const index = terms.reduce((sum, term) => foldBinary("+", sum, term));
  return { base, count: last + 1, index };
}

/** 0, stride, 2 * stride, ... */
function multiples(stride: number, elements: number): readonly number[] {
  return Array.from({ length: elements }, (_, element) => element * stride);
}

/** The expression with products for those tables of multiples whose index `intervalOf` proves to be inside. */
export function withoutNeedlessTables(
  expression: MachineExpression,
  intervalOf: (expression: MachineExpression) => Interval,
): MachineExpression {
  return rebuildExpression(expression, (part) => {
    if (part.kind !== "table" || part.values[0] !== 0 || part.values.length < 2) return part;
    const stride = part.values[1];
    if (part.values.some((value, element) => value !== element * stride)) return part;
    const { min, max } = intervalOf(part.index);
    if (min < 0 || max >= part.values.length) return part;
    return foldBinary("*", part.index, constantExpression(stride));
  });
}

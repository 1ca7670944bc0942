/**
 * Expressions with their names resolved: constants folded, defines expanded, quantifiers unrolled.
 *
 * What an expression may look at depends on where it stands (`Sight`): a size only at constants, a step only at registers,
 * because a CPU reads a word by a step of its own, a property at everything. A side that `&&`, `||` or `? :` with a constant
 * condition never looks at is not elaborated, so that `p + 1 < PAGES && pte[p + 1]` is no index outside.
 */
import { didYouMean } from "../scenario/index.ts";
import { arrayElement } from "./array-places.ts";
import { NUMBER, NUMBER_SORT, type SortOf, knownSort, sortOfSet, useAsNumber, useTogether } from "./element-sorts.ts";
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
} from "./fold-expression.ts";
import type { MachineExpression, VariablePlace } from "./step-machine.ts";
import {
  type ArraySymbol,
  EXPRESSION_PARTS_MAX,
  type Scope,
  type Sight,
  type Site,
  type Typed,
  findLocal,
  innerScope,
  namesSeen,
  stepsError,
} from "./symbols.ts";
import type { Domain, Expression, Place, Position } from "./syntax.ts";

type ExpressionOf<Kind extends Expression["kind"]> = Extract<Expression, { kind: Kind }>;

/** How an expression is looked at: the names around it and what it may see. */
export interface View extends Site {
  readonly scope: Scope | undefined;
  readonly sees: Sight;
}

/** A constant; `set` if it is an element of one. A negative number (`none`) is of no sort. */
export function typedConstant(value: number, set: number = NUMBER): Typed {
  const sort: SortOf = set === NUMBER && value < 0 ? undefined : sortOfSet(set);
  return { expression: constantExpression(value), sort, isTruth: value === 0 || value === 1, parts: 1 };
}

/** Elaborates an expression. Throws StepsError for an unknown name, one that may not be looked at here, a wrong index. */
export function elaborateExpression(expression: Expression, view: View): Typed {
  const typed = elaborateAny(expression, view);
  if (typed.parts > EXPRESSION_PARTS_MAX) {
    const message = `the expression has more than ${EXPRESSION_PARTS_MAX} parts when it is written out`;
    throw stepsError(view, message, expression.position);
  }
  return typed;
}

/** Elaborates an expression that must be a constant; `what` names it in the error. */
export function elaborateConstant(expression: Expression, what: string, view: Omit<View, "sees">): number {
  const { expression: folded } = elaborateExpression(expression, { ...view, sees: "constants" });
  if (folded.kind === "constant") return folded.value;
  throw stepsError(view, `${what} must be a constant`, expression.position);
}

/** Elaborates a condition: what it is used for is a truth, so an element there is told apart from others. */
export function elaborateCondition(expression: Expression, view: View): MachineExpression {
  return truthOf(elaborateExpression(expression, view), "is used as a truth", expression.position, view);
}

/** The numbers a domain goes over, with the set that they are elements of (NUMBER: none). */
export function elaborateDomain(
  domain: Domain,
  position: Position,
  view: Omit<View, "sees">,
): { readonly from: number; readonly to: number; readonly set: number } {
  if (domain.kind === "named") {
    const axis = view.symbols.axis(domain.name, position);
    return { from: 0, to: axis.elements, set: axis.set };
  }
  const from = elaborateConstant(domain.from, "the beginning of a range", view);
  const to = elaborateConstant(domain.to, "the end of a range", view);
  if (to - from > EXPRESSION_PARTS_MAX) throw stepsError(view, `${to - from} numbers are too many`, position);
  return { from, to, set: NUMBER };
}

function elaborateAny(expression: Expression, view: View): Typed {
  const { position } = expression;
  switch (expression.kind) {
    case "number":
      return typedConstant(expression.value);
    case "name":
      return elaborateName(expression, view);
    case "binary":
      return elaborateBinary(expression, view);
    case "not": {
      const operand = elaborateExpression(expression.operand, view);
      return truth(foldNot(truthOf(operand, "is negated by !", position, view)), operand.parts + 1);
    }
    case "negate": {
      const operand = elaborateExpression(expression.operand, view);
      useAsNumber(operand.sort, "is negated", position, view.tell);
      return numberOf(foldNegate(operand.expression), operand.parts + 1);
    }
    case "conditional":
      return elaborateConditional(expression, view);
    case "call":
      return elaborateCall(expression, view);
    case "all":
    case "any":
    case "count":
    case "sum":
      return elaborateQuantified(expression, view);
  }
}

/** A number; a negative constant stays without a sort. */
function numberOf(expression: MachineExpression, parts: number): Typed {
  if (expression.kind === "constant") return typedConstant(expression.value);
  return { expression, sort: NUMBER_SORT, isTruth: isTruth(expression), parts };
}

function truth(expression: MachineExpression, parts: number): Typed {
  return { expression, sort: NUMBER_SORT, isTruth: true, parts };
}

function truthOf(typed: Typed, how: string, position: Position, view: View): MachineExpression {
  useAsNumber(typed.sort, how, position, view.tell);
  return typed.isTruth ? typed.expression : foldTruth(typed.expression);
}

function elaborateName(expression: ExpressionOf<"name">, view: View): Typed {
  const { name, indexes, position } = expression;
  const local = findLocal(view.scope, name);
  if (local !== undefined) {
    if (indexes.length > 0) throw stepsError(view, `${name} is one value here and has no index`, position);
    if (view.sees === "constants" && local.value.expression.kind !== "constant") {
      throw stepsError(view, `${name} is a register: its value is not known before the check`, position);
    }
    return local.value;
  }
  const declaration = view.symbols.find(name);
  switch (declaration?.kind) {
    case "const":
      return declaration.domain === undefined ? scalarConstant(expression, view) : tableConstant(expression, view);
    case "word":
    case "ghost":
    case "lock":
      return elaborateVariable(expression, declaration.kind, view);
    case undefined:
      throw stepsError(
        view,
        `nothing is named ${name}: ${didYouMean(name, namesSeen(view.scope, view.symbols))}`,
        position,
      );
    case "define":
    case "procedure":
      throw stepsError(view, `${name} is a ${declaration.kind}: write ${name}(...)`, position);
    case "set":
    case "index":
    case "thread":
    case "initially":
    case "property":
      throw stepsError(view, `${name} is a ${declaration.kind} and has no value`, position);
  }
}

function scalarConstant({ name, indexes, position }: ExpressionOf<"name">, view: View): Typed {
  if (indexes.length > 0) throw stepsError(view, `constant ${name} is one number and has no index`, position);
  return typedConstant(view.symbols.constant(name));
}

function tableConstant({ name, indexes, position }: ExpressionOf<"name">, view: View): Typed {
  const { values, axis } = view.symbols.table(name);
  if (indexes.length !== 1) throw stepsError(view, `constant ${name} has one index, of ${axis.name}`, position);
  const index = elaborateExpression(indexes[0], view);
  useAsIndex(index, axis, name, position, view);
  const differs = values.some((value) => value !== values[0]);
  if (axis.set !== NUMBER && differs) view.tell(axis.set, `${name} differs from element to element`, position);
  const folded = foldTable(values, index.expression);
  if (folded.kind === "table" && folded.index.kind === "constant") {
    throw stepsError(view, `${name}[${folded.index.value}] is outside: ${axis.name} has ${axis.elements}`, position);
  }
  return numberOf(folded, index.parts + 1);
}

function useAsIndex(
  index: Typed,
  axis: { set: number; name: string },
  array: string,
  position: Position,
  view: View,
): void {
  if (axis.set === NUMBER)
    useAsNumber(index.sort, `is an index of ${array}, which counts ${axis.name}`, position, view.tell);
  else useTogether(index.sort, sortOfSet(axis.set), `a number is an index of ${array}`, position, view.tell);
}

/** A word or ghost by its name; a lock by its name is 1 while somebody holds it. */
function elaborateVariable(expression: ExpressionOf<"name">, kind: "word" | "ghost" | "lock", view: View): Typed {
  const { name, position } = expression;
  if (view.sees === "constants")
    throw stepsError(view, `${name} is a ${kind}: only a constant can stand here`, position);
  if (view.sees === "registers") {
    const hint = {
      word: `read it first: let r = load ${name}`,
      ghost: "no CPU reads it",
      lock: "try it: let r = trylock",
    };
    throw stepsError(view, `${name} is a ${kind} and only registers can stand here (${hint[kind]})`, position);
  }
  const { at, parts, array } = elaboratePlace(expression, view);
  const variable: MachineExpression = { kind: "variable", at };
  if (kind === "lock") return truth(foldBinary("!=", variable, constantExpression(0)), parts + 2);
  const isBool = array.min >= 0 && array.max <= 1;
  return { expression: variable, sort: sortOfSet(array.set), isTruth: isBool, parts: parts + 1 };
}

/** An element of a declared array. */
export interface ElaboratedPlace {
  readonly array: ArraySymbol;
  readonly at: VariablePlace;
  readonly parts: number;
}

/** The place of a declared word, ghost or lock. Its indexes see what the view sees. */
export function elaboratePlace({ name, indexes, position }: Place, view: View): ElaboratedPlace {
  const array = view.symbols.array(name);
  if (indexes.length !== array.axes.length) {
    const wanted =
      array.axes.length === 0
        ? "has no index"
        : `has an index for each of ${array.axes.map((axis) => axis.name).join(", ")}`;
    throw stepsError(view, `${name} ${wanted}, and ${indexes.length} stand here`, position);
  }
  const typed = indexes.map((index) => elaborateExpression(index, view));
  for (const [dimension, index] of typed.entries()) {
    useAsIndex(index, array.axes[dimension], name, indexes[dimension].position, view);
    const { expression: folded } = index;
    const { elements, name: axisName } = array.axes[dimension];
    if (folded.kind === "constant" && (folded.value < 0 || folded.value >= elements)) {
      const message = `index ${folded.value} of ${name} is outside: ${axisName} has ${elements}, from 0`;
      throw stepsError(view, message, indexes[dimension].position);
    }
  }
  const parts = typed.reduce((sum, index) => sum + index.parts + 2, 0);
  const at = arrayElement(
    array,
    typed.map((index) => index.expression),
  );
  return { array, at, parts };
}

function elaborateBinary({ operator, left, right, position }: ExpressionOf<"binary">, view: View): Typed {
  const first = elaborateExpression(left, view);
  if (operator === "&&" || operator === "||") {
    const condition = truthOf(first, `is an operand of ${operator}`, left.position, view);
    if (condition.kind === "constant" && (condition.value === 1) === (operator === "||"))
      return typedConstant(condition.value);
    const second = elaborateExpression(right, view);
    const other = truthOf(second, `is an operand of ${operator}`, right.position, view);
    if (condition.kind === "constant") return truth(other, second.parts);
    return truth(foldBinary(operator, condition, other), first.parts + second.parts + 1);
  }
  const second = elaborateExpression(right, view);
  const parts = first.parts + second.parts + 1;
  if (operator === "==" || operator === "!=") {
    useTogether(first.sort, second.sort, `${operator} compares an element with a number`, position, view.tell);
    return truth(foldBinary(operator, first.expression, second.expression), parts);
  }
  useAsNumber(first.sort, `is an operand of ${operator}`, left.position, view.tell);
  useAsNumber(second.sort, `is an operand of ${operator}`, right.position, view.tell);
  const isDivision = operator === "/" || operator === "%";
  if (isDivision && second.expression.kind === "constant" && second.expression.value === 0) {
    throw stepsError(view, `${operator} divides by 0`, position);
  }
  return numberOf(foldBinary(operator, first.expression, second.expression), parts);
}

function elaborateConditional(
  { condition, then, otherwise, position }: ExpressionOf<"conditional">,
  view: View,
): Typed {
  const decides = elaborateExpression(condition, view);
  const folded = truthOf(decides, "is the condition of ?", condition.position, view);
  if (folded.kind === "constant") return elaborateExpression(folded.value === 0 ? otherwise : then, view);
  const [first, second] = [elaborateExpression(then, view), elaborateExpression(otherwise, view)];
  useTogether(first.sort, second.sort, "the sides of ? are an element and a number", position, view.tell);
  return {
    expression: foldConditional(folded, first.expression, second.expression),
    sort: first.sort ?? second.sort,
    isTruth: first.isTruth && second.isTruth,
    parts: decides.parts + first.parts + second.parts + 1,
  };
}

function elaborateCall(call: ExpressionOf<"call">, view: View): Typed {
  const { name, args, position } = call;
  if (name === "min" || name === "max") return elaborateExtreme(name, call, view);
  if (name === "element") return elaborateElement(call, view);
  const declaration = view.symbols.find(name);
  if (declaration?.kind === "procedure") {
    const message = `${name} is a procedure: its steps cannot be part of an expression (let r = ${name}(...) by itself)`;
    throw stepsError(view, message, position);
  }
  if (declaration?.kind !== "define") {
    const known = view.symbols.names().filter((each) => view.symbols.find(each)?.kind === "define");
    const hint = didYouMean(name, [...known, "min", "max", "element"]);
    const what =
      declaration === undefined ? `nothing is named ${name}` : `${name} is a ${declaration.kind}, not a define`;
    throw stepsError(view, `${what}: ${hint}`, position);
  }
  if (view.within.some((use) => use.name === name)) throw stepsError(view, `${name} is defined by itself`, position);
  if (args.length !== declaration.parameters.length) {
    const wanted = `${name}(${declaration.parameters.join(", ")})`;
    throw stepsError(view, `${wanted} has ${declaration.parameters.length} arguments, not ${args.length}`, position);
  }
  const scope = innerScope(undefined);
  for (const [number, arg] of args.entries()) {
    scope.locals.set(declaration.parameters[number], { value: elaborateExpression(arg, view), register: undefined });
  }
  return elaborateExpression(declaration.value, { ...view, scope, within: [...view.within, { name, position }] });
}

function elaborateExtreme(operator: "min" | "max", { args, position }: ExpressionOf<"call">, view: View): Typed {
  if (args.length !== 2) throw stepsError(view, `${operator}(a, b) has 2 arguments, not ${args.length}`, position);
  const [first, second] = [elaborateExpression(args[0], view), elaborateExpression(args[1], view)];
  useAsNumber(first.sort, `is an operand of ${operator}`, args[0].position, view.tell);
  useAsNumber(second.sort, `is an operand of ${operator}`, args[1].position, view.tell);
  return numberOf(foldBinary(operator, first.expression, second.expression), first.parts + second.parts + 1);
}

/** `element(S, N)`: to name one of a set by its number tells it from the others. */
function elaborateElement({ args, position }: ExpressionOf<"call">, view: View): Typed {
  const domain = args[0];
  if (args.length !== 2 || domain.kind !== "name" || domain.indexes.length > 0) {
    throw stepsError(view, "write element(SET, NUMBER)", position);
  }
  const axis = view.symbols.axis(domain.name, domain.position);
  const number = elaborateExpression(args[1], view);
  useAsNumber(number.sort, "is a number in element(SET, NUMBER)", args[1].position, view.tell);
  const { expression: folded } = number;
  if (folded.kind === "constant" && (folded.value < 0 || folded.value >= axis.elements)) {
    throw stepsError(
      view,
      `${axis.name} has ${axis.elements} elements, from 0: there is no number ${folded.value}`,
      position,
    );
  }
  if (axis.set !== NUMBER) view.tell(axis.set, `element(${axis.name}, ...) names one by its number`, position);
  return { ...number, sort: sortOfSet(axis.set) };
}

function elaborateQuantified(expression: ExpressionOf<"all" | "any" | "count" | "sum">, view: View): Typed {
  const { kind, variable, domain, body, position } = expression;
  const { from, to, set } = elaborateDomain(domain, position, view);
  const values: MachineExpression[] = [];
  let parts = 1;
  for (let value = from; value < to; value++) {
    const scope = innerScope(view.scope);
    scope.locals.set(variable, { value: typedConstant(value, set), register: undefined });
    const typed = elaborateExpression(body, { ...view, scope });
    parts += typed.parts + 1;
    if (parts > EXPRESSION_PARTS_MAX) break;
    if (kind === "sum") useAsNumber(typed.sort, "is summed", body.position, view.tell);
    values.push(kind === "sum" ? typed.expression : truthOf(typed, `is the condition of ${kind}`, body.position, view));
  }
  if (kind === "all") return truth(foldList("&&", values, 1), parts);
  if (kind === "any") return truth(foldList("||", values, 0), parts);
  return numberOf(foldList("+", values, 0), parts);
}

/** What is known of an expression's sort: a set, or NUMBER for everything else. */
export function setOf(typed: Typed): number {
  return knownSort(typed.sort) ?? NUMBER;
}

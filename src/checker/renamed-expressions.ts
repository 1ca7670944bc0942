/**
 * What an expression says once set elements, variables and threads have other names.
 *
 * A renaming exchanges elements of sets and, following them, variables and threads. It is a symmetry if every expression
 * of the system says after the exchange what its counterpart said before. That is compared by keys: the key of an expression
 * under a renaming spells out what it means in the renamed state, so equal keys mean equal values (and, but for the order
 * of && and ||, equal faults). Values are followed by their kind: an element is renamed wherever it is compared, stored or
 * assigned; where it is used as a number (a table, an index) the key lists the results for all values; any other use of an
 * element as a number has no key and is told by NotAlike. Quantifiers come unrolled, so that sums and conjunctions are
 * keyed by their terms in sorted order.
 */
import { replaceLeaves } from "./replace-leaves.ts";
import { evaluate } from "./evaluate.ts";
import type { MachineExpression, Register, StepMachine, ValueKind, VariablePlace } from "./step-machine.ts";
import { StepsError } from "./syntax.ts";

/** Where everything goes. */
export interface Renaming {
  /** By set: where each element goes. */
  readonly elements: readonly Int32Array[];
  readonly variables: Int32Array;
  readonly threads: Int32Array;
}

/** An expression (or a thread's code) does not survive the renaming: why, for a reader. */
export class NotAlike extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "NotAlike";
  }
}

/** What keys are made against. */
export interface KeyContext {
  readonly machine: StepMachine;
  readonly registers: readonly Register[];
  readonly renaming: Renaming;
}

/** Values of the words and registers of one index or table that are tried. */
const VALUES_LIMIT = 4096;
/** Operators whose operands may be taken in any order. */
const UNORDERED: ReadonlySet<string> = new Set(["&&", "||", "+", "*", "min", "max"]);

const NUMBER: ValueKind = { kind: "number" };

/** The key of an expression whose value is of this kind. Throws NotAlike where elements are used as numbers. */
export function keyOfExpression(expression: MachineExpression, kind: ValueKind, context: KeyContext): string {
  switch (expression.kind) {
    case "constant":
      return `${renamedValue(expression.value, kind, context.renaming)}`;
    case "register":
      expectKind(context.registers[expression.register].value, kind, context);
      return `r${expression.register}`;
    case "variable":
      expectKind(kindOfPlace(expression.at, context), kind, context);
      return keyOfPlace(expression.at, context);
    case "table":
      expectKind(NUMBER, kind, context);
      return keyOfTable(expression, context);
    case "binary":
      expectKind(NUMBER, kind, context);
      return keyOfBinary(expression, context);
    case "not":
    case "negate":
      expectKind(NUMBER, kind, context);
      return `${expression.kind}(${keyOfExpression(expression.operand, NUMBER, context)})`;
    case "conditional": {
      const condition = keyOfExpression(expression.condition, NUMBER, context);
      const then = keyOfExpression(expression.then, kind, context);
      return `(${condition}?${then}:${keyOfExpression(expression.otherwise, kind, context)})`;
    }
  }
}

/** The key of a place: the variable, or which it is for every value of its index. */
export function keyOfPlace({ base, count, index }: VariablePlace, context: KeyContext): string {
  const { variables } = context.renaming;
  if (index === undefined) return `v${variables[base]}`;
  return keyByValues(index, context, (value) =>
    value >= 0 && value < count ? `v${variables[base + value]}` : undefined,
  );
}

/** The kind of a value in memory. */
export function kindOfPlace({ base }: VariablePlace, { machine }: KeyContext): ValueKind {
  return machine.variables[base].value;
}

/** Throws NotAlike unless the two kinds are the same. */
export function expectKind(found: ValueKind, wanted: ValueKind, { machine }: KeyContext): void {
  if (found.kind === "element" && wanted.kind === "element" && found.set === wanted.set) return;
  if (found.kind !== "element" && found.kind === wanted.kind) return;
  const element = found.kind === "element" ? found : wanted;
  if (element.kind === "element")
    throw new NotAlike(`an element of ${machine.sets[element.set].name} is used as a number`);
  throw new NotAlike("the holder of a lock is used as a number");
}

function keyOfBinary(expression: Extract<MachineExpression, { kind: "binary" }>, context: KeyContext): string {
  const { operator, left, right } = expression;
  if (operator === "==" || operator === "!=") {
    const kind = kindOf(left, context) ?? kindOf(right, context) ?? NUMBER;
    // Who holds a lock is another thread's number after the exchange; only 0 (free) means the same.
    if (kind.kind === "lock" && !isZero(left) && !isZero(right)) {
      throw new NotAlike("a lock is compared with something else than 0");
    }
    const keys = [keyOfExpression(left, kind, context), keyOfExpression(right, kind, context)];
    return `(${keys.sort().join(operator)})`;
  }
  const operands = UNORDERED.has(operator) ? operandsOf(expression, operator) : [left, right];
  const keys = operands.map((operand) => keyOfExpression(operand, NUMBER, context));
  return `(${(UNORDERED.has(operator) ? keys.sort() : keys).join(` ${operator} `)})`;
}

function isZero(expression: MachineExpression): boolean {
  return expression.kind === "constant" && expression.value === 0;
}

/** The operands of a chain of one operator: a + (b + c) has three. */
function operandsOf(expression: MachineExpression, operator: string): readonly MachineExpression[] {
  const operands: MachineExpression[] = [];
  const open = [expression];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next.kind === "binary" && next.operator === operator) open.push(next.right, next.left);
    else operands.push(next);
  }
  return operands;
}

function keyOfTable(expression: Extract<MachineExpression, { kind: "table" }>, context: KeyContext): string {
  const { values, index } = expression;
  return keyByValues(index, context, (value) => (value >= 0 && value < values.length ? `${values[value]}` : undefined));
}

/** A word or register in an index, with the values that it can have. */
interface Unknown {
  readonly key: string;
  readonly kind: ValueKind;
  readonly values: readonly number[];
}

/** The key of a function of `index`: what `resultOf` it is for all values of its words and registers after renaming. */
function keyByValues(
  index: MachineExpression,
  context: KeyContext,
  resultOf: (value: number) => string | undefined,
): string {
  const unknowns = unknownsIn(index, context);
  let combinations = 1;
  for (const { values } of unknowns) combinations *= values.length;
  if (combinations > VALUES_LIMIT) throw new NotAlike("an index has too many values to be looked through");
  const results: string[] = [];
  const values = new Map<string, number>();
  const turn = (at: number): void => {
    if (at === unknowns.length) {
      results.push(valueOf(index, values, context, resultOf));
      return;
    }
    const unknown = unknowns[at];
    for (const value of unknown.values) {
      values.set(unknown.key, originalValue(value, unknown.kind, context.renaming));
      turn(at + 1);
    }
  };
  turn(0);
  return `[${unknowns.map(({ key }) => key).join(",")}](${results.join(",")})`;
}

function valueOf(
  index: MachineExpression,
  values: ReadonlyMap<string, number>,
  context: KeyContext,
  resultOf: (value: number) => string | undefined,
): string {
  const filled = replaceLeaves(index, (part) => {
    const value = values.get(keyOfExpression(part, kindOf(part, context) ?? NUMBER, context));
    if (value === undefined) throw new Error("a part of an index that was not listed");
    return { kind: "constant", value };
  });
  try {
    return resultOf(evaluate(context.machine, filled, new Int32Array(0), new Int32Array(0))) ?? "fault";
  } catch (error) {
    if (error instanceof StepsError) return "fault";
    throw error;
  }
}

function unknownsIn(index: MachineExpression, context: KeyContext): readonly Unknown[] {
  const found = new Map<string, Unknown>();
  replaceLeaves(index, (part) => {
    const kind = kindOf(part, context) ?? NUMBER;
    const key = keyOfExpression(part, kind, context);
    found.set(key, { key, kind, values: valuesOf(part, kind, context) });
    return part;
  });
  return [...found.values()];
}

/** All values that a word or register can have; of a set all elements, and `none` if it can be that. */
function valuesOf(part: MachineExpression, kind: ValueKind, { machine, registers }: KeyContext): readonly number[] {
  const range =
    part.kind === "register"
      ? registers[part.register]
      : part.kind === "variable"
        ? machine.variables[part.at.base]
        : undefined;
  if (range === undefined || kind.kind === "lock") throw new NotAlike("the holder of a lock is used as an index");
  if (kind.kind === "element") return numbers(range.min < 0 ? -1 : 0, machine.sets[kind.set].elements - 1);
  if (range.max - range.min >= VALUES_LIMIT) throw new NotAlike("an index has too many values to be looked through");
  return numbers(range.min, range.max);
}

function numbers(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, offset) => from + offset);
}

/** undefined: a constant, which is of any kind. */
function kindOf(expression: MachineExpression, context: KeyContext): ValueKind | undefined {
  switch (expression.kind) {
    case "constant":
      return undefined;
    case "register":
      return context.registers[expression.register].value;
    case "variable":
      return kindOfPlace(expression.at, context);
    case "conditional":
      return kindOf(expression.then, context) ?? kindOf(expression.otherwise, context);
    default:
      return NUMBER;
  }
}

function renamedValue(value: number, kind: ValueKind, { elements }: Renaming): number {
  return kind.kind === "element" && value >= 0 ? elements[kind.set][value] : value;
}

/** The value that the renaming takes to this one. */
function originalValue(value: number, kind: ValueKind, { elements }: Renaming): number {
  return kind.kind === "element" && value >= 0 ? elements[kind.set].indexOf(value) : value;
}

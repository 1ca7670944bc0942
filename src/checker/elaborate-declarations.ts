/**
 * Declarations fitted to a configuration: what every name is, how large sets are, where arrays lie.
 *
 * Texts are one system, and each may use what the others declare, so constants and sizes are computed when they are asked
 * for, and one that needs itself is refused. Threads and properties have names of their own; all other names are declared
 * once. Variables lie in the order of the declarations, arrays row by row.
 */
import { didYouMean } from "../scenario/index.ts";
import type { CheckConfiguration } from "./check.ts";
import { elaborateConstant } from "./elaborate-expressions.ts";
import { NUMBER, type Tell } from "./element-sorts.ts";
import type { MachineSet, Variable } from "./step-machine.ts";
import { type ArraySymbol, type Axis, ELEMENTS_MAX, type Symbols, innerScope } from "./symbols.ts";
import { typedConstant } from "./elaborate-expressions.ts";
import { type Declaration, type Expression, type Position, type Range, StepsError } from "./syntax.ts";

/** Variables of a system, arrays flattened. */
export const VARIABLES_MAX = 512;

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

type DeclarationOf<Kind extends Declaration["kind"]> = Extract<Declaration, { kind: Kind }>;
type ArrayDeclaration = DeclarationOf<"word" | "ghost" | "lock">;

/** The first state and a size are no place where telling elements apart matters: nothing is told. */
export const tellNobody: Tell = () => {};

/** The declarations of a system, its sets without what is told of them later, and its constants' values. */
export interface ElaboratedDeclarations {
  readonly symbols: Symbols;
  readonly sets: readonly MachineSet[];
  readonly arrays: readonly ArraySymbol[];
  readonly constants: Readonly<Record<string, number>>;
}

/** Fits declarations to a configuration. Throws StepsError for names declared twice, wrong sizes, unknown constants. */
export function elaborateDeclarations(
  declarations: readonly Declaration[],
  configuration: Pick<CheckConfiguration, "constants">,
): ElaboratedDeclarations {
  const byName = collectNames(declarations);
  const given = configuration.constants ?? {};
  const scalars = declarations.filter((each) => each.kind === "const" && each.domain === undefined);
  refuseUnknownConstants(given, scalars, byName);
  const arrays = new Map<string, ArraySymbol>();
  const symbols = createSymbols(declarations, byName, given, arrays);
  layArrays(declarations, symbols, arrays);
  checkUnused(declarations, symbols);
  return {
    symbols,
    sets: declarations
      .filter((each) => each.kind === "set")
      .map(({ name, position }) => ({ name, elements: symbols.axis(name, position).elements })),
    arrays: [...arrays.values()],
    constants: Object.fromEntries(scalars.map(({ name }) => [name, symbols.constant(name)])),
  };
}

/** Checks that no name is declared twice, and returns what expressions and statements can name. */
function collectNames(declarations: readonly Declaration[]): Map<string, Declaration> {
  const byName = new Map<string, Declaration>();
  const apart = new Map<string, Declaration>();
  for (const declaration of declarations) {
    const { kind, name, position } = declaration;
    if (kind === "initially") continue;
    const isApart = kind === "thread" || kind === "property";
    const key = kind === "property" ? `${declaration.when} ${name}` : `${kind} ${name}`;
    const earlier = isApart ? apart.get(key) : byName.get(name);
    if (earlier !== undefined) {
      const { text, line, column } = earlier.position;
      throw new StepsError(`${name} is declared already, as a ${earlier.kind} at ${text}:${line}:${column}`, position);
    }
    if (isApart) apart.set(key, declaration);
    else byName.set(name, declaration);
  }
  return byName;
}

function refuseUnknownConstants(
  given: Readonly<Record<string, number>>,
  scalars: readonly Declaration[],
  byName: ReadonlyMap<string, Declaration>,
): void {
  const known = scalars.map(({ name }) => name);
  for (const [name, value] of Object.entries(given)) {
    if (!known.includes(name)) {
      const declaration = byName.get(name);
      if (declaration?.kind === "const")
        throw new StepsError(`constant ${name} is a table and cannot be given one value`);
      const hint = didYouMean(name, known);
      const all = hint.startsWith("known are") ? "" : ` (constants: ${known.join(", ")})`;
      throw new StepsError(`no text has a constant ${name}: ${hint}${all}`);
    }
    if (!Number.isInteger(value) || value < INT32_MIN || value > INT32_MAX) {
      throw new StepsError(`constant ${name} cannot be ${value}: it is a whole number of 32 bits`);
    }
  }
}

function createSymbols(
  declarations: readonly Declaration[],
  byName: ReadonlyMap<string, Declaration>,
  given: Readonly<Record<string, number>>,
  arrays: ReadonlyMap<string, ArraySymbol>,
): Symbols {
  const setNames = declarations.filter(({ kind }) => kind === "set").map(({ name }) => name);
  const names = [...byName.keys()];
  const fixed = (expression: Expression, what: string): number =>
    elaborateConstant(expression, what, { symbols, scope: undefined, tell: tellNobody, within: [] });
  const constants = remember((name: string): number => {
    if (Object.hasOwn(given, name)) return given[name];
    return fixed(declared(byName, name, "const").values[0], `constant ${name}`);
  }, byName);
  const axes = remember((name: string): Axis => {
    const declaration = byName.get(name) as DeclarationOf<"set" | "index">;
    const elements = fixed(declaration.size, `the size of ${name}`);
    if (elements < 1 || elements > ELEMENTS_MAX) {
      throw new StepsError(`${name} has 1 to ${ELEMENTS_MAX} elements, not ${elements}`, declaration.position);
    }
    return { name, elements, set: declaration.kind === "set" ? setNames.indexOf(name) : NUMBER };
  }, byName);
  const tables = remember((name: string) => {
    const { domain, values, position } = declared(byName, name, "const");
    const axis = symbols.axis(domain ?? "", position);
    if (values.length !== 1 && values.length !== axis.elements) {
      throw new StepsError(
        `${name} has ${values.length} values: 1 or ${axis.elements} are needed for ${axis.name}`,
        position,
      );
    }
    const numbers = values.map((value) => fixed(value, `a value of ${name}`));
    return {
      axis,
      values: Array.from({ length: axis.elements }, (_, element) => numbers[values.length === 1 ? 0 : element]),
    };
  }, byName);
  const symbols: Symbols = {
    find: (name) => byName.get(name),
    names: () => names,
    constant: constants,
    table: tables,
    axis: (name, position) => {
      const declaration = byName.get(name);
      if (declaration?.kind === "set" || declaration?.kind === "index") return axes(name);
      const known = names.filter((each) => ["set", "index"].includes(byName.get(each)?.kind ?? ""));
      const what = declaration === undefined ? "" : ` (it is a ${declaration.kind})`;
      throw new StepsError(`no set or index is named ${name}${what}: ${didYouMean(name, known)}`, position);
    },
    array: (name) => {
      const array = arrays.get(name);
      if (array === undefined) throw new Error(`array ${name} is asked for before arrays are laid`);
      return array;
    },
  };
  return symbols;
}

function declared<Kind extends Declaration["kind"]>(
  byName: ReadonlyMap<string, Declaration>,
  name: string,
  kind: Kind,
): DeclarationOf<Kind> {
  const declaration = byName.get(name);
  if (declaration?.kind !== kind) throw new Error(`${name} is no ${kind}`);
  return declaration as DeclarationOf<Kind>;
}

/** Computes once, and refuses what needs itself. */
function remember<Value>(
  compute: (name: string) => Value,
  byName: ReadonlyMap<string, Declaration>,
): (name: string) => Value {
  const known = new Map<string, Value>();
  const open = new Set<string>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    if (open.has(name)) throw new StepsError(`${name} is declared by means of itself`, byName.get(name)?.position);
    open.add(name);
    const value = compute(name);
    known.set(name, value);
    return value;
  };
}

/** Computes what nothing has asked for, so that a fault in it is seen. */
function checkUnused(declarations: readonly Declaration[], symbols: Symbols): void {
  for (const { kind, name, position, ...rest } of declarations) {
    if (kind === "set" || kind === "index") symbols.axis(name, position);
    if (kind === "const" && "domain" in rest && rest.domain !== undefined) symbols.table(name);
  }
}

function layArrays(declarations: readonly Declaration[], symbols: Symbols, arrays: Map<string, ArraySymbol>): void {
  let base = 0;
  for (const declaration of declarations) {
    const { kind, name, position } = declaration;
    if (kind !== "word" && kind !== "ghost" && kind !== "lock") continue;
    const axes = declaration.dimensions.map(({ domain }) => symbols.axis(domain, position));
    const count = axes.reduce((product, axis) => product * axis.elements, 1);
    if (base + count > VARIABLES_MAX) {
      throw new StepsError(
        `with ${name} there are ${base + count} variables, and ${VARIABLES_MAX} are the most`,
        position,
      );
    }
    // A lock's range depends on how many threads there are, which is known when they are.
    const range =
      kind === "lock" ? { min: 0, max: 0, set: NUMBER } : elaborateRange(declaration.range, position, symbols);
    arrays.set(name, { name, kind, axes, base, count, ...range });
    base += count;
  }
}

/** The bounds of a range and the set whose elements it holds (NUMBER: none). */
export function elaborateRange(
  range: Range,
  position: Position,
  symbols: Symbols,
): { readonly min: number; readonly max: number; readonly set: number } {
  switch (range.kind) {
    case "bool":
      return { min: 0, max: 1, set: NUMBER };
    case "named": {
      const axis = symbols.axis(range.name, position);
      return { min: range.isOptional ? -1 : 0, max: axis.elements - 1, set: axis.set };
    }
    case "numbers": {
      const view = { symbols, scope: undefined, tell: tellNobody, within: [] };
      const min = elaborateConstant(range.low, "the lower bound of a range", view);
      const max = elaborateConstant(range.high, "the upper bound of a range", view);
      if (min > max) throw new StepsError(`the range ${min}..${max} is empty`, position);
      return { min, max, set: NUMBER };
    }
  }
}

/** The variables of all arrays, in the order of their declarations. Locks are as if there were no threads and no readers. */
export function elaborateVariables({ symbols, arrays }: ElaboratedDeclarations): Variable[] {
  return arrays.flatMap((array) => {
    const declaration = symbols.find(array.name) as ArrayDeclaration;
    return Array.from({ length: array.count }, (_, element): Variable => {
      const indexes = indexesOf(array, element);
      return {
        name: array.name + indexes.map((index) => `[${index.element}]`).join(""),
        kind: array.kind,
        min: array.min,
        max: array.max,
        initial: initialValue(declaration, array, indexes, symbols),
        hasReaders: false,
        value: valueKindOf(array),
        array: array.name,
        indexes,
      };
    });
  });
}

function valueKindOf(array: ArraySymbol): Variable["value"] {
  if (array.kind === "lock") return { kind: "lock" };
  return array.set === NUMBER ? { kind: "number" } : { kind: "element", set: array.set };
}

function indexesOf(array: ArraySymbol, element: number): Variable["indexes"] {
  let rest = element;
  const indexes: { set: number; element: number }[] = [];
  for (const axis of array.axes.toReversed()) {
    indexes.unshift({ set: axis.set, element: rest % axis.elements });
    rest = Math.trunc(rest / axis.elements);
  }
  return indexes;
}

function initialValue(
  declaration: ArrayDeclaration,
  array: ArraySymbol,
  indexes: Variable["indexes"],
  symbols: Symbols,
): number {
  if (declaration.kind === "lock") return 0;
  const { initial, range, position, dimensions } = declaration;
  if (initial === undefined) {
    if (range.kind === "named" && range.isOptional) return -1;
    return array.min > 0 || array.max < 0 ? array.min : 0;
  }
  const scope = innerScope(undefined);
  for (const [number, { variable }] of dimensions.entries()) {
    if (variable === undefined) continue;
    const { set, element } = indexes[number];
    scope.locals.set(variable, { value: typedConstant(element, set), register: undefined });
  }
  const what = `the first value of ${array.name}`;
  const value = elaborateConstant(initial, what, { symbols, scope, tell: tellNobody, within: [] });
  if (value < array.min || value > array.max) {
    throw new StepsError(`${what} is ${value}, outside of its range ${array.min}..${array.max}`, position);
  }
  return value;
}

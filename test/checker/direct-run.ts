/**
 * A thread of the step language run from its tree, statement by statement, as docs/step-language.md says it: what elaboration
 * is compared with.
 *
 * Nothing is folded, inlined or unrolled here: a call is a call with names of its own, a quantifier a loop, a constant an
 * expression that is looked at when it is needed. One thread runs alone, so that a lock is always free; choices are made by
 * the caller (`decide`), who tries them all. Ranges are not looked at.
 */
import type { Block, Declaration, Domain, Expression, Place, Statement } from "../../src/checker/syntax.ts";

/** Makes a choice among so many. */
export type Decide = (alternatives: number) => number;

/** What a run has left: words and ghosts by name, and the assertions that failed, in order. */
export interface DirectOutcome {
  readonly memory: ReadonlyMap<string, number>;
  readonly failed: readonly string[];
}

interface World {
  readonly declarations: ReadonlyMap<string, Declaration>;
  readonly constants: Readonly<Record<string, number>>;
  readonly memory: Map<string, number>;
  readonly failed: string[];
  readonly decide: Decide;
}

/** Names to values; a block sees those of the blocks around it. */
interface Names {
  readonly values: Map<string, number>;
  readonly outer: Names | undefined;
}

/** How a statement ends: it goes on, or leaves a loop, a procedure or the thread. */
type End = { readonly by: "end" | "break" | "stop" } | { readonly by: "return"; readonly value: number };

const GOES_ON: End = { by: "end" };

/** Runs the one thread of a system. */
export function runDirectly(
  declarations: readonly Declaration[],
  constants: Readonly<Record<string, number>>,
  decide: Decide,
): DirectOutcome {
  const named = declarations.filter(({ kind }) => kind !== "thread" && kind !== "property");
  const world: World = {
    declarations: new Map(named.map((declaration) => [declaration.name, declaration])),
    constants,
    memory: new Map(),
    failed: [],
    decide,
  };
  for (const declaration of declarations) layMemory(world, declaration);
  const thread = declarations.find(({ kind }) => kind === "thread");
  if (thread?.kind !== "thread") throw new Error("there is no thread");
  const names: Names = { values: new Map(), outer: undefined };
  if (thread.variable !== undefined) names.values.set(thread.variable, 0);
  runBlock(world, thread.body, names);
  return { memory: world.memory, failed: world.failed };
}

function layMemory(world: World, declaration: Declaration): void {
  if (declaration.kind !== "word" && declaration.kind !== "ghost") return;
  const { name, dimensions, initial, range } = declaration;
  const lay = (indexes: readonly number[]): void => {
    if (indexes.length < dimensions.length) {
      for (const index of elementsOf(world, dimensions[indexes.length].domain)) lay([...indexes, index]);
      return;
    }
    const values = new Map<string, number>();
    for (const [number, { variable }] of dimensions.entries()) {
      if (variable !== undefined) values.set(variable, indexes[number]);
    }
    const none = range.kind === "named" && range.isOptional ? -1 : 0;
    const value = initial === undefined ? none : valueOf(world, initial, { values, outer: undefined });
    world.memory.set(keyOf(name, indexes), value);
  };
  lay([]);
}

function keyOf(name: string, indexes: readonly number[]): string {
  return name + indexes.map((index) => `[${index}]`).join("");
}

function elementsOf(world: World, name: string): number[] {
  const declaration = world.declarations.get(name);
  if (declaration?.kind !== "set" && declaration?.kind !== "index") throw new Error(`${name} is no set`);
  const none: Names = { values: new Map(), outer: undefined };
  return [...Array(valueOf(world, declaration.size, none)).keys()];
}

function domainOf(world: World, domain: Domain, names: Names): number[] {
  if (domain.kind === "named") return elementsOf(world, domain.name);
  const [from, to] = [valueOf(world, domain.from, names), valueOf(world, domain.to, names)];
  return [...Array(Math.max(0, to - from)).keys()].map((each) => each + from);
}

function runBlock(world: World, block: Block, outer: Names): End {
  const names: Names = { values: new Map(), outer };
  for (const statement of block) {
    const end = run(world, statement, names);
    if (end.by !== "end") return end;
  }
  return GOES_ON;
}

function run(world: World, statement: Statement, names: Names): End {
  switch (statement.kind) {
    case "if": {
      const isTrue = valueOf(world, statement.condition, names) !== 0;
      return runBlock(world, isTrue ? statement.then : statement.otherwise, names);
    }
    case "while":
      return runLoop(world, statement.body, names, () => valueOf(world, statement.condition, names) !== 0);
    case "loop":
      return runLoop(world, statement.body, names, () => true);
    case "repeat": {
      let left = valueOf(world, statement.times, names);
      return runLoop(world, statement.body, names, () => left-- > 0);
    }
    case "for":
      return runFor(world, statement, names);
    case "choose":
      return runBlock(world, statement.alternatives[world.decide(statement.alternatives.length)], names);
    case "pick":
      return runPick(world, statement, names);
    case "op":
      return runBlock(world, statement.body, names);
    case "call":
      callProcedure(world, statement.name, statement.args, names);
      return GOES_ON;
    case "break":
    case "stop":
      return { by: statement.kind };
    case "return":
      return { by: "return", value: statement.value === undefined ? 0 : valueOrCall(world, statement.value, names) };
    default:
      access(world, statement, names);
      return GOES_ON;
  }
}

function runLoop(world: World, body: Block, names: Names, goesOn: () => boolean): End {
  while (goesOn()) {
    const end = runBlock(world, body, names);
    if (end.by === "break") break;
    if (end.by !== "end") return end;
  }
  return GOES_ON;
}

function runFor(world: World, statement: Extract<Statement, { kind: "for" }>, outer: Names): End {
  const from = valueOf(world, statement.from, outer);
  const to = valueOf(world, statement.to, outer);
  for (let value = from; value < to; value++) {
    const end = runBlock(world, statement.body, { values: new Map([[statement.variable, value]]), outer });
    if (end.by === "break") break;
    if (end.by !== "end") return end;
  }
  return GOES_ON;
}

function runPick(world: World, { register, domain, where }: Extract<Statement, { kind: "pick" }>, names: Names): End {
  const candidates = domainOf(world, domain, names).filter((value) => {
    const candidate: Names = { values: new Map([[register, value]]), outer: names };
    return where === undefined || valueOf(world, where, candidate) !== 0;
  });
  const picked = candidates[world.decide(candidates.length)];
  if (holderOf(names, register) === undefined) names.values.set(register, picked);
  else assign(names, register, picked, false);
  return GOES_ON;
}

/** Steps, ghosts, assertions and registers. */
function access(world: World, statement: Statement, names: Names): void {
  const at = "at" in statement ? placeOf(world, statement.at, names) : "";
  const before = world.memory.get(at) ?? 0;
  const value = (expression: Expression): number => valueOf(world, expression, names);
  const give = (register: string | undefined, isNew: boolean, result: number): void => {
    if (register !== undefined) assign(names, register, result, isNew);
  };
  switch (statement.kind) {
    case "load":
      return give(statement.register, statement.isNew, before);
    case "store":
    case "ghost":
      world.memory.set(at, value(statement.value));
      return;
    case "add": {
      const after = (before + value(statement.value)) | 0;
      world.memory.set(at, after);
      return give(statement.register, statement.isNew, after);
    }
    case "swap": {
      const after = value(statement.value);
      world.memory.set(at, after);
      return give(statement.register, statement.isNew, before);
    }
    case "cas": {
      const isDone = before === value(statement.expected);
      if (isDone) world.memory.set(at, value(statement.value));
      return give(statement.register, statement.isNew, isDone ? 1 : 0);
    }
    case "trylock":
      return give(statement.register, statement.isNew, 1);
    case "set":
      return give(statement.register, statement.isNew, valueOrCall(world, statement.value, names));
    case "assert":
      if (value(statement.condition) === 0) world.failed.push(statement.property);
      return;
    case "lock":
    case "unlock":
    case "fence":
    case "await":
      return;
    default:
      throw new Error(`${statement.kind} is no access`);
  }
}

function placeOf(world: World, { name, indexes }: Place, names: Names): string {
  return keyOf(
    name,
    indexes.map((index) => valueOf(world, index, names)),
  );
}

function holderOf(names: Names | undefined, name: string): Names | undefined {
  for (let at = names; at !== undefined; at = at.outer) if (at.values.has(name)) return at;
  return undefined;
}

function assign(names: Names, register: string, value: number, isNew: boolean): void {
  const holder = isNew ? names : holderOf(names, register);
  if (holder === undefined) throw new Error(`nothing is named ${register}`);
  holder.values.set(register, value);
}

function valueOrCall(world: World, expression: Expression, names: Names): number {
  if (expression.kind !== "call" || world.declarations.get(expression.name)?.kind !== "procedure") {
    return valueOf(world, expression, names);
  }
  return callProcedure(world, expression.name, expression.args, names);
}

function callProcedure(world: World, name: string, args: readonly Expression[], names: Names): number {
  const procedure = world.declarations.get(name);
  if (procedure?.kind !== "procedure") throw new Error(`${name} is no procedure`);
  const values = new Map(args.map((arg, number) => [procedure.parameters[number], valueOf(world, arg, names)]));
  const end = runBlock(world, procedure.body, { values, outer: undefined });
  return end.by === "return" ? end.value : 0;
}

function valueOf(world: World, expression: Expression, names: Names): number {
  const value = (part: Expression): number => valueOf(world, part, names);
  switch (expression.kind) {
    case "number":
      return expression.value;
    case "name":
      return nameOf(world, expression, names);
    case "not":
      return value(expression.operand) === 0 ? 1 : 0;
    case "negate":
      return -value(expression.operand) | 0;
    case "conditional":
      return value(value(expression.condition) === 0 ? expression.otherwise : expression.then);
    case "binary":
      return operate(expression, value);
    case "call":
      return callDefine(world, expression, names);
    default:
      return quantify(world, expression, names);
  }
}

function nameOf(world: World, { name, indexes }: Extract<Expression, { kind: "name" }>, names: Names): number {
  const local = holderOf(names, name)?.values.get(name);
  if (local !== undefined) return local;
  const none: Names = { values: new Map(), outer: undefined };
  const declaration = world.declarations.get(name);
  const at = indexes.map((index) => valueOf(world, index, names));
  if (declaration?.kind !== "const") {
    const value = world.memory.get(keyOf(name, at));
    if (value === undefined) throw new Error(`nothing is at ${keyOf(name, at)}`);
    return value;
  }
  if (at.length === 0 && Object.hasOwn(world.constants, name)) return world.constants[name];
  return valueOf(world, declaration.values[declaration.values.length === 1 ? 0 : at[0]], none);
}

function operate(
  { operator, left, right }: Extract<Expression, { kind: "binary" }>,
  value: (part: Expression) => number,
): number {
  const a = value(left);
  if (operator === "&&") return a !== 0 && value(right) !== 0 ? 1 : 0;
  if (operator === "||") return a !== 0 || value(right) !== 0 ? 1 : 0;
  const b = value(right);
  const results = {
    "==": a === b,
    "!=": a !== b,
    "<": a < b,
    "<=": a <= b,
    ">": a > b,
    ">=": a >= b,
    "+": a + b,
    "-": a - b,
    "*": Math.imul(a, b),
    "/": a / b,
    "%": a % b,
  };
  return Number(results[operator]) | 0;
}

function callDefine(world: World, { name, args }: Extract<Expression, { kind: "call" }>, names: Names): number {
  if (name === "element") return valueOf(world, args[1], names);
  const given = args.map((arg) => valueOf(world, arg, names));
  if (name === "min") return Math.min(...given);
  if (name === "max") return Math.max(...given);
  const define = world.declarations.get(name);
  if (define?.kind !== "define") throw new Error(`${name} is no define`);
  const values = new Map(given.map((value, number) => [define.parameters[number], value]));
  return valueOf(world, define.value, { values, outer: undefined });
}

function quantify(
  world: World,
  { kind, variable, domain, body }: Extract<Expression, { kind: "all" | "any" | "count" | "sum" }>,
  outer: Names,
): number {
  const values = domainOf(world, domain, outer).map((value) =>
    valueOf(world, body, { values: new Map([[variable, value]]), outer }),
  );
  if (kind === "all") return values.every((value) => value !== 0) ? 1 : 0;
  if (kind === "any") return values.some((value) => value !== 0) ? 1 : 0;
  const counted = kind === "sum" ? values : values.map((value) => (value === 0 ? 0 : 1));
  return counted.reduce((sum, value) => sum + value, 0);
}

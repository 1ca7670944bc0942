/**
 * Expressions of the step language: operators by precedence, quantifiers, ranges and domains.
 *
 *     c ? a : b        weakest
 *     ||
 *     &&
 *     == !=            once: a == b == c is refused, and so is a < b < c, because neither says what it seems to
 *     < <= > >=        once
 *     + -              to the left
 *     * / %            to the left
 *     ! -              in front of an operand
 *
 * An expression may go on behind or before an operator on the next line: nothing else begins with one. Invariant: the tree
 * is at most NESTING_MAX deep, so that whoever walks it may recurse.
 */
import { NUMBER_MAX, type Token } from "./lex-steps.ts";
import { type BinaryOperator, type Domain, type Expression, type Position, type Range, StepsError } from "./syntax.ts";
import { NESTING_MAX, type TokenReader } from "./token-reader.ts";

/** Names that mean something in front of a parenthesis, so that no procedure or define can have them. */
export const CALLED_WORDS: ReadonlySet<string> = new Set(["min", "max", "element", "all", "any", "count", "sum"]);

const CONSTANTS: Readonly<Record<string, number>> = { true: 1, false: 0, none: -1 };

/** Operators by rising strength. */
const LEVELS: readonly { readonly operators: ReadonlySet<string>; readonly chains: boolean }[] = [
  { operators: new Set(["||"]), chains: true },
  { operators: new Set(["&&"]), chains: true },
  { operators: new Set(["==", "!="]), chains: false },
  { operators: new Set(["<", "<=", ">", ">="]), chains: false },
  { operators: new Set(["+", "-"]), chains: true },
  { operators: new Set(["*", "/", "%"]), chains: true },
];
/** The level at which bounds of ranges are written: sums. */
const SUMS = 4;

/** Signs behind which an operand may begin a new line. */
const CONTINUES: ReadonlySet<string> = new Set([
  "?",
  ":",
  ",",
  "..",
  ...LEVELS.flatMap(({ operators }) => [...operators]),
]);

/** Reads one expression. Throws StepsError. */
export function parseExpression(reader: TokenReader): Expression {
  const expression = parseConditional(reader);
  refuseDeepTrees([expression]);
  return expression;
}

/** Reads what values a word or register can have: `bool`, `LOW..HIGH`, `NAME` or `NAME?`. */
export function parseRange(reader: TokenReader): Range {
  if (reader.takeIf("bool")) return { kind: "bool" };
  const low = parseSum(reader);
  const high = reader.takeIf("..") ? parseSum(reader) : undefined;
  refuseDeepTrees(high === undefined ? [low] : [low, high]);
  if (high !== undefined) return { kind: "numbers", low, high };
  const name = bareName(low);
  if (name === undefined) reader.fail('".."', "a range is bool, LOW..HIGH, the name of a set or index, or NAME?");
  return { kind: "named", name, isOptional: reader.takeIf("?") };
}

/** Reads what a pick goes over: `NAME` or `A..B`, B excluded. */
export function parseDomain(reader: TokenReader): Domain {
  const domain = readDomain(reader);
  if (domain.kind === "numbers") refuseDeepTrees([domain.from, domain.to]);
  return domain;
}

/** Reads what a loop goes over: `A..B`, B excluded. */
export function parseBounds(reader: TokenReader): { readonly from: Expression; readonly to: Expression } {
  const from = parseSum(reader);
  reader.expect(
    "..",
    bareName(from) === undefined ? "" : "over elements go all, any, count, sum and pick; for goes A..B",
  );
  const to = parseSum(reader);
  refuseDeepTrees([from, to]);
  return { from, to };
}

/** Reads the arguments of a call with their parentheses. */
export function parseArguments(reader: TokenReader): readonly Expression[] {
  const args = readArguments(reader);
  refuseDeepTrees(args);
  return args;
}

/** Reads indexes in brackets, as many as there are. */
export function parseIndexes(reader: TokenReader): readonly Expression[] {
  const indexes = readIndexes(reader);
  refuseDeepTrees(indexes);
  return indexes;
}

function parseSum(reader: TokenReader): Expression {
  return parseLevel(reader, SUMS);
}

function parseConditional(reader: TokenReader): Expression {
  const condition = parseLevel(reader, 0);
  if (reader.peek().text !== "?") return condition;
  reader.take();
  return reader.nested(() => {
    const then = parseConditional(reader);
    if (reader.peek().text !== ":") reader.fail('":" and the value otherwise');
    reader.take();
    const otherwise = parseConditional(reader);
    return { kind: "conditional", position: condition.position, condition, then, otherwise };
  });
}

function parseLevel(reader: TokenReader, level: number): Expression {
  if (level === LEVELS.length) return parseOperand(reader);
  const { operators, chains } = LEVELS[level];
  let left = parseLevel(reader, level + 1);
  for (let count = 0; ; count++) {
    const sign = reader.peek();
    if (sign.kind !== "sign" || !operators.has(sign.text)) return left;
    if (!chains && count > 0) {
      throw reader.error(`a second "${sign.text}" in a row compares a truth value: join two comparisons by &&`);
    }
    reader.take();
    const right = parseLevel(reader, level + 1);
    left = { kind: "binary", position: left.position, operator: sign.text as BinaryOperator, left, right };
  }
}

function parseOperand(reader: TokenReader): Expression {
  const token = reader.peek();
  const { position } = token;
  if (!reader.continuesLine(CONTINUES)) reader.fail("an expression");
  if (token.text === "!") {
    reader.take();
    return { kind: "not", position, operand: reader.nested(() => parseOperand(reader)) };
  }
  if (token.text === "-") return parseNegative(reader, position);
  if (token.text === "(") return reader.enclosed("(", () => parseConditional(reader));
  if (token.kind === "number") return { kind: "number", position, value: numberOf(reader.take(), NUMBER_MAX) };
  if (token.kind === "name") return parseNamed(reader, token);
  return reader.fail("an expression");
}

function parseNegative(reader: TokenReader, position: Position): Expression {
  reader.take();
  if (reader.peek().kind === "number") {
    return { kind: "number", position, value: -numberOf(reader.take(), NUMBER_MAX + 1) };
  }
  return { kind: "negate", position, operand: reader.nested(() => parseOperand(reader)) };
}

function numberOf({ value, position }: Token, most: number): number {
  if (value > most) throw new StepsError(`the number is too large: at most ${NUMBER_MAX}`, position);
  // -0 is 0: int32 has one zero.
  return value === 0 ? 0 : value;
}

function parseNamed(reader: TokenReader, { text, position }: Token): Expression {
  const constant = Object.hasOwn(CONSTANTS, text) ? CONSTANTS[text] : undefined;
  if (constant !== undefined) {
    reader.take();
    return { kind: "number", position, value: constant };
  }
  if (reader.seesReserved()) reader.fail("an expression", `${text} begins a statement`);
  reader.take();
  if (!reader.sees("(")) return { kind: "name", position, name: text, indexes: readIndexes(reader) };
  if (text === "all" || text === "any" || text === "count" || text === "sum") {
    return reader.enclosed("(", () => parseQuantified(reader, text, position));
  }
  return { kind: "call", position, name: text, args: readArguments(reader) };
}

function parseQuantified(reader: TokenReader, kind: "all" | "any" | "count" | "sum", position: Position): Expression {
  const variable = reader.expectName(`the variable of ${kind}(NAME in DOMAIN: EXPR)`);
  reader.expect("in", `write ${kind}(${variable} in DOMAIN: EXPR)`);
  const domain = readDomain(reader);
  reader.expect(":", `write ${kind}(${variable} in DOMAIN: EXPR)`);
  return { kind, position, variable, domain, body: parseConditional(reader) };
}

function readDomain(reader: TokenReader): Domain {
  const from = parseSum(reader);
  if (reader.takeIf("..")) return { kind: "numbers", from, to: parseSum(reader) };
  const name = bareName(from);
  if (name === undefined) reader.fail('".."', "a domain is the name of a set or index, or A..B");
  return { kind: "named", name };
}

function readArguments(reader: TokenReader): readonly Expression[] {
  return reader.enclosed("(", () => {
    const args: Expression[] = [];
    if (reader.sees(")")) return args;
    do args.push(parseConditional(reader));
    while (reader.takeIf(","));
    if (!reader.sees(")")) reader.fail('"," or ")"');
    return args;
  });
}

function readIndexes(reader: TokenReader): readonly Expression[] {
  const indexes: Expression[] = [];
  while (reader.sees("[")) indexes.push(reader.enclosed("[", () => parseConditional(reader)));
  return indexes;
}

function bareName(expression: Expression): string | undefined {
  return expression.kind === "name" && expression.indexes.length === 0 ? expression.name : undefined;
}

/** Long chains of operators make deep trees without any nesting in the text. */
function refuseDeepTrees(roots: readonly Expression[]): void {
  const waiting = roots.map((node) => ({ node, depth: 1 }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, depth } = next;
    if (depth > NESTING_MAX) {
      throw new StepsError(
        `the expression is more than ${NESTING_MAX} operators deep: define parts of it`,
        node.position,
      );
    }
    for (const child of operandsOf(node)) waiting.push({ node: child, depth: depth + 1 });
  }
}

function operandsOf(node: Expression): readonly Expression[] {
  switch (node.kind) {
    case "number":
      return [];
    case "name":
      return node.indexes;
    case "binary":
      return [node.left, node.right];
    case "not":
    case "negate":
      return [node.operand];
    case "conditional":
      return [node.condition, node.then, node.otherwise];
    case "call":
      return node.args;
    case "all":
    case "any":
    case "count":
    case "sum":
      return node.domain.kind === "named" ? [node.body] : [node.domain.from, node.domain.to, node.body];
  }
}

/**
 * Statements and blocks of the step language.
 *
 * A statement ends with its line or before the brace that closes its block, so that one line holds at most one statement
 * of a block. Words of the language are names wherever that cannot be misread: what stands behind the word decides.
 *
 *     add(0, 1)          calls a procedure          NAME (
 *     add = 1            sets a register            NAME =
 *     add total, 1       is the atomic addition     WORD NAME
 *     let r = add total, 1   likewise;  let r = add   reads a register
 */
import { nearestWord } from "../scenario/index.ts";
import {
  parseArguments,
  parseBounds,
  parseDomain,
  parseExpression,
  parseIndexes,
  parseRange,
} from "./parse-expressions.ts";
import type { Block, Place, Position, Range, Statement } from "./syntax.ts";
import type { TokenReader } from "./token-reader.ts";

/** Reads one statement from behind its first word. */
type Form = (reader: TokenReader, position: Position) => Statement;

/** Accesses that give a register its value; they stand behind `let r =` or `r =`. */
const VALUED: readonly string[] = ["load", "add", "swap", "cas", "trylock", "trylock_shared"];

/** Their first word is reserved: nothing has its name, and an expression in parentheses may follow. */
const RESERVED_FORMS: ReadonlyMap<string, Form> = new Map<string, Form>([
  ["if", parseIf],
  [
    "while",
    (reader, position) => ({
      kind: "while",
      position,
      condition: parseExpression(reader),
      body: parseBlock(reader),
    }),
  ],
  [
    "repeat",
    (reader, position) => ({ kind: "repeat", position, times: parseExpression(reader), body: parseBlock(reader) }),
  ],
  ["await", (reader, position) => ({ kind: "await", position, condition: parseExpression(reader) })],
  [
    "return",
    (reader, position) =>
      reader.seesLineEnd()
        ? { kind: "return", position }
        : { kind: "return", position, value: parseExpression(reader) },
  ],
]);

/** Their first word may be a name too: it is one before "(" and "=". */
const FORMS: ReadonlyMap<string, Form> = new Map<string, Form>([
  ["let", parseLet],
  ["store", (reader, position) => ({ kind: "store", position, ...parseAssigned(reader, "store") })],
  ["ghost", (reader, position) => ({ kind: "ghost", position, ...parseAssigned(reader, "ghost") })],
  ["add", (reader, position) => parseAddition(reader, position)],
  ["swap", (reader, position) => ({ kind: "swap", position, isNew: false, ...parseOperands(reader, "swap") })],
  ["lock", (reader, position) => ({ kind: "lock", position, isShared: false, at: parsePlace(reader, "a lock") })],
  ["unlock", (reader, position) => ({ kind: "unlock", position, isShared: false, at: parsePlace(reader, "a lock") })],
  ["lock_shared", (reader, position) => ({ kind: "lock", position, isShared: true, at: parsePlace(reader, "a lock") })],
  [
    "unlock_shared",
    (reader, position) => ({ kind: "unlock", position, isShared: true, at: parsePlace(reader, "a lock") }),
  ],
  ["fence", (_, position) => ({ kind: "fence", position })],
  ["break", (_, position) => ({ kind: "break", position })],
  ["stop", (_, position) => ({ kind: "stop", position })],
  ["assert", parseAssert],
  ["loop", (reader, position) => ({ kind: "loop", position, body: parseBlock(reader) })],
  ["for", parseFor],
  ["choose", parseChoose],
  ["pick", parsePick],
  [
    "op",
    (reader, position) => ({ kind: "op", position, name: reader.expectName("an operation"), body: parseBlock(reader) }),
  ],
]);

const STATEMENT_WORDS: readonly string[] = [...RESERVED_FORMS.keys(), ...FORMS.keys()];

/** Reads statements in braces. Throws StepsError. */
export function parseBlock(reader: TokenReader): Block {
  return reader.block(() => {
    const statements: Statement[] = [];
    reader.expect("{");
    for (;;) {
      const { kind, text } = reader.peek();
      if (text === "}") break;
      if (kind === "end") reader.failAtStart('a statement or "}"');
      statements.push(parseStatement(reader));
      reader.expectLineEnd();
    }
    reader.take();
    return statements;
  });
}

function parseStatement(reader: TokenReader): Statement {
  const { kind, text, position } = reader.peek();
  if (kind !== "name") reader.failAtStart('a statement or "}"');
  const form = formOf(reader, text);
  if (form === undefined) return failAtStatement(reader, text);
  reader.take();
  return form(reader, position);
}

/** How the statement that begins with this word is read. */
function formOf(reader: TokenReader, word: string): Form | undefined {
  const reserved = RESERVED_FORMS.get(word);
  if (reserved !== undefined) return reserved;
  if (reader.sees("(", 1)) {
    return (inside, position) => ({ kind: "call", position, name: word, args: parseArguments(inside) });
  }
  if (reader.sees("=", 1)) {
    return (inside, position) => parseAssignment(inside, { position, register: word, isNew: false });
  }
  return FORMS.get(word);
}

function failAtStatement(reader: TokenReader, word: string): never {
  if (VALUED.includes(word)) throw reader.error(`${word} gives a value: write let NAME = ${word} ...`);
  if (reader.sees("[", 1)) {
    throw reader.error(`a register has no indexes: a word is written by store ${word}[...] = ..., a ghost by ghost`);
  }
  if (reader.sees(":", 1)) throw reader.error(`a range is given where a register is declared: let ${word}: ...`);
  if (reader.seesLineEnd(1) && nearestWord(word, STATEMENT_WORDS) === undefined) {
    throw reader.error(`"${word}" alone says nothing: call it by ${word}(), or set it by ${word} = ...`);
  }
  return reader.failUnknown("a statement", STATEMENT_WORDS);
}

function parseIf(reader: TokenReader, position: Position): Statement {
  const condition = parseExpression(reader);
  const then = parseBlock(reader);
  const after = reader.peek(1).text;
  if (reader.peek().text !== "else" || (after !== "{" && after !== "if")) {
    return { kind: "if", position, condition, then, otherwise: [] };
  }
  reader.take();
  if (!reader.sees("if")) return { kind: "if", position, condition, then, otherwise: parseBlock(reader) };
  const otherwise = reader.nested(() => [parseIf(reader, reader.take().position)]);
  return { kind: "if", position, condition, then, otherwise };
}

function parseLet(reader: TokenReader, position: Position): Statement {
  const register = reader.expectName("a register");
  if (!reader.takeIf(":")) {
    reader.expectAhead("=", `write let ${register} = ...`);
    return parseAssignment(reader, { position, register, isNew: true });
  }
  const range = parseRange(reader);
  reader.expectAhead("=", `write let ${register}: RANGE = ...`);
  return parseAssignment(reader, { position, register, isNew: true, range });
}

interface Target {
  readonly position: Position;
  readonly register: string;
  readonly isNew: boolean;
  readonly range?: Range;
}

/** Reads from the "=": an access if a place follows its word, an expression otherwise. */
function parseAssignment(reader: TokenReader, target: Target): Statement {
  reader.expect("=");
  const { text } = reader.peek();
  if (!reader.seesName() || !reader.seesName(1) || !VALUED.includes(text)) {
    return { kind: "set", ...target, value: parseExpression(reader) };
  }
  reader.take();
  if (text === "load") return { kind: "load", ...target, at: parsePlace(reader, "a word") };
  if (text === "add" || text === "swap") return { kind: text, ...target, ...parseOperands(reader, text) };
  if (target.range !== undefined) throw reader.error(`${text} gives 0 or 1: leave the range out`);
  const { position, register, isNew } = target;
  if (text === "cas") return { kind: "cas", position, register, isNew, ...parseExchange(reader) };
  const isShared = text === "trylock_shared";
  return { kind: "trylock", position, register, isNew, isShared, at: parsePlace(reader, "a lock") };
}

function parseAddition(reader: TokenReader, position: Position): Statement {
  return { kind: "add", position, isNew: false, ...parseOperands(reader, "add") };
}

/** Reads `W, E`. */
function parseOperands(reader: TokenReader, word: string): Pick<Statement & { readonly kind: "add" }, "at" | "value"> {
  const at = parsePlace(reader, "a word");
  reader.expect(",", `write ${word} WORD, EXPR`);
  return { at, value: parseExpression(reader) };
}

/** Reads `W, OLD, NEW`. */
function parseExchange(reader: TokenReader): Pick<Statement & { readonly kind: "cas" }, "at" | "expected" | "value"> {
  const at = parsePlace(reader, "a word");
  reader.expect(",", "write cas WORD, OLD, NEW");
  const expected = parseExpression(reader);
  reader.expect(",", "write cas WORD, OLD, NEW");
  return { at, expected, value: parseExpression(reader) };
}

/** Reads `W = E`. */
function parseAssigned(
  reader: TokenReader,
  word: "store" | "ghost",
): Pick<Statement & { readonly kind: "store" }, "at" | "value"> {
  const at = parsePlace(reader, word === "store" ? "a word" : "a ghost");
  reader.expect("=", `write ${word} ${at.name} = EXPR`);
  return { at, value: parseExpression(reader) };
}

function parsePlace(reader: TokenReader, what: string): Place {
  const { position } = reader.peek();
  return { position, name: reader.expectName(what), indexes: parseIndexes(reader) };
}

function parseAssert(reader: TokenReader, position: Position): Statement {
  const property = reader.expectName("a property");
  reader.expect(":", `write assert ${property}: EXPR`);
  return { kind: "assert", position, property, condition: parseExpression(reader) };
}

function parseFor(reader: TokenReader, position: Position): Statement {
  const variable = reader.expectName("a loop's variable");
  reader.expect("in", `write for ${variable} in A..B { }`);
  return { kind: "for", position, variable, ...parseBounds(reader), body: parseBlock(reader) };
}

function parseChoose(reader: TokenReader, position: Position): Statement {
  const alternatives = [parseBlock(reader)];
  while (reader.peek().text === "or" && reader.sees("{", 1)) {
    reader.take();
    alternatives.push(parseBlock(reader));
  }
  return { kind: "choose", position, alternatives };
}

function parsePick(reader: TokenReader, position: Position): Statement {
  const register = reader.expectName("a register");
  reader.expect("in", `write pick ${register} in DOMAIN`);
  const domain = parseDomain(reader);
  if (!reader.takeIf("where")) return { kind: "pick", position, register, domain };
  return { kind: "pick", position, register, domain, where: parseExpression(reader) };
}

/**
 * A step-language text to its declarations (docs/step-language.md).
 *
 * Only the form is looked at: whether a name is declared, and as what, is for the elaboration, because texts use each
 * other's names. Every fault is a StepsError with its place, what was expected and what was found. Invariant: texts of at
 * most TEXT_CHARACTERS_MAX characters end in declarations or in a StepsError, whatever stands in them.
 */
import type { StepText } from "./check.ts";
import { CALLED_WORDS, parseExpression, parseRange } from "./parse-expressions.ts";
import { parseBlock } from "./parse-statements.ts";
import type { Declaration, Dimension, Expression, Position, PropertyTime } from "./syntax.ts";
import { TokenReader } from "./token-reader.ts";

/** Reads one declaration from behind its first word. */
type Form = (reader: TokenReader, position: Position) => Declaration;

const FORMS: ReadonlyMap<string, Form> = new Map<string, Form>([
  ["const", parseConst],
  ["set", (reader, position) => parseSet(reader, position, "set")],
  ["index", (reader, position) => parseSet(reader, position, "index")],
  ["word", (reader, position) => parseVariable(reader, position, "word")],
  ["ghost", (reader, position) => parseVariable(reader, position, "ghost")],
  [
    "lock",
    (reader, position) => ({
      kind: "lock",
      position,
      name: reader.expectName("a lock"),
      dimensions: parseDimensions(reader),
    }),
  ],
  ["procedure", parseProcedure],
  ["define", parseDefine],
  ["thread", parseThread],
  ["initially", (reader, position) => ({ kind: "initially", position, name: "initially", body: parseBlock(reader) })],
  ["always", (reader, position) => parseProperty(reader, position, "always")],
  ["never", (reader, position) => parseProperty(reader, position, "never")],
  ["quiet", (reader, position) => parseProperty(reader, position, "quiet")],
  ["sometimes", (reader, position) => parseProperty(reader, position, "sometimes")],
]);

/**
 * Parses a text of the step language. Throws StepsError at its first fault.
 * @example parseSteps({ name: "example", text: "word total: 0..4" }).length; // 1
 */
export function parseSteps(text: StepText): Declaration[] {
  const reader = new TokenReader(text);
  const declarations: Declaration[] = [];
  while (reader.peek().kind !== "end") {
    const { text: word, position } = reader.peek();
    const form = FORMS.get(word);
    if (form === undefined) return reader.failUnknown("a declaration", [...FORMS.keys()]);
    reader.take();
    declarations.push(form(reader, position));
    expectDeclarationEnd(reader);
  }
  return declarations;
}

/** A declaration ends with its line; a brace too many is no end. */
function expectDeclarationEnd(reader: TokenReader): void {
  if (!reader.peek().startsLine) reader.fail("the end of the line", "one declaration stands on a line");
}

function parseConst(reader: TokenReader, position: Position): Declaration {
  const name = reader.expectName("a constant");
  const domain = reader.sees("[") ? reader.enclosed("[", () => reader.expectName("a set or index")) : undefined;
  reader.expect("=", `write const ${name} = EXPR`);
  const values: Expression[] = [parseExpression(reader)];
  while (reader.takeIf(",")) values.push(parseExpression(reader));
  if (domain !== undefined) return { kind: "const", position, name, domain, values };
  if (values.length > 1) throw reader.error(`${name} has several values: write const ${name}[SET] = ...`, position);
  return { kind: "const", position, name, values };
}

function parseSet(reader: TokenReader, position: Position, kind: "set" | "index"): Declaration {
  if (reader.sees("bool")) throw reader.error(`"bool" is a range of the language and cannot be the name of a ${kind}`);
  const name = reader.expectName(kind === "set" ? "a set" : "an index");
  return { kind, position, name, size: parseExpression(reader) };
}

function parseVariable(reader: TokenReader, position: Position, kind: "word" | "ghost"): Declaration {
  const name = reader.expectName(`a ${kind}`);
  const dimensions = parseDimensions(reader);
  reader.expect(":", `write ${kind} ${name}: RANGE`);
  const range = parseRange(reader);
  if (!reader.takeIf("=")) return { kind, position, name, dimensions, range };
  return { kind, position, name, dimensions, range, initial: parseExpression(reader) };
}

/** Reads `[mm]` and `[m in mm]`, as many as there are. */
function parseDimensions(reader: TokenReader): readonly Dimension[] {
  const dimensions: Dimension[] = [];
  while (reader.sees("[")) {
    dimensions.push(
      reader.enclosed("[", (): Dimension => {
        const name = reader.expectName("a set or index");
        return reader.takeIf("in") ? { variable: name, domain: reader.expectName("a set or index") } : { domain: name };
      }),
    );
  }
  return dimensions;
}

function parseProcedure(reader: TokenReader, position: Position): Declaration {
  const name = parseCalledName(reader, "a procedure");
  const parameters = parseParameters(reader);
  return { kind: "procedure", position, name, parameters, body: parseBlock(reader) };
}

function parseDefine(reader: TokenReader, position: Position): Declaration {
  const name = parseCalledName(reader, "a define");
  const parameters = parseParameters(reader);
  reader.expect("=", `write define ${name}(...) = EXPR`);
  return { kind: "define", position, name, parameters, value: parseExpression(reader) };
}

/** Reads a name that calls will use. */
function parseCalledName(reader: TokenReader, what: string): string {
  const { text } = reader.peek();
  if (CALLED_WORDS.has(text)) throw reader.error(`"${text}(" is a word of the language and cannot be ${what}`);
  return reader.expectName(what);
}

function parseParameters(reader: TokenReader): readonly string[] {
  return reader.enclosed("(", () => {
    const names: string[] = [];
    if (reader.sees(")")) return names;
    do {
      const { text, position } = reader.peek();
      if (names.includes(text)) throw reader.error(`there is a parameter "${text}" already`, position);
      names.push(reader.expectName("a parameter"));
    } while (reader.takeIf(","));
    if (!reader.sees(")")) reader.fail('"," or ")"');
    return names;
  });
}

function parseThread(reader: TokenReader, position: Position): Declaration {
  const name = reader.expectName("a thread");
  if (reader.takeIf("*")) {
    return { kind: "thread", position, name, times: parseExpression(reader), body: parseBlock(reader) };
  }
  if (!reader.sees("[")) return { kind: "thread", position, name, body: parseBlock(reader) };
  const bound = reader.enclosed("[", () => {
    const variable = reader.expectName("the variable of NAME in SET");
    reader.expect("in", `write thread ${name}[NAME in SET]`);
    return { variable, domain: reader.expectName("a set or index") };
  });
  return { kind: "thread", position, name, ...bound, body: parseBlock(reader) };
}

function parseProperty(reader: TokenReader, position: Position, when: PropertyTime): Declaration {
  const name = reader.expectName("a property");
  reader.expect(":", `write ${when} ${name}: EXPR`);
  return { kind: "property", position, name, when, condition: parseExpression(reader) };
}

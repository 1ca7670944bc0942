/**
 * A step-language text to tokens: names, numbers and signs, each with its place.
 *
 * Blanks and comments (`#` to the end of the line) are gone; where a line ends is kept as `startsLine` of the token behind
 * it, because the end of a line ends a statement. Invariant: the last token is the only one of kind "end", the others are
 * in the order of the text and none is empty. The text is anybody's: its length and the length of a name are limited,
 * and a character that the language has no use for is an error with the way to write what was meant.
 */
import type { StepText } from "./check.ts";
import { type Position, StepsError } from "./syntax.ts";

/** Characters (UTF-16 units) of one text. */
export const TEXT_CHARACTERS_MAX = 1 << 20;
/** Letters of a name. */
export const NAME_LETTERS_MAX = 100;
/** The largest number that can stand in a text; 2^31 only behind a minus sign. */
export const NUMBER_MAX = 2 ** 31 - 1;

/** A word, a number or a sign of a text; `end` stands behind the last. */
export interface Token {
  readonly kind: "name" | "number" | "sign" | "end";
  /** As written; "" at the end. */
  readonly text: string;
  /** A number's value, 0 to 2^31; 0 for the others. */
  readonly value: number;
  /** No token stands before it on its line. */
  readonly startsLine: boolean;
  readonly position: Position;
}

const BLANK = /[ \t\r]*/y;
const COMMENT = /#[^\n]*/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /[0-9]+/y;
const SIGN = /\.\.|\|\||&&|==|!=|<=|>=|[-+*/%!<>?:,=()[\]{}]/y;
/** What letters glued to a number make of it, for the message. */
const GLUED = /[A-Za-z0-9_]+/y;

/** What people write who think of another language. */
const FOREIGN: Readonly<Record<string, string>> = {
  ";": "a statement ends with its line",
  "&": "and is &&",
  "|": "or is ||",
  '"': "there are no strings",
  "'": "there are no strings",
  ".": "a range is LOW..HIGH",
  "^": "exclusive or of two truth values is !=",
};

/** The tokens of a text. Throws StepsError at the first character that cannot stand where it does. */
export function lexSteps({ name, text }: StepText): Token[] {
  if (text.length > TEXT_CHARACTERS_MAX) {
    throw new StepsError(`the text has ${text.length} characters; at most ${TEXT_CHARACTERS_MAX} can be read`, {
      text: name,
      line: 1,
      column: 1,
    });
  }
  const tokens: Token[] = [];
  let line = 1;
  let lineStart = 0;
  let startsLine = true;
  let at = 0;
  for (;;) {
    at += matchAt(BLANK, text, at).length;
    at += matchAt(COMMENT, text, at).length;
    const position: Position = { text: name, line, column: at - lineStart + 1 };
    if (at >= text.length) {
      tokens.push({ kind: "end", text: "", value: 0, startsLine: true, position });
      return tokens;
    }
    if (text[at] === "\n") {
      at++;
      line++;
      lineStart = at;
      startsLine = true;
      continue;
    }
    const token = readToken(text, at, startsLine, position);
    tokens.push(token);
    at += token.text.length;
    startsLine = false;
  }
}

function readToken(text: string, at: number, startsLine: boolean, position: Position): Token {
  const word = matchAt(NAME, text, at);
  if (word.length > NAME_LETTERS_MAX) {
    throw new StepsError(`a name of ${word.length} letters; at most ${NAME_LETTERS_MAX} can be read`, position);
  }
  if (word !== "") return { kind: "name", text: word, value: 0, startsLine, position };
  const digits = matchAt(NUMBER, text, at);
  if (digits !== "")
    return { kind: "number", text: digits, value: readNumber(text, at, position), startsLine, position };
  const sign = matchAt(SIGN, text, at);
  if (sign !== "") return { kind: "sign", text: sign, value: 0, startsLine, position };
  const character = text[at];
  const hint = FOREIGN[character];
  throw new StepsError(
    `${showCharacter(text, at)} means nothing here${hint === undefined ? "" : `: ${hint}`}`,
    position,
  );
}

function readNumber(text: string, at: number, position: Position): number {
  const glued = matchAt(GLUED, text, at);
  const value = Number(glued);
  if (!/^[0-9]+$/.test(glued)) {
    throw new StepsError(`${glued.slice(0, NAME_LETTERS_MAX)} is no number: numbers are decimal digits`, position);
  }
  if (value > NUMBER_MAX + 1) {
    throw new StepsError(`the number is too large: numbers go from ${-NUMBER_MAX - 1} to ${NUMBER_MAX}`, position);
  }
  return value;
}

/** What the sticky expression matches at this place; "" if nothing. */
function matchAt(expression: RegExp, text: string, at: number): string {
  expression.lastIndex = at;
  return expression.exec(text)?.[0] ?? "";
}

/** A character that can be printed by itself, another by its number. */
function showCharacter(text: string, at: number): string {
  const code = text.codePointAt(at) ?? 0;
  if (code > 0x20 && code < 0x7f) return `"${String.fromCodePoint(code)}"`;
  return `the character U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

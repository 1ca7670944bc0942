/**
 * The place in a text that is being parsed, and what is complained of there.
 *
 * Invariant: the reader never moves past the "end" token, so that every parse ends. Nesting (blocks, parentheses, signs in
 * front of an operand) is counted here and limited, so that no text, however hostile, exhausts the stack. Whether a line's
 * end matters is asked here too: it does not inside of parentheses and brackets.
 */
import { didYouMean } from "../scenario/index.ts";
import type { StepText } from "./check.ts";
import { lexSteps, type Token } from "./lex-steps.ts";
import { type Position, StepsError } from "./syntax.ts";

/** How deep blocks, parentheses and brackets may lie in one another; also how deep an expression's tree may be. */
export const NESTING_MAX = 200;

const SHOWN_MAX = 40;

/** Words that begin what could not be told from a call or an operand; nothing can have such a name. */
const RESERVED: ReadonlySet<string> = new Set(["if", "while", "repeat", "return", "await", "true", "false", "none"]);

/** One text's tokens with a place in them. */
export class TokenReader {
  private readonly tokens: readonly Token[];
  private next = 0;
  private nesting = 0;
  private blocks = 0;
  private parentheses = 0;

  constructor(text: StepText) {
    this.tokens = lexSteps(text);
  }

  /** The token `ahead` places on; the end for all places behind it. */
  peek(ahead = 0): Token {
    return this.tokens[Math.min(this.next + ahead, this.tokens.length - 1)];
  }

  take(): Token {
    const token = this.peek();
    if (token.kind !== "end") this.next++;
    return token;
  }

  /** Whether the token ahead is this sign or word, on the line of the token before it unless lines do not matter here. */
  sees(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.text === text && token.kind !== "end" && this.isOnLine(token);
  }

  /** Whether the token ahead is a name, on the line of the token before it unless lines do not matter here. */
  seesName(ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind === "name" && this.isOnLine(token);
  }

  /** Whether a statement can end before the next token: a new line, or the brace that closes the block. */
  seesLineEnd(ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.startsLine || token.text === "}";
  }

  /** Takes the next token if it is this sign or word. */
  takeIf(text: string): boolean {
    if (!this.sees(text)) return false;
    this.take();
    return true;
  }

  /** Takes the sign or word that must stand here. */
  expect(text: string, hint = ""): Token {
    this.expectAhead(text, hint);
    return this.take();
  }

  /** The sign or word must stand here; it is left for the next who reads. */
  expectAhead(text: string, hint = ""): void {
    if (!this.sees(text)) this.fail(`"${text}"`, hint);
  }

  /** Takes the name that must stand here; `what` says what of ("a register"). */
  expectName(what: string): string {
    if (!this.seesName()) this.fail(what);
    const { text } = this.peek();
    if (RESERVED.has(text)) throw this.error(`"${text}" is a word of the language and cannot be ${what}`);
    this.take();
    return text;
  }

  /** Nothing more may stand on this line. */
  expectLineEnd(): void {
    if (this.seesLineEnd()) return;
    this.fail("the end of the line", this.peek().kind === "name" ? "one statement stands on a line" : "");
  }

  /** Parses one level deeper. */
  nested<T>(parse: () => T): T {
    if (this.nesting >= NESTING_MAX) throw this.error(`more than ${NESTING_MAX} levels lie in one another here`);
    this.nesting++;
    const parsed = parse();
    this.nesting--;
    return parsed;
  }

  /** Parses between this sign and its partner, where ends of lines do not matter. */
  enclosed<T>(open: "(" | "[", parse: () => T): T {
    this.expect(open);
    this.parentheses++;
    const parsed = this.nested(parse);
    this.parentheses--;
    // The partner still belongs to the inside: it may begin a line.
    if (this.peek().text !== (open === "(" ? ")" : "]")) this.fail(open === "(" ? '")"' : '"]"');
    this.take();
    return parsed;
  }

  /** Parses the inside of a block, braces included. */
  block<T>(parse: () => T): T {
    this.blocks++;
    const parsed = this.nested(parse);
    this.blocks--;
    return parsed;
  }

  /**
   * Whether what goes on with the next token may do so: it stands on the same line, or lines do not matter here, or the
   * token before it is one of `signs`; a declaration also goes on behind its "=".
   */
  continuesLine(signs: ReadonlySet<string>): boolean {
    if (this.isOnLine(this.peek()) || this.next === 0) return true;
    const before = this.tokens[this.next - 1].text;
    return signs.has(before) || (before === "=" && this.blocks === 0);
  }

  /** An error at the next token. */
  error(message: string, position: Position = this.peek().position): StepsError {
    return new StepsError(message, position);
  }

  /** Ends the parse: something else was expected at the next token, on this line. */
  fail(expected: string, hint = ""): never {
    const token = this.peek();
    const isBehindLine = token.kind !== "end" && token.text !== "}" && !this.isOnLine(token);
    throw this.unexpected(expected, `${isBehindLine ? "the end of the line, then " : ""}${quote(token)}`, hint);
  }

  /** Ends the parse: something else was expected at the next token, which may begin a line. */
  failAtStart(expected: string, hint = ""): never {
    throw this.unexpected(expected, quote(this.peek()), hint);
  }

  /** Ends the parse: the next token begins nothing that is known here. */
  failUnknown(expected: string, known: readonly string[]): never {
    const { kind, text } = this.peek();
    return this.failAtStart(expected, kind === "name" ? didYouMean(text, known) : `one of ${known.join(", ")}`);
  }

  /** Whether a token that is a word of the language stands next and can be no name. */
  seesReserved(): boolean {
    return RESERVED.has(this.peek().text);
  }

  private isOnLine(token: Token): boolean {
    return !token.startsLine || this.parentheses > 0;
  }

  private unexpected(expected: string, found: string, hint: string): StepsError {
    return this.error(`expected ${expected}, found ${found}${hint === "" ? "" : `: ${hint}`}`);
  }
}

function quote({ kind, text }: Token): string {
  if (kind === "end") return "the end of the text";
  return `"${text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text}"`;
}

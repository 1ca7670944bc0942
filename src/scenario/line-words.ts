/**
 * The words of one line of a scenario, taken one after another, each as what the command's syntax says it is.
 *
 * A number is decimal or 0x...; a size may end in k, M, G (1024 bytes and its powers) or p (pages); an address is a
 * number or `@NAME+16k-4k`, where NAME is the last mapping of that name above. Invariant: a taker never throws. What is
 * wrong is reported with its column and the taker returns some value of the right type, so that the rest of the line is
 * looked at too; whoever asks afterwards whether the line `isGood` learns that the command must not be used.
 */
import { nearestWord } from "./nearest-word.ts";
import { type ErrorList, quoteWord } from "./scenario-error.ts";
import { ADDRESS_END, ADDRESS_FIRST, DESCRIPTORS_MAX, NAME_LENGTH_MAX, SIZE_MAX } from "./scenario-limits.ts";

/** A word and where it begins, counted from 1. */
export interface Word {
  readonly text: string;
  readonly column: number;
}

/** What `@NAME` stands for so far. */
export type Regions = ReadonlyMap<string, number>;

/** Bounds of a number, both included, and what it is called in a message. */
export interface NumberBounds {
  readonly least: number;
  readonly most: number;
}

const UNIT_BYTES: Readonly<Record<string, number>> = { "": 1, k: 2 ** 10, M: 2 ** 20, G: 2 ** 30, p: 4096 };
const SIZE = /^(0x[0-9a-fA-F]+|0|[1-9][0-9]*)([kMGp]?)$/;
const WRONG_UNIT = /^(?:0x[0-9a-fA-F]+|[0-9]+)(K|m|g|P|kB|KB|MB|GB|KiB|MiB|GiB)$/;
const REGION_EXPRESSION = /^@(?<name>[^+-]+)(?<terms>(?:[+-][^+-]*)*)$/;
const NAME = /^[A-Za-z][A-Za-z0-9_]*$/;

/** Splits a line at spaces and tabs; a # and what follows it is a comment. */
export function splitWords(line: string): Word[] {
  const code = line.split("#", 1)[0];
  return [...code.matchAll(/[^ \t]+/g)].map((match) => ({ text: match[0], column: match.index + 1 }));
}

/** A size in bytes; NaN if the text is none. */
export function parseSize(text: string): number {
  const match = SIZE.exec(text);
  return match === null ? Number.NaN : Number(match[1]) * UNIT_BYTES[match[2]];
}

/** Why a text is no size, as a hint. */
function hintForSize(text: string): string {
  const unit = WRONG_UNIT.exec(text)?.[1];
  if (unit !== undefined) return "the units are k, M, G and p (pages)";
  if (/^0[0-9]/.test(text)) return "a number that begins with 0 would be read as octal";
  return "a size is a number, decimal or 0x..., that may end in k, M, G or p (pages)";
}

export class LineWords {
  readonly line: number;
  private readonly words: readonly Word[];
  private readonly regions: Regions;
  private readonly errors: ErrorList;
  private readonly resolved: string[];
  private readonly errorsBefore: number;
  private next = 0;

  constructor(line: number, words: readonly Word[], regions: Regions, errors: ErrorList) {
    this.line = line;
    this.words = words;
    this.regions = regions;
    this.errors = errors;
    this.resolved = words.map(({ text }) => text);
    this.errorsBefore = errors.errors.length;
  }

  /** Nothing wrong was found in this line. */
  get isGood(): boolean {
    return this.errors.errors.length === this.errorsBefore;
  }

  /** The line's words with addresses resolved. */
  get echo(): string {
    return this.resolved.join(" ");
  }

  /** Whether a word is left. */
  get hasMore(): boolean {
    return this.next < this.words.length;
  }

  /** The next word, left where it is. */
  get peeked(): string | undefined {
    return this.words[this.next]?.text;
  }

  /** Where the next word is, or would be. */
  get column(): number {
    const word = this.words[this.next];
    if (word !== undefined) return word.column;
    const last = this.words.at(-1);
    return last === undefined ? 1 : last.column + last.text.length;
  }

  /** Reports something wrong at a column. */
  complain(column: number, message: string, hint = ""): void {
    this.errors.add(this.line, column, message, hint);
  }

  /** The next word. Reported if there is none, as `what` missing; further missing words of a line are not. */
  take(what: string): Word | undefined {
    const word = this.words[this.next];
    if (word === undefined) {
      if (this.next === this.words.length) this.complain(this.column, `${what} is missing`);
      this.next = this.words.length + 1;
      return undefined;
    }
    this.next++;
    return word;
  }

  /** Takes this very word if it is next. */
  takeIf(text: string): boolean {
    if (this.peeked !== text) return false;
    this.next++;
    return true;
  }

  /** Everything must have been taken. */
  end(hint = ""): void {
    const extra = this.words[this.next];
    if (extra !== undefined) this.complain(extra.column, `${quoteWord(extra.text)} is one word too many`, hint);
  }

  /** A size, length or offset in bytes. */
  size(what: string, { least, most }: NumberBounds = { least: 0, most: SIZE_MAX }): number {
    const word = this.take(what);
    return word === undefined ? least : this.sizeOf(word, what, { least, most });
  }

  /** A size out of a part of a word. */
  sizeOf(word: Word, what: string, bounds: NumberBounds = { least: 0, most: SIZE_MAX }): number {
    const value = parseSize(word.text);
    if (!Number.isNaN(value)) return this.within(value, word, what, bounds);
    this.complain(word.column, `${what} ${quoteWord(word.text)} is not a size`, hintForSize(word.text));
    return bounds.least;
  }

  /** A plain decimal number. */
  count(what: string, bounds: NumberBounds): number {
    const word = this.take(what);
    return word === undefined ? bounds.least : this.countOf(word, what, bounds);
  }

  /** A plain decimal number out of a part of a word. */
  countOf(word: Word, what: string, bounds: NumberBounds): number {
    if (!/^(?:0|[1-9][0-9]{0,15})$/.test(word.text)) {
      const hint = `${what} is a decimal number from ${bounds.least} to ${bounds.most}`;
      this.complain(word.column, `${what} ${quoteWord(word.text)} is not a number`, hint);
      return bounds.least;
    }
    return this.within(Number(word.text), word, what, bounds);
  }

  private within(value: number, word: Word, what: string, { least, most }: NumberBounds): number {
    if (value >= least && value <= most) return value;
    this.complain(word.column, `${what} ${quoteWord(word.text)} is out of bounds`, `it goes from ${least} to ${most}`);
    return least;
  }

  /** An address of the tests' part of the address space. */
  address(what: string): number {
    const place = this.next;
    const word = this.take(what);
    if (word === undefined) return ADDRESS_FIRST;
    const value = word.text.startsWith("@") ? this.regionAddress(word) : this.plainAddress(word, what);
    if (value === undefined) return ADDRESS_FIRST;
    if (value < ADDRESS_FIRST || value >= ADDRESS_END) {
      const bounds = `addresses go from 0x${ADDRESS_FIRST.toString(16)} to below 0x${ADDRESS_END.toString(16)}`;
      this.complain(word.column, `${what} ${quoteWord(word.text)} is outside of the tests' addresses`, bounds);
      return ADDRESS_FIRST;
    }
    if (word.text.startsWith("@")) this.resolved[place] = `0x${value.toString(16)}`;
    return value;
  }

  private plainAddress({ text, column }: Word, what: string): number | undefined {
    const value = parseSize(text);
    if (!Number.isNaN(value)) return value;
    const hint = /^[0-9a-fA-Fx]+[kMGp]?[+-]/.test(text)
      ? "only @NAME can be followed by + or -; write the sum"
      : "an address is a number or @NAME, @NAME+16k";
    this.complain(column, `${what} ${quoteWord(text)} is not an address`, hint);
    return undefined;
  }

  private regionAddress({ text, column }: Word): number | undefined {
    const parts = REGION_EXPRESSION.exec(text)?.groups;
    if (parts === undefined) {
      this.complain(column, `${quoteWord(text)} is not an address`, "write @NAME or @NAME+16k");
      return undefined;
    }
    let value = this.regions.get(parts.name);
    if (value === undefined) {
      const nearest = nearestWord(parts.name, this.regions.keys());
      const hint =
        nearest === undefined ? "a mapping gets its name by `P mmap NAME ...` above" : `did you mean @${nearest}?`;
      this.complain(column, `there is no mapping ${quoteWord(parts.name)} yet`, hint);
      return undefined;
    }
    let at = column + 1 + parts.name.length;
    for (const [term] of parts.terms.matchAll(/[+-][^+-]*/g)) {
      const size = parseSize(term.slice(1));
      if (Number.isNaN(size)) {
        this.complain(at + 1, `${quoteWord(term.slice(1))} is not a size`, hintForSize(term.slice(1)));
        return undefined;
      }
      value += term.startsWith("+") ? size : -size;
      at += term.length;
    }
    return value;
  }

  /** An address and a length that stay within the tests' addresses. */
  range(): { readonly address: number; readonly lengthBytes: number } {
    const address = this.address("the address");
    return { address, lengthBytes: this.lengthFrom(address, "the length") };
  }

  /** A length, from an address on. */
  lengthFrom(address: number, what: string): number {
    const column = this.column;
    const lengthBytes = this.size(what);
    this.checkEnd(address, lengthBytes, column);
    return lengthBytes;
  }

  /** A range must end within the tests' addresses. */
  checkEnd(address: number, lengthBytes: number, column: number): void {
    if (address + lengthBytes <= ADDRESS_END) return;
    this.complain(column, `the range ends behind 0x${ADDRESS_END.toString(16)}`, "the tests' addresses end there");
  }

  /** A file descriptor's number. */
  descriptor(): number {
    return this.count("the descriptor's number", { least: 0, most: DESCRIPTORS_MAX - 1 });
  }

  /** The name of a process or a mapping. "" if it is not one. */
  name(what: string): string {
    const word = this.take(what);
    if (word === undefined) return "";
    if (!NAME.test(word.text)) {
      const hint = "a name begins with a letter and goes on with letters, digits and _";
      this.complain(word.column, `${what} ${quoteWord(word.text)} is not a name`, hint);
      return "";
    }
    if (word.text.length > NAME_LENGTH_MAX) {
      this.complain(
        word.column,
        `${what} ${quoteWord(word.text)} is too long`,
        `at most ${NAME_LENGTH_MAX} characters`,
      );
      return "";
    }
    return word.text;
  }

  /** One of some words; the first of them if it is none. */
  choice<T extends string>(what: string, known: readonly T[], hintOf: (word: string) => string): T {
    const word = this.take(what);
    if (word === undefined) return known[0];
    const found = known.find((each) => each === word.text);
    if (found !== undefined) return found;
    this.complain(word.column, `there is no ${what} ${quoteWord(word.text)}`, hintOf(word.text));
    return known[0];
  }
}

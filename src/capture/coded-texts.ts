/**
 * Texts of a column as numbers: each different text stands once in a list, and a row is its place there.
 *
 * Tables of a recording have hundreds of thousands of rows and a few hundred different texts. As words they are copied
 * like every other column, and the garbage collector has nothing to look at. A list holds only texts that some row has:
 * copying rows takes over the texts of those rows and no others.
 */

/** Texts by row; null where a row has none. */
export interface CodedTexts {
  readonly codes: Int32Array;
  readonly values: readonly (string | null)[];
}

/** The text of a row. */
export function textAt({ codes, values }: CodedTexts, row: number): string | null {
  return values[codes[row]];
}

/** Codes a list of texts. O(rows). */
export function codeTexts(texts: readonly (string | null)[]): CodedTexts {
  const known = new KnownTexts();
  return { codes: Int32Array.from(texts, (text) => known.codeOf(text)), values: known.values };
}

/** Puts texts of other columns one behind the other, into a column of a length known beforehand. */
export class CodedTextsBuilder {
  private readonly codes: Int32Array;
  private readonly known = new KnownTexts();
  /** For each list that was copied from: our code by its code, -1 where none of its rows was copied yet. */
  private readonly translations = new Map<CodedTexts["values"], Int32Array>();
  private rows = 0;

  constructor(rows: number) {
    this.codes = new Int32Array(rows);
  }

  /** Appends rows [from, end). */
  append({ codes, values }: CodedTexts, from: number, end: number): void {
    const translation = this.translationOf(values);
    for (let row = from; row < end; row++) {
      const code = codes[row];
      if (translation[code] < 0) translation[code] = this.known.codeOf(values[code]);
      this.codes[this.rows++] = translation[code];
    }
  }

  /** The column; all its rows must have been appended. */
  finish(): CodedTexts {
    return { codes: this.codes, values: this.known.values };
  }

  private translationOf(values: CodedTexts["values"]): Int32Array {
    const known = this.translations.get(values);
    if (known !== undefined) return known;
    const made = new Int32Array(values.length).fill(-1);
    this.translations.set(values, made);
    return made;
  }
}

class KnownTexts {
  readonly values: (string | null)[] = [];
  private readonly codes = new Map<string | null, number>();

  codeOf(text: string | null): number {
    const known = this.codes.get(text);
    if (known !== undefined) return known;
    const code = this.values.push(text) - 1;
    this.codes.set(text, code);
    return code;
  }
}

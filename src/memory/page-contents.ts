/**
 * What pages hold: enough to say whether two are equal (KSM, zero pages after a split) and what a read returns.
 *
 * A content is a number: 0 all zeros, others are interned. It stands for a byte that fills the page and words written
 * over it. If the machine does not keep contents every page counts as different from every other and from zeros.
 */
import type { Frames } from "./frames.ts";

/** The content of a page of zeros. */
export const ZERO_CONTENT = 0;

const WORDS_PER_PAGE = 512;

interface Content {
  readonly fill: number;
  /** Word index in the page (0-511) and its value, ascending. */
  readonly words: ReadonlyMap<number, bigint>;
}

export class PageContents {
  private readonly column: Int32Array | undefined;
  private readonly known: Content[] = [{ fill: 0, words: new Map() }];
  private readonly numberOf = new Map<string, number>([["0", ZERO_CONTENT]]);

  constructor(frames: Frames) {
    this.column = frames.contents;
  }

  get isKept(): boolean {
    return this.column !== undefined;
  }

  /** The content's number, or -1 if contents are not kept. */
  of(frame: number): number {
    return this.column === undefined ? -1 : this.column[frame];
  }

  set(frame: number, content: number): void {
    if (this.column !== undefined && content >= 0) this.column[frame] = content;
  }

  copy(from: number, to: number, pageCount: number): void {
    this.column?.copyWithin(to, from, from + pageCount);
  }

  isZero(frame: number): boolean {
    return this.column !== undefined && this.column[frame] === ZERO_CONTENT;
  }

  /** The content with one aligned 8-byte word changed. `wordIndex`: 0 to 511. */
  withWord(content: number, wordIndex: number, value: bigint): number {
    const { fill, words } = this.known[content];
    const changed = new Map(words);
    changed.set(wordIndex, value);
    return this.intern(fill, changed);
  }

  /** A page of one byte. */
  filled(byte: number): number {
    return this.intern(byte, new Map());
  }

  /** The content with bytes [from, to) of the page set to `byte`. */
  withFilledBytes(content: number, from: number, to: number, byte: number): number {
    const { fill, words } = this.known[content];
    const changed = new Map(words);
    for (let at = from; at < to;) {
      const wordIndex = Math.floor(at / 8);
      const end = Math.min(to, wordIndex * 8 + 8);
      const mask = ((1n << (BigInt(end - at) * 8n)) - 1n) << (BigInt(at % 8) * 8n);
      const before = changed.get(wordIndex) ?? fillWord(fill);
      changed.set(wordIndex, (before & ~mask) | (fillWord(byte) & mask));
      at = end;
    }
    return this.intern(fill, changed);
  }

  /** The 8 bytes at a word of the content. */
  wordAt(content: number, wordIndex: number): bigint {
    const { fill, words } = this.known[content];
    return words.get(wordIndex) ?? fillWord(fill);
  }

  /** memcmp of two pages: negative, 0 or positive. */
  compare(a: number, b: number): number {
    if (a === b) return 0;
    for (let wordIndex = 0; wordIndex < WORDS_PER_PAGE; wordIndex++) {
      const left = this.wordAt(a, wordIndex);
      const right = this.wordAt(b, wordIndex);
      if (left === right) continue;
      // Memory is little-endian: the lowest byte that differs decides.
      for (let shift = 0n; shift < 64n; shift += 8n) {
        const difference = Number((left >> shift) & 0xffn) - Number((right >> shift) & 0xffn);
        if (difference !== 0) return difference;
      }
    }
    return 0;
  }

  private intern(fill: number, words: ReadonlyMap<number, bigint>): number {
    const plain = fillWord(fill);
    const kept = [...words].filter(([, value]) => value !== plain).sort(([a], [b]) => a - b);
    const key = kept.length === 0 ? String(fill) : `${fill}:${kept.map(([at, value]) => `${at}=${value}`).join(",")}`;
    const found = this.numberOf.get(key);
    if (found !== undefined) return found;
    this.known.push({ fill, words: new Map(kept) });
    this.numberOf.set(key, this.known.length - 1);
    return this.known.length - 1;
  }
}

function fillWord(byte: number): bigint {
  return BigInt(byte) * 0x0101010101010101n;
}

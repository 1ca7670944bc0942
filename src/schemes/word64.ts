/**
 * 64-bit words as two int32 halves, low and high, in two columns: what the schemes need of arithmetic modulo 2^64.
 *
 * Sums of multiples, and the question whether a word is a given multiple. Products are taken in doubles, which are exact
 * below 2^53, so a multiplier of up to 2^21 goes in one step and any int32 in two of 16 bits each.
 */

const TWO_16 = 65536;
const TWO_32 = 4294967296;

/** A column of 64-bit words. */
export class Words {
  readonly low: Int32Array;
  readonly high: Int32Array;

  constructor(count: number) {
    this.low = new Int32Array(count);
    this.high = new Int32Array(count);
  }

  /** words[at] += times * (high, low). `times` may be negative; |times| < 2^20. */
  addMultiple(at: number, low: number, high: number, times: number): void {
    const sum = (this.low[at] >>> 0) + (low >>> 0) * times;
    this.low[at] = sum | 0;
    this.high[at] = (this.high[at] + Math.imul(high, times) + Math.floor(sum / TWO_32)) | 0;
  }

  /** words[at] += (highTo, lowTo) - (highFrom, lowFrom), or the reverse with sign -1. */
  addDifference(at: number, words: Words, from: number, to: number, sign: 1 | -1): void {
    this.addMultiple(at, words.low[to], words.high[to], sign);
    this.addMultiple(at, words.low[from], words.high[from], -sign);
  }

  /** True if words[at] is times * (high, low), as far as the bits of the masks go. 0 <= times < 2^31. */
  isMultiple(at: number, low: number, high: number, times: number, masks: WordMasks): boolean {
    const below = (low & 0xffff) * times;
    const above = (low >>> 16) * times + Math.floor(below / TWO_16);
    const productLow = ((above % TWO_16) * TWO_16 + (below % TWO_16)) | 0;
    const productHigh = (Math.imul(high, times) + Math.floor(above / TWO_16)) | 0;
    return ((this.low[at] ^ productLow) & masks.low) === 0 && ((this.high[at] ^ productHigh) & masks.high) === 0;
  }
}

/** The bits of a word that are kept. */
export interface WordMasks {
  readonly low: number;
  readonly high: number;
}

/** Masks of words of so many bits, 1 to 64. */
export function masksOfWidth(bits: number): WordMasks {
  const maskOf = (count: number): number => (count <= 0 ? 0 : count >= 32 ? -1 : 2 ** count - 1);
  return { low: maskOf(bits), high: maskOf(bits - 32) };
}

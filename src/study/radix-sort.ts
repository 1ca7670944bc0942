/**
 * Sorts words by a key of at most 32 bits in time linear in their number: least significant digit first.
 *
 * A digit has as many bits as make the passes equal: frame numbers of a machine with 24 GiB take two passes of 12 bits.
 * Words with equal keys keep their order.
 */

/** Keys, and beside each a word that goes where its key goes. */
export interface KeyedWords {
  readonly keys: Uint32Array;
  readonly words: Int32Array;
}

const DIGIT_BITS_MAX = 12;

/**
 * Sorts by key, ascending; `keyEnd` is larger than every key. What comes back is the argument itself or `spare`, which is as
 * long; the contents of both are lost. O(words).
 */
export function sortByKey(unsorted: KeyedWords, keyEnd: number, spare: KeyedWords): KeyedWords {
  const keyBits = Math.max(1, Math.ceil(Math.log2(Math.max(2, keyEnd))));
  const passes = Math.ceil(keyBits / DIGIT_BITS_MAX);
  const digitBits = Math.ceil(keyBits / passes);
  let from = unsorted;
  let to = spare;
  const places = new Int32Array(2 ** digitBits);
  for (let shift = 0; shift < keyBits; shift += digitBits) {
    distribute(from, to, { shift, places });
    [from, to] = [to, from];
  }
  return from;
}

function distribute(
  { keys, words }: KeyedWords,
  { keys: keysTo, words: wordsTo }: KeyedWords,
  { shift, places }: { readonly shift: number; readonly places: Int32Array },
): void {
  const mask = places.length - 1;
  places.fill(0);
  for (let at = 0; at < keys.length; at++) places[(keys[at] >>> shift) & mask]++;
  let before = 0;
  for (let digit = 0; digit < places.length; digit++) {
    const count = places[digit];
    places[digit] = before;
    before += count;
  }
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at];
    const place = places[(key >>> shift) & mask]++;
    keysTo[place] = key;
    wordsTo[place] = words[at];
  }
}

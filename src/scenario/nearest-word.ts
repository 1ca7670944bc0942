/**
 * "Did you mean ...?": the known word that is fewest typing errors away.
 *
 * A typing error is a letter added, left out, replaced, or swapped with its neighbour (Damerau-Levenshtein, restricted).
 * A word counts as near if at most a third of it is wrong, or if one begins with the other ("private" and "priv").
 */

const LONGEST = 24;
/** Letters that are enough of a beginning. */
const BEGINNING = 3;

/** Typing errors between two words. */
export function typingErrors(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const now = [row];
    for (let column = 1; column <= b.length; column++) {
      const differs = a[row - 1] === b[column - 1] ? 0 : 1;
      let least = Math.min(last[column] + 1, now[column - 1] + 1, last[column - 1] + differs);
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) least = Math.min(least, beforeLast[column - 2] + 1);
      now.push(least);
    }
    beforeLast = last;
    last = now;
  }
  return last[b.length];
}

/** The nearest known word, or undefined if none is near. */
export function nearestWord(word: string, known: Iterable<string>): string | undefined {
  if (word.length > LONGEST) return undefined;
  let nearest: string | undefined;
  let fewest = Infinity;
  for (const each of known) {
    const errors = typingErrors(word.toLowerCase(), each.toLowerCase());
    const begins = Math.min(word.length, each.length) >= BEGINNING && (word.startsWith(each) || each.startsWith(word));
    if (errors < fewest && (begins || errors <= Math.max(1, Math.floor(each.length / 3)))) {
      nearest = each;
      fewest = errors;
    }
  }
  return nearest;
}

/** The hint for an unknown word: the nearest one, else all of them. */
export function didYouMean(word: string, known: readonly string[]): string {
  const nearest = nearestWord(word, known);
  if (nearest !== undefined) return `did you mean ${nearest}?`;
  return known.length === 0 ? "" : `known are ${known.join(", ")}`;
}

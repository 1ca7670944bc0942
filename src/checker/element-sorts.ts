/**
 * Which expressions are elements of which set, and which uses tell a set's elements apart.
 *
 * The elements of a `set` are interchangeable as long as the text only compares them with == and !=, stores them and uses
 * them as indexes: then to exchange two of them everywhere changes nothing, and the explorer may look at one of such states
 * for all. Every expression has a sort: a number, an element of one set, or not known yet (a register that was only given
 * `none`), which its first use decides. Invariant: a value that goes from an element to a number or the other way, or meets
 * an operator that orders, is told (`Tell`), and the set is interchangeable no more. A negative constant (`none`) has no
 * sort: no element has its value, whoever is exchanged.
 */
import { StepsError, type Position } from "./syntax.ts";

/** The `known` of a sort that is no set's. */
export const NUMBER = -1;

/** A sort; sorts that were found to be one lead on to each other. */
export interface Sort {
  known?: number;
  sameAs?: Sort;
}

/** The sort of an expression; undefined for a constant that is neither number nor element (`none`). */
export type SortOf = Sort | undefined;

/** Hears that elements of a set are told apart, and how. */
export type Tell = (set: number, how: string, position: Position) => void;

/** The sort of plain numbers. */
export const NUMBER_SORT: Sort = { known: NUMBER };

/** The sort of the elements of a set (its index in StepMachine.sets), or of numbers (NUMBER). */
export function sortOfSet(set: number): Sort {
  return set === NUMBER ? NUMBER_SORT : { known: set };
}

/** What the sort is as far as it is known: a set, NUMBER, or undefined. */
export function knownSort(sort: SortOf): number | undefined {
  return sort === undefined ? undefined : rootOf(sort).known;
}

/** The expression is used as a number: an undecided sort becomes one, an element is told. */
export function useAsNumber(sort: SortOf, how: string, position: Position, tell: Tell): void {
  if (sort === undefined) return;
  const root = rootOf(sort);
  if (root.known === undefined) root.known = NUMBER;
  else if (root.known !== NUMBER) tell(root.known, how, position);
}

/**
 * Two expressions meet: one is compared with or assigned to the other, or used as an index of its set.
 *
 * Throws StepsError if they are elements of two different sets, which no text can mean.
 */
export function useTogether(a: SortOf, b: SortOf, how: string, position: Position, tell: Tell): void {
  if (a === undefined || b === undefined) return;
  const [one, other] = [rootOf(a), rootOf(b)];
  if (one === other) return;
  if (one.known === undefined) {
    if (other.known === undefined) one.sameAs = other;
    else one.known = other.known;
  } else if (other.known === undefined) {
    other.known = one.known;
  } else if (one.known !== other.known) {
    if (one.known !== NUMBER && other.known !== NUMBER) {
      throw new StepsError(`elements of two different sets meet: ${how}`, position);
    }
    tell(one.known === NUMBER ? other.known : one.known, how, position);
  }
}

function rootOf(sort: Sort): Sort {
  let root = sort;
  while (root.sameAs !== undefined) root = root.sameAs;
  return root;
}

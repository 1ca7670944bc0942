/**
 * The catalogue: every case that `foliometer check` knows, and for which schemes.
 *
 * Three kinds, a file each: what schemes answer while address spaces map and unmap (`counting-cases.ts`), what the kernel
 * does with the answers (`consumer-cases.ts`), and whether the locks that counting takes can be taken (`lock-cases.ts`).
 */
import type { CheckCase } from "./check-case.ts";
import { CONSUMER_CASES } from "./consumer-cases.ts";
import { COUNTING_CASES } from "./counting-cases.ts";
import { LOCK_CASES } from "./lock-cases.ts";

/** All cases, in the order in which they are listed. */
export const CHECK_CASES: readonly CheckCase[] = [...COUNTING_CASES, ...CONSUMER_CASES, ...LOCK_CASES];

/** Those that every scheme of the catalogue has. */
const GENERAL_CASES = CHECK_CASES.filter(({ schemes }) =>
  CHECK_CASES.every((other) => other.schemes.every((scheme) => schemes.includes(scheme))),
);

/** The cases for a scheme. Of one that the catalogue does not know yet, those that all others have: nothing is expected. */
export function casesOf(schemeId: string): readonly CheckCase[] {
  const named = CHECK_CASES.filter(({ schemes }) => schemes.includes(schemeId));
  return named.length > 0 ? named : GENERAL_CASES;
}

/** The case of that id, or undefined. */
export function findCase(id: string): CheckCase | undefined {
  return CHECK_CASES.find((checkCase) => checkCase.id === id);
}

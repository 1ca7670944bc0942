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

/** The cases for a scheme; none if no scheme has that id. */
export function casesOf(schemeId: string): readonly CheckCase[] {
  return CHECK_CASES.filter(({ schemes }) => schemes.includes(schemeId));
}

/** The case of that id, or undefined. */
export function findCase(id: string): CheckCase | undefined {
  return CHECK_CASES.find((checkCase) => checkCase.id === id);
}

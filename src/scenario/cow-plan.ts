/**
 * The plan of the kernel's selftest cow.c: every case on every backing, each a scenario (literature 2.3).
 *
 *     tests of a case in A = 2 + 6 a THP size + 2 of PMD size + 1 a hugetlb size = 54
 *     tests of a case in C = 3 + 1 of PMD size + 1 a hugetlb size                =  6
 *     plan = 14 * 54 + 4 + 3 * 6                                                 = 778
 *
 * for the eight THP sizes from 16 kB to 2 MB and the two hugetlb sizes of x86-64. Numbers are places in this plan, from 1,
 * whatever part of it is run.
 */
import { type CowBacking, anonymousBackings, collapseBacking, otherBackings } from "./cow-plan-backings.ts";
import { ANON_CASES, COLLAPSE_CASES, type CowCase, OTHER_CASES } from "./cow-plan-cases.ts";
import { type CowStep, formatCowStep } from "./cow-plan-steps.ts";

/** One test: a case on a backing. */
export interface CowTest {
  /** From 1. */
  readonly number: number;
  readonly case: CowCase;
  readonly backing: CowBacking;
  /** "vmsplice() + unmap in child ... with base page" */
  readonly title: string;
  /** Empty where the model has no such memory (`backing.missing`). */
  readonly steps: readonly CowStep[];
}

/** All tests in the order of the kernel's test. */
export function cowPlan(): readonly CowTest[] {
  const pairs = [
    ...pairsOf(ANON_CASES, anonymousBackings()),
    ...COLLAPSE_CASES.map((one) => [one, collapseBacking()] as const),
    ...pairsOf(OTHER_CASES, otherBackings()),
  ];
  return pairs.map(([one, backing], index) => ({
    number: index + 1,
    case: one,
    backing,
    title: `${one.title} ... with ${backing.title}`,
    steps: backing.missing === undefined ? [...backing.steps, ...one.steps(backing)] : [],
  }));
}

function pairsOf(cases: readonly CowCase[], backings: readonly CowBacking[]): (readonly [CowCase, CowBacking])[] {
  return cases.flatMap((one) => backings.map((backing) => [one, backing] as const));
}

/** The name by which a test is asked for: "A3 base page". */
export function nameOfCowTest({ case: { id }, backing: { title } }: CowTest): string {
  return `${id} ${title}`;
}

/** The test as a scenario that also a real kernel can run: its looks are comments, and a dump comes last. */
export function scenarioOfCowTest(test: CowTest): string {
  const lines = [`# ${nameOfCowTest(test)}: ${test.title}`, ...test.steps.map(formatCowStep)];
  return `${lines.join("\n")}\ndump end\n`;
}

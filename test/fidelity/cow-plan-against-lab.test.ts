/**
 * A sample of the copy-on-write plan on both real kernels: the same lines, the same contents, counts and flags.
 *
 * What pins and pipes see the kernels' recordings do not show, but which pages are shared, copied, exclusive and pinned
 * after each test they do, and what processes read through `peek`. Skipped where there is no laboratory.
 */
import { test } from "vitest";
import { cowPlan, nameOfCowTest, scenarioOfCowTest } from "../../src/scenario/index.ts";
import { expectBothKernelsToAgree } from "./expect-agreement.ts";
import type { NamedScenario } from "./lab.ts";

/** Gup-fast has no word in the language, and 32 kB is the laboratory's own size. */
const SAMPLE = [
  "A1 base page",
  "A1 THP (2048 kB)",
  "A1 partially shared THP (64 kB)",
  "A2 PTE-mapped THP (64 kB)",
  "A2 hugetlb (2048 kB)",
  "A3 base page",
  "A3 THP (2048 kB)",
  "A3 single PTE of THP (64 kB)",
  "A3 hugetlb (2048 kB)",
  "A4 partially mremap()'ed THP (64 kB)",
  "A5 swapped out base page",
  "A6 PTE-mapped THP (2048 kB)",
  "A7 base page",
  "A7 partially shared THP (64 kB)",
  "A8 THP (2048 kB)",
  "A8 single PTE of THP (16 kB)",
  "A9 base page",
  "A9 THP (2048 kB)",
  "A9 PTE-mapped THP (64 kB)",
  "A9 hugetlb (2048 kB)",
  "A11 base page",
  "A11 PTE-mapped THP (64 kB)",
  "A13 base page",
  "A13 THP (2048 kB)",
  "B1 PTE-mapped THP (2048 kB)",
  "B2 PTE-mapped THP (2048 kB)",
  "B3 PTE-mapped THP (2048 kB)",
  "B4 PTE-mapped THP (2048 kB)",
  "C1 shared zeropage",
  "C1 memfd",
  "C1 tmpfile",
  "C1 huge zeropage",
  "C1 memfd hugetlb (2048 kB)",
  "C2 shared zeropage",
  "C2 memfd",
  "C2 memfd hugetlb (2048 kB)",
];

function sample(): NamedScenario[] {
  const plan = new Map(cowPlan().map((one) => [nameOfCowTest(one), one]));
  return SAMPLE.map((name, index) => {
    const found = plan.get(name);
    if (found === undefined) throw new Error(`the plan has no test ${name}`);
    return { name: `cow_${index}_${found.case.id}`, text: scenarioOfCowTest(found) };
  });
}

test("both kernels answer tests of the copy-on-write plan as the model does", async (ctx) => {
  await expectBothKernelsToAgree(ctx, sample());
}, 300_000);

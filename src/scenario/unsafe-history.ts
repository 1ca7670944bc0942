/**
 * Is a scheme safe when it decides? The smallest test of the copy-on-write plan that it breaks and exact counts do not.
 *
 * What is unsafe under a rule whoever counts (hugetlb and vmsplice today, CVE-2020-29374 by mapcount) is the rule's fault
 * and not looked for here. The plan covers every way in which processes, pipes and pins share a page; random scenarios
 * (checkContentsOf) cover the rest of the language.
 */
import type { CowRule } from "../memory/index.ts";
import { SCHEMES, type Scheme } from "../schemes/index.ts";
import { checkContentsOf } from "./check-contents.ts";
import type { UnsafeContents } from "./contents-oracle.ts";
import type { KernelConfig } from "./counted-machine.ts";
import { type CowTest, cowPlan, nameOfCowTest, scenarioOfCowTest } from "./cow-plan.ts";
import { scenarioOf } from "./parse-scenario.ts";

export interface UnsafeHistoryOptions {
  readonly config: KernelConfig;
  readonly rule: CowRule;
  /** Largest memory that a test works on, in bytes. Default: 64 KiB. */
  readonly bytesMax?: number;
}

export interface UnsafeHistory {
  /** "A1 PTE-mapped THP (16 kB)" */
  readonly test: string;
  /** The scenario up to the command at which it shows. */
  readonly text: string;
  readonly error: UnsafeContents;
}

const BYTES_MAX = 65_536;
/** 64 MiB, of which 16 MiB are huge pages. */
const FRAME_COUNT = 16_384;

/** The first history, by size of its memory, that is unsafe when the scheme decides; undefined if the plan has none. */
export function findUnsafeHistory(scheme: Scheme, options: UnsafeHistoryOptions): UnsafeHistory | undefined {
  const { config, rule, bytesMax = BYTES_MAX } = options;
  const exact = SCHEMES.find(({ kernelConfig }) => kernelConfig === "page");
  const unsafe = (test: CowTest, decidedBy: Scheme | undefined): UnsafeContents | undefined => {
    const scenario = scenarioOf(scenarioOfCowTest(test), nameOfCowTest(test));
    const result = checkContentsOf(scenario, { config, cowRule: rule, decidedBy, frameCount: FRAME_COUNT });
    return result.kind === "unsafe" ? result.error : undefined;
  };
  for (const test of smallestTests(bytesMax)) {
    const error = unsafe(test, scheme);
    if (error === undefined || unsafe(test, exact) !== undefined) continue;
    return { test: nameOfCowTest(test), text: `${error.history.join("\n")}\n`, error };
  }
  return undefined;
}

/** Every case on every kind of memory, of each kind the smallest; small ones first. */
function smallestTests(bytesMax: number): CowTest[] {
  const chosen = new Map<string, CowTest>();
  for (const test of cowPlan()) {
    const { missing, lengthBytes, kind } = test.backing;
    // The plan goes from large THP sizes to small ones.
    if (missing === undefined && lengthBytes <= bytesMax) chosen.set(`${test.case.id} ${kind}`, test);
  }
  return [...chosen.values()].sort((a, b) => a.backing.lengthBytes - b.backing.lengthBytes || a.number - b.number);
}

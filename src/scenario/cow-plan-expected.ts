/**
 * Which tests of the copy-on-write plan the kernel of an era is known to fail, and why (literature 1.4, 2.1, 2.2).
 *
 * The model is not told: it runs the era's rules, and what fails must be in this table, and what is in the table must fail.
 * hugetlb fails A3 to A6 to this day: hugetlb_wp reuses a page that is mapped once, whoever else refers to it.
 */
import type { CowRule } from "../memory/index.ts";
import type { CowBackingKind } from "./cow-plan-backings.ts";
import type { CowCaseId } from "./cow-plan-cases.ts";
import type { CowTest } from "./cow-plan.ts";

/** Failures with one reason. */
interface KnownFailures {
  readonly rules: readonly CowRule[];
  readonly cases: readonly CowCaseId[];
  readonly on: (kind: CowBackingKind) => boolean;
  readonly reason: string;
}

const VMSPLICE: readonly CowCaseId[] = ["A3", "A4", "A5", "A6"];
const everywhere = (): boolean => true;
const onHugetlb = (kind: CowBackingKind): boolean => kind === "hugetlb";
/** Reused by mapcount until 5.18 (PMD) and to this day (hugetlb), whatever the rule for small pages was. */
const onHugeEntries = (kind: CowBackingKind): boolean => kind === "pmd" || kind === "hugetlb";

const KNOWN: readonly KnownFailures[] = [
  {
    rules: ["mapcount"],
    cases: VMSPLICE,
    // Of a THP the page that is mapped most counted, and half of this one is still mapped twice elsewhere.
    on: (kind) => kind !== "mremapped" && kind !== "hugetlb",
    reason: "CVE-2020-29374: a page that is mapped once is written in place, and the pipe still shows it",
  },
  {
    rules: ["page-count"],
    cases: VMSPLICE,
    on: (kind) => kind === "pmd",
    reason: "CVE-2020-29374 again: page_count decides for PTEs alone, a PMD that is mapped once is written in place",
  },
  {
    rules: ["mapcount", "page-count", "exclusive", "large-reuse"],
    cases: VMSPLICE,
    on: onHugetlb,
    reason: "hugetlb writes in place what is mapped once, whoever else refers to it",
  },
  {
    rules: ["mapcount"],
    cases: ["A8"],
    on: everywhere,
    reason:
      "fork shares pinned pages, and the parent's write goes to a copy that the device does not have (until 5.10)",
  },
  {
    rules: ["page-count"],
    cases: ["A7"],
    on: (kind) => !onHugeEntries(kind),
    reason: "the pin's own references make the write fault copy, and the device keeps the old page",
  },
  {
    rules: ["mapcount", "page-count"],
    cases: ["A9", "A10"],
    on: everywhere,
    reason:
      "a read-only pin takes a page that is shared (no FAULT_FLAG_UNSHARE before 5.19), and the write goes to a copy",
  },
  {
    rules: ["page-count"],
    cases: ["A11", "A12", "A13", "A14"],
    on: (kind) => !onHugeEntries(kind),
    reason: "the pin's own references make the write fault copy, and the pin keeps the old page",
  },
  {
    rules: ["mapcount", "page-count"],
    cases: ["C2", "C3"],
    on: everywhere,
    reason: "a read-only pin takes the zero page or the file's page (no FAULT_FLAG_UNSHARE before 5.19)",
  },
];

/** Why the kernel of this era is known to fail the test; undefined: it must pass. */
export function expectedFailure({ case: { id }, backing: { kind } }: CowTest, rule: CowRule): string | undefined {
  return KNOWN.find(({ rules, cases, on }) => rules.includes(rule) && cases.includes(id) && on(kind))?.reason;
}

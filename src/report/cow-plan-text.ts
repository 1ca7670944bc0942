/**
 * The copy-on-write plan as the kernel's selftest prints it: TAP, one line a test, and totals with the reasons.
 *
 * `ok` is what was expected of the kernel of that era, known failures (XFAIL) among it; `not ok` is news.
 */
import type { CowOutcome } from "../scenario/index.ts";
import { formatQuantity } from "./format-number.ts";

/** Tests of one rule. */
export interface CowPlanResults {
  /** The rule of copy-on-write, and who decides. */
  readonly title: string;
  readonly outcomes: readonly CowOutcome[];
}

/** TAP version 13, with totals as comments. */
export function formatCowPlan({ title, outcomes }: CowPlanResults): string {
  const lines = ["TAP version 13", `# ${title}`, `1..${outcomes.length}`];
  for (const [index, outcome] of outcomes.entries()) lines.push(...formatOutcome(outcome, index + 1));
  return `${[...lines, ...formatTotals(outcomes)].join("\n")}\n`;
}

/** TAP counts what is printed: of the whole plan the number is the place in it. */
function formatOutcome({ test: { title }, verdict, reason, knownFailure }: CowOutcome, number: number): string[] {
  switch (verdict) {
    case "passed":
      return [`ok ${number} ${title}`];
    case "failed-as-expected":
      return [`ok ${number} ${title} # XFAIL ${knownFailure ?? ""}`];
    case "not-covered":
      return [`ok ${number} ${title} # SKIP ${reason ?? ""}`];
    case "failed":
      return [`not ok ${number} ${title}`, `#   ${reason ?? ""}`];
    case "passed-unexpectedly":
      return [`not ok ${number} ${title}`, `#   it passed, and was expected to fail: ${knownFailure ?? ""}`];
  }
}

function formatTotals(outcomes: readonly CowOutcome[]): string[] {
  const of = (verdict: CowOutcome["verdict"]): CowOutcome[] => outcomes.filter((one) => one.verdict === verdict);
  const [passed, expected, skipped] = [of("passed"), of("failed-as-expected"), of("not-covered")];
  const [failed, surprising] = [of("failed"), of("passed-unexpectedly")];
  return [
    `# Totals: ${formatQuantity(outcomes.length, "test", "tests")}: ${passed.length} passed, ${expected.length} failed ` +
      `as expected, ${skipped.length} not covered, ${failed.length} failed, ${surprising.length} passed unexpectedly`,
    ...reasonsOf("failed as expected", expected, ({ knownFailure }) => knownFailure),
    ...reasonsOf("not covered", skipped, ({ reason }) => reason),
  ];
}

function reasonsOf(
  what: string,
  outcomes: readonly CowOutcome[],
  reasonOf: (outcome: CowOutcome) => string | undefined,
): string[] {
  const counts = new Map<string, number>();
  for (const outcome of outcomes) {
    const reason = reasonOf(outcome) ?? "no reason";
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts].map(([reason, count]) => `#   ${count} ${what}: ${reason}`);
}

/**
 * What a run found, as text: totals, then differences by subject, most frequent first causes on top, then the scenarios.
 */
import { type KernelCounting, describeDifference } from "../../src/scenario/index.ts";
import { type Failure, type Outcome, countSubjects } from "../../test/fidelity/compare.ts";
import type { NamedScenario } from "../../test/fidelity/lab.ts";

/** A scenario, a kernel, and what came of them. */
export interface Judged {
  readonly scenario: NamedScenario;
  readonly kernel: KernelCounting;
  readonly outcome: Outcome;
}

const NAMES = { left: "model", right: "kernel" } as const;
const SUBJECTS_SHOWN = 40;
const FAILURES_SHOWN = 40;
const REASONS_SHOWN = 25;
const DIFFERENCES_IN_A_FILE = 200;
const TEXT_SHOWN = 230;

/** The scenarios that differ. */
export function failuresOf(judged: readonly Judged[]): Failure[] {
  return judged.flatMap(({ scenario, kernel, outcome }) =>
    outcome.kind === "differs" ? [{ scenario, kernel, differences: outcome.differences }] : [],
  );
}

function cut(text: string): string {
  return text.length <= TEXT_SHOWN ? text : `${text.slice(0, TEXT_SHOWN)}...`;
}

function right(value: number, width: number): string {
  return value.toString().padStart(width);
}

/** The whole report. */
export function formatRun(judged: readonly Judged[]): string {
  const failures = failuresOf(judged);
  const lines = [formatTotals(judged), ...formatSubjects(failures), ...formatFailures(failures)];
  for (const [kind, heading] of [
    ["broken", "The model broke its own rules"],
    ["uncovered", "Not covered by the model"],
    ["unanswered", "Without an answer of the kernel"],
  ] as const) {
    lines.push(...formatReasons(judged, kind, heading));
  }
  return lines.join("\n");
}

function formatTotals(judged: readonly Judged[]): string {
  const count = (kind: Outcome["kind"]): number => judged.filter(({ outcome }) => outcome.kind === kind).length;
  const parts = [`${count("equal")} agree`, `${count("differs")} differ`, `${count("broken")} break the model`];
  parts.push(`${count("uncovered")} are not covered`, `${count("unanswered")} have no answer`);
  return `${judged.length} comparisons (scenario and kernel): ${parts.join(", ")}`;
}

function formatSubjects(failures: readonly Failure[]): string[] {
  const counts = countSubjects(failures);
  if (counts.length === 0) return [];
  const lines = ["", "Differences by subject; first: how often it is in the first step that differs", ""];
  lines.push(" first scenarios  total  subject");
  for (const { subject, first, scenarios, total, example } of counts.slice(0, SUBJECTS_SHOWN)) {
    lines.push(`${right(first, 6)} ${right(scenarios, 9)} ${right(total, 6)}  ${subject}`);
    lines.push(
      `${" ".repeat(25)}${cut(`${example.scenario} (${example.kernel}) ${describeDifference(example.difference, NAMES)}`)}`,
    );
  }
  if (counts.length > SUBJECTS_SHOWN) lines.push(`       and ${counts.length - SUBJECTS_SHOWN} subjects more`);
  return lines;
}

function formatFailures(failures: readonly Failure[]): string[] {
  if (failures.length === 0) return [];
  const lines = ["", "Scenarios that differ, each with its first difference", ""];
  const shortFirst = failures.toSorted((a, b) => a.differences.length - b.differences.length);
  for (const { scenario, kernel, differences } of shortFirst.slice(0, FAILURES_SHOWN)) {
    lines.push(`${scenario.name} (${kernel}): ${differences.length} differences`);
    lines.push(`    ${cut(describeDifference(differences[0], NAMES))}`);
  }
  if (failures.length > FAILURES_SHOWN) lines.push(`and ${failures.length - FAILURES_SHOWN} more`);
  return lines;
}

function formatReasons(
  judged: readonly Judged[],
  kind: "broken" | "uncovered" | "unanswered",
  heading: string,
): string[] {
  const reasons = new Map<string, string[]>();
  for (const { scenario, kernel, outcome } of judged) {
    if (outcome.kind !== kind) continue;
    // The same refusal at another place is the same refusal.
    const reason = outcome.reason.replace(/^line [0-9]+: .*?: (?=\S+ )/, "").replaceAll(/0x[0-9a-f]+|[0-9]{4,}/g, "N");
    const where = reasons.get(reason) ?? [];
    where.push(`${scenario.name} (${kernel})`);
    reasons.set(reason, where);
  }
  if (reasons.size === 0) return [];
  const lines = ["", heading, ""];
  const sorted = [...reasons].sort((a, b) => b[1].length - a[1].length);
  for (const [reason, where] of sorted.slice(0, REASONS_SHOWN)) {
    lines.push(`${right(where.length, 6)}  ${cut(reason)}`, `        ${where.slice(0, 3).join(", ")}`);
  }
  if (sorted.length > REASONS_SHOWN) lines.push(`        and ${sorted.length - REASONS_SHOWN} reasons more`);
  return lines;
}

/** All differences of one scenario, for a file beside it. */
export function formatDifferences({ kernel, differences }: Failure): string {
  const shown = differences.slice(0, DIFFERENCES_IN_A_FILE).map((each) => describeDifference(each, NAMES));
  const more = differences.length - shown.length;
  const lines = [`kernel: ${kernel}`, ...shown, ...(more > 0 ? [`and ${more} more`] : [])];
  return `${lines.join("\n")}\n`;
}

/**
 * The last words of a test run: why each test was skipped, then one line `N passed, N failed, N skipped`.
 *
 * The numbers count test cases. What fails outside a test case counts as one failure each: a file that cannot be
 * loaded, a hook of a file or a `describe` that throws, an error that no test waited for. So the line says "0 failed"
 * only if the run was clean.
 *
 * With the environment variable FOLIOMETER_SUMMARY set to a path, the line goes to that file instead of stdout:
 * scripts/test.mjs prints it when Vitest is gone, since only then nothing can be printed behind it.
 */
import { writeFileSync } from "node:fs";
import type { SerializedError } from "vitest";
import type { Reporter, TestCase, TestModule } from "vitest/node";

/** What the last line says. */
export interface Summary {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The last line of a test run. */
export function formatSummary(summary: Summary): string {
  return `${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped`;
}

/** Counts the test cases of a run, and whatever failed outside of them. */
export function summarize(modules: readonly TestModule[], unhandledErrorCount: number): Summary {
  const counts = { passed: 0, failed: unhandledErrorCount, skipped: 0, pending: 0 };
  for (const module of modules) {
    if (module.errors().length > 0) counts.failed++;
    for (const suite of module.children.allSuites()) if (suite.errors().length > 0) counts.failed++;
    for (const test of module.children.allTests()) counts[test.result().state]++;
  }
  // A test that began and never ended (a crashed worker) did not pass.
  return { passed: counts.passed, failed: counts.failed + counts.pending, skipped: counts.skipped };
}

/** One line for every skipped test that says why, and one for all those that do not. */
export function formatSkips(modules: readonly TestModule[]): string[] {
  const lines: string[] = [];
  let silentCount = 0;
  for (const module of modules) {
    for (const test of module.children.allTests("skipped")) {
      const note = skipNote(test);
      if (note === undefined) silentCount++;
      else lines.push(`skipped: ${module.relativeModuleId} > ${test.fullName} (${note})`);
    }
  }
  if (silentCount > 0)
    lines.push(`skipped: ${silentCount} without a reason (left out by a filter, or by a failed hook)`);
  return lines;
}

function skipNote(test: TestCase): string | undefined {
  const result = test.result();
  return result.state === "skipped" ? result.note : undefined;
}

export default class TestSummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    for (const line of formatSkips(modules)) console.log(line);
    const summary = formatSummary(summarize(modules, unhandledErrors.length));
    const path = process.env.FOLIOMETER_SUMMARY;
    if (path === undefined || path === "") console.log(summary);
    else writeFileSync(path, `${summary}\n`);
  }
}

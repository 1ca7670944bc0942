/**
 * `npm test`: installs what is missing, then types, lint, format, build and tests, and stops at the first that fails.
 *
 * The last line on stdout is always `N passed, N failed, N skipped`. Test cases are counted by
 * scripts/test-summary-reporter.ts, which leaves its line in a file; an earlier stage that fails counts as the one
 * failed test. Arguments behind `npm test --` go to Vitest.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureInstalled, InstallError, projectRoot } from "./ensure-installed.mjs";
import { endLike, npmCommand, runChild } from "./run-child.mjs";

const STAGES = ["typecheck", "lint", "format:check", "build"];
const SUMMARY_FORM = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;
const NOTHING_RAN = "0 passed, 1 failed, 0 skipped";

/** Ends the run with the summary as the last line, whatever happened before. */
function finish(summary, ended) {
  process.stdout.write(`${summary}\n`, () => endLike(ended));
}

function failStage(name, ended) {
  console.error(`npm test stopped at its stage "${name}" (exit code ${ended.code})`);
  finish(NOTHING_RAN, ended);
}

/** Runs the stages before the tests; returns whether all went well. */
async function runStages() {
  for (const name of STAGES) {
    console.log(`# ${name}`);
    const [command, args] = npmCommand("run", "--silent", name);
    const ended = await runChild(command, args, { cwd: projectRoot });
    if (ended.code !== 0) {
      failStage(name, ended);
      return false;
    }
  }
  return true;
}

async function runVitest(args) {
  console.log("# test");
  const folder = mkdtempSync(join(tmpdir(), "foliometer-test-"));
  try {
    const summaryPath = join(folder, "summary");
    const vitest = join(projectRoot, "node_modules", "vitest", "vitest.mjs");
    const ended = await runChild(process.execPath, [vitest, "run", ...args], {
      cwd: projectRoot,
      env: { ...process.env, FOLIOMETER_SUMMARY: summaryPath },
    });
    return { ended, summary: readSummary(summaryPath, ended.code) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the reporter left; a run that failed without a failed test (no test found, a bad option) counts as one. */
function readSummary(path, code) {
  let text;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch {
    return NOTHING_RAN;
  }
  const counts = SUMMARY_FORM.exec(text);
  if (counts === null) return NOTHING_RAN;
  const [, passed, failed, skipped] = counts.map(Number);
  return code !== 0 && failed === 0 ? `${passed} passed, 1 failed, ${skipped} skipped` : text;
}

try {
  await ensureInstalled();
  if (await runStages()) {
    const { ended, summary } = await runVitest(process.argv.slice(2));
    finish(summary, ended);
  }
} catch (error) {
  console.error(error instanceof InstallError ? error.message : error);
  failStage("install", { code: 1, signal: null });
}

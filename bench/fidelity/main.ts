/**
 * How faithful is the model? Random scenarios on two real kernels and on the model, differences by subject, the first
 * failing scenarios made small. `--help` has the options; the kernels are those of the laboratory beside the checkout.
 *
 *     node build/bench/fidelity/main.js --seed 1 --count 100 --keep failing
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { KernelCounting } from "../../src/scenario/index.ts";
import { type Failure, askModel, judge, subjectOf } from "../../test/fidelity/compare.ts";
import { type LabAnswers, type NamedScenario, askBothKernels, askLab, findLab } from "../../test/fidelity/lab.ts";
import { randomScenario } from "../../test/fidelity/random-scenario.ts";
import { type Decide, cutBehindDump, shrinkAll } from "../../test/fidelity/shrink.ts";
import { PROFILE_NAMES } from "../../test/fidelity/wishes.ts";
import { type Judged, failuresOf, formatDifferences, formatRun } from "./print.ts";
import { readAnswers, readScenarioFile, readScenarios, writeAnswers } from "./recordings.ts";
import { type Settings, USAGE, UsageError, readSettings } from "./settings.ts";

const EXIT_DIFFERENT = 1;
const EXIT_USAGE = 2;
const EXIT_NOTHING_TO_RUN_ON = 3;
const NEWLINE = "\n";

type Progress = (text: string) => void;

/** A failure to be made small, and the subject that must stay. */
interface ShrinkJob {
  readonly failure: Failure;
  readonly subject: string;
}

function scenariosOf(settings: Settings): NamedScenario[] {
  if (settings.from !== undefined) return readScenarios(settings.from);
  if (settings.replay.length > 0) return settings.replay.map((path) => readScenarioFile(path));
  const { seed, first, count, operations, profiles } = settings;
  return Array.from({ length: count }, (_, index) =>
    randomScenario({ seed, index: first + index, operations, profiles }),
  );
}

function judgeAll(
  scenarios: readonly NamedScenario[],
  answers: ReadonlyMap<KernelCounting, LabAnswers>,
  onProgress: Progress,
): Judged[] {
  const judged: Judged[] = [];
  for (const [kernel, ofKernel] of answers) {
    for (const scenario of scenarios) {
      judged.push({ scenario, kernel, outcome: judge(scenario, kernel, ofKernel.get(scenario.name)) });
    }
    onProgress(`${kernel}: ${judged.length} comparisons made`);
  }
  return judged;
}

/** One failure for each of the most frequent first subjects: the same cause need not be made small twice. */
function jobsOf(failures: readonly Failure[], count: number): ShrinkJob[] {
  const jobs = new Map<string, ShrinkJob>();
  for (const failure of failures.toSorted((a, b) => a.scenario.text.length - b.scenario.text.length)) {
    const subject = subjectOf(failure.differences[0]);
    if (!jobs.has(subject)) jobs.set(subject, { failure, subject });
  }
  return [...jobs.values()].slice(0, count);
}

/**
 * Candidates fail in the same way if they differ in the same subject. Those that already the model cannot run to the end
 * (a page that is not there any more, a wait that never ends) are not asked: a kernel would be lost to all others.
 */
function decideByLab(onProgress: Progress): Decide<ShrinkJob> {
  return async (questions) => {
    const asked = questions.map(({ job, texts }, number) => ({
      job,
      scenarios: texts.map((text, index) => ({ name: `q${number}_${index}`, text })),
    }));
    const canRun = (job: ShrinkJob, scenario: NamedScenario): boolean =>
      "steps" in askModel(scenario, job.failure.kernel);
    onProgress(`shrinking: ${asked.reduce((sum, { scenarios }) => sum + scenarios.length, 0)} candidates`);
    const answers = new Map<KernelCounting, LabAnswers>();
    for (const kernel of ["page", "nopage"] as const) {
      const ofKernel = asked
        .filter(({ job }) => job.failure.kernel === kernel)
        .flatMap(({ job, scenarios }) => scenarios.filter((scenario) => canRun(job, scenario)));
      if (ofKernel.length > 0) answers.set(kernel, await askLab(ofKernel, { kernel }));
    }
    return asked.map(({ job, scenarios }) =>
      scenarios.map((scenario) => {
        const outcome = judge(scenario, job.failure.kernel, answers.get(job.failure.kernel)?.get(scenario.name));
        return outcome.kind === "differs" && outcome.differences.some((each) => subjectOf(each) === job.subject);
      }),
    );
  };
}

async function shrinkFailures(failures: readonly Failure[], settings: Settings, onProgress: Progress): Promise<void> {
  const jobs = jobsOf(failures, settings.shrink);
  if (jobs.length === 0) return;
  const texts = await shrinkAll(
    jobs.map((job) => {
      const { scenario, differences } = job.failure;
      return { job, text: cutBehindDump(scenario.text, differences[0].step) };
    }),
    decideByLab(onProgress),
  );
  for (const [index, { failure, subject }] of jobs.entries()) {
    const name = `${failure.scenario.name}_${failure.kernel}_small`;
    const text = `# ${subject}: smallest part of ${failure.scenario.name} that differs on ${failure.kernel}\n${texts[index]}`;
    process.stdout.write(`${NEWLINE}${text}`);
    if (settings.keep !== undefined) writeFileSync(join(settings.keep, `${name}.scn`), text);
  }
}

function keepFailures(failures: readonly Failure[], folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const failure of failures) {
    const { scenario, kernel } = failure;
    writeFileSync(join(folder, `${scenario.name}.scn`), scenario.text);
    writeFileSync(join(folder, `${scenario.name}.${kernel}.txt`), formatDifferences(failure));
  }
}

/** What gives the same scenarios once more. */
function argumentsOf({ seed, first, count, operations, profiles }: Settings): string[] {
  const numbers = ["--seed", `${seed}`, "--first", `${first}`, "--count", `${count}`, "--ops", `${operations}`];
  const isAll = profiles.length === PROFILE_NAMES.length;
  return isAll ? numbers : [...numbers, ...profiles.flatMap((profile) => ["--profile", profile])];
}

function refusalsIn(answers: ReadonlyMap<KernelCounting, LabAnswers>): string[] {
  return [...answers].flatMap(([kernel, ofKernel]) =>
    [...ofKernel].flatMap(([name, answer]) =>
      answer.kind === "record" ? [] : [`${name} (${kernel}) ${answer.kind}: ${answer.reason}`],
    ),
  );
}

async function run(settings: Settings, onProgress: Progress): Promise<number> {
  const lab = findLab();
  if (settings.from === undefined && "missing" in lab) {
    process.stderr.write(`${lab.missing}\n`);
    return EXIT_NOTHING_TO_RUN_ON;
  }
  const scenarios = scenariosOf(settings);
  const source = settings.from ?? (settings.replay.length > 0 ? "files" : `seed ${settings.seed}`);
  onProgress(`${scenarios.length} scenarios from ${source}`);
  const answers =
    settings.from === undefined
      ? await askBothKernels(scenarios, settings.kernels, onProgress)
      : readAnswers(settings.from, scenarios, settings.kernels);
  if (settings.record !== undefined) {
    onProgress(`${writeAnswers(settings.record, scenarios, answers)} answers written to ${settings.record}`);
    for (const line of refusalsIn(answers)) onProgress(line);
    return 0;
  }
  const judged = judgeAll(scenarios, answers, onProgress);
  process.stdout.write(`${formatRun(judged)}\n`);
  const failures = failuresOf(judged);
  if (settings.keep !== undefined) keepFailures(failures, settings.keep);
  if (settings.shrink > 0 && !("missing" in lab)) await shrinkFailures(failures, settings, onProgress);
  const isGood = judged.every(({ outcome }) => outcome.kind === "equal" || outcome.kind === "uncovered");
  if (!isGood && settings.from === undefined && settings.replay.length === 0) {
    process.stdout.write(`\nAgain: npm run fidelity -- ${argumentsOf(settings).join(" ")}\n`);
  }
  return isGood ? 0 : EXIT_DIFFERENT;
}

/** Whatever runs is ended by its own handler of the process's end. */
function endOnSignals(): void {
  const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const)
    process.on(signal, () => process.exit(128 + numbers[signal]));
}

async function main(): Promise<void> {
  endOnSignals();
  const started = Date.now();
  const onProgress = (text: string): void => {
    process.stderr.write(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
  };
  try {
    const settings = readSettings(process.argv.slice(2));
    if (settings === undefined) process.stdout.write(`${USAGE}\n`);
    else process.exitCode = await run(settings, onProgress);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${USAGE}\n`);
    process.exitCode = EXIT_USAGE;
  }
}

await main();

/**
 * What `foliometer check` does: search the systems that are meant, print what was found, write the drawings asked for.
 *
 * What was found is printed before anything is drawn: a search that took an hour is not lost to a graph that is too large.
 */
import { accessSync, constants, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { CheckResult, Story } from "../checker/index.ts";
import type { TimedCheck } from "../report/index.ts";
import type { RunningSearch, TimedSearch } from "../study/index.ts";
import type { CheckCommandOptions } from "./check.ts";
import { CheckLine } from "./check-progress.ts";
import { type CheckTask, chooseTasks } from "./check-tasks.ts";
import { EXIT_DIFFERS, EXIT_DONE, EXIT_INCOMPLETE, UsageError } from "./exit-codes.ts";
import { whyNot } from "./read-text.ts";
import { tell } from "./run-action.ts";

/** A checked system. */
interface Done extends TimedCheck {
  readonly task: CheckTask;
}

/** States that the order of locks is looked for in. */
const LOCK_ORDER_STATES = 200_000;
const SEED = 1;
const PRIORITY_CHANGES = 3;
const GRAPH_STATES = 300;

/** Runs the command; gives the exit code. */
export async function runCheck(what: string | undefined, options: CheckCommandOptions): Promise<number> {
  if (options.list === true) return printList(what, options);
  if (what === undefined) {
    throw new UsageError("It needs a scheme or a file in the step language; foliometer check --list lists the cases.");
  }
  refuseWhatWouldBeLost(options);
  const tasks = await chooseTasks(what, options);
  refuseManyWhereOneIsMeant(tasks, options);
  const done = await searchAll(tasks, options);
  await printFindings(done, options);
  const [only] = done;
  if (only !== undefined && options.graph !== undefined) await writeGraph(only, options.graph, options);
  if (only !== undefined && options.scenario !== undefined) await writeScenario(only, options.scenario);
  return exitCodeOf(done);
}

/** Options without what they are for, and files that cannot be written: found before the search, not after it. */
function refuseWhatWouldBeLost(options: CheckCommandOptions): void {
  const { graph, scenario, random } = options;
  if (random === undefined && (options.seed ?? options.changes) !== undefined) {
    throw new UsageError("--seed and --changes are for --random.");
  }
  if (graph === undefined && options.graphStates !== undefined) throw new UsageError("--graph-states is for --graph.");
  const toStdout = [
    ["--graph -", graph === "-"],
    ["--scenario -", scenario === "-"],
    ["--json", options.json === true],
    ["--mermaid", options.mermaid === true],
  ] as const;
  const several = toStdout.filter(([, isSo]) => isSo).map(([name]) => name);
  if (several.length > 1) throw new UsageError(`Only one of ${several.join(", ")} can have standard output.`);
  for (const file of [graph, scenario]) if (file !== undefined && file !== "-") refuseUnwritable(file);
}

function refuseUnwritable(file: string): void {
  try {
    const existing = statSync(file, { throwIfNoEntry: false });
    if (existing?.isDirectory() === true) throw new UsageError(`Cannot write ${file}: it is a directory.`);
    accessSync(existing === undefined ? dirname(file) : file, constants.W_OK);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`Cannot write ${file}: ${whyNot(error)}.`);
  }
}

function refuseManyWhereOneIsMeant(tasks: readonly CheckTask[], options: CheckCommandOptions): void {
  if (tasks.length === 1) return;
  for (const [flag, value] of [
    ["--mermaid", options.mermaid],
    ["--graph", options.graph],
    ["--scenario", options.scenario],
  ] as const) {
    if (value !== undefined) throw new UsageError(`${flag} is for one case: name it with --case.`);
  }
}

/** One behind the other; the first that is interrupted is the last. */
async function searchAll(tasks: readonly CheckTask[], options: CheckCommandOptions): Promise<readonly Done[]> {
  const line = new CheckLine(process.stderr, { quiet: !options.progress });
  const done: Done[] = [];
  for (const [index, task] of tasks.entries()) {
    line.begin(task.configuration.name, index, tasks.length);
    try {
      done.push(await searchOne(task, options, line));
    } finally {
      line.clear();
    }
    if (done.at(-1)?.result.coverage !== "interrupted") continue;
    const left = tasks.slice(index + 1).map((each) => each.case ?? each.configuration.name);
    if (left.length > 0) tell(`Not begun: ${left.join(", ")}.`);
    break;
  }
  return done;
}

async function searchOne(task: CheckTask, options: CheckCommandOptions, line: CheckLine): Promise<Done> {
  const { startSearch } = await import("../study/index.ts");
  const { random, seed = SEED, changes = PRIORITY_CHANGES } = options;
  const search = startSearch(task.configuration, task.options, {
    ...(random === undefined ? {} : { schedules: { seed, count: random, changes } }),
    ...(options.lockOrder === true ? { lockOrderStates: LOCK_ORDER_STATES } : {}),
    workers: options.workers,
    onProgress: line.update,
  });
  const { result, elapsedMs } = await endingWithSignal(search);
  return {
    task,
    elapsedMs,
    result,
    ...(task.case === undefined ? {} : { case: task.case }),
    ...(task.scheme === undefined ? {} : { scheme: task.scheme }),
    ...(task.expected === undefined ? {} : { expected: task.expected }),
  };
}

/** The first Ctrl-C ends the search, and what was explored so far is printed; the second one ends the command. */
async function endingWithSignal(search: RunningSearch): Promise<TimedSearch> {
  const others = process.listeners("SIGINT");
  process.removeAllListeners("SIGINT");
  process.once("SIGINT", () => {
    for (const listener of others) process.once("SIGINT", listener);
    tell("Ending; what was explored so far follows. Again to leave it.");
    search.stop();
  });
  try {
    return await search.done;
  } finally {
    process.removeAllListeners("SIGINT");
    for (const listener of others) process.once("SIGINT", listener);
  }
}

async function printFindings(done: readonly Done[], options: CheckCommandOptions): Promise<void> {
  // What goes to stdout goes there alone.
  if (options.graph === "-" || options.scenario === "-") return;
  const reports = await import("../report/index.ts");
  const { stdout, env } = process;
  if (options.json === true) {
    stdout.write(reports.formatChecksJson(done));
    return;
  }
  if (options.mermaid === true) {
    const story = done.flatMap(({ result }) => storiesOf(result))[0];
    if (story === undefined) throw new UsageError("Nothing is broken: there is no story to draw.");
    stdout.write(reports.formatStoryMermaid(story));
    return;
  }
  const width = options.width ?? (stdout.isTTY ? stdout.columns : Infinity);
  const styles = reports.chooseStyles(stdout, env);
  const [only] = done;
  const text =
    done.length === 1 && only !== undefined
      ? reports.formatCheckText(only, { width, styles })
      : reports.formatCheckSummary(done, { width, styles });
  stdout.write(text);
}

function storiesOf({ properties }: CheckResult): Story[] {
  return properties.flatMap((property) => (property.outcome === "broken" ? [property.story] : []));
}

async function writeGraph({ task, result }: Done, file: string, options: CheckCommandOptions): Promise<void> {
  const [{ GraphTooLarge, drawStateGraph }, reports] = await Promise.all([
    import("../checker/index.ts"),
    import("../report/index.ts"),
  ]);
  const [story] = storiesOf(result);
  try {
    const graph = drawStateGraph(task.machine, result.options, {
      limit: options.graphStates ?? GRAPH_STATES,
      ...(story === undefined ? {} : { story }),
    });
    writeOut(file, file.endsWith(".mmd") ? reports.formatStateGraphMermaid(graph) : reports.formatStateGraphDot(graph));
  } catch (error) {
    if (error instanceof GraphTooLarge) throw new UsageError(error.message);
    throw error;
  }
}

async function writeScenario({ task, result }: Done, file: string): Promise<void> {
  const [story] = storiesOf(result);
  if (story === undefined) throw new UsageError("Nothing is broken: there is no story to write as a scenario.");
  const { scenarioOfStory } = await import("../checker/index.ts");
  const scenario = scenarioOfStory(story, task.machine);
  if (scenario.outcome === "refused") throw new UsageError(`This story is no scenario: ${scenario.reason}`);
  writeOut(file, scenario.text);
}

function writeOut(file: string, text: string): void {
  try {
    if (file === "-") process.stdout.write(text);
    else writeFileSync(file, text);
  } catch (error) {
    throw new UsageError(`Cannot write ${file}: ${whyNot(error)}.`);
  }
}

/** As the catalogue says, or where it says nothing: nothing broken and nothing that had to occur missing. */
function exitCodeOf(done: readonly Done[]): number {
  if (done.some(isSurprising)) return EXIT_DIFFERS;
  return done.some(isCut) ? EXIT_INCOMPLETE : EXIT_DONE;
}

/** A limit was met: of the search, or of the second one for livelocks. */
function isCut({ result: { coverage, properties } }: Done): boolean {
  if (coverage === "complete") return properties.some(({ outcome }) => outcome === "holds-so-far");
  return coverage === "state-limit" || coverage === "memory-limit" || coverage === "interrupted";
}

function isSurprising({ result, expected = {} }: Done): boolean {
  return result.properties.some(({ name, outcome }) => {
    if (outcome === "broken" || outcome === "unseen") return expected[name] !== outcome;
    // A search that ended elsewhere has not come to what is known of this one.
    return expected[name] !== undefined && outcome !== "not-checked" && result.coverage === "complete";
  });
}

async function printList(scheme: string | undefined, options: CheckCommandOptions): Promise<number> {
  const [{ CHECK_CASES, casesOf }, { SCHEMES }, reports, chosen] = await Promise.all([
    import("../checker/index.ts"),
    import("../schemes/index.ts"),
    import("../report/index.ts"),
    scheme === undefined ? undefined : import("./choose-schemes.ts").then(({ schemeOf }) => schemeOf(scheme)),
  ]);
  const cases = chosen === undefined ? CHECK_CASES : casesOf(chosen.id);
  const { stdout, env } = process;
  const width = options.width ?? (stdout.isTTY ? stdout.columns : Infinity);
  process.stdout.write(
    options.json === true
      ? reports.formatCheckCasesJson(cases)
      : reports.formatCheckCases(cases, {
          width,
          styles: reports.chooseStyles(stdout, env),
          schemeCount: SCHEMES.length,
        }),
  );
  return EXIT_DONE;
}

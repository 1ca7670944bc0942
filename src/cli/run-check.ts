/**
 * What `foliometer check` does: choose the system, search it, print what was found.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import type {
  CheckCase,
  CheckConfiguration,
  CheckOptions,
  CheckResult,
  StepMachine,
  StepText,
  Story,
} from "../checker/index.ts";
import type { TimedCheck } from "../report/index.ts";
import type { RunningSearch, TimedSearch } from "../study/index.ts";
import type { CheckCommandOptions } from "./check.ts";
import { CheckLine } from "./check-progress.ts";
import { EXIT_DIFFERS, EXIT_DONE, EXIT_INCOMPLETE, UsageError } from "./exit-codes.ts";
import { tell } from "./run-action.ts";

/** One system to check, and what the catalogue knows of it. */
interface Task {
  readonly configuration: CheckConfiguration;
  readonly options: CheckOptions;
  readonly case?: CheckCase;
  readonly scheme?: string;
  /** By property; absent where the system is not the catalogue's. */
  readonly expected?: Readonly<Record<string, string>>;
}

/** A checked system. */
interface Done extends TimedCheck {
  readonly machine: StepMachine;
}

/** States that the order of locks is looked for in. */
const LOCK_ORDER_STATES = 200_000;
const MIB = 2 ** 20;

/** Runs the command; gives the exit code. */
export async function runCheck(scheme: string | undefined, options: CheckCommandOptions): Promise<number> {
  if (options.list === true) return printList(scheme, options);
  if (scheme === undefined) {
    throw new UsageError("It needs a scheme or a file in the step language; foliometer check --list lists the cases.");
  }
  const tasks = scheme.endsWith(".steps") ? [taskOfFile(scheme, options)] : await tasksOfScheme(scheme, options);
  refuseManyWhereOneIsMeant(tasks, options);
  const line = new CheckLine(process.stderr, { quiet: !options.progress });
  const done: Done[] = [];
  for (const [index, task] of tasks.entries()) {
    line.begin(task.configuration.name, index, tasks.length);
    try {
      done.push(await runTask(task, options, line));
    } finally {
      line.clear();
    }
    if (done.at(-1)?.result.coverage === "interrupted") break;
  }
  await print(done, options);
  return exitCodeOf(done);
}

function refuseManyWhereOneIsMeant(tasks: readonly Task[], options: CheckCommandOptions): void {
  if (tasks.length === 1) return;
  for (const [flag, value] of [
    ["--mermaid", options.mermaid],
    ["--graph", options.graph],
    ["--scenario", options.scenario],
  ] as const) {
    if (value !== undefined) throw new UsageError(`${flag} is for one case: name it with --case.`);
  }
}

function taskOfFile(file: string, options: CheckCommandOptions): Task {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? "error"}).`);
  }
  if (options.case !== undefined) throw new UsageError("--case is for schemes: a file is one system.");
  const configuration = { name: basename(file), texts: [{ name: basename(file), text }, ...ownProperties(options)] };
  return { configuration: changed(configuration, options), options: optionsOf(options) };
}

async function tasksOfScheme(id: string, options: CheckCommandOptions): Promise<Task[]> {
  const [{ schemeOf }, { casesOf, findCase }] = await Promise.all([
    import("./choose-schemes.ts"),
    import("../checker/index.ts"),
  ]);
  const scheme = schemeOf(id);
  const known = casesOf(id);
  const cases = options.case?.map((name) => {
    const found = known.find((one) => one.id === name);
    if (found !== undefined) return found;
    const why = findCase(name) === undefined ? "There is no such case" : `It is not for ${id}`;
    throw new UsageError(`${name}: ${why}; for ${id} there are ${known.map((one) => one.id).join(", ")}.`);
  });
  return (cases ?? known).map((one) => {
    const configuration = one.configuration(scheme);
    const withOwn = { ...configuration, texts: [...configuration.texts, ...ownProperties(options)] };
    const isCatalogues = !changesSystem(options);
    return {
      configuration: changed(withOwn, options),
      options: { ...one.options, ...optionsOf(options) },
      case: one,
      scheme: id,
      ...(isCatalogues ? { expected: expectedOf(one, id) } : {}),
    };
  });
}

/** By property what the catalogue says of it; what it does not name holds, or occurs. */
function expectedOf({ outcomes }: CheckCase, scheme: string): Record<string, "broken" | "unseen"> {
  const { broken = [], unseen = [] } = outcomes[scheme] ?? {};
  return Object.fromEntries([
    ...broken.map((name) => [name, "broken"] as const),
    ...unseen.map((name) => [name, "unseen"] as const),
  ]);
}

const SIZES = [
  ["threads", "THREADS"],
  ["mms", "MMS"],
  ["vmas", "VMAS"],
  ["tables", "TABLES"],
  ["pages", "PAGES"],
  ["operations", "OPERATIONS"],
] as const;

function constantsOf(options: CheckCommandOptions): Record<string, number> {
  const constants: Record<string, number> = {};
  for (const [option, name] of SIZES) {
    const value = options[option];
    if (value !== undefined) constants[name] = value;
  }
  for (const setting of options.set) {
    const match = /^(?<name>\w+)=(?<value>-?\d{1,9})$/.exec(setting);
    if (match?.groups === undefined) throw new UsageError(`--set ${setting}: write NAME=NUMBER.`);
    constants[match.groups.name] = Number(match.groups.value);
  }
  return constants;
}

/** Whether the system is another one than the catalogue's. */
function changesSystem(options: CheckCommandOptions): boolean {
  return Object.keys(constantsOf(options)).length > 0 || options.without.length > 0 || options.memory === "tso";
}

function changed(configuration: CheckConfiguration, options: CheckCommandOptions): CheckConfiguration {
  return {
    ...configuration,
    constants: { ...configuration.constants, ...constantsOf(options) },
    withoutLocks: [...(configuration.withoutLocks ?? []), ...options.without],
  };
}

/** Properties of the command line as a text of their own. A name may stand before the expression. */
function ownProperties(options: CheckCommandOptions): StepText[] {
  const kinds = ["always", "never", "quiet", "sometimes"] as const;
  const texts: StepText[] = [];
  for (const kind of kinds) {
    for (const [index, given] of options[kind].entries()) {
      const named = /^\s*\w+\s*:/.test(given) ? given : `${kind}_${index + 1}: ${given}`;
      texts.push({ name: `--${kind}`, text: `${kind} ${named}\n` });
    }
  }
  return texts;
}

function optionsOf(options: CheckCommandOptions): CheckOptions {
  return {
    ...(options.memory === "tso" ? { memory: "tso" as const, bufferEntries: options.buffer } : {}),
    search: options.search,
    partialOrderReduction: options.reduction,
    symmetry: options.symmetry,
    memoryLimitBytes: options.memoryLimit * MIB,
    ...(options.stateLimit === undefined ? {} : { stateLimit: options.stateLimit }),
    ...(options.property === undefined ? {} : { properties: options.property }),
    ...(options.all === true ? { allProperties: true } : {}),
    ...(options.liveness === true ? { liveness: true } : {}),
  };
}

async function runTask(task: Task, options: CheckCommandOptions, line: CheckLine): Promise<Done> {
  const [checker, { startSearch }] = await Promise.all([import("../checker/index.ts"), import("../study/index.ts")]);
  const machine = checker.elaborate(task.configuration);
  const schedules =
    options.random === undefined
      ? {}
      : { schedules: { seed: options.seed, count: options.random, changes: options.changes } };
  const search = startSearch(task.configuration, task.options, {
    ...schedules,
    workers: options.workers,
    onProgress: line.update,
  });
  const { result, elapsedMs } = await endingWithSignal(search);
  const lockOrder =
    options.lockOrder === true ? checker.seeLockOrder(machine, task.options, LOCK_ORDER_STATES) : undefined;
  return {
    machine,
    elapsedMs,
    result: lockOrder === undefined ? result : { ...result, lockOrder },
    ...(task.case === undefined ? {} : { case: task.case.id }),
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

async function print(done: readonly Done[], options: CheckCommandOptions): Promise<void> {
  const [only] = done;
  if (only !== undefined && options.graph !== undefined) await writeGraph(only, options.graph, options);
  if (only !== undefined && options.scenario !== undefined) await writeScenario(only, options.scenario);
  // What goes to stdout goes there alone.
  if (options.graph === "-" || options.scenario === "-") return;
  const reports = await import("../report/index.ts");
  if (options.json === true) process.stdout.write(reports.formatChecksJson(done));
  else if (options.mermaid === true) {
    const story = done.flatMap(({ result }) => storiesOf(result))[0];
    if (story === undefined) tell("Nothing is broken: there is no story to draw.");
    else process.stdout.write(reports.formatStoryMermaid(story));
  } else {
    const { stdout, env } = process;
    const width = options.width ?? (stdout.isTTY ? stdout.columns : Infinity);
    const styles = reports.chooseStyles(stdout, env);
    const text =
      done.length === 1 && only !== undefined
        ? reports.formatCheckText(only, { width, styles })
        : reports.formatCheckSummary(done, { width, styles });
    process.stdout.write(text);
  }
}

function storiesOf({ properties }: CheckResult): Story[] {
  return properties.flatMap((property) => (property.outcome === "broken" ? [property.story] : []));
}

async function writeGraph({ machine, result }: Done, file: string, options: CheckCommandOptions): Promise<void> {
  const [{ GraphTooLarge, drawStateGraph }, reports] = await Promise.all([
    import("../checker/index.ts"),
    import("../report/index.ts"),
  ]);
  const [story] = storiesOf(result);
  try {
    const graph = drawStateGraph(machine, result.options, {
      limit: options.graphStates,
      ...(story === undefined ? {} : { story }),
    });
    writeOut(file, file.endsWith(".mmd") ? reports.formatStateGraphMermaid(graph) : reports.formatStateGraphDot(graph));
  } catch (error) {
    if (error instanceof GraphTooLarge) throw new UsageError(error.message);
    throw error;
  }
}

async function writeScenario({ machine, result }: Done, file: string): Promise<void> {
  const [story] = storiesOf(result);
  if (story === undefined) throw new UsageError("Nothing is broken: there is no story to write as a scenario.");
  const { scenarioOfStory } = await import("../checker/index.ts");
  const scenario = scenarioOfStory(story, machine);
  if (scenario.outcome === "refused") throw new UsageError(`This story is no scenario: ${scenario.reason}`);
  writeOut(file, scenario.text);
}

function writeOut(file: string, text: string): void {
  try {
    if (file === "-") process.stdout.write(text);
    else writeFileSync(file, text);
  } catch (error) {
    throw new UsageError(`${file} cannot be written (${(error as NodeJS.ErrnoException).code ?? "error"}).`);
  }
}

/** As the catalogue says, or where it says nothing: nothing broken and nothing that had to occur missing. */
function exitCodeOf(done: readonly Done[]): number {
  if (done.some(isSurprising)) return EXIT_DIFFERS;
  const isCut = done.some(({ result }) => ["state-limit", "memory-limit", "interrupted"].includes(result.coverage));
  return isCut ? EXIT_INCOMPLETE : EXIT_DONE;
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

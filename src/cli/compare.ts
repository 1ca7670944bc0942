/**
 * `foliometer compare WHAT`: one history under many schemes, and the verdict on each.
 *
 * WHAT is a workload by name, all of them, a scenario file, or a capture (without it, with --then: the running machine).
 */
import { type Command, Option } from "commander";
import type { CostProfile, Scheme } from "../schemes/index.ts";
import type { CompareOptions, Comparison, StudyProgress } from "../study/index.ts";
import { collect, parseNames, parseThreads, parseWidth } from "./arguments.ts";
import { EXIT_DONE, EXIT_USAGE, UsageError } from "./exit-codes.ts";
import { parseSeed } from "./workloads.ts";

interface CompareCommandOptions {
  readonly set: readonly string[];
  readonly seed?: number;
  readonly schemes?: readonly string[];
  readonly against: string;
  readonly config: "page" | "nopage";
  readonly cow: NonNullable<CompareOptions["cowRule"]>;
  readonly decidedBy?: string;
  readonly costs?: string;
  readonly then: readonly string[];
  readonly witnesses: boolean;
  readonly json?: boolean;
  readonly markdown?: boolean;
  readonly html?: boolean;
  readonly width?: number;
  readonly threads?: number;
  readonly quiet?: boolean;
}

const EXAMPLES = `
Examples:
  foliometer compare zygote                                   all schemes over a workload
  foliometer compare all                                      over all workloads, a line a scheme
  foliometer compare redis-bgsave --set writes=2000 --seed 7 --schemes mm-owner,mapped-pages
  foliometer compare examples/scenarios/d_shmem_partial3.scn  over a scenario
  foliometer compare night --then "exit 1234"                 over a capture, and a step that did not happen
  foliometer compare --then "fork 1234 10; exit 1234"         over this machine now
  foliometer compare third-mm --html > third-mm.html

What --then knows: fork PID [TIMES], exit PID, unmap PID RANGE, write PID RANGE [every N]. foliometer workloads lists the workloads.`;

/** Adds the command. */
export function addCompare(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("compare")
    .description("compare schemes over one history: answers, decisions, costs, and a verdict on each")
    .argument("[what]", "a workload, all, a scenario file or a capture; with --then and without it: this machine")
    .addOption(
      new Option("--set <name=value>", "a parameter of the workload; may be given again")
        .argParser(collect)
        .default([], "its own"),
    )
    .option("--seed <n>", "another seed gives another history of the same kind (default: 1)", parseSeed)
    .option("--schemes <ids>", "schemes to compare, or all (default: all)", parseNames)
    .option("--against <id>", "the scheme that costs are compared with", "page")
    .addOption(
      new Option("--config <name>", "the kernel that decides: CONFIG_PAGE_MAPCOUNT or CONFIG_NO_PAGE_MAPCOUNT")
        .choices(["page", "nopage"])
        .default("page"),
    )
    .addOption(
      new Option("--cow <rule>", "the era's rule of copy-on-write")
        .choices(["large-reuse", "exclusive", "page-count", "mapcount"])
        .default("large-reuse"),
    )
    .option("--decided-by <scheme>", "the scheme that decides in the kernel's place")
    .option("--costs <file>", "prices as foliometer calibrate wrote them (default: those of a published machine)")
    .addOption(
      new Option("--then <steps>", "what happens to a capture; steps with ; between them; may be given again")
        .argParser(collect)
        .default([], "nothing"),
    )
    .option("--no-witnesses", "do not look for the smallest scenario that shows each finding")
    .addOption(new Option("--json", "the comparison as one JSON document").conflicts(["markdown", "html"]))
    .addOption(new Option("--markdown", "as Markdown").conflicts("html"))
    .option("--html", "as one HTML page")
    .option("--width <columns>", "columns of the output; 0: as many as needed (default: the terminal's)", parseWidth)
    .option("--threads <n>", "reader threads, for the running machine", parseThreads)
    .option("--quiet", "no progress on stderr")
    .addHelpText("after", EXAMPLES)
    .action(async (what: string | undefined, options: CompareCommandOptions) =>
      run(async () => compare(what, options)),
    );
}

async function compare(what: string | undefined, options: CompareCommandOptions): Promise<number> {
  const [{ ComparisonProgress }, study] = await Promise.all([
    import("./comparison-progress.ts"),
    studyOptionsOf(options),
  ]);
  const progress = new ComparisonProgress(process.stderr, { quiet: options.quiet === true });
  const watched = { ...study, onProgress: progress.update };
  let text: string | undefined;
  try {
    if (what === "all") text = await formatAll(await compareAll(options, watched), options);
    else {
      const comparison = await compareWhat(what, options, watched);
      text = comparison === undefined ? undefined : await format(comparison, options);
    }
  } finally {
    progress.clear();
  }
  if (text === undefined) return EXIT_USAGE;
  process.stdout.write(text);
  return EXIT_DONE;
}

/** Every workload at its default size. */
async function compareAll(options: CompareCommandOptions, study: CompareOptions): Promise<Comparison[]> {
  if (options.set.length > 0 || options.then.length > 0 || options.html === true) {
    throw new UsageError("all takes no --set, no --then and no --html: name one workload for these.");
  }
  const { WORKLOADS } = await import("../workloads/index.ts");
  const comparisons: Comparison[] = [];
  for (const { id } of WORKLOADS) comparisons.push(await compareNamed(id, options, study));
  return comparisons;
}

async function formatAll(comparisons: readonly Comparison[], options: CompareCommandOptions): Promise<string> {
  const reports = await import("../report/index.ts");
  if (options.json === true) return reports.formatComparisonsJson(comparisons);
  if (options.markdown === true) return reports.formatSummaryMarkdown(comparisons);
  const { stdout, env } = process;
  return reports.formatSummaryText(comparisons, {
    width: options.width ?? (stdout.isTTY ? stdout.columns : Infinity),
    styles: reports.chooseStyles(stdout, env),
  });
}

async function studyOptionsOf(options: CompareCommandOptions): Promise<CompareOptions> {
  const [{ schemeOf }, { SCHEMES }, { XEON_4210R }] = await Promise.all([
    import("./choose-schemes.ts"),
    import("../schemes/index.ts"),
    import("../study/index.ts"),
  ]);
  const asked = options.schemes ?? ["all"];
  const against = schemeOf(options.against);
  const schemes = asked.includes("all") ? SCHEMES : withAgainst([...new Set(asked.map(schemeOf))], against);
  const costs: CostProfile = options.costs === undefined ? XEON_4210R : await readCosts(options.costs);
  return {
    schemes,
    against,
    costs,
    config: options.config,
    cowRule: options.cow,
    ...(options.decidedBy === undefined ? {} : { decidedBy: schemeOf(options.decidedBy) }),
    witnesses: options.witnesses,
  };
}

function withAgainst(schemes: readonly Scheme[], against: Scheme): readonly Scheme[] {
  return schemes.includes(against) ? schemes : [against, ...schemes];
}

async function readCosts(path: string): Promise<CostProfile> {
  const { readCostProfile } = await import("../calibration/index.ts");
  return readCostProfile(path);
}

/** Undefined: what is wrong with the scenario has been told. */
async function compareWhat(
  what: string | undefined,
  options: CompareCommandOptions,
  study: CompareOptions & { readonly onProgress: (progress: StudyProgress) => void },
): Promise<Comparison | undefined> {
  const kind = await kindOf(what, options);
  if (kind !== "workload" && options.set.length > 0) {
    throw new UsageError("--set is for workloads: a scenario or a capture has no parameters.");
  }
  if (kind !== "workload" && options.seed !== undefined) {
    throw new UsageError("--seed is for workloads: a scenario or a capture is always the same.");
  }
  if (kind !== "capture" && options.then.length > 0) {
    throw new UsageError("--then is for captures: a workload or a scenario says itself what happens.");
  }
  if (kind === "capture") return compareCapture(what, options, study);
  return kind === "workload" ? compareNamed(what ?? "", options, study) : compareFile(what ?? "", study);
}

async function kindOf(
  what: string | undefined,
  { then }: CompareCommandOptions,
): Promise<"workload" | "scenario" | "capture"> {
  if (what === undefined) {
    if (then.length > 0) return "capture";
    throw new UsageError("It needs a workload, a scenario file or a capture; foliometer workloads lists the first.");
  }
  const [{ findWorkload }, { statSync }] = await Promise.all([import("../workloads/index.ts"), import("node:fs")]);
  if (findWorkload(what) !== undefined) return "workload";
  if (what === "-" || what.endsWith(".scn")) return "scenario";
  const found = statSync(what, { throwIfNoEntry: false });
  if (found === undefined) {
    throw new UsageError(
      `There is no workload, no file and no directory ${JSON.stringify(what)}; foliometer workloads lists the workloads.`,
    );
  }
  return found.isDirectory() ? "capture" : "scenario";
}

async function compareNamed(id: string, options: CompareCommandOptions, study: CompareOptions): Promise<Comparison> {
  const [{ compareWorkload }, { parseSettings, workloadOf }] = await Promise.all([
    import("../study/index.ts"),
    import("./workloads.ts"),
  ]);
  const workload = await workloadOf(id);
  const values = await parseSettings(workload, options.set);
  return compareWorkload(workload, { values, seed: options.seed ?? 1 }, study);
}

async function compareFile(file: string, study: CompareOptions): Promise<Comparison | undefined> {
  const [{ compareScenario }, { readScenario }] = await Promise.all([
    import("../study/index.ts"),
    import("./scenario-file.ts"),
  ]);
  const scenario = readScenario(file, "model");
  return scenario === undefined ? undefined : compareScenario(scenario, study);
}

async function compareCapture(
  directory: string | undefined,
  options: CompareCommandOptions,
  study: CompareOptions,
): Promise<Comparison> {
  const [{ openSource }, { compareHistory, openWhatIf }] = await Promise.all([
    import("./open-source.ts"),
    import("../study/index.ts"),
  ]);
  const capture = await openSource(directory, options);
  try {
    const { history, facts, processesNow, notes } = await openWhatIf(capture, options.then, study.schemes);
    return { ...(await compareHistory(history, facts, study, processesNow)), notes };
  } finally {
    await capture.close();
  }
}

async function format(comparison: Comparison, options: CompareCommandOptions): Promise<string> {
  const reports = await import("../report/index.ts");
  if (options.json === true) return reports.formatComparisonJson(comparison);
  if (options.markdown === true) return reports.formatComparisonMarkdown(comparison);
  if (options.html === true) return reports.formatComparisonHtml(comparison);
  const { stdout, env } = process;
  return reports.formatComparisonText(comparison, {
    width: options.width ?? (stdout.isTTY ? stdout.columns : Infinity),
    styles: reports.chooseStyles(stdout, env),
  });
}

/**
 * `foliometer report [DIR]`, also without its name: every process's memory now and under the other schemes.
 */
import { type Command, Option } from "commander";
import type { CaptureReport } from "../study/index.ts";
import type { ProcessSelection, SortKey } from "../report/index.ts";
import {
  parseCgroup,
  parseCount,
  parseNames,
  parsePattern,
  parsePercent,
  parsePids,
  parseThreads,
  parseWidth,
} from "./arguments.ts";
import { EXIT_DIFFERS, EXIT_DONE, EXIT_INCOMPLETE, UsageError } from "./exit-codes.ts";
import type { SourceOptions } from "./open-source.ts";

/** The same words as SORT_KEYS of report/, which is not loaded for --help; a test holds them equal. */
export const SORT_WORDS = ["pid", "user", "name", "swap", "uss", "pss", "rss", "dpss", "duss"];

/** Rows on a terminal unless --limit says otherwise. */
const ROWS_ON_TERMINAL = 20;

interface ReportOptions extends SourceOptions {
  readonly sort?: SortKey;
  readonly reverse?: boolean;
  readonly limit?: number;
  readonly user?: readonly string[];
  readonly program?: RegExp;
  readonly cgroup?: string;
  readonly pid?: readonly number[];
  readonly schemes?: readonly string[];
  readonly tolerance?: number;
  readonly json?: boolean;
  readonly ndjson?: boolean;
  readonly jsonSchema?: boolean;
  readonly width?: number;
}

const EXAMPLES = `
Examples:
  foliometer                                  this machine, now
  foliometer --sort duss --limit 10           whose Uss changes most
  foliometer --cgroup /system.slice --user postgres,redis
  foliometer report night --schemes mm-owner  a capture from disk, one scheme beside its own
  foliometer report recorded --at 12          a capture out of a recording
  foliometer report night --tolerance 5 --quiet > /dev/null || echo "differs, or incomplete"
  foliometer --ndjson | grep '"record":"process"'`;

/** Adds the command; it is the one that runs without a name. */
export function addReport(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("report", { isDefault: true })
    .description("Rss, Pss and Uss of every process as this kernel counts, and under the other schemes")
    .argument("[dir]", "a capture; without it the running machine is read")
    .option("--at <which>", "of a recording the capture with this number, or the last one begun by this time")
    .addOption(new Option("--sort <key>", "order of the processes").choices(SORT_WORDS).default("pss"))
    .option("--reverse", "turn the order")
    .option("--limit <n>", `processes shown; 0: all (default: ${ROWS_ON_TERMINAL} on a terminal)`, parseCount)
    .option("--user <names>", "only processes of these users or uids", parseNames)
    .option("--program <regex>", "only processes whose name or command line matches", parsePattern)
    .option("--cgroup <path>", "only processes of this control group and those below it", parseCgroup)
    .option("--pid <pids>", "only these processes", parsePids)
    .option("--schemes <ids>", "schemes to compare; the kernel's own is always one", parseNames)
    .option("--tolerance <percent>", "exit with 1 if a shown Pss or Uss differs by more under any scheme", parsePercent)
    .addOption(new Option("--json", "the report as one JSON document").conflicts(["ndjson", "jsonSchema"]))
    .addOption(new Option("--ndjson", "the report as JSON records, one a line").conflicts("jsonSchema"))
    .option("--json-schema", "print the JSON Schema of --json and end")
    .option("--width <columns>", "columns of the output; 0: as many as needed (default: the terminal's)", parseWidth)
    .option("--check", "compare every mapped frame with /proc/kpagecount, not a sample")
    .option("--threads <n>", "reader threads", parseThreads)
    .option("--or-sample", "where the machine cannot be read, open the sample capture")
    .option("--quiet", "no progress on stderr")
    .addHelpText("after", EXAMPLES)
    .action(async (directory: string | undefined, options: ReportOptions) =>
      run(async () => report(directory, options)),
    );
}

async function report(directory: string | undefined, options: ReportOptions): Promise<number> {
  const reports = await import("../report/index.ts");
  if (options.jsonSchema === true) {
    process.stdout.write(await reports.formatReportJsonSchema());
    return EXIT_DONE;
  }
  const result = await study(directory, options);
  checkPids(result, options.pid);
  process.stdout.write(await format(result, options));
  return judge(result, options);
}

async function study(directory: string | undefined, options: ReportOptions): Promise<CaptureReport> {
  const [{ openSource }, { chooseSchemes, schemeOf }, { reportOnCapture }] = await Promise.all([
    import("./open-source.ts"),
    import("./choose-schemes.ts"),
    import("../study/index.ts"),
  ]);
  // Before the machine is read for nothing.
  for (const id of options.schemes ?? []) schemeOf(id);
  const capture = await openSource(directory, options);
  try {
    return await reportOnCapture(capture, chooseSchemes(options.schemes, capture.machine.mapcountConfig));
  } finally {
    await capture.close();
  }
}

function checkPids({ processes }: CaptureReport, pids: readonly number[] | undefined): void {
  const known = new Set(processes.map(({ pid }) => pid));
  const unknown = pids?.find((pid) => !known.has(pid));
  if (unknown !== undefined) throw new UsageError(`There is no process ${unknown} with memory of its own.`);
}

async function format(result: CaptureReport, options: ReportOptions): Promise<string> {
  const { chooseStyles, formatReportJson, formatReportNdjson, formatReportText, selectReport } =
    await import("../report/index.ts");
  const selection = selectionOf(options);
  if (options.json === true) return formatReportJson(selectReport(result, selection));
  if (options.ndjson === true) return formatReportNdjson(selectReport(result, selection));
  const { stdout, env } = process;
  const limit = options.limit ?? (stdout.isTTY ? ROWS_ON_TERMINAL : 0);
  return formatReportText(result, {
    selection: limit === 0 ? selection : { ...selection, limit },
    width: options.width ?? (stdout.isTTY ? stdout.columns : Infinity),
    styles: chooseStyles(stdout, env),
  });
}

function selectionOf({ sort, reverse, limit, user, program, cgroup, pid }: ReportOptions): ProcessSelection {
  return {
    ...(sort === undefined ? {} : { sort }),
    ...(reverse === undefined ? {} : { reverse }),
    ...(limit === undefined || limit === 0 ? {} : { limit }),
    ...(user === undefined ? {} : { users: user }),
    ...(program === undefined ? {} : { program }),
    ...(cgroup === undefined ? {} : { cgroup }),
    ...(pid === undefined ? {} : { pids: new Set(pid) }),
  };
}

/** The exit code: a difference found is a result, however much was read; none found is one only of a complete capture. */
async function judge(result: CaptureReport, options: ReportOptions): Promise<number> {
  const [{ findGaps, largestChangePercent, selectProcesses }, { tell }] = await Promise.all([
    import("../report/index.ts"),
    import("./run-action.ts"),
  ]);
  if (options.tolerance !== undefined) {
    const { shown } = selectProcesses(result, selectionOf(options));
    if (largestChangePercent(shown, result.schemes) > options.tolerance) return EXIT_DIFFERS;
  }
  const gaps = findGaps(result.coverage, result.wholeMachine);
  for (const gap of gaps) tell(`incomplete: ${gap}`);
  return gaps.length > 0 ? EXIT_INCOMPLETE : EXIT_DONE;
}

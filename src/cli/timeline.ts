/**
 * `foliometer timeline DIR`: Rss, Pss and Uss over the time of a recording.
 */
import { type Command, Option } from "commander";
import type { Recording } from "../capture/index.ts";
import type { ProcessReport, TimelineCapture, TimelineReport } from "../study/index.ts";
import { parseCgroup, parseCount, parseNames, parsePattern, parsePids, parseThreads, parseWidth } from "./arguments.ts";
import type { ProcessChoice } from "./choose-processes.ts";
import { EXIT_DONE, EXIT_INCOMPLETE, UsageError } from "./exit-codes.ts";

interface TimelineCommandOptions extends ProcessChoice {
  readonly user?: readonly string[];
  readonly scheme?: string;
  readonly from?: string;
  readonly to?: string;
  readonly top?: number;
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly width?: number;
  readonly threads?: number;
  readonly quiet?: boolean;
}

/** Processes shown unless --top says otherwise. */
const TOP = 20;

const EXAMPLES = `
Examples:
  foliometer record -o night --interval 1m --for 8h
  foliometer timeline night                           the machine, and who moved most
  foliometer timeline night --program postgres --scheme mm-owner
  foliometer timeline night --from 100 --to "2025-11-21 08:43:12 UTC"
  foliometer timeline night --csv > night.csv         every figure of every process`;

/** Adds the command. */
export function addTimeline(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("timeline")
    .description("Rss, Pss and Uss over the time of a recording, and the processes that moved most")
    .argument("<dir>", "a recording, as `foliometer record` wrote it")
    .option("--pid <pids>", "only these processes", parsePids)
    .option("--program <regex>", "only processes whose name or command line matches", parsePattern)
    .option("--cgroup <path>", "only processes of this control group and those below it", parseCgroup)
    .option("--user <names>", "only processes of these users or uids", parseNames)
    .option("--scheme <id>", "count as under this scheme (default: as the recorded kernel does)")
    .option("--from <which>", "begin with the capture of this number or time")
    .option("--to <which>", "end with the capture of this number or time")
    .option("--top <n>", `processes at most; 0: all (default: ${TOP})`, parseCount)
    .addOption(new Option("--csv", "every figure of every process as CSV").conflicts("json"))
    .option("--json", "the answer as one JSON document")
    .option("--width <columns>", "columns of the output; 0: as many as needed (default: the terminal's)", parseWidth)
    .option("--threads <n>", "reader threads", parseThreads)
    .option("--quiet", "no progress on stderr")
    .addHelpText("after", EXAMPLES)
    .action(async (directory: string, options: TimelineCommandOptions) =>
      run(async () => timeline(directory, options)),
    );
}

async function timeline(directory: string, options: TimelineCommandOptions): Promise<number> {
  const [{ openRecording }, { studyTimeline }, { StepLine }, { schemeOf }] = await Promise.all([
    import("../capture/index.ts"),
    import("../study/index.ts"),
    import("./step-line.ts"),
    import("./choose-schemes.ts"),
  ]);
  const scheme = options.scheme === undefined ? undefined : schemeOf(options.scheme);
  const captures = await chooseCaptures(await openRecording(directory), options);
  const line = new StepLine(process.stderr, { quiet: options.quiet === true });
  let done = 0;
  let report: TimelineReport;
  try {
    report = await studyTimeline(captures, {
      schemeOf: (config) => scheme ?? schemeOf(config === "nopage" ? "nopage" : "page"),
      wanted: await matcherOf(options),
      onCapture: (number) => line.show(`Reading capture ${number}, ${++done} of ${captures.length}`),
    });
  } finally {
    line.clear();
  }
  if (report.processes.length === 0 && report.points.length > 0) {
    throw new UsageError("No process of this recording matches.");
  }
  process.stdout.write(await format(report, options));
  return judge(report);
}

/** The captures from --from to --to. */
async function chooseCaptures(
  recording: Recording,
  { from, to, threads }: Pick<TimelineCommandOptions, "from" | "to" | "threads">,
): Promise<TimelineCapture[]> {
  const { captureAt } = await import("./open-recording.ts");
  const first = from === undefined ? 0 : captureAt(recording, from).number;
  const last = to === undefined ? Infinity : captureAt(recording, to).number;
  if (first > last) throw new UsageError(`--from is capture ${first}, and --to is capture ${last} before it.`);
  return recording.captures
    .filter(({ number }) => number >= first && number <= last)
    .map((listed) => ({
      number: listed.number,
      intervalMs: "entry" in listed ? listed.entry.intervalMs : 0,
      missedIntervals: "entry" in listed ? listed.entry.missedIntervals : 0,
      open: async () => recording.openCapture(listed.number, threads === undefined ? {} : { threads }),
    }));
}

async function matcherOf({
  pid,
  program,
  cgroup,
  user,
}: TimelineCommandOptions): Promise<(process: ProcessReport) => boolean> {
  const { isInCgroup } = await import("../report/index.ts");
  const pids = pid === undefined ? undefined : new Set(pid);
  return (process) =>
    (pids === undefined || pids.has(process.pid)) &&
    (program === undefined || program.test(process.name) || program.test(process.command)) &&
    (cgroup === undefined || isInCgroup(process.cgroup, cgroup)) &&
    (user === undefined || user.includes(process.user) || user.includes(String(process.uid)));
}

async function format(report: TimelineReport, { json, csv, top, width }: TimelineCommandOptions): Promise<string> {
  const { chooseStyles, formatAnswerJson, formatTimelineCsv, formatTimelineText } = await import("../report/index.ts");
  const { stdout, env } = process;
  if (json === true) return formatAnswerJson(report);
  if (csv === true) return formatTimelineCsv(report);
  const limit = top ?? TOP;
  return formatTimelineText(report, {
    top: limit === 0 ? Infinity : limit,
    width: width ?? (stdout.isTTY ? stdout.columns : Infinity),
    styles: chooseStyles(stdout, env),
  });
}

/** Complete only if every capture could be read, and every process in them. */
async function judge({ points, unread }: TimelineReport): Promise<number> {
  const [{ formatQuantity }, { tell }] = await Promise.all([import("../report/index.ts"), import("./run-action.ts")]);
  const refused = points.reduce((most, { processesRefused }) => Math.max(most, processesRefused), 0);
  if (refused > 0) tell(`incomplete: ${formatQuantity(refused, "process", "processes")} could not be read.`);
  if (unread.length > 0) {
    tell(`incomplete: ${formatQuantity(unread.length, "capture", "captures")} could not be read.`);
  }
  return refused > 0 || unread.length > 0 || points.length === 0 ? EXIT_INCOMPLETE : EXIT_DONE;
}

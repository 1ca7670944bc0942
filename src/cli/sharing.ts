/**
 * `foliometer sharing [DIR]`: who shares how much with whom.
 */
import { type Command, Option } from "commander";
import type { EdgeFormat } from "../report/index.ts";
import type { GroupKey, SharingReport } from "../study/index.ts";
import { parseCgroup, parseCount, parsePattern, parsePids, parseThreads, parseWidth } from "./arguments.ts";
import type { ProcessChoice } from "./choose-processes.ts";
import { EXIT_DONE, EXIT_INCOMPLETE } from "./exit-codes.ts";
import type { SourceOptions } from "./open-source.ts";

/** The same words as GROUP_KEYS of study/ and EDGE_FORMATS of report/, which --help does not load; a test compares. */
export const GROUP_WORDS = ["process", "program", "cgroup", "user"];
export const EDGE_WORDS = ["tsv", "csv"];

/** Groups and pairs shown unless --top says otherwise. */
const TOP = 20;

interface SharingOptions extends SourceOptions, ProcessChoice {
  readonly by: GroupKey;
  readonly top?: number;
  readonly heat?: boolean;
  readonly edges?: EdgeFormat;
  readonly json?: boolean;
  readonly width?: number;
}

const EXAMPLES = `
Examples:
  foliometer sharing                             this machine, process by process
  foliometer sharing --by program                programs, their own processes taken together
  foliometer sharing night --by cgroup --heat    a capture, as a heat map
  foliometer sharing --pid 4711 --top 0          everyone who shares with a process
  foliometer sharing --by user --edges csv > edges.csv`;

/** Adds the command. */
export function addSharing(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("sharing")
    .description("who shares how much memory with whom: processes, programs, control groups or users")
    .argument("[dir]", "a capture; without it the running machine is read")
    .addOption(new Option("--by <what>", "what is taken together").choices(GROUP_WORDS).default("process"))
    .option("--pid <pids>", "only who shares with these processes", parsePids)
    .option("--program <regex>", "only who shares with processes whose name or command line matches", parsePattern)
    .option("--cgroup <path>", "only who shares with processes of this control group and those below it", parseCgroup)
    .option("--top <n>", `groups and pairs at most; 0: all (default: ${TOP}, all in --edges and --json)`, parseCount)
    .addOption(new Option("--heat", "a heat map").conflicts(["edges", "json"]))
    .addOption(new Option("--edges <format>", "the pairs, a line each, in bytes").choices(EDGE_WORDS).conflicts("json"))
    .option("--json", "the answer as one JSON document")
    .option("--width <columns>", "columns of the output; 0: as many as needed (default: the terminal's)", parseWidth)
    .option("--check", "compare every mapped frame with /proc/kpagecount: finds what others map who were not read")
    .option("--threads <n>", "reader threads", parseThreads)
    .option("--or-sample", "where the machine cannot be read, open the sample capture")
    .option("--quiet", "no progress on stderr")
    .addHelpText("after", EXAMPLES)
    .action(async (directory: string | undefined, options: SharingOptions) =>
      run(async () => sharing(directory, options)),
    );
}

async function sharing(directory: string | undefined, options: SharingOptions): Promise<number> {
  const [{ openSource }, { choosePids, pidsOfSpaces }, { studySharing }] = await Promise.all([
    import("./open-source.ts"),
    import("./choose-processes.ts"),
    import("../study/index.ts"),
  ]);
  const capture = await openSource(directory, options);
  let report: SharingReport;
  let pids: ReadonlySet<number> | undefined;
  try {
    const { pid, program, cgroup } = options;
    if (pid !== undefined || program !== undefined || cgroup !== undefined) {
      pids = pidsOfSpaces(capture, await choosePids(capture, options));
    }
    report = await studySharing(capture, { by: options.by });
  } finally {
    await capture.close();
  }
  process.stdout.write(await format(report, pids, options));
  return judgeScope(report);
}

async function format(
  report: SharingReport,
  pids: ReadonlySet<number> | undefined,
  { top, heat, edges, json, width }: SharingOptions,
): Promise<string> {
  const reports = await import("../report/index.ts");
  const { stdout, env } = process;
  const everything = json === true || edges !== undefined;
  const limit = top ?? (everything || heat === true ? 0 : TOP);
  const selection = {
    top: limit === 0 ? Infinity : limit,
    ...(pids === undefined ? {} : { wanted: ({ pid }: { readonly pid: number }) => pids.has(pid) }),
  };
  if (json === true) {
    const selected: SharingReport = { ...report, pairs: reports.selectSharing(report, selection).pairs };
    return reports.formatAnswerJson(selected);
  }
  if (edges !== undefined) return reports.formatSharingEdges(report, selection, edges);
  const place = {
    selection,
    width: width ?? (stdout.isTTY ? stdout.columns : Infinity),
    styles: reports.chooseStyles(stdout, env),
  };
  return heat === true ? reports.formatSharingHeat(report, place) : reports.formatSharingText(report, place);
}

/** The exit code of an answer that rests on a capture: complete or not. Tells what is missing. */
export async function judgeScope({
  coverage,
  wholeMachine,
}: Pick<SharingReport, "coverage" | "wholeMachine">): Promise<number> {
  const [{ findGaps }, { tell }] = await Promise.all([import("../report/index.ts"), import("./run-action.ts")]);
  const gaps = findGaps(coverage, wholeMachine);
  for (const gap of gaps) tell(`incomplete: ${gap}`);
  return gaps.length > 0 ? EXIT_INCOMPLETE : EXIT_DONE;
}

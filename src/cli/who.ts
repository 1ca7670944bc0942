/**
 * `foliometer who PID ADDRESS [DIR]`: who maps a page, a frame, a file or a mapping.
 *
 * On the running machine only what may hold the answer is read; where the kernel's counts show that someone is missing,
 * or a frame's number is all that is known, every page table is.
 */
import type { Command } from "commander";
import type { Capture, FoundMappings, Machine, NothingThere } from "../capture/index.ts";
import type {
  AnsweredNothing,
  FrameNobodyMaps,
  WhoFound,
  WhoNothingReport,
  WhoQuestion,
  WhoRangeReport,
  WhoReport,
  WhoSearch,
} from "../study/index.ts";
import { parseCount, parseNames, parseThreads, parseWidth } from "./arguments.ts";
import { EXIT_DONE, EXIT_INCOMPLETE, UsageError } from "./exit-codes.ts";
import type { SourceOptions } from "./open-source.ts";
import type { AskedWho, WhoWords } from "./who-question.ts";

/** Lines of mappings unless --top says otherwise. */
const TOP = 40;

interface WhoOptions extends Pick<SourceOptions, "threads" | "quiet">, WhoWords {
  readonly all?: boolean;
  readonly schemes?: readonly string[];
  readonly top?: number;
  readonly json?: boolean;
  readonly width?: number;
}

const EXAMPLES = `
Examples:
  foliometer who 4711 7f0c40021000              who else has the page that 4711 has there
  foliometer who --vma 4711 '[heap]'            who shares a process's heap
  foliometer who --file /usr/lib/libc.so.6      who has pages of a file
  foliometer who --file /var/db/data --offset 0x200000
  foliometer who --pfn 0x4a211                  who has a frame: this reads every page table
  foliometer who 4711 7f0c40021000 night        the same questions to a capture

Anonymous memory that a process moved after fork (mremap) and pages that KSM merged lie at other addresses: where
/proc/kpagecount shows that someone is missing, every page table is read.`;

/** Adds the command. */
export function addWho(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("who")
    .description("who maps a page, a frame, a file or a mapping: every process, where and how, and each scheme's view")
    .argument("[words...]", "a pid and an address; with --vma a pid and a mapping's name; then maybe a capture")
    .option("--vma", "the words are a pid and a mapping's name, as in /proc/PID/maps, or its address with 0x")
    .option("--pfn <number>", "a page frame")
    .option("--file <path>", "a file; without --offset all of its pages")
    .option("--offset <bytes>", "a place in the file")
    .option("--all", "read every page table of the running machine, whatever the counts say")
    .option("--schemes <ids>", "schemes to ask (default: all)", parseNames)
    .option("--top <n>", `lines of mappings at most; 0: all (default: ${TOP})`, parseCount)
    .option("--json", "the answer as one JSON document")
    .option("--width <columns>", "columns of the output; 0: as many as needed (default: the terminal's)", parseWidth)
    .option("--threads <n>", "reader threads", parseThreads)
    .option("--quiet", "no progress and no notes on stderr")
    .addHelpText("after", EXAMPLES)
    .action(async (words: readonly string[], options: WhoOptions) => run(async () => who(words, options)));
}

async function who(words: readonly string[], options: WhoOptions): Promise<number> {
  const [{ readWhoQuestion }, { schemeOf }] = await Promise.all([
    import("./who-question.ts"),
    import("./choose-schemes.ts"),
  ]);
  for (const id of options.schemes ?? []) schemeOf(id);
  const asked = readWhoQuestion(words, options);
  const first = await ask(asked.question, asked.directory, options);
  const isElsewhere = "nothing" in first && first.nothing.state === "not-mapped" && asked.orByName !== undefined;
  const answer =
    isElsewhere && asked.orByName !== undefined ? await ask(asked.orByName, asked.directory, options) : first;
  if ("nothing" in answer) return printNothing(answer, asked, options);
  return "range" in answer
    ? printReport(answer.range, asked, options)
    : printReport(await reportFound(answer.found, options), asked, options);
}

/** What was found, the answer about a range, or what is there instead and on which machine. */
type Answer =
  | { readonly found: FoundMappings }
  | { readonly range: WhoRangeReport }
  | {
      readonly nothing: Exclude<WhoFound, { found: unknown }>["nothing"];
      readonly machine: Machine;
      readonly frame?: FrameNobodyMaps;
    };

async function ask(question: WhoQuestion, directory: string | undefined, options: WhoOptions): Promise<Answer> {
  if (directory !== undefined) {
    if (options.all === true)
      throw new UsageError("--all is about the running machine: a capture has every page table.");
    return askDirectory(question, directory, options);
  }
  if (question.kind === "frame" || options.all === true) return askEverything(question, options);
  const { judgeCounts, readNarrowly } = await import("../capture/index.ts");
  const answer = readNarrowly(question);
  if ("nothing" in answer && answer.nothing.state !== "too-many") return answer;
  const counts = "found" in answer ? judgeCounts(answer.found) : "too-many";
  const why = REASONS_TO_READ_ALL[counts];
  if (why === undefined) return answer;
  if (options.quiet !== true) {
    const { tell } = await import("./run-action.ts");
    tell(`${why} Every page table is read.`);
  }
  return askEverything(question, options);
}

/** Why candidates are not enough, by what the counts say of them. */
const REASONS_TO_READ_ALL: Readonly<Record<string, string>> = {
  "too-many": "There is more of it than is read piece by piece.",
  "kernel-counts-more": "The kernel counts more mappings than are where they were looked for.",
  "average-agrees": "This kernel counts averages, which do not show whether someone is missing.",
  unchecked: "The kernel's counts cannot be read, so nothing shows whether someone is missing.",
};

async function askDirectory(question: WhoQuestion, directory: string, options: WhoOptions): Promise<Answer> {
  const { openDirectory } = await import("./open-source.ts");
  const capture = await openDirectory(directory, options);
  try {
    return await askCapture(capture, question, "capture");
  } finally {
    await capture.close();
  }
}

async function askCapture(
  capture: Capture,
  question: WhoQuestion,
  how: "capture" | "every-page-table",
): Promise<Answer> {
  const { machine } = capture;
  refuseFrameOutside(question, machine);
  const { findInCapture, reportRangeInCapture } = await import("../study/index.ts");
  if (question.kind === "vmas" || (question.kind === "file" && !question.folio)) {
    const range = await reportRangeInCapture(capture, question, how);
    return "nothing" in range ? { ...range, machine } : { range };
  }
  const answer = await findInCapture(capture, question, how);
  return "found" in answer ? answer : { ...answer, machine };
}

async function askEverything(question: WhoQuestion, options: WhoOptions): Promise<Answer> {
  const [{ captureNow }, { readKernelCounts }] = await Promise.all([
    import("./open-source.ts"),
    import("../capture/index.ts"),
  ]);
  // Of a folio the counts are asked for afterwards; of many frames the capture compares them all.
  const capture = await captureNow({ ...options, check: question.kind === "vmas" || question.kind === "file" });
  try {
    const answer = await askCapture(capture, question, "every-page-table");
    if ("found" in answer) {
      const kernelCounts = readKernelCounts(answer.found.intervals);
      return { found: { ...answer.found, kernelCounts } };
    }
    if (!("nothing" in answer) || question.kind !== "frame") return answer;
    const { pfn } = question;
    const kernelCount = readKernelCounts(Float64Array.of(pfn, pfn + 1))?.[0];
    return { ...answer, frame: { flags: capture.flagsOfFrame(pfn), kernelCount } };
  } finally {
    await capture.close();
  }
}

function refuseFrameOutside(question: WhoQuestion, { frameCount }: Machine): void {
  if (question.kind !== "frame" || question.pfn < frameCount) return;
  const last = `0x${(frameCount - 1).toString(16)}`;
  throw new UsageError(`There is no frame 0x${question.pfn.toString(16)}: the machine's last is ${last}.`);
}

async function reportFound(found: FoundMappings, options: WhoOptions): Promise<WhoReport | WhoRangeReport> {
  const [{ reportWho, reportWhoRange }, { SCHEMES }, { schemeOf }] = await Promise.all([
    import("../study/index.ts"),
    import("../schemes/index.ts"),
    import("./choose-schemes.ts"),
  ]);
  if (found.folio === undefined) return reportWhoRange(found);
  return reportWho(found, options.schemes === undefined ? SCHEMES : options.schemes.map(schemeOf));
}

async function printReport(
  report: WhoReport | WhoRangeReport,
  { asked }: AskedWho,
  options: WhoOptions,
): Promise<number> {
  process.stdout.write(await format(report, asked, options));
  return codeOfSearch(report.search);
}

function notMapped({ kind }: WhoQuestion, asked: string): string {
  if (kind === "file") return `Nobody who was read maps ${asked}.`;
  return kind === "vmas" ? `There is no such mapping: ${asked}.` : `Nothing is mapped at ${asked}.`;
}

/** The exit code of an answer: whether somebody may be missing in it. */
export function codeOfSearch({ counts, processesRefused }: Pick<WhoSearch, "counts" | "processesRefused">): number {
  const isIncomplete = counts === "kernel-counts-more" || (counts === "unchecked" && processesRefused > 0);
  return isIncomplete ? EXIT_INCOMPLETE : EXIT_DONE;
}

/** The exit code where no folio is: incomplete if somebody maps the frame who was not read. */
export function codeOfNothing({ state, kernelCount }: Pick<WhoNothingReport, "state" | "kernelCount">): number {
  return state === "unmapped" && (kernelCount ?? 0) > 0 ? EXIT_INCOMPLETE : EXIT_DONE;
}

async function format(
  report: WhoReport | WhoRangeReport | WhoNothingReport,
  asked: string,
  { top = TOP, json, width }: WhoOptions,
): Promise<string> {
  const reports = await import("../report/index.ts");
  if (json === true) return reports.formatAnswerJson(report);
  const { stdout, env } = process;
  const options = {
    top: top === 0 ? Infinity : top,
    width: width ?? (stdout.isTTY ? stdout.columns : Infinity),
    styles: reports.chooseStyles(stdout, env),
  };
  switch (report.schema) {
    case "foliometer-who":
      return reports.formatWhoText(report, options);
    case "foliometer-who-range":
      return reports.formatWhoRangeText(report, asked, options);
    case "foliometer-who-nothing":
      return reports.formatWhoNothingText(report, asked);
  }
}

async function printNothing(
  { nothing, machine, frame }: Extract<Answer, { nothing: unknown }>,
  { asked, question }: AskedWho,
  options: WhoOptions,
): Promise<number> {
  const answered = await refuseOrAnswer(nothing, { asked, question });
  const { reportWhoNothing } = await import("../study/index.ts");
  const report = reportWhoNothing(answered, machine, frame);
  process.stdout.write(await format(report, asked, options));
  return codeOfNothing(report);
}

/** What is no mistake of the asker is an answer; the rest is refused in one sentence. */
async function refuseOrAnswer(
  nothing: NothingThere | { readonly state: "unmapped" },
  { asked, question }: Pick<AskedWho, "asked" | "question">,
): Promise<AnsweredNothing> {
  const pid = "pid" in question ? question.pid : 0;
  switch (nothing.state) {
    case "no-process":
      throw new UsageError(`There is no process ${pid} with memory of its own.`);
    case "refused": {
      const { formatProcRefusal } = await import("../kernel/index.ts");
      throw new UsageError(formatProcRefusal(nothing.refusal));
    }
    case "ended":
      throw new UsageError(`Process ${pid} ended while it was read.`);
    case "not-mapped":
      throw new UsageError(notMapped(question, asked));
    case "too-many":
      throw new UsageError(`There are ${nothing.pages} pages at ${asked}, more than can be looked at.`);
    case "unmapped":
      return { state: "unmapped", pfn: question.kind === "frame" ? question.pfn : 0 };
    case "empty":
    case "none-present":
    case "not-present":
    case "beyond-frames":
      return nothing;
  }
}

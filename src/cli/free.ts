/**
 * `foliometer free PID... [DIR]`: what would really come free if processes ended.
 *
 * Of the words given, numbers are processes; one that is no number is a capture (`./4711` for a directory so named).
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Capture } from "../capture/index.ts";
import type { FreeRanking, FreeReport } from "../study/index.ts";
import { parseCgroup, parseCount, parsePattern, parsePid, parseThreads, parseWidth } from "./arguments.ts";
import { UsageError } from "./exit-codes.ts";
import type { SourceOptions } from "./open-source.ts";

/** Holders and ranked processes shown unless --top says otherwise. */
const TOP = 20;
/** The same as TOGETHER_MAX of study/; a test compares. */
export const BEST_MAX = 100;

interface FreeOptions extends SourceOptions {
  readonly cgroup?: string;
  readonly program?: RegExp;
  readonly each?: boolean;
  readonly best?: number;
  readonly top?: number;
  readonly json?: boolean;
  readonly width?: number;
}

/** What the words on the command line say. */
interface Words {
  readonly pids: readonly number[];
  readonly directory: string | undefined;
}

const EXAMPLES = `
Examples:
  foliometer free 4711 4712                    what these two free if they end together
  foliometer free --program '^postgres'        a whole server, and who keeps the rest
  foliometer free --cgroup /system.slice/redis.service night
  foliometer free --each                       every process, by what it alone would free
  foliometer free --best 5 night               the five that together free most, in a capture`;

/** Adds the command. */
export function addFree(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("free")
    .description("what would really come free if processes ended together, what would stay, and who keeps it")
    .argument("[pid-or-dir...]", "processes; and a capture, without which the running machine is read")
    .option("--cgroup <path>", "the processes of this control group and those below it", parseCgroup)
    .option("--program <regex>", "the processes whose name or command line matches", parsePattern)
    .addOption(new Option("--each", "rank processes by what each alone would free").conflicts("best"))
    .option("--best <n>", "the n processes that together free most, found greedily", parseBest)
    .option("--top <n>", `processes listed at most; 0: all (default: ${TOP})`, parseCount)
    .option("--json", "the answer as one JSON document")
    .option("--width <columns>", "columns of the output; 0: as many as needed (default: the terminal's)", parseWidth)
    .option("--check", "compare every mapped frame with /proc/kpagecount: finds what others map who were not read")
    .option("--threads <n>", "reader threads", parseThreads)
    .option("--or-sample", "where the machine cannot be read, open the sample capture")
    .option("--quiet", "no progress on stderr")
    .addHelpText("after", EXAMPLES)
    .action(async (words: readonly string[], options: FreeOptions) => run(async () => free(words, options)));
}

function parseBest(text: string): number {
  const count = parseCount(text);
  if (count < 1 || count > BEST_MAX) throw new InvalidArgumentError(`It needs a number from 1 to ${BEST_MAX}.`);
  return count;
}

async function free(texts: readonly string[], options: FreeOptions): Promise<number> {
  const words = sortWords(texts);
  const chooses = words.pids.length > 0 || options.cgroup !== undefined || options.program !== undefined;
  if (!chooses && options.each !== true && options.best === undefined) {
    throw new UsageError("Say which processes end: pids, --cgroup or --program; --each ranks all of them.");
  }
  const [{ openSource }, { judgeScope }] = await Promise.all([import("./open-source.ts"), import("./sharing.ts")]);
  const capture = await openSource(words.directory, options);
  let answer: FreeReport | FreeRanking;
  try {
    answer = await study(capture, words.pids, options);
  } finally {
    await capture.close();
  }
  process.stdout.write(await format(answer, options));
  return judgeScope(answer);
}

function sortWords(texts: readonly string[]): Words {
  const directories = texts.filter((text) => !/^[0-9]+$/.test(text));
  if (directories.length > 1) {
    throw new UsageError(`One capture at a time: ${directories.slice(0, 2).join(" and ")} are no pids.`);
  }
  try {
    return { pids: texts.filter((text) => /^[0-9]+$/.test(text)).map(parsePid), directory: directories[0] };
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new UsageError(error.message);
  }
}

async function study(
  capture: Capture,
  pids: readonly number[],
  { cgroup, program, each, best }: FreeOptions,
): Promise<FreeReport | FreeRanking> {
  const [{ choosePids, pidsOfSpaces }, { prepareFreeing, rankEach, rankTogether, studyFreeing }] = await Promise.all([
    import("./choose-processes.ts"),
    import("../study/index.ts"),
  ]);
  const chosen = await choosePids(capture, {
    ...(pids.length === 0 ? {} : { pid: pids }),
    ...(cgroup === undefined ? {} : { cgroup }),
    ...(program === undefined ? {} : { program }),
  });
  const freeing = await prepareFreeing(capture);
  const ranked = pidsOfSpaces(capture, chosen);
  const isChosen = ({ pid }: { readonly pid: number }): boolean => ranked.has(pid);
  if (each === true) return rankEach(freeing, isChosen);
  if (best !== undefined) return rankTogether(freeing, isChosen, best);
  return studyFreeing(freeing, chosen);
}

async function format(answer: FreeReport | FreeRanking, { top = TOP, json, width }: FreeOptions): Promise<string> {
  const { chooseStyles, formatAnswerJson, formatFreeRanking, formatFreeText } = await import("../report/index.ts");
  if (json === true) return formatAnswerJson(answer);
  const { stdout, env } = process;
  const options = {
    top: top === 0 ? Infinity : top,
    width: width ?? (stdout.isTTY ? stdout.columns : Infinity),
    styles: chooseStyles(stdout, env),
  };
  return answer.schema === "foliometer-free" ? formatFreeText(answer, options) : formatFreeRanking(answer, options);
}

/**
 * `foliometer diff A B`: what changed between two captures, between a capture and the running machine, or between one
 * capture under two schemes.
 *
 * The first capture is closed before the second is opened: what is compared is small.
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Capture } from "../capture/index.ts";
import type { DiffSortKey } from "../report/index.ts";
import type { Scheme } from "../schemes/index.ts";
import type { CaptureDiff, CaptureSide, GroupKey, MappingKey, ProcessName } from "../study/index.ts";
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
import type { ProcessChoice } from "./choose-processes.ts";
import { EXIT_DIFFERS, EXIT_DONE, EXIT_INCOMPLETE, UsageError } from "./exit-codes.ts";
import type { SourceOptions } from "./open-source.ts";
import { GROUP_WORDS } from "./sharing.ts";

/** The same words as DIFF_SORT_KEYS of report/, which --help does not load; a test compares. */
export const DIFF_SORT_WORDS = ["change", "pss", "uss", "rss", "swap", "name"];

/** The same as MAPPING_KEYS of study/. */
export const MAPPING_WORDS = ["name", "address"];

/** Rows shown unless --top says otherwise. */
const TOP = 20;
const BYTES_PER_KB = 1024;
/** Without its own word: how the running machine is called. */
const NOW = "this machine now";

interface DiffCommandOptions extends SourceOptions, ProcessChoice {
  readonly schemes?: readonly string[];
  readonly by: GroupKey;
  readonly mappings: MappingKey;
  readonly sort: DiffSortKey;
  readonly top?: number;
  readonly atLeast: number;
  readonly tolerance: number;
  readonly toleranceKb: number;
  readonly json?: boolean;
  readonly width?: number;
}

const EXAMPLES = `
Examples:
  foliometer diff before after                      two captures, process by process
  foliometer diff before                            a capture and this machine now
  foliometer diff night --schemes page,mm-owner     one capture under two schemes
  foliometer diff before after --by program --at-least 1024
  foliometer diff before after --by cgroup --tolerance 5% --tolerance-kb 4096 > /dev/null || echo "grew"
  foliometer diff before after --pid 4711 --mappings address --top 0

Exit code: 0 the same within the tolerances, 1 different, 2 wrong usage, 3 the same as far as could be read.`;

/** Adds the command. */
export function addDiff(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("diff")
    .description("what changed between two captures, or between two schemes: by process, by mapping, and in total")
    .argument("[a]", "a capture")
    .argument("[b]", "another; without it the running machine is read")
    .option("--schemes <ids>", "how to count: one for both, or A's and B's (default: the kernel's own)", parseNames)
    .addOption(new Option("--by <what>", "what is taken together").choices(GROUP_WORDS).default("process"))
    .addOption(
      new Option("--mappings <how>", "a process's mappings: those of one name together, or each")
        .choices(MAPPING_WORDS)
        .default("name"),
    )
    .option("--pid <pids>", "only these processes", parsePids)
    .option("--program <regex>", "only processes whose name or command line matches", parsePattern)
    .option("--cgroup <path>", "only processes of this control group and those below it", parseCgroup)
    .addOption(new Option("--sort <key>", "order of what changed").choices(DIFF_SORT_WORDS).default("change"))
    .option("--top <n>", `groups and mappings at most; 0: all (default: ${TOP}, all in --json)`, parseCount)
    .option("--at-least <kb>", "list only what changed by so much", parseKb, 0)
    .option("--tolerance <percent>", "changes up to this part of A's figure are no difference", parsePercent, 0)
    .option("--tolerance-kb <kb>", "changes up to this size are no difference", parseKb, 0)
    .option("--json", "the answer as one JSON document")
    .option("--width <columns>", "columns of the output; 0: as many as needed (default: the terminal's)", parseWidth)
    .option("--check", "where the running machine is read, compare every mapped frame with /proc/kpagecount")
    .option("--threads <n>", "reader threads", parseThreads)
    .option("--quiet", "no progress on stderr")
    .addHelpText("after", EXAMPLES)
    .action(async (a: string | undefined, b: string | undefined, options: DiffCommandOptions) =>
      run(async () => diff(a, b, options)),
    );
}

function parseKb(text: string): number {
  try {
    return parseCount(text);
  } catch {
    throw new InvalidArgumentError("It needs a whole number of kB.");
  }
}

async function diff(a: string | undefined, b: string | undefined, options: DiffCommandOptions): Promise<number> {
  const { schemeOf } = await import("./choose-schemes.ts");
  // Before anything is read for nothing.
  const schemes = (options.schemes ?? []).map(schemeOf);
  if (schemes.length > 2) throw new UsageError("--schemes takes one scheme for both sides, or A's and B's.");
  if (options.mappings === "address" && options.by !== "process") {
    throw new UsageError(`--mappings address is for single processes: it does not go with --by ${options.by}.`);
  }
  if (options.check === true && b !== undefined) {
    throw new UsageError("--check compares with the running kernel: it needs a side that is read now.");
  }
  const answer =
    b === undefined && schemes.length === 2 ? underTwo(a, schemes, options) : ofTwo(a, b, schemes, options);
  const result = await answer;
  process.stdout.write(await format(result, options));
  return judge(result);
}

/** One capture, or the running machine, under two schemes. */
async function underTwo(
  directory: string | undefined,
  schemes: readonly Scheme[],
  options: DiffCommandOptions,
): Promise<CaptureDiff> {
  const [one, other] = schemes;
  if (one === other) throw new UsageError(`Scheme ${one.id} does not differ from itself; --schemes takes two.`);
  const { side, source } = await readSource(directory, schemes, options);
  return compare({ side, source, scheme: one.id }, { side, source, scheme: other.id }, options);
}

/** Two captures; without the second the running machine. */
async function ofTwo(
  a: string | undefined,
  b: string | undefined,
  schemes: readonly Scheme[],
  options: DiffCommandOptions,
): Promise<CaptureDiff> {
  if (a === undefined) {
    throw new UsageError("Say what to compare: two captures, one with this machine as it is now, or two --schemes.");
  }
  const { commonScheme } = await import("../study/index.ts");
  const one = await readSource(a, schemes, options);
  const other = await readSource(b, schemes, options);
  if (one.redactedWith !== other.redactedWith) {
    throw new UsageError(
      `The names in ${one.source} and ${other.source} are not pseudonyms of one key; redact both with one --redact-key.`,
    );
  }
  if (one.side.scope.wholeMachine !== other.side.scope.wholeMachine && options.by !== "process") {
    const chosen = one.side.scope.wholeMachine ? other : one;
    throw new UsageError(
      `${chosen.source} holds chosen processes only: it compares with a whole machine process by process, not --by ${options.by}.`,
    );
  }
  const usual = commonScheme(one.side, other.side);
  const ids = schemes.map(({ id }) => id);
  return compare(
    { ...one, scheme: ids.at(0) ?? usual },
    { ...other, scheme: ids.at(1) ?? ids.at(0) ?? usual },
    options,
  );
}

/** A side as it was read, and where from. */
interface Source {
  readonly side: CaptureSide;
  readonly source: string;
  /** The key of its pseudonyms; null: it has real names. */
  readonly redactedWith: string | null;
}

async function readSource(
  directory: string | undefined,
  schemes: readonly Scheme[],
  options: DiffCommandOptions,
): Promise<Source> {
  const [{ captureNow, openDirectory }, { chooseSchemes }, { PRECISE_SCHEME, readSide }] = await Promise.all([
    import("./open-source.ts"),
    import("./choose-schemes.ts"),
    import("../study/index.ts"),
  ]);
  const read = async (capture: Capture): Promise<CaptureSide> => {
    try {
      const wanted = [...schemes.map(({ id }) => id), PRECISE_SCHEME];
      return await readSide(capture, chooseSchemes(wanted, capture.machine.mapcountConfig));
    } finally {
      await capture.close();
    }
  };
  if (directory === undefined) {
    return { side: await read(await captureNow(options)), source: NOW, redactedWith: null };
  }
  const stored = await openDirectory(directory, options);
  const redactedWith = stored.manifest.redaction?.keyId ?? null;
  return { side: await read(stored), source: directory, redactedWith };
}

type Side = Pick<Source, "side" | "source"> & { readonly scheme: string };

async function compare(a: Side, b: Side, options: DiffCommandOptions): Promise<CaptureDiff> {
  const { diffCaptures } = await import("../study/index.ts");
  const { by, mappings, tolerance, toleranceKb } = options;
  const wanted = await chooser(options);
  const result = diffCaptures({
    a,
    b,
    by,
    mappingsBy: mappings,
    tolerance: { percent: tolerance, bytes: toleranceKb * BYTES_PER_KB },
    ...(wanted === undefined ? {} : { wanted }),
  });
  if (result.groups.length === 0)
    throw new UsageError("Neither side has a process that was asked for and could be read.");
  return result;
}

/** Whether a process was asked for; undefined: all are. */
async function chooser({
  pid,
  program,
  cgroup,
}: ProcessChoice): Promise<((process: ProcessName) => boolean) | undefined> {
  if (pid === undefined && program === undefined && cgroup === undefined) return undefined;
  const { isInCgroup } = await import("../report/index.ts");
  const pids = pid === undefined ? undefined : new Set(pid);
  return (process) =>
    (pids === undefined || pids.has(process.pid)) &&
    (program === undefined || program.test(process.name) || program.test(process.command)) &&
    (cgroup === undefined || isInCgroup(process.cgroup, cgroup));
}

async function format(result: CaptureDiff, { sort, top, atLeast, json, width }: DiffCommandOptions): Promise<string> {
  const { chooseStyles, formatAnswerJson, formatDiffText, selectDiff } = await import("../report/index.ts");
  const limit = top ?? (json === true ? 0 : TOP);
  const selection = { sort, top: limit === 0 ? Infinity : limit, atLeastBytes: atLeast * BYTES_PER_KB };
  if (json === true) return formatAnswerJson(selectDiff(result, selection));
  const { stdout, env } = process;
  return formatDiffText(result, {
    selection,
    width: width ?? (stdout.isTTY ? stdout.columns : Infinity),
    styles: chooseStyles(stdout, env),
  });
}

/** A difference found is a result, however much was read; none found is one only of complete captures. */
async function judge({ a, b, differing, matching }: CaptureDiff): Promise<number> {
  const [{ findGaps }, { tell }] = await Promise.all([import("../report/index.ts"), import("./run-action.ts")]);
  if (differing > 0) return EXIT_DIFFERS;
  const sides = matching === "one-capture" ? [a] : [a, b];
  const gaps = sides.flatMap(({ source, coverage, wholeMachine }) =>
    findGaps(coverage, wholeMachine).map((gap) => `${source}: ${gap}`),
  );
  for (const gap of new Set(gaps)) tell(`incomplete: ${gap}`);
  return gaps.length > 0 ? EXIT_INCOMPLETE : EXIT_DONE;
}

/**
 * `foliometer folios [DIR]`: the large folios, whose they are, and what is wasted in them.
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Capture } from "../capture/index.ts";
import type { FolioSortKey } from "../report/index.ts";
import type { FolioOwnerKey, FoliosReport } from "../study/index.ts";
import { parseCount, parseNames, parseThreads, parseWidth } from "./arguments.ts";
import { UsageError } from "./exit-codes.ts";
import type { SourceOptions } from "./open-source.ts";

/** The same words as FOLIO_OWNER_KEYS of study/ and FOLIO_SORT_KEYS of report/, which --help does not load; a test compares. */
export const OWNER_WORDS = ["process", "program"];
export const FOLIO_SORT_WORDS = ["kb", "folios", "shared", "unmapped"];

/** Owners and folios of a list unless --top says otherwise. */
const TOP = 20;
/** MiB of memory read by --contents unless it says otherwise, and at most: 64 GiB, of which the frames are a list. */
const CONTENTS_MIB = 256;
const CONTENTS_MIB_MAX = 2 ** 16;

interface FoliosOptions extends SourceOptions {
  readonly by: FolioOwnerKey;
  readonly sort: FolioSortKey;
  readonly schemes?: readonly string[];
  readonly contents?: number | true;
  readonly top?: number;
  readonly json?: boolean;
  readonly width?: number;
}

const EXAMPLES = `
Examples:
  foliometer folios                             large folios of this machine, and whose they are
  foliometer folios night --by program --sort unmapped
  foliometer folios --schemes page,mm-owner     who would notice the partially mapped ones
  foliometer folios --contents 1024             read up to 1 GiB of them: how much is zeros?

--contents reads the memory of running processes through /proc/PID/mem, which marks what it reads as accessed. It reads
whole folios, of each order the same share, evenly spread, and no more than the limit; nothing but the number of pages of
zeros is kept. In the report of a capture from disk there are no contents.`;

/** Adds the command. */
export function addFolios(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("folios")
    .description("large folios by order, kind and owner: partially mapped ones, contiguous PTEs, pages of zeros")
    .argument("[dir]", "a capture; without it the running machine is read")
    .addOption(new Option("--by <what>", "what owners are").choices(OWNER_WORDS).default("process"))
    .addOption(new Option("--sort <key>", "order of the owners").choices(FOLIO_SORT_WORDS).default("kb"))
    .option("--schemes <ids>", "schemes to ask; the kernel's own is always one", parseNames)
    .option(
      "--contents [mib]",
      `look for pages of zeros in the running processes' memory (default: ${CONTENTS_MIB} MiB)`,
      parseMib,
    )
    .option("--top <n>", `owners and folios of a list at most; 0: all (default: ${TOP}; --json has all)`, parseCount)
    .option("--json", "the answer as one JSON document")
    .option("--width <columns>", "columns of the output; 0: as many as needed (default: the terminal's)", parseWidth)
    .option("--check", "compare every mapped frame with /proc/kpagecount, not a sample")
    .option("--threads <n>", "reader threads", parseThreads)
    .option("--or-sample", "where the machine cannot be read, open the sample capture")
    .option("--quiet", "no progress on stderr")
    .addHelpText("after", EXAMPLES)
    .action(async (directory: string | undefined, options: FoliosOptions) =>
      run(async () => folios(directory, options)),
    );
}

function parseMib(text: string): number {
  const mib = parseCount(text);
  if (mib < 1 || mib > CONTENTS_MIB_MAX) throw new InvalidArgumentError(`It needs MiB from 1 to ${CONTENTS_MIB_MAX}.`);
  return mib;
}

async function folios(directory: string | undefined, options: FoliosOptions): Promise<number> {
  if (options.contents !== undefined && (directory !== undefined || options.orSample === true)) {
    throw new UsageError("--contents reads running processes: a capture from disk has none.");
  }
  const [{ openSource }, { judgeScope }, { schemeOf }] = await Promise.all([
    import("./open-source.ts"),
    import("./sharing.ts"),
    import("./choose-schemes.ts"),
  ]);
  for (const id of options.schemes ?? []) schemeOf(id);
  const capture = await openSource(directory, options);
  let report: FoliosReport;
  try {
    report = await study(capture, options);
  } finally {
    await capture.close();
  }
  process.stdout.write(await format(report, options));
  return judgeScope(report);
}

async function study(capture: Capture, { by, schemes, contents }: FoliosOptions): Promise<FoliosReport> {
  const [{ findFolioOwners, reportLargeFolios, studyUnderused }, { chooseSchemes }] = await Promise.all([
    import("../study/index.ts"),
    import("./choose-schemes.ts"),
  ]);
  const owners = await findFolioOwners(capture);
  const mib = contents === true ? CONTENTS_MIB : contents;
  const underused = mib === undefined ? null : await studyUnderused(capture, owners, mib * 2 ** 20);
  const chosen = chooseSchemes(schemes, capture.machine.mapcountConfig);
  return reportLargeFolios(capture, owners, { by, schemes: chosen, underused });
}

async function format(report: FoliosReport, { sort, top = TOP, json, width }: FoliosOptions): Promise<string> {
  const reports = await import("../report/index.ts");
  if (json === true) {
    const sorted: FoliosReport = { ...report, owners: reports.sortFolioOwners(report.owners, sort) };
    return reports.formatAnswerJson(sorted);
  }
  const { stdout, env } = process;
  return reports.formatFoliosText(report, {
    sort,
    top: top === 0 ? Infinity : top,
    width: width ?? (stdout.isTTY ? stdout.columns : Infinity),
    styles: reports.chooseStyles(stdout, env),
  });
}

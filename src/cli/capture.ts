/**
 * `foliometer capture -o DIR`: records who maps which folio, to be studied later or elsewhere.
 */
import { existsSync } from "node:fs";
import type { Command } from "commander";
import type { Agreement, FrozenProcesses, ProcessFilter, WrittenCapture } from "../capture/index.ts";
import type { FrameCheck } from "../report/index.ts";
import { parseCgroup, parsePids, parseThreads } from "./arguments.ts";
import { refuseEmptyChoice } from "./choose-processes.ts";
import { EXIT_DONE, EXIT_INCOMPLETE, UsageError } from "./exit-codes.ts";

interface CaptureOptions {
  readonly output: string;
  readonly pid?: readonly number[];
  readonly cgroup?: string;
  readonly freeze?: boolean;
  readonly check?: boolean;
  readonly withSmaps?: boolean;
  readonly redact?: boolean;
  readonly redactKey?: string;
  readonly threads?: number;
  readonly quiet?: boolean;
}

const EXAMPLES = `
Examples:
  foliometer capture -o night
  foliometer capture -o night --check --with-smaps
  foliometer capture -o one --pid 4711,4712 --freeze
  foliometer capture -o db --cgroup /system.slice/postgresql.service --freeze
  foliometer capture -o to-share --redact

A choice of processes (--pid, --cgroup) is compared with /proc/kpagecount frame by frame, so that what others map of
the same folios is known as a count. --freeze stops the chosen processes while they are read (the kernel's freezer for
a control group, else SIGSTOP), never this program or those that wait for it, and lets them run again in any case.`;

/** Adds the command. */
export function addCapture(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("capture")
    .description("record page tables and folios of the running machine into a directory")
    .requiredOption("-o, --output <dir>", "a directory to be made; one that holds anything is refused")
    .option("--pid <pids>", "only these processes", parsePids)
    .option("--cgroup <path>", "only processes of this control group and those below it", parseCgroup)
    .option("--freeze", "stop the chosen processes while they are read")
    .option("--check", "compare every mapped frame with /proc/kpagecount, not a sample")
    .option("--with-smaps", "also record smaps of every process, for `foliometer smaps PID DIR`")
    .option("--redact", "pseudonyms for frame numbers, commands, names and paths")
    .option("--redact-key <text>", "captures redacted with one key can be compared; implies --redact")
    .option("--threads <n>", "reader threads", parseThreads)
    .option("--quiet", "no progress on stderr, no summary")
    .addHelpText("after", EXAMPLES)
    .action(async (options: CaptureOptions) => run(async () => takeCapture(options)));
}

async function takeCapture(options: CaptureOptions): Promise<number> {
  checkChoice(options);
  const [{ writeCapture }, { readVersion }, { ProgressLine }, { tell }] = await Promise.all([
    import("../capture/index.ts"),
    import("./package-files.ts"),
    import("./progress-line.ts"),
    import("./run-action.ts"),
  ]);
  const choice = await chooseProcesses(options);
  const progress = new ProgressLine(process.stderr, { quiet: options.quiet === true });
  const isRedacted = options.redact === true || options.redactKey !== undefined;
  let written: WrittenCapture;
  try {
    written = await writeCapture(options.output, {
      createdBy: `foliometer ${readVersion()}`,
      checkEveryFrame: options.check === true,
      withSmaps: options.withSmaps === true,
      onProgress: progress.update,
      ...(choice.select === undefined ? {} : { select: choice.select }),
      ...(choice.pids === undefined ? {} : { pids: choice.pids }),
      ...(options.threads === undefined ? {} : { threads: options.threads }),
      ...(isRedacted ? { redact: options.redactKey === undefined ? {} : { key: options.redactKey } } : {}),
    });
  } finally {
    choice.frozen?.thaw();
    progress.clear();
  }
  await written.capture.close();
  for (const pid of choice.frozen?.stillRunning ?? []) tell(`process ${pid} did not come to a stop in time.`);
  if (options.quiet !== true) process.stdout.write(await summarize(written, choice.frozen));
  const gaps = await gapsOf(written);
  for (const gap of gaps) tell(`incomplete: ${gap}`);
  return gaps.length > 0 ? EXIT_INCOMPLETE : EXIT_DONE;
}

function checkChoice({ pid, cgroup, freeze }: CaptureOptions): void {
  if (freeze === true && pid === undefined && cgroup === undefined) {
    throw new UsageError("--freeze would stop the whole machine: choose processes with --pid or --cgroup.");
  }
  const gone = pid?.find((each) => !existsSync(`/proc/${each}`));
  if (gone !== undefined) throw new UsageError(`There is no process ${gone}.`);
}

interface Choice {
  /** undefined: all processes. */
  readonly select?: ProcessFilter;
  /** Nobody else needs to be looked at. */
  readonly pids?: readonly number[];
  readonly frozen?: FrozenProcesses;
}

/** Who is captured; with --freeze, they stand still when this returns, and those chosen are exactly those. */
async function chooseProcesses({ pid, cgroup, freeze }: CaptureOptions): Promise<Choice> {
  if (pid === undefined && cgroup === undefined) return {};
  await refuseEmptyChoice({ ...(pid === undefined ? {} : { pid }), ...(cgroup === undefined ? {} : { cgroup }) });
  const { isInCgroup } = await import("../report/index.ts");
  const pids = pid === undefined ? undefined : new Set(pid);
  const wanted = (candidate: { readonly pid: number; readonly cgroup: string }): boolean =>
    (pids === undefined || pids.has(candidate.pid)) && (cgroup === undefined || isInCgroup(candidate.cgroup, cgroup));
  if (freeze !== true) return { select: wanted, ...(pid === undefined ? {} : { pids: pid }) };
  const { findPids, freezeCgroup, freezeProcesses, lineage } = await import("../capture/index.ts");
  const own = pids === undefined ? lineage() : new Set<number>();
  const chosen = findPids(wanted).filter((each) => !own.has(each));
  if (chosen.length === 0) throw new UsageError("No process is chosen by --pid and --cgroup.");
  const byFreezer = cgroup === undefined ? undefined : await freezeCgroup(cgroup, chosen);
  const frozen = byFreezer ?? (await freezeProcesses(chosen));
  const exactly = new Set(chosen);
  return { pids: chosen, select: (candidate) => exactly.has(candidate.pid), frozen };
}

async function gapsOf({ capture }: WrittenCapture): Promise<string[]> {
  const { findGaps } = await import("../report/index.ts");
  const processesRefused = capture.processes.filter(({ state }) => state === "refused").length;
  return findGaps({ ...checkOf(capture.agreement), processesRefused }, capture.wholeMachine);
}

function checkOf(agreement: Agreement): FrameCheck {
  return {
    framesChecked: agreement.framesChecked,
    everyFrameChecked: agreement.everyFrame,
    framesDifferAfterSecondLook: agreement.differAfter,
    framesCountedMoreByKernel: agreement.kernelCountsMore,
    checkRefusal: agreement.refusal,
  };
}

async function summarize(
  { directory, manifest, bytes, capture }: WrittenCapture,
  frozen?: FrozenProcesses,
): Promise<string> {
  const { describeFrames, escapeControls, formatCount, formatDuration, formatQuantity, formatSize } =
    await import("../report/index.ts");
  const { processes, vmas, cost, agreement, notes } = capture;
  const count = (state: string): number => processes.filter((each) => each.state === state).length;
  const runs = manifest.files.reduce((all, file) => all + (file.table === "mappings" ? file.rows : 0), 0);
  const read = count("complete") + count("shares-mm");
  const lines = [
    `${directory}: ${formatQuantity(read, "process", "processes")}, ${formatQuantity(vmas.length, "VMA", "VMAs")}, ` +
      `${formatCount(cost.entriesPresent)} page-table entries in ${formatQuantity(runs, "run", "runs")}; ` +
      `${formatSize(bytes)} on disk, ${formatDuration(cost.elapsedMs)}.`,
    `${formatCount(count("refused"))} refused, ${formatCount(count("ended"))} ended meanwhile` +
      `${frozen === undefined ? "" : `, frozen by ${frozen.by === "cgroup" ? "the kernel's freezer" : "signals"}`}.`,
    describeFrames(checkOf(agreement), capture.wholeMachine),
    ...(manifest.redaction === null ? [] : [`Redacted; key id ${manifest.redaction.keyId}.`]),
    ...notes.map((note) => `Note: ${note}`),
  ];
  return lines.map((line) => `${escapeControls(line)}\n`).join("");
}

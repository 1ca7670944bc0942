/**
 * `foliometer record -o DIR [-- COMMAND]`: captures at equal distances, each but a few as its difference to the one before.
 */
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { type Command, Option } from "commander";
import type { RecordedReading, Recorder, RecordingEnd, TakenCapture } from "../capture/index.ts";
import type { RecordSummary } from "../report/index.ts";
import { parseCgroup, parseDuration, parsePids, parseSize, parseThreads } from "./arguments.ts";
import { EXIT_DONE, EXIT_INCOMPLETE, UsageError, codeOfError } from "./exit-codes.ts";
import type { RunningCommand } from "./recorded-command.ts";

interface RecordOptions {
  readonly output: string;
  readonly interval: number;
  readonly count?: number;
  readonly for?: number;
  readonly append?: boolean;
  readonly pid?: readonly number[];
  readonly cgroup?: string;
  readonly only?: boolean;
  readonly check?: boolean;
  readonly threads?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const INTERVAL_MS = 5000;

const EXAMPLES = `
Examples:
  foliometer record -o night                          every 5 seconds until Ctrl-C
  foliometer record -o night --interval 1m --for 12h
  foliometer record -o build --interval 1s -- make -j8
  foliometer record -o one --only -- ./server 8080
  foliometer timeline night                           Rss, Pss and Uss over that time
  foliometer report night --at 12                     one capture out of it

An interval that is due while the capture before is still being taken is left out and counted. The recording can be read
up to its last complete capture, however it ended. With COMMAND it ends when the command does; the exit code is then the
command's (128 and the signal's number if a signal ended it), and what is said here goes to stderr. Without it, Ctrl-C
is the way to end a recording that has neither --count nor --for, and the exit code is 0 (3 if processes were refused).
--only finds descendants by their parents: one that is born and loses its parent between two captures is missed.`;

/** Adds the command. */
export function addRecord(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("record")
    .description("captures over time into one directory, each small: only what changed")
    .argument("[command...]", "behind --: a command to run; the recording ends with it")
    .requiredOption("-o, --output <dir>", "a directory to be made; one that holds anything is refused")
    .addOption(
      new Option("--interval <time>", "from one capture to the next")
        .default(INTERVAL_MS, "5s")
        .argParser(parseDuration),
    )
    .option("--count <n>", "captures at most", parseSize)
    .option("--for <time>", "end after this time", parseDuration)
    .option("--append", "go on with the recording that is there")
    .option("--pid <pids>", "only these processes; the recording ends when they have", parsePids)
    .option("--cgroup <path>", "only processes of this control group and those below it", parseCgroup)
    .option("--only", "only the command and its descendants")
    .option("--check", "compare every mapped frame with /proc/kpagecount, not a sample")
    .option("--threads <n>", "reader threads", parseThreads)
    .option("--json", "what was recorded as one JSON document, at the end")
    .option("--quiet", "no progress on stderr, no summary")
    .addHelpText("after", EXAMPLES)
    .action(async (command: string[], options: RecordOptions) => run(async () => record(command, options)));
}

async function record(command: readonly string[], options: RecordOptions): Promise<number> {
  checkChoice(command, options);
  // A command may be the one that fills a control group.
  if (command.length === 0) await (await import("./choose-processes.ts")).refuseEmptyChoice(options);
  const [{ openRecorder }, { readVersion }] = await Promise.all([
    import("../capture/index.ts"),
    import("./package-files.ts"),
  ]);
  const createdBy = `foliometer ${readVersion()}`;
  const recorder = await openRecorder(options.output, { createdBy, append: options.append === true });
  const { startCommand } = await import("./recorded-command.ts");
  const running =
    command.length === 0
      ? undefined
      : await startCommand(command).catch((error: unknown) => {
          recorder.discard();
          throw error;
        });
  const began = performance.now();
  const { taken, end, signal, failure } = await recordUntilTheEnd(recorder, running, options);
  if (failure !== undefined && codeOfError(failure) === undefined) throw failure;
  if (taken.length === 0) recorder.discard();
  const commandCode = await running?.ended;
  // Where nothing could be recorded there is nothing to sum up, and the sentence below says why.
  if (failure === undefined || taken.length > 0) {
    await print(running !== undefined, options, {
      schema: "foliometer-record",
      version: 1,
      directory: options.output,
      intervalMs: options.interval,
      elapsedMs: performance.now() - began,
      ended: failure === undefined ? end : "failed",
      exitCode: commandCode ?? null,
      captures: taken.map(({ entry: { difference: _, format: __, formatVersion: ___, ...entry }, ...rest }) => ({
        ...entry,
        ...rest,
      })),
    });
  }
  if (failure !== undefined) await tellLater(failure.message);
  const isEndless = options.count === undefined && options.for === undefined;
  const ownCode = signal === undefined || isEndless ? codeOf(taken, failure) : 128 + constants.signals[signal];
  return commandCode === undefined || (commandCode === 0 && failure !== undefined) ? ownCode : commandCode;
}

function checkChoice(command: readonly string[], { pid, cgroup, only }: RecordOptions): void {
  if (only === true && command.length === 0) throw new UsageError("--only needs a command behind --.");
  if (only === true && (pid !== undefined || cgroup !== undefined)) {
    throw new UsageError("--only chooses the command's processes: it excludes --pid and --cgroup.");
  }
  const gone = pid?.find((each) => !existsSync(`/proc/${each}`));
  if (gone !== undefined) throw new UsageError(`There is no process ${gone}.`);
}

interface Recorded {
  readonly taken: readonly TakenCapture[];
  readonly end: RecordingEnd;
  /** The signal that ended the recording. */
  readonly signal: NodeJS.Signals | undefined;
  /** What went wrong after the recording had begun. */
  readonly failure: Error | undefined;
}

/** Records until one of the reasons to end; an error is handed back, because the command may still run. */
async function recordUntilTheEnd(
  recorder: Recorder,
  running: RunningCommand | undefined,
  options: RecordOptions,
): Promise<Recorded> {
  const [{ recordEvery }, { takeSignals }, { StepLine }, { describeTaken }] = await Promise.all([
    import("../capture/index.ts"),
    import("./run-action.ts"),
    import("./step-line.ts"),
    import("../report/index.ts"),
  ]);
  const [stop, abort] = [new AbortController(), new AbortController()];
  let signal: NodeJS.Signals | undefined;
  takeSignals((got) => {
    // Whoever asks twice does not want to wait.
    if (signal !== undefined) process.exit(128 + constants.signals[got]);
    signal = got;
    running?.signal(got);
    abort.abort();
  });
  running?.ended.then(
    () => stop.abort(),
    () => undefined,
  );
  const taken: TakenCapture[] = [];
  // A command has the terminal for itself.
  const line = new StepLine(process.stderr, { quiet: options.quiet === true || running !== undefined });
  try {
    const end = await recordEvery(recorder, {
      intervalMs: options.interval,
      ...(options.count === undefined ? {} : { count: options.count }),
      ...(options.for === undefined ? {} : { forMs: options.for }),
      reading: await readingOf(running, options),
      onTaken(each) {
        taken.push(each);
        line.show(describeTaken(each, taken.length));
      },
      stop: stop.signal,
      abort: abort.signal,
    });
    return { taken, end, signal, failure: undefined };
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error));
    return { taken, end: "stopped", signal, failure };
  } finally {
    line.clear();
  }
}

/** What each capture reads. */
async function readingOf(
  running: RunningCommand | undefined,
  { pid, cgroup, only, check, threads }: RecordOptions,
): Promise<() => RecordedReading | undefined> {
  const [{ Descendants }, { isInCgroup }] = await Promise.all([
    import("../capture/index.ts"),
    import("../report/index.ts"),
  ]);
  const always = { checkEveryFrame: check === true, ...(threads === undefined ? {} : { threads }) };
  if (only === true && running !== undefined) {
    const descendants = new Descendants(running.pid);
    return () => {
      const pids = descendants.pids();
      return pids.length === 0 ? undefined : { ...always, pids };
    };
  }
  const inGroup =
    cgroup === undefined
      ? {}
      : { select: (candidate: { readonly cgroup: string }) => isInCgroup(candidate.cgroup, cgroup) };
  if (pid === undefined) return () => ({ ...always, ...inGroup });
  return () => {
    const pids = pid.filter((each) => existsSync(`/proc/${each}`));
    return pids.length === 0 ? undefined : { ...always, ...inGroup, pids };
  };
}

async function print(
  hasCommand: boolean,
  { json, quiet }: Pick<RecordOptions, "json" | "quiet">,
  summary: RecordSummary,
): Promise<void> {
  const { formatAnswerJson, formatRecordSummary } = await import("../report/index.ts");
  if (json === true) process.stdout.write(formatAnswerJson(summary));
  else if (quiet !== true) (hasCommand ? process.stderr : process.stdout).write(formatRecordSummary(summary));
}

async function tellLater(sentence: string): Promise<void> {
  (await import("./run-action.ts")).tell(sentence);
}

function codeOf(taken: readonly TakenCapture[], failure: Error | undefined): number {
  // Once there is a capture, what was said on the command line was not wrong: what was recorded is incomplete.
  if (failure !== undefined) return taken.length > 0 ? EXIT_INCOMPLETE : (codeOfError(failure) ?? EXIT_INCOMPLETE);
  const incomplete = taken.some(({ entry }) => entry.processesRefused > 0);
  return incomplete ? EXIT_INCOMPLETE : EXIT_DONE;
}

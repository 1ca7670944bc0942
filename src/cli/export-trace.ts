/**
 * `foliometer export --format perfetto`: one trace of a capture, of several, or of a recording from beginning to end.
 *
 * Captures of a recording go into the trace one after the other, so that only the trace grows. Several directories may be
 * given in any order, so their figures are kept until all are known.
 */
import type { Capture } from "../capture/index.ts";
import type { TracedCapture } from "../report/index.ts";
import type { HistoryChoice } from "../study/index.ts";
import { EXIT_DONE, EXIT_INCOMPLETE, UsageError } from "./exit-codes.ts";
import { type ExportSource, type SourceWish, judgeReport, withSource } from "./export-source.ts";
import type { SourceOptions } from "./open-source.ts";

/** What the command line says of a trace. */
export interface TraceOptions extends SourceOptions, SourceWish {
  readonly output: string;
  readonly history: HistoryChoice;
}

/** Writes the trace; the worst exit code of its captures. Throws UsageError for captures of different boots. */
export async function exportTrace(directories: readonly string[], options: TraceOptions): Promise<number> {
  const [{ PerfettoTrace }, { writeResult }] = await Promise.all([
    import("../report/index.ts"),
    import("./export-output.ts"),
  ]);
  let code: number = EXIT_DONE;
  let schemes: readonly string[] = [];
  let bootId: string | undefined;
  let trace: InstanceType<typeof PerfettoTrace> | undefined;
  const kept: TracedCapture[] = [];
  const take = async (source: ExportSource): Promise<void> => {
    const { report, capture } = source;
    bootId ??= report.machine.bootId;
    if (bootId !== report.machine.bootId) {
      throw new UsageError("A trace has one clock: these captures are of different boots or machines.");
    }
    schemes = source.schemes.map(({ id }) => id);
    code = Math.max(code, await judgeReport(report));
    const traced = { report, uptimeSeconds: capture.machine.uptimeSeconds };
    if (directories.length > 1) kept.push(traced);
    else (trace ??= new PerfettoTrace({ schemes, history: options.history })).add(traced);
  };
  const missing = await forEachCapture(directories, options, async (open) => withSource(open, options, take));
  trace ??= new PerfettoTrace({ schemes, history: options.history });
  for (const traced of kept.toSorted((a, b) => a.uptimeSeconds - b.uptimeSeconds)) trace.add(traced);
  await writeResult(options.output, trace.finish());
  return missing > 0 ? EXIT_INCOMPLETE : code;
}

/** Calls `body` for every capture that the directories hold; how many could not be read. */
async function forEachCapture(
  directories: readonly string[],
  options: TraceOptions,
  body: (open: () => Promise<Capture>) => Promise<void>,
): Promise<number> {
  const [{ openSource }, { isRecording, openRecording }, { tell }] = await Promise.all([
    import("./open-source.ts"),
    import("../capture/index.ts"),
    import("./run-action.ts"),
  ]);
  let missing = 0;
  for (const directory of directories.length === 0 ? [undefined] : directories) {
    if (directory === undefined || !(await isRecording(directory))) {
      await body(async () => openSource(directory, options));
      continue;
    }
    const recording = await openRecording(directory);
    if (recording.captures.length === 0) throw new UsageError(`The recording ${directory} has no capture yet.`);
    for (const listed of recording.captures) {
      if ("error" in listed) {
        missing++;
        tell(`incomplete: capture ${listed.number} is left out: ${listed.error.message}`);
        continue;
      }
      const { threads } = options;
      await body(async () => recording.openCapture(listed.number, threads === undefined ? {} : { threads }));
    }
  }
  return missing;
}

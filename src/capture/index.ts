/**
 * The door of the capture: the running machine, and capture files.
 *
 * What reads and writes files brings Parquet and validation with it, a tenth of a second at start. A report on the
 * running machine needs neither, so those functions load their code when called.
 */
import type { OpenCaptureOptions, StoredCapture } from "./open-capture.ts";
import type { ColumnSource } from "./parquet-table.ts";
import type { RecordLoopOptions, RecordingEnd } from "./record-loop.ts";
import type { Recorder, RecorderOptions } from "./recorder.ts";
import type { Recording } from "./recording.ts";
import type { RedactOptions } from "./redact.ts";
import type { TableSchema } from "./table-schema.ts";
import type { WriteCaptureOptions, WrittenCapture } from "./write-capture.ts";

export { BadCapture, type BadCaptureCode, CannotWriteCapture } from "./bad-capture.ts";
export type {
  Agreement,
  Capture,
  CapturedProcess,
  FrameFlags,
  Machine,
  ProcessState,
  ReadingCost,
  ThpSizeSettings,
} from "./capture.ts";
export { Descendants } from "./descendants.ts";
export { CannotFreeze, type FrozenProcesses, findPids, freezeCgroup, freezeProcesses, lineage } from "./freeze.ts";
export type { IncrementalCapture, ReadingNow, WaitingProcess } from "./incremental-capture.ts";
export { IncrementalReader, type RefreshOptions } from "./incremental-reader.ts";
export { CannotCapture, type LiveCapture, type LiveCaptureOptions, captureLive } from "./live-capture.ts";
export { pageInFile } from "./candidate-places.ts";
export type { FolioAround } from "./folio-around.ts";
export {
  type CountVerdict,
  type FoundMappings,
  type MappingSearch,
  countFound,
  findFolioInCapture,
  folioInCapture,
  judgeCounts,
  observedSharing,
  placesOf,
} from "./found-mappings.ts";
export { readKernelCounts } from "./kpage-files.ts";
export { readMachine } from "./machine.ts";
export {
  type FileIdentity,
  type NarrowAnswer,
  type NarrowQuestion,
  type NothingThere,
  isVmaOfFile,
  readNarrowly,
} from "./narrow-read.ts";
export type { OpenCaptureOptions, StoredCapture } from "./open-capture.ts";
export { type ZeroPages, readZeroPages } from "./page-contents.ts";
export type { PresentRuns, PresentRunsChoice } from "./present-runs.ts";
export type { SwappedRuns } from "./swapped-runs.ts";
export type { CaptureProgress } from "./progress.ts";
export type { RecordLoopOptions, RecordingEnd } from "./record-loop.ts";
export type { RecordedReading, Recorder, TakenCapture } from "./recorder.ts";
export type { ListedCapture, Recording } from "./recording.ts";
export type { RecordedEntry } from "./recording-entry.ts";
export type { RedactOptions } from "./redact.ts";
export type { ProcessFilter } from "./roster.ts";
export { RUN_FILE } from "./run-blocks.ts";
export {
  ATTRIBUTES,
  ATTRIBUTE_EXCLUSIVE,
  ATTRIBUTE_FILE,
  ATTRIBUTE_PMD,
  ATTRIBUTE_PMD_HEAD,
  type Histograms,
} from "./run-passes.ts";
export {
  ENTRY_EXCLUSIVE,
  ENTRY_FILE,
  ENTRY_LEVEL_SHIFT,
  ENTRY_PRESENT,
  ENTRY_SOFT_DIRTY,
  ENTRY_UFFD_WP,
  type PageSelection,
  type SelectedRun,
  intervalsOf,
} from "./selected-runs.ts";
export { readSmapsFacts, readSmapsRollup } from "./smaps-facts.ts";
export type { ColumnSource } from "./parquet-table.ts";
export type { TableSchema } from "./table-schema.ts";
export type { WriteCaptureOptions, WrittenCapture } from "./write-capture.ts";

/**
 * Captures the running machine into a new directory. The directory appears when it is complete or not at all.
 * Throws CannotCapture where the machine cannot be read, BadCapture where the directory cannot be had.
 * @example const { capture } = await writeCapture("night", { createdBy: "example 1.0" }); await capture.close();
 */
export async function writeCapture(directory: string, options: WriteCaptureOptions): Promise<WrittenCapture> {
  return (await import("./write-capture.ts")).writeCapture(directory, options);
}

/**
 * Opens a capture directory. Throws BadCapture, with a sentence that says what is wrong with it.
 * @example const capture = await openCapture("night"); console.log(capture.processes.length); await capture.close();
 */
export async function openCapture(directory: string, options: OpenCaptureOptions = {}): Promise<StoredCapture> {
  return (await import("./open-capture.ts")).openCapture(directory, options);
}

/** Copies a capture with frame numbers, names and paths replaced by pseudonyms; figures stay as they are. */
export async function redactCapture(from: string, to: string, options: RedactOptions): Promise<void> {
  await (await import("./redact.ts")).redactCapture(from, to, options);
}

/** Writes one Parquet file, which must not exist yet, row group by row group; see parquet-table.ts. */
export async function writeParquet(
  path: string,
  schema: TableSchema,
  rows: number,
  columns: Readonly<Record<string, ColumnSource>>,
): Promise<void> {
  (await import("./parquet-table.ts")).writeTable(path, schema, rows, columns);
}

/**
 * Begins a recording in a directory, or goes on with the one that is there (`append`). Throws CannotWriteCapture.
 * @example await recordEvery(await openRecorder("night", { createdBy: "example 1.0", append: false }), options);
 */
export async function openRecorder(directory: string, options: RecorderOptions): Promise<Recorder> {
  const recorder = await import("./recorder.ts");
  return new recorder.Recorder(directory, options);
}

/** Captures at equal distances; see record-loop.ts. */
export async function recordEvery(recorder: Recorder, options: RecordLoopOptions): Promise<RecordingEnd> {
  return (await import("./record-loop.ts")).recordEvery(recorder, options);
}

/**
 * Opens a recording. Throws BadCapture if the directory is none.
 * @example const capture = await (await openRecording("night")).openCapture(12); await capture.close();
 */
export async function openRecording(directory: string): Promise<Recording> {
  return (await import("./recording.ts")).openRecording(directory);
}

/** Whether a directory says that it is a recording. */
export async function isRecording(directory: string): Promise<boolean> {
  return (await import("./recording-entry.ts")).isRecording(directory);
}

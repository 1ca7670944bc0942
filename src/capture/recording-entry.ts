/**
 * The files that say what a recording and each of its captures are. Both are JSON, and checked before they are believed.
 *
 *     night/recording.json            format "foliometer-recording", version 1; written first
 *     night/000000/entry.json         a key: the directory is a whole capture (manifest.json and tables)
 *     night/000001/entry.json         a difference to the capture before: `difference` holds the manifest of the capture
 *     night/000001/steps.parquet      that it makes; what is copied, table by table
 *     night/000001/new-vmas.parquet   and the rows that are new
 *     night/.000002.partial-4711-...  being written, or left by a recorder that was killed; never read
 *
 * A directory gets its name when everything in it is complete, so what has a name can be read. Invariant: the tables that
 * a difference makes have the rows, and its mappings the SHA-256, that the manifest in its entry says.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { quoteUntrusted } from "../kernel/index.ts";
import { BadCapture } from "./bad-capture.ts";
import { type Manifest, ManifestSchema, checkFileList, describeTables, readSmallFile } from "./manifest.ts";
import { RECORDED_TABLES } from "./recording-table.ts";
import type { TableSchema } from "./table-schema.ts";

export const RECORDING_FORMAT = "foliometer-recording";
export const RECORDING_NAME = "recording.json";
export const ENTRY_NAME = "entry.json";
export const STEPS_NAME = "steps.parquet";
const ENTRY_FORMAT = "foliometer-recording-entry";
const VERSION = 1;

/** Captures of one recording: their directories are named by six digits. */
export const CAPTURES_MAX = 1_000_000;
const NAME_OF_CAPTURE = /^[0-9]{6}$/;

/** What each step of a difference copies and inserts; `table` counts RECORDED_TABLES. */
export const STEPS_TABLE: TableSchema = {
  name: "steps",
  columns: ["table", "copy_from", "copy_rows", "insert_rows"].map((name) => ({ name, type: "int32", nullable: false })),
};

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const EntrySchema = z.object({
  format: z.literal(ENTRY_FORMAT),
  formatVersion: z.literal(VERSION),
  number: count.max(CAPTURES_MAX - 1),
  /** When the capture was to begin, and when it began and ended; milliseconds since 1970. */
  dueAtMs: count,
  beganAtMs: count,
  endedAtMs: count,
  /** Between this capture's beginning and the next one's, as asked for. */
  intervalMs: count,
  /** Captures left out just before this one, because the one before took longer than an interval. */
  missedIntervals: count,
  processesRead: count,
  processesRefused: count,
  processesEnded: count,
  difference: z
    .object({
      /** The capture that it copies from: always the one before. */
      base: count.max(CAPTURES_MAX - 1),
      capture: ManifestSchema.omit({ tables: true }),
      files: z
        .array(
          z.object({
            name: z.string().regex(/^(?:steps|new-[a-z]{1,20})\.parquet$/),
            bytes: count,
            rows: count,
            sha256: z.string().regex(/^[0-9a-f]{64}$/),
          }),
        )
        .max(1 + RECORDED_TABLES.length),
    })
    .nullable(),
});

/** What is known of a capture of a recording without reading it. `difference` null: a key, a whole capture. */
export type RecordedEntry = z.infer<typeof EntrySchema>;
export type EntryDifference = NonNullable<RecordedEntry["difference"]>;
export type DifferenceFile = EntryDifference["files"][number];

const RecordingSchema = z.object({
  format: z.literal(RECORDING_FORMAT),
  formatVersion: z.literal(VERSION),
  createdBy: z.string(),
});

/** The directory of a capture within its recording. */
export function captureDirectory(recording: string, number: number): string {
  return join(recording, String(number).padStart(6, "0"));
}

/** The name of the file with a table's new rows. */
export function newRowsName({ name }: TableSchema): string {
  return `new-${name}.parquet`;
}

/** Text of recording.json. */
export function formatRecording(createdBy: string): string {
  return formatJson({ format: RECORDING_FORMAT, formatVersion: VERSION, createdBy });
}

/** An entry, and the text of entry.json, without what does not belong in it. */
export function formatEntry(fields: Omit<RecordedEntry, "format" | "formatVersion">): {
  readonly entry: RecordedEntry;
  readonly text: string;
} {
  const entry = EntrySchema.parse({ format: ENTRY_FORMAT, formatVersion: VERSION, ...fields });
  return { entry, text: formatJson(entry) };
}

function formatJson(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** Whether a directory is a recording; says nothing of what is in it. */
export function isRecording(directory: string): boolean {
  return existsSync(join(directory, RECORDING_NAME));
}

/** Checks recording.json; throws BadCapture. */
export function checkRecording(directory: string): void {
  const path = join(directory, RECORDING_NAME);
  if (!existsSync(path)) throw new BadCapture("not-a-recording", directory, `has no ${RECORDING_NAME}`);
  parse(path, RECORDING_FORMAT, RecordingSchema);
}

/** Numbers of the captures in a recording, ascending. */
export function listCaptures(directory: string): number[] {
  return readdirSync(directory)
    .filter((name) => NAME_OF_CAPTURE.test(name))
    .map(Number)
    .toSorted((a, b) => a - b);
}

/** Reads a capture's entry; throws BadCapture. */
export function readEntry(recording: string, number: number): RecordedEntry {
  const path = join(captureDirectory(recording, number), ENTRY_NAME);
  const entry = parse(path, ENTRY_FORMAT, EntrySchema);
  if (entry.number !== number) throw new BadCapture("damaged", path, `says that it is capture ${entry.number}`);
  const { difference } = entry;
  if (difference === null) return entry;
  if (difference.base !== number - 1) throw new BadCapture("damaged", path, "is not the difference to the one before");
  checkFileList(difference.capture, path);
  const names = new Set(difference.files.map(({ name }) => name));
  if (names.size !== difference.files.length) throw new BadCapture("damaged", path, "lists a file twice");
  if (!names.has(STEPS_NAME)) throw new BadCapture("damaged", path, `does not list ${STEPS_NAME}`);
  return entry;
}

/** The manifest of the capture that a difference makes. */
export function manifestOf({ capture }: EntryDifference): Manifest {
  return { ...capture, tables: describeTables() };
}

function parse<T>(path: string, format: string, schema: z.ZodType<T>): T {
  let written: unknown;
  try {
    written = JSON.parse(readSmallFile(path));
  } catch (error) {
    if (error instanceof BadCapture) throw error;
    throw new BadCapture("damaged", path, "is not JSON");
  }
  const fields = (typeof written === "object" && written !== null ? written : {}) as Readonly<Record<string, unknown>>;
  if (fields.format !== format) throw new BadCapture("damaged", path, `does not have the format "${format}"`);
  if (typeof fields.formatVersion === "number" && fields.formatVersion > VERSION) {
    throw new BadCapture("newer-version", path, `has format version ${fields.formatVersion}, and this reader knows 1`);
  }
  const parsed = schema.safeParse(written);
  if (parsed.success) return parsed.data;
  const where = quoteUntrusted(parsed.error.issues[0].path.map(String).join("."));
  throw new BadCapture("damaged", path, `is not what was written at ${where}`);
}

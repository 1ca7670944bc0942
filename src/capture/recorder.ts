/**
 * Writes a recording: captures one after the other, each as a key or as the difference to the one before.
 *
 * A capture is taken as any other (write-capture.ts), its runs are put in order (recording-runs.ts), and it is compared
 * with the tables of the one before, which stay in memory. It gets its name when it is complete, so a recorder may be
 * killed at any time. A key comes first, after KEY_EVERY captures, and whenever a difference would not be much smaller:
 * a capture is read by way of at most KEY_EVERY - 1 others, and damage does not spread behind the next key.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CannotWriteCapture } from "./bad-capture.ts";
import { MANIFEST_NAME, type Manifest, formatManifest, readManifest } from "./manifest.ts";
import { PartialDirectory } from "./partial-directory.ts";
import {
  CAPTURES_MAX,
  ENTRY_NAME,
  RECORDING_NAME,
  type RecordedEntry,
  captureDirectory,
  checkRecording,
  formatEntry,
  formatRecording,
  isRecording,
  listCaptures,
} from "./recording-entry.ts";
import { compareTables, findTooLarge, readWholeCapture, tableOf, writeDifference } from "./recording-files.ts";
import { writeRuns } from "./recording-runs.ts";
import { type RecordedTables, type RecordedTable, sourcesOf, toAbsolute } from "./recording-table.ts";
import { MACHINE_TABLE, MAPPINGS_TABLE, PROCESSES_TABLE } from "./table-schema.ts";
import { type WriteCaptureOptions, writeCapture } from "./write-capture.ts";

/** Captures from one key to the next at most. */
export const KEY_EVERY = 60;
/** A difference with a larger part of the rows new is not worth it. */
const NEW_ROWS_MOST = 0.5;
/** The whole capture, before it becomes an entry. */
const TAKEN_NAME = "taken";

/** When a capture of a recording was to be taken; see RecordedEntry. */
export type RecordedWhen = Pick<RecordedEntry, "dueAtMs" | "intervalMs" | "missedIntervals">;

/** What to read for a capture of a recording. */
export type RecordedReading = Pick<
  WriteCaptureOptions,
  "pids" | "select" | "checkEveryFrame" | "threads" | "onProgress" | "signal"
>;

/** A capture that now is part of a recording. */
export interface TakenCapture {
  readonly entry: RecordedEntry;
  readonly isKey: boolean;
  /** Size of its files. */
  readonly bytes: number;
  /** Rows of all its tables, and how many of them are new; in a key all. */
  readonly rows: number;
  readonly newRows: number;
}

export interface RecorderOptions {
  /** Program and version. */
  readonly createdBy: string;
  /** Whether a recording that is there is gone on with. */
  readonly append: boolean;
  /** Captures from one key to the next at most; KEY_EVERY if absent. */
  readonly keyEvery?: number;
}

/** Writes one recording. */
export class Recorder {
  readonly directory: string;
  private readonly createdBy: string;
  private readonly keyEvery: number;
  private readonly beganHere: "directory" | "file" | "neither";
  private next: number;
  private sinceKey = 0;
  private previous: RecordedTables | undefined;

  /**
   * Begins a recording in a directory that does not exist or is empty; with `append` also goes on with one that is there.
   * Throws CannotWriteCapture; BadCapture where what is there is a recording that cannot be believed.
   */
  constructor(directory: string, options: RecorderOptions) {
    this.directory = directory;
    this.createdBy = options.createdBy;
    this.keyEvery = options.keyEvery ?? KEY_EVERY;
    this.beganHere = preparePlace(directory, options);
    removeLeftovers(directory);
    this.next = (listCaptures(directory).at(-1) ?? -1) + 1;
  }

  /** Captures the machine. Throws what writeCapture throws; the recording then is what it was before. */
  async take(when: RecordedWhen, reading: RecordedReading): Promise<TakenCapture> {
    return this.add(when, async (directory) => {
      const { capture } = await writeCapture(directory, { createdBy: this.createdBy, ...reading });
      await capture.close();
    });
  }

  /** Adds the capture that `write` writes into a directory of the name given to it. */
  async add(when: RecordedWhen, write: (directory: string) => Promise<void> | void): Promise<TakenCapture> {
    const number = this.next;
    if (number >= CAPTURES_MAX) throw new CannotWriteCapture(`A recording has ${CAPTURES_MAX} captures at most.`);
    const place = captureDirectory(this.directory, number);
    const partial = new PartialDirectory(place, { force: false, lastFile: ENTRY_NAME });
    try {
      await write(join(partial.path, TAKEN_NAME));
      const taken = await this.enter(partial.path, { number, ...when });
      partial.complete();
      this.next++;
      return taken;
    } catch (error) {
      partial.remove();
      // The tables in memory may be those of a capture that is not there: the next one is a key.
      this.previous = undefined;
      throw asRefusal(error, place);
    }
  }

  /** Leaves the place as it was found, if nothing was recorded. */
  discard(): void {
    if (this.next > 0 || this.beganHere === "neither") return;
    rmSync(join(this.directory, RECORDING_NAME), { force: true });
    // Who put something else there meanwhile, or removed it, is not stood in the way of.
    const isEmpty = existsSync(this.directory) && readdirSync(this.directory).length === 0;
    if (this.beganHere === "directory" && isEmpty) rmdirSync(this.directory);
  }

  /** Turns the capture in `taken` into an entry. */
  private async enter(path: string, when: RecordedWhen & { readonly number: number }): Promise<TakenCapture> {
    const taken = join(path, TAKEN_NAME);
    const manifest = readManifest(taken);
    const tooLarge = findTooLarge(manifest);
    if (tooLarge !== undefined) throw new CannotWriteCapture(`Cannot record a capture with ${tooLarge}.`);
    const tables = await readWholeCapture(taken, manifest);
    const runs = writeRuns(toAbsolute(tableOf(tables, MAPPINGS_TABLE)), path);
    const files = [...manifest.files.filter(({ table }) => table !== MAPPINGS_TABLE.name), runs];
    const inOrder: Manifest = { ...manifest, files };
    const rows = files.reduce((sum, file) => sum + file.rows, 0);
    const due = this.previous === undefined || this.sinceKey >= this.keyEvery;
    const differences = this.previous === undefined || due ? undefined : compareTables(this.previous, tables);
    const newRows = differences?.reduce((sum, { inserted }) => sum + inserted.rows, 0) ?? rows;
    const isKey = differences === undefined || newRows > rows * NEW_ROWS_MOST;
    let difference: RecordedEntry["difference"] = null;
    if (isKey) moveWhole(taken, path, inOrder);
    else {
      rmSync(join(path, runs.name));
      difference = { base: when.number - 1, capture: inOrder, files: writeDifference(path, differences) };
    }
    rmSync(taken, { recursive: true });
    const { entry, text } = formatEntry({ ...when, ...summaryOf(tables), difference });
    writeFileSync(join(path, ENTRY_NAME), text, { flag: "wx", mode: 0o600 });
    this.previous = tables;
    this.sinceKey = isKey ? 1 : this.sinceKey + 1;
    return { entry, isKey, bytes: sizeOf(path), rows, newRows: isKey ? rows : newRows };
  }
}

/** Throws unless the directory may become, or go on being, a recording; makes it one, and says what was made for it. */
function preparePlace(directory: string, { createdBy, append }: RecorderOptions): "directory" | "file" | "neither" {
  const isThere = existsSync(directory);
  if (isThere && !statSync(directory).isDirectory()) {
    throw new CannotWriteCapture(`Cannot record into ${directory}: a file of that name is in the way.`);
  }
  if (isThere && isRecording(directory)) {
    checkRecording(directory);
    if (append) return "neither";
    throw new CannotWriteCapture(
      `Cannot record into ${directory}: it holds a recording already; give another name, or --append to it.`,
    );
  }
  if (isThere && readdirSync(directory).length > 0) {
    throw new CannotWriteCapture(`Cannot record into ${directory}: it holds files that are no recording.`);
  }
  try {
    if (!isThere) mkdirSync(directory, { mode: 0o700 });
    writeFileSync(join(directory, RECORDING_NAME), formatRecording(createdBy), { flag: "wx", mode: 0o600 });
    return isThere ? "file" : "directory";
  } catch (error) {
    throw new CannotWriteCapture(`Cannot record into ${directory} (${(error as NodeJS.ErrnoException).code}).`);
  }
}

/** What recorders that were killed have left of a capture; those of one that still runs are not touched. */
function removeLeftovers(directory: string): void {
  for (const name of readdirSync(directory)) {
    const pid = /^\.[0-9]{6}\.partial-(?<pid>[0-9]+)-[0-9a-f]{6}$/.exec(name)?.groups?.pid;
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    rmSync(join(directory, name), { recursive: true, force: true });
  }
}

/** A disk that is full is the world's refusal, and not a bug. */
function asRefusal(error: unknown, place: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (!(error instanceof Error) || typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) return error;
  return new CannotWriteCapture(`Cannot write ${place} (${code}); the captures before it are complete.`);
}

/** A key: the tables as they were written, and the runs in order, which lie in the new place already. */
function moveWhole(taken: string, path: string, manifest: Manifest): void {
  for (const { name, table } of manifest.files) {
    if (table !== MAPPINGS_TABLE.name) renameSync(join(taken, name), join(path, name));
  }
  writeFileSync(join(path, MANIFEST_NAME), formatManifest(manifest), { flag: "wx", mode: 0o600 });
}

/** What an entry repeats of its capture, so that a list of captures need not read them. */
function summaryOf(
  tables: RecordedTables,
): Pick<RecordedEntry, "beganAtMs" | "endedAtMs" | "processesRead" | "processesRefused" | "processesEnded"> {
  const machine = sourcesOf(tableOf(tables, MACHINE_TABLE));
  const states = statesOf(tableOf(tables, PROCESSES_TABLE));
  const count = (wanted: string): number => states.filter((state) => state === wanted).length;
  return {
    beganAtMs: Number(machine["began_at_ms"](0)),
    endedAtMs: Number(machine["ended_at_ms"](0)),
    processesRead: count("complete") + count("shares-mm"),
    processesRefused: count("refused"),
    processesEnded: count("ended"),
  };
}

function statesOf(processes: RecordedTable): unknown[] {
  const source = sourcesOf(processes)["state"];
  return Array.from({ length: processes.rows }, (_, row) => source(row));
}

function sizeOf(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

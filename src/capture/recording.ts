/**
 * Reads a recording: lists its captures and opens any of them as the capture that was taken then.
 *
 * A key is a capture's directory and is opened where it lies. Any other capture is made again, from its key by way of the
 * differences between: its tables in memory, its runs copied into a file in a temporary directory (run-pieces.ts), where
 * reader threads take them like those of any capture. Going forward, each difference is applied once. What cannot be read is an entry with its
 * error, and so are those that build on it, up to the next key; nothing before it is lost.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BadCapture } from "./bad-capture.ts";
import { readManifest } from "./manifest.ts";
import { type OpenCaptureOptions, type StoredCapture, openCapture, openStoredFiles } from "./open-capture.ts";
import {
  type RecordedEntry,
  captureDirectory,
  checkRecording,
  listCaptures,
  manifestOf,
  readEntry,
} from "./recording-entry.ts";
import { type ReplayedCapture, findTooLarge, readDifference, readKey, storedFilesOf } from "./recording-files.ts";
import { checkStoredFile } from "./stored-files.ts";

/** A capture of a recording: what is known of it, or why it cannot be read. */
export type ListedCapture =
  | { readonly number: number; readonly entry: RecordedEntry }
  | { readonly number: number; readonly error: BadCapture };

/** A recording that was opened. */
export interface Recording {
  readonly directory: string;
  /** All captures, ascending by number. */
  readonly captures: readonly ListedCapture[];
  /**
   * Opens a capture by its number; the caller closes it. Throws BadCapture. Fastest in ascending order. O(captures since
   * the last key, or since the last one opened).
   */
  openCapture(number: number, options?: OpenCaptureOptions): Promise<StoredCapture>;
}

/** Opens a recording. Throws BadCapture if the directory is none; a capture in it that is damaged is listed as such. */
export function openRecording(directory: string): Recording {
  checkRecording(directory);
  const captures = listCaptures(directory).map((number): ListedCapture => {
    try {
      return { number, entry: readEntry(directory, number) };
    } catch (error) {
      if (!(error instanceof BadCapture)) throw error;
      return { number, error };
    }
  });
  const replay = new Replay(directory, new Map(captures.map((capture) => [capture.number, capture])));
  return { directory, captures, openCapture: async (number, options = {}) => replay.open(number, options) };
}

/** A capture that was made again from its key. */
interface Reached {
  readonly number: number;
  readonly capture: ReplayedCapture;
}

/** One capture after the other. */
class Replay {
  private readonly directory: string;
  private readonly captures: ReadonlyMap<number, ListedCapture>;
  private reached: Reached | undefined;

  constructor(directory: string, captures: ReadonlyMap<number, ListedCapture>) {
    this.directory = directory;
    this.captures = captures;
  }

  async open(number: number, options: OpenCaptureOptions): Promise<StoredCapture> {
    const { difference } = this.entryOf(number);
    const place = captureDirectory(this.directory, number);
    if (difference === null) return openCapture(place, options);
    const replayed = await this.goTo(number);
    const made = temporaryDirectory();
    try {
      const files = storedFilesOf(replayed, manifestOf(difference), { directory: made.path, place });
      // The readers hold the file open: it may be removed.
      return await openStoredFiles(place, files, options);
    } finally {
      made.remove();
    }
  }

  /** Goes on to a capture: from the one gone to before, or from its key. */
  private async goTo(number: number): Promise<ReplayedCapture> {
    let from = number;
    while (from !== this.reached?.number && this.entryOf(from).difference !== null) from--;
    let reached = this.reached?.number === from ? this.reached : await this.beginAtKey(from);
    while (reached.number < number) {
      const next = reached.number + 1;
      const { difference } = this.entryOf(next);
      if (difference === null) throw new Error("there is a key on the way to a capture");
      reached = { number: next, capture: await readDifference(this.directory, next, difference, reached.capture) };
      this.reached = reached;
    }
    return reached.capture;
  }

  private async beginAtKey(number: number): Promise<Reached> {
    const key = captureDirectory(this.directory, number);
    const manifest = readManifest(key);
    const tooLarge = findTooLarge(manifest);
    if (tooLarge !== undefined) throw new BadCapture("damaged", key, `claims ${tooLarge}`);
    for (const file of manifest.files) checkStoredFile(key, file);
    return { number, capture: await readKey(key, manifest) };
  }

  /** The entry of a capture; throws BadCapture where there is none. */
  private entryOf(number: number): RecordedEntry {
    const listed = this.captures.get(number);
    if (listed === undefined) throw new BadCapture("damaged", this.directory, `lacks capture ${number}`);
    if ("error" in listed) throw listed.error;
    return listed.entry;
  }
}

/** A directory that is gone when `remove` is called or the process exits. */
function temporaryDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "foliometer-"));
  const remove = (): void => {
    process.off("exit", remove);
    rmSync(path, { recursive: true, force: true });
  };
  process.once("exit", remove);
  return { path, remove };
}

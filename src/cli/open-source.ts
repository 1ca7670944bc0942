/**
 * Where a command's capture comes from: the running machine, a directory, or the sample that comes with the package.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Capture, LiveCapture, StoredCapture } from "../capture/index.ts";
import { UsageError } from "./exit-codes.ts";
import { sampleCapture } from "./package-files.ts";
import { ProgressLine } from "./progress-line.ts";
import { tell } from "./run-action.ts";

/** Options that commands with a capture share. */
export interface SourceOptions {
  readonly threads?: number;
  readonly check?: boolean;
  readonly quiet?: boolean;
  readonly orSample?: boolean;
  /** Which capture, if the directory is a recording. */
  readonly at?: string;
}

/** Opens the capture that a command works on; the caller closes it. */
export async function openSource(directory: string | undefined, options: SourceOptions): Promise<Capture> {
  if (directory !== undefined) {
    if (options.check === true) throw new UsageError("--check compares with the running kernel: it needs no DIR.");
    return openDirectory(directory, options);
  }
  if (options.at !== undefined) throw new UsageError("--at chooses a capture of a recording: it needs its DIR.");
  try {
    return await captureNow(options);
  } catch (error) {
    if (options.orSample !== true || !(error instanceof Error) || error.name !== "CannotCapture") throw error;
    tell(`${error.message} This is the sample capture.`);
    return openDirectory(sampleCapture(), options);
  }
}

/** A stored capture: a directory of its own, or one out of a recording (`at`, or DIR@N). */
export async function openDirectory(
  directory: string,
  { threads, at }: Pick<SourceOptions, "threads" | "at">,
): Promise<StoredCapture> {
  const [{ openCapture }, { openRecorded, refuseWholeRecording, splitRecordingName }] = await Promise.all([
    import("../capture/index.ts"),
    import("./open-recording.ts"),
  ]);
  const options = threads === undefined ? {} : { threads };
  const named = at === undefined ? splitRecordingName(directory) : { directory, which: at };
  if (named !== undefined) return openRecorded(named.directory, named.which, options);
  await refuseWholeRecording(directory);
  return openCapture(directory, options);
}

/** The running machine. What its runs spill to disk is gone when it is closed, or when the process exits. */
export async function captureNow(options: SourceOptions): Promise<LiveCapture> {
  const { captureLive } = await import("../capture/index.ts");
  const spill = createSpillDirectory();
  const progress = new ProgressLine(process.stderr, { quiet: options.quiet === true });
  try {
    const capture = await captureLive({
      mappingsPath: (thread) => join(spill.path, `mappings-${thread}`),
      keepMappings: false,
      checkEveryFrame: options.check === true,
      onProgress: progress.update,
      ...(options.threads === undefined ? {} : { threads: options.threads }),
    });
    return {
      ...capture,
      async close() {
        await capture.close();
        spill.remove();
      },
    };
  } catch (error) {
    spill.remove();
    throw error;
  } finally {
    progress.clear();
  }
}

function createSpillDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "foliometer-"));
  const remove = (): void => {
    process.off("exit", remove);
    rmSync(path, { recursive: true, force: true });
  };
  process.once("exit", remove);
  return { path, remove };
}

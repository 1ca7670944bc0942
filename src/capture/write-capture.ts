/**
 * Takes a capture of the machine into a directory.
 *
 * The reader threads write the runs while they read; the tables follow, then the manifest, then the rename that makes it
 * a capture (partial-directory.ts). The capture in memory is handed back, so that a report need not read it again.
 */
import { join } from "node:path";
import { type LiveCapture, type LiveCaptureOptions, captureLive } from "./live-capture.ts";
import type { Manifest } from "./manifest.ts";
import { partName } from "./mapping-part.ts";
import { PartialDirectory } from "./partial-directory.ts";
import { SmapsColumns } from "./smaps-columns.ts";
import { collectSmaps } from "./smaps-facts.ts";

/** What to capture, and how to write it. */
export interface WriteCaptureOptions extends Omit<LiveCaptureOptions, "mappingsPath" | "keepMappings"> {
  /** Program and version, for the manifest. */
  readonly createdBy: string;
  /** Replace a capture that is there already. Other files are never replaced. */
  readonly force?: boolean;
  /** Also read smaps of every process, after the page tables; costs more than the capture itself. */
  readonly withSmaps?: boolean;
  /** Replace frame numbers, command lines, names and paths by pseudonyms; nothing else reaches the directory's place. */
  readonly redact?: { readonly key?: string };
}

/** A capture that lies in its directory. */
export interface WrittenCapture {
  readonly directory: string;
  readonly manifest: Manifest;
  /** Size of all files. */
  readonly bytes: number;
  /** The capture itself, not redacted. Close it when done. */
  readonly capture: LiveCapture;
}

/** Captures the machine into `directory`, which appears when it is complete. */
export async function writeCapture(directory: string, options: WriteCaptureOptions): Promise<WrittenCapture> {
  const { createdBy, force = false, withSmaps = false, redact, ...reading } = options;
  const partial = new PartialDirectory(directory, { force });
  let redacted: PartialDirectory | undefined;
  let capture: LiveCapture | undefined;
  try {
    const capturing = captureLive({
      ...reading,
      keepMappings: true,
      mappingsPath: (thread) => join(partial.path, partName(thread)),
    });
    const writer = loadWriter();
    capture = await capturing;
    const { factsOf, finishParts, writeFacts, redactInto } = await writer;
    const smaps = withSmaps ? collectSmaps(capture) : new SmapsColumns(0);
    options.signal?.throwIfAborted();
    const parts = finishParts(partial.path, await capture.finishMappings());
    const { wholeMachine, notes, agreement, cost } = capture;
    let manifest = writeFacts(partial.path, factsOf(capture, smaps), parts, {
      createdBy,
      wholeMachine,
      withSmaps,
      notes: [...notes],
      agreement,
      cost,
      redaction: null,
    });
    options.signal?.throwIfAborted();
    if (redact !== undefined) {
      redacted = new PartialDirectory(directory, { force });
      manifest = await redactInto(partial.path, redacted.path, redact);
      partial.remove();
    }
    (redacted ?? partial).complete();
    return { directory, manifest, bytes: manifest.files.reduce((sum, { bytes }) => sum + bytes, 0), capture };
  } catch (error) {
    partial.remove();
    redacted?.remove();
    await capture?.close();
    throw error;
  }
}

/** Parquet and validation are loaded while page tables are read: most of that is waiting for the other readers. */
async function loadWriter() {
  const [{ factsOf }, { finishParts, writeFacts }, { redactInto }] = await Promise.all([
    import("./capture-facts.ts"),
    import("./capture-files.ts"),
    import("./redact.ts"),
  ]);
  return { factsOf, finishParts, writeFacts, redactInto };
}

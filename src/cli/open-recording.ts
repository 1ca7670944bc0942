/**
 * A capture out of a recording, as the command line names it: `night@12`, or `report night --at 12`.
 *
 * N counts from 0 on, or with a minus back from the last one; a time, as the timeline prints it or as ISO 8601, is the
 * last capture that had begun by then, or within that second where it names no part of one.
 */
import { existsSync } from "node:fs";
import type { ListedCapture, OpenCaptureOptions, Recording, StoredCapture } from "../capture/index.ts";
import { UsageError } from "./exit-codes.ts";

/** Directory and capture of `DIR@WHICH`; undefined if the text is no such name. A directory of that name goes first. */
export function splitRecordingName(text: string): { readonly directory: string; readonly which: string } | undefined {
  const at = text.lastIndexOf("@");
  if (at <= 0 || existsSync(text)) return undefined;
  const [directory, which] = [text.slice(0, at), text.slice(at + 1)];
  return which !== "" && existsSync(directory) ? { directory, which } : undefined;
}

const FRACTION_OF_SECOND = /:[0-9]{2}[.,][0-9]/;

/** Opens one capture of a recording. Throws UsageError where it does not have that one. */
export async function openRecorded(
  directory: string,
  which: string,
  options: OpenCaptureOptions,
): Promise<StoredCapture> {
  const { openRecording } = await import("../capture/index.ts");
  const recording = await openRecording(directory);
  return recording.openCapture(captureAt(recording, which).number, options);
}

/** The capture that a text means. */
export function captureAt(
  { captures, directory }: Pick<Recording, "captures" | "directory">,
  which: string,
): ListedCapture {
  const first = captures.at(0);
  const last = captures.at(-1);
  if (first === undefined || last === undefined) throw new UsageError(noCapture(directory));
  const known = `it has ${first.number} to ${last.number}`;
  if (/^-?[0-9]{1,7}$/.test(which)) {
    const number = Number(which);
    const found = number < 0 ? captures.at(number) : captures.find((capture) => capture.number === number);
    if (found === undefined) throw new UsageError(`The recording ${directory} has no capture ${which}; ${known}.`);
    return found;
  }
  const time = Date.parse(which);
  if (Number.isNaN(time)) {
    throw new UsageError(`${which} is neither the number of a capture nor a time such as 2025-11-21T08:43.`);
  }
  // Times are printed in seconds: one that was copied is meant to lead to the capture it was printed of.
  const until = FRACTION_OF_SECOND.test(which) ? time : time + 999;
  const found = captures.findLast((capture) => "entry" in capture && capture.entry.beganAtMs <= until);
  if (found === undefined)
    throw new UsageError(`No capture of the recording ${directory} had begun by ${which}; ${known}.`);
  return found;
}

function noCapture(directory: string): string {
  return `The recording ${directory} has no capture yet.`;
}

/** Throws UsageError for a recording where one capture is wanted, and says how to name one. */
export async function refuseWholeRecording(directory: string): Promise<void> {
  const { isRecording, openRecording } = await import("../capture/index.ts");
  if (!(await isRecording(directory))) return;
  const { captures } = await openRecording(directory);
  const last = captures.at(-1);
  if (last === undefined) throw new UsageError(noCapture(directory));
  throw new UsageError(
    `${directory} is a recording of ${captures.length} ${captures.length === 1 ? "capture" : "captures"}: ` +
      `name one, such as ${directory}@${last.number}, or see "foliometer timeline ${directory}".`,
  );
}

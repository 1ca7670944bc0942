/**
 * What a recorder has to say: a line while it records, and a summary at the end.
 */
import type { Answer } from "./answer-json.ts";
import { escapeControls } from "./display-text.ts";
import { formatCount, formatDuration, formatQuantity, formatShare, formatSize, formatTime } from "./format-number.ts";

/** A capture of a recording, as it was taken. Times in milliseconds since 1970, sizes in bytes. */
export interface RecordedCapture {
  readonly number: number;
  readonly isKey: boolean;
  readonly bytes: number;
  readonly rows: number;
  readonly newRows: number;
  readonly dueAtMs: number;
  readonly beganAtMs: number;
  readonly endedAtMs: number;
  readonly missedIntervals: number;
  readonly processesRead: number;
  readonly processesRefused: number;
  readonly processesEnded: number;
}

/** What was recorded. */
export interface RecordSummary extends Answer {
  readonly schema: "foliometer-record";
  readonly version: 1;
  readonly directory: string;
  readonly intervalMs: number;
  readonly elapsedMs: number;
  readonly ended: "count" | "time" | "nothing-left" | "stopped" | "failed";
  /** Of the command that was run; null without one. */
  readonly exitCode: number | null;
  readonly captures: readonly RecordedCapture[];
}

/** The line shown while recording. */
export function describeTaken(
  {
    entry,
    bytes,
    isKey,
  }: {
    readonly entry: { readonly number: number; readonly endedAtMs: number; readonly beganAtMs: number };
    readonly bytes: number;
    readonly isKey: boolean;
  },
  taken: number,
): string {
  const what = isKey ? "whole" : "difference";
  return `Recording: ${formatQuantity(taken, "capture", "captures")}; the last one ${what}, ${formatSize(bytes)}, in ${formatDuration(entry.endedAtMs - entry.beganAtMs)}`;
}

/** The summary as lines. */
export function formatRecordSummary(summary: RecordSummary): string {
  const { directory, captures, intervalMs } = summary;
  const sum = (pick: (capture: RecordedCapture) => number): number =>
    captures.reduce((total, capture) => total + pick(capture), 0);
  const first = captures.at(0);
  const last = captures.at(-1);
  if (first === undefined || last === undefined) return `${escapeControls(directory)}: no capture was completed.\n`;
  const differences = captures.filter(({ isKey }) => !isKey);
  const missed = sum(({ missedIntervals }) => missedIntervals);
  const lines = [
    `${directory}: ${formatQuantity(captures.length, "capture", "captures")} (${first.number} to ${last.number}), one every ` +
      `${formatDuration(intervalMs)}, ${formatTime(first.beganAtMs)} to ${formatTime(last.endedAtMs)}; ` +
      `${formatSize(sum(({ bytes }) => bytes))} on disk.`,
    `The first has ${formatSize(first.bytes)}${sizesOf(differences, first.bytes)}; ` +
      `${formatCount(captures.length - differences.length)} whole, ${formatCount(differences.length)} as differences.`,
    `Reading took ${formatDuration(Math.max(...captures.map(({ endedAtMs, beganAtMs }) => endedAtMs - beganAtMs)))} at most; ` +
      `${formatQuantity(missed, "interval", "intervals")} left out because the capture before was not done.`,
  ];
  const refused = Math.max(...captures.map(({ processesRefused }) => processesRefused));
  if (refused > 0) lines.push(`Incomplete: ${formatQuantity(refused, "process", "processes")} refused to be read.`);
  return lines.map((line) => `${escapeControls(line)}\n`).join("");
}

function sizesOf(differences: readonly RecordedCapture[], first: number): string {
  if (differences.length === 0) return "";
  const sizes = differences.map(({ bytes }) => bytes).toSorted((a, b) => a - b);
  const median = sizes[Math.floor(sizes.length / 2)];
  return `, a difference ${formatSize(median)} (${formatShare(median, first)}) at the median`;
}

/**
 * Captures at equal distances, until enough or told to stop.
 *
 *     due      0         1         2         3         4         5
 *     taken    0====     1===============        3===      4====
 *                                  2 is missed: 1 was not done when it was due
 *
 * A capture that would come late is left out and counted, never made up for: a recorder that queued them would read the
 * machine without a pause, and say that it read at intervals. Invariant: every interval is a capture or a missed one.
 */
import type { Recorder, RecordedReading, TakenCapture } from "./recorder.ts";

/** How often, and until when. */
export interface RecordLoopOptions {
  readonly intervalMs: number;
  /** Captures at most. */
  readonly count?: number;
  /** Captures that are due within this time, at most. */
  readonly forMs?: number;
  /** What to read; undefined: there is nothing left to read, which ends the recording. */
  readonly reading: () => RecordedReading | undefined;
  readonly onTaken: (taken: TakenCapture) => void;
  /** Ends the recording: one that is being taken is finished. */
  readonly stop: AbortSignal;
  /** Ends it at once: what is being taken is given up. */
  readonly abort: AbortSignal;
}

/** Why a recording ended. */
export type RecordingEnd = "count" | "time" | "nothing-left" | "stopped";

/** Which interval comes next, of intervals counted from 0, and how many are missed before it. */
export function nextInterval(
  last: number,
  elapsedMs: number,
  intervalMs: number,
): { readonly interval: number; readonly missed: number } {
  const interval = Math.max(last + 1, Math.ceil(elapsedMs / intervalMs));
  return { interval, missed: interval - last - 1 };
}

/** Records. Throws what a capture throws; all captures before it are in the recording. */
export async function recordEvery(recorder: Recorder, options: RecordLoopOptions): Promise<RecordingEnd> {
  const { intervalMs, count = Infinity, forMs = Infinity, stop, abort } = options;
  const began = performance.now();
  const beganAtMs = Date.now();
  let interval = 0;
  let missed = 0;
  for (let taken = 0; taken < count; taken++) {
    await pauseUntil(began + interval * intervalMs, AbortSignal.any([stop, abort]));
    if (stop.aborted || abort.aborted) return "stopped";
    const reading = options.reading();
    if (reading === undefined) return "nothing-left";
    const dueAtMs = Math.round(beganAtMs + interval * intervalMs);
    try {
      const when = { dueAtMs, intervalMs, missedIntervals: missed };
      options.onTaken(await recorder.take(when, { ...reading, signal: abort }));
    } catch (error) {
      if (abort.aborted) return "stopped";
      throw error;
    }
    ({ interval, missed } = nextInterval(interval, performance.now() - began, intervalMs));
    if (interval * intervalMs >= forMs) return "time";
  }
  return "count";
}

async function pauseUntil(at: number, ended: AbortSignal): Promise<void> {
  const left = at - performance.now();
  if (left <= 0 || ended.aborted) return;
  await new Promise<void>((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      ended.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, left);
    ended.addEventListener("abort", wake);
  });
}

/**
 * One line on stderr that says how far a capture is, rewritten in place and gone at the end.
 *
 * Nothing is printed where stderr is not a terminal, with --quiet, or before half a second has passed: most captures are
 * done by then. The total grows while processes are still being listed, so the estimate is one of the reading so far.
 */
import type { CaptureProgress } from "../capture/index.ts";
import { formatCount, formatDuration } from "../report/index.ts";

/** Shorter waits need no explanation. */
export const SILENT_MS = 500;

/** What the line is written to. */
export interface LineStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const CLEAR = "\r\u001b[K";

/** A progress line. Its methods may be called at any time; `clear` last. */
export class ProgressLine {
  private readonly stream: LineStream | undefined;
  private shown = false;

  constructor(stream: LineStream, options: { readonly quiet: boolean }) {
    this.stream = stream.isTTY === true && !options.quiet ? stream : undefined;
  }

  readonly update = (progress: CaptureProgress): void => {
    if (this.stream === undefined || progress.elapsedMs < SILENT_MS) return;
    const text = formatProgress(progress).slice(0, Math.max(0, (this.stream.columns ?? 80) - 1));
    this.stream.write(`${CLEAR}${text}`);
    this.shown = true;
  };

  clear(): void {
    if (this.shown) this.stream?.write(CLEAR);
    this.shown = false;
  }
}

/** The line's text: share done, items, and how long it may still take. */
export function formatProgress({ doneItems, totalItems, elapsedMs }: CaptureProgress): string {
  if (totalItems === 0) return "Listing processes...";
  const percent = Math.floor((doneItems / totalItems) * 100);
  const done = `Reading page tables: ${percent}%, ${formatCount(doneItems)} of ${formatCount(totalItems)} pieces`;
  if (doneItems === 0) return done;
  if (doneItems >= totalItems) return `${done}; comparing with the kernel's counts`;
  const leftMs = (elapsedMs / doneItems) * (totalItems - doneItems);
  return `${done}, about ${formatDuration(leftMs)} left`;
}

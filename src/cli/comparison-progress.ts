/**
 * How far a comparison is, as one line on stderr that is rewritten and gone at the end; nothing for the first half second.
 */
import { escapeControls, formatCount, formatDuration } from "../report/index.ts";
import type { StudyProgress } from "../study/index.ts";
import { type LineStream, SILENT_MS } from "./progress-line.ts";

const CLEAR = "\r\u001b[K";
/** The line is rewritten no more often. */
const EVERY_MS = 100;

/** A progress line. `clear` last. */
export class ComparisonProgress {
  private readonly stream: LineStream | undefined;
  private readonly now: () => number;
  private readonly beganMs: number;
  private shownMs = 0;

  constructor(stream: LineStream, { quiet, now = Date.now }: { readonly quiet: boolean; readonly now?: () => number }) {
    this.stream = stream.isTTY === true && !quiet ? stream : undefined;
    this.now = now;
    this.beganMs = now();
  }

  readonly update = (progress: StudyProgress): void => {
    if (this.stream === undefined) return;
    const now = this.now();
    if (now - this.beganMs < SILENT_MS || now - this.shownMs < EVERY_MS) return;
    const text = formatStudyProgress(progress, now - this.beganMs);
    this.stream.write(`${CLEAR}${text.slice(0, Math.max(0, (this.stream.columns ?? 80) - 1))}`);
    this.shownMs = now;
  };

  clear(): void {
    if (this.shownMs > 0) this.stream?.write(CLEAR);
    this.shownMs = 0;
  }
}

/** The line's text. */
export function formatStudyProgress({ phase, done, text }: StudyProgress, elapsedMs: number): string {
  const after = formatDuration(elapsedMs);
  const what =
    phase === "history" ? `Step ${formatCount(done)}` : `Looking for a smaller scenario, ${formatCount(done)} tried`;
  return `${what}, ${after}: ${escapeControls(text)}`;
}

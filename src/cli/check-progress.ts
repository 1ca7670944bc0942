/**
 * One line on stderr that says how far a check is, rewritten in place and gone at the end.
 */
import type { CheckProgress, RandomProgress } from "../checker/index.ts";
import { asciiWidth, cutText, escapeControls, formatCount, formatSize } from "../report/index.ts";
import type { SearchProgress } from "../study/index.ts";
import { type LineStream, SILENT_MS } from "./progress-line.ts";

const CLEAR = "\r\u001b[K";

/** The line. `begin` for each check; `clear` when it has ended. */
export class CheckLine {
  private readonly stream: LineStream | undefined;
  private readonly now: () => number;
  private title = "";
  private began = 0;
  private shown = false;

  constructor(stream: LineStream, { quiet, now = Date.now }: { readonly quiet: boolean; readonly now?: () => number }) {
    this.stream = stream.isTTY === true && !quiet ? stream : undefined;
    this.now = now;
  }

  begin(name: string, index: number, count: number): void {
    const title = escapeControls(name);
    this.title = count === 1 ? title : `${index + 1} of ${count}: ${title}`;
    this.began = this.now();
  }

  readonly update = (searched: SearchProgress): void => {
    this.write(
      searched.type === "states"
        ? formatCheckProgress(this.title, searched.progress)
        : formatScheduleProgress(this.title, searched.progress),
    );
  };

  private write(text: string): void {
    if (this.stream === undefined || this.now() - this.began < SILENT_MS) return;
    this.stream.write(`${CLEAR}${cutText(text, (this.stream.columns ?? 80) - 1, asciiWidth)}`);
    this.shown = true;
  }

  clear(): void {
    if (this.shown) this.stream?.write(CLEAR);
    this.shown = false;
  }
}

/** The line's text. */
export function formatCheckProgress(title: string, progress: CheckProgress): string {
  const { states, statesPerSecond, frontier, depth, bytes } = progress;
  return (
    `${title}: ${formatCount(states)} states, ${formatCount(Math.round(statesPerSecond))} a second, ` +
    `${formatCount(frontier)} to go on from, depth ${depth}, ${formatSize(bytes)}`
  );
}

/** The line's text for random schedules. */
export function formatScheduleProgress(title: string, { schedules, steps, distinctStates }: RandomProgress): string {
  return `${title}: ${formatCount(schedules)} schedules, ${formatCount(steps)} steps, ${formatCount(distinctStates)} states`;
}

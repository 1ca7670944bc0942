/**
 * One line on stderr that says what is being done, rewritten in place and gone at the end; nothing where stderr is no
 * terminal, with --quiet, or before half a second has passed.
 */
import { type LineStream, SILENT_MS } from "./progress-line.ts";

const CLEAR = "\r\u001b[K";

/** A line of the caller's text. `clear` last. */
export class StepLine {
  private readonly stream: LineStream | undefined;
  private readonly now: () => number;
  private readonly beganMs: number;
  private shown = "";

  /** `now`: milliseconds. */
  constructor(stream: LineStream, { quiet, now = Date.now }: { readonly quiet: boolean; readonly now?: () => number }) {
    this.stream = stream.isTTY === true && !quiet ? stream : undefined;
    this.now = now;
    this.beganMs = now();
  }

  show(text: string): void {
    if (this.stream === undefined || text === this.shown || this.now() - this.beganMs < SILENT_MS) return;
    this.stream.write(`${CLEAR}${text.slice(0, Math.max(0, (this.stream.columns ?? 80) - 1))}`);
    this.shown = text;
  }

  clear(): void {
    if (this.shown !== "") this.stream?.write(CLEAR);
    this.shown = "";
  }
}

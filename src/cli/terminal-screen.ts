/**
 * A terminal's second screen, drawn by lines: only lines that differ from what stands there are written.
 *
 * Invariant: whatever way the process goes (end, error, signal, suspension), the terminal is put back as it was: first
 * screen, cursor, line wrap, cooked input. Plain ANSI sequences that every terminal since the VT100 and xterm knows.
 */
import type { ReadStream, WriteStream } from "node:tty";

const ENTER = "\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J";
const LEAVE = "\u001b[?7h\u001b[?25h\u001b[?1049l";
const RESET_STYLE = "\u001b[0m";
const CLEAR_TO_END = "\u001b[K";

/** What happens at the terminal. */
export interface ScreenEvents {
  readonly onInput: (text: string) => void;
  /** The size changed, or the screen has to be drawn anew after a suspension. */
  readonly onRedraw: () => void;
}

/** The screen; `enter` first, `leave` last. */
export class TerminalScreen {
  private readonly input: ReadStream;
  private readonly output: WriteStream;
  private readonly events: ScreenEvents;
  private drawn: readonly string[] = [];
  private isOn = false;

  constructor(input: ReadStream, output: WriteStream, events: ScreenEvents) {
    this.input = input;
    this.output = output;
    this.events = events;
  }

  /** Columns and rows. */
  get size(): { readonly columns: number; readonly rows: number } {
    return { columns: this.output.columns, rows: this.output.rows };
  }

  /** Takes the terminal over. */
  enter(): void {
    process.on("exit", this.restore);
    process.on("SIGTSTP", this.suspend);
    process.on("SIGCONT", this.resume);
    this.output.on("resize", this.redraw);
    this.input.setEncoding("utf8");
    this.input.on("data", this.receive);
    this.takeOver();
  }

  /** Gives the terminal back. */
  leave(): void {
    process.off("exit", this.restore);
    process.off("SIGTSTP", this.suspend);
    process.off("SIGCONT", this.resume);
    this.output.off("resize", this.redraw);
    this.input.off("data", this.receive);
    this.restore();
  }

  /** Draws lines from the top; there are as many as the screen has rows. */
  draw(lines: readonly string[]): void {
    if (!this.isOn) return;
    let text = "";
    for (const [row, line] of lines.entries()) {
      if (line !== this.drawn[row]) text += `\u001b[${row + 1};1H${line}${RESET_STYLE}${CLEAR_TO_END}`;
    }
    this.drawn = lines;
    if (text !== "") this.output.write(text);
  }

  /** Stops the process as Ctrl-Z does; the shell brings it back. */
  readonly suspend = (): void => {
    this.restore();
    process.kill(process.pid, "SIGSTOP");
  };

  private readonly resume = (): void => {
    this.takeOver();
    this.events.onRedraw();
  };

  private readonly redraw = (): void => {
    this.drawn = [];
    if (this.isOn) this.output.write("\u001b[2J");
    this.events.onRedraw();
  };

  private readonly receive = (text: string | Buffer): void => this.events.onInput(text.toString());

  private takeOver(): void {
    this.isOn = true;
    this.drawn = [];
    this.input.setRawMode(true);
    this.input.resume();
    this.output.write(ENTER);
  }

  private readonly restore = (): void => {
    if (!this.isOn) return;
    this.isOn = false;
    this.output.write(LEAVE);
    this.input.setRawMode(false);
    this.input.pause();
  };
}

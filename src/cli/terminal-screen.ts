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
const CLEAR_LINE = "\u001b[2K";

/** What happens at the terminal. */
export interface ScreenEvents {
  readonly onInput: (text: string) => void;
  /** The size changed, or the screen has to be drawn anew after a suspension. */
  readonly onRedraw: () => void;
  /** Nothing comes from the terminal any more: it was closed. */
  readonly onGone: () => void;
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
    process.on("SIGTSTP", this.stop);
    process.on("SIGCONT", this.resume);
    this.output.on("resize", this.redraw);
    this.input.setEncoding("utf8");
    this.input.on("data", this.receive);
    this.input.on("end", this.events.onGone);
    this.input.on("error", this.events.onGone);
    this.takeOver();
  }

  /** Gives the terminal back. */
  leave(): void {
    process.off("exit", this.restore);
    process.off("SIGTSTP", this.stop);
    process.off("SIGCONT", this.resume);
    this.output.off("resize", this.redraw);
    this.input.off("data", this.receive);
    this.input.off("end", this.events.onGone);
    this.input.off("error", this.events.onGone);
    this.restore();
  }

  /** Draws lines from the top; there are as many as the screen has rows. */
  draw(lines: readonly string[]): void {
    if (!this.isOn) return;
    let text = "";
    for (const [row, line] of lines.entries()) {
      // Cleared before and not behind: a line as wide as the terminal leaves the cursor on its last character.
      if (line !== this.drawn[row]) text += `\u001b[${row + 1};1H${CLEAR_LINE}${line}${RESET_STYLE}`;
    }
    this.drawn = lines;
    if (text !== "") this.output.write(text);
  }

  /** Stops what runs in the terminal's foreground, as Ctrl-Z does where a terminal is not raw; the shell brings it back. */
  suspend(): void {
    this.restore();
    // The group and not only this process: a shell looks at the wrapper that it started (npx, sudo, time).
    process.kill(0, "SIGTSTP");
  }

  /**
   * SIGTSTP does what it does to other programs: it stops this one, unless no shell is there to bring it back (the
   * kernel leaves it out in an orphaned process group), and the screen comes back at once.
   */
  private readonly stop = (): void => {
    this.restore();
    process.off("SIGTSTP", this.stop);
    process.off("SIGCONT", this.resume);
    process.kill(process.pid, "SIGTSTP");
    process.on("SIGTSTP", this.stop);
    process.on("SIGCONT", this.resume);
    this.resume();
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

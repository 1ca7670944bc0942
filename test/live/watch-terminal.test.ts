/**
 * The watcher's screen on a terminal: keys lead through it, and whatever way the program goes (a key, a signal, a fault of
 * its own, a stop, a terminal that is closed) the terminal is given back.
 *
 * The screen runs as its users run it, on a terminal of its own (script), under a shell that says how it ended.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test, type TestContext } from "vitest";
import { requireCommand, requireFile } from "../full-run.ts";
import { targetProgram } from "./target.ts";

const home = mkdtempSync(join(tmpdir(), "foliometer-terminal-"));

afterAll(() => {
  for (const terminal of WatchedTerminal.running) terminal.kill();
  rmSync(home, { recursive: true, force: true });
});

const ENTER_SCREEN = "\u001b[?1049h";
const LEAVE_SCREEN = "\u001b[?1049l";
const WRAP_AND_CURSOR = "\u001b[?7h\u001b[?25h";
const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

interface TerminalOptions {
  /** What a module does that is loaded before the program. */
  readonly preload?: string;
  /** Shell commands before the program, and between it and what tells of its end. */
  readonly before?: string;
  readonly behind?: string;
  /** Where errors go; the terminal if absent. */
  readonly errors?: string;
}

/** The screen on a terminal of 100 columns and 30 rows; behind it the shell prints its exit code and the terminal's state. */
class WatchedTerminal {
  /** Those that a test did not see the end of. */
  static readonly running = new Set<WatchedTerminal>();
  readonly child: ChildProcess;
  output = "";
  private readonly ended: Promise<unknown>;

  constructor(
    ctx: TestContext,
    { preload, before = ":", behind = `echo "CODE $?"; stty -a`, errors }: TerminalOptions = {},
  ) {
    const script = requireCommand(ctx, "script");
    requireFile(ctx, MAIN);
    const redirection = errors === undefined ? "" : ` 2>"${errors}"`;
    const program = `exec "${process.execPath}" "${MAIN}" watch --interval 200ms${redirection}`;
    const line = `stty cols 100 rows 30; ${before}; sh -c 'echo "PID $$"; ${program}'; ${behind}`;
    const nodeOptions =
      preload === undefined ? {} : { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(preload)}` };
    this.child = spawn(script, ["-qec", line, "/dev/null"], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, ...nodeOptions, SHELL: "/bin/sh", TERM: "xterm", NO_COLOR: "1" },
    });
    this.ended = new Promise((resolve) => this.child.once("close", resolve));
    WatchedTerminal.running.add(this);
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.output += text));
  }

  get pid(): number {
    return Number(/PID (\d+)/.exec(this.output)?.[1]);
  }

  press(keys: string): void {
    this.child.stdin?.write(keys);
  }

  /** Ends the screen, and with it the shell behind it. */
  kill(): void {
    if (this.pid > 0) process.kill(this.pid, "SIGKILL");
    else this.child.kill("SIGKILL");
  }

  /** Waits for output from `from` on that matches, or ends with a text. */
  async see(wanted: RegExp | string, from = 0): Promise<void> {
    for (let waits = 0; waits < 600; waits++) {
      const output = this.output.slice(from);
      if (typeof wanted === "string" ? output.endsWith(wanted) : wanted.test(output)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${wanted} did not come: ${JSON.stringify(this.output.slice(-2000))}`);
  }

  /** The output behind the screen, when all has ended. */
  async end(): Promise<string> {
    await this.ended;
    WatchedTerminal.running.delete(this);
    return this.output.slice(this.output.lastIndexOf(LEAVE_SCREEN));
  }
}

/** The first screen again, with cursor and line wrap, and input by lines with echo. */
function expectRestored(terminal: WatchedTerminal, behind: string): void {
  expect(behind.startsWith(LEAVE_SCREEN)).toBe(true);
  expect(terminal.output).toContain(`${WRAP_AND_CURSOR}${LEAVE_SCREEN}`);
  expect(behind).toMatch(/(?<!-)\bicanon\b/);
  expect(behind).toMatch(/(?<!-)\becho\b/);
}

test("keys lead into a process, a VMA and back, and q gives the terminal back", async (ctx) => {
  targetProgram(ctx);
  const terminal = new WatchedTerminal(ctx);
  await terminal.see(/Processes by pss/);
  const steps: readonly (readonly [string, RegExp])[] = [
    ["R", /Processes by rss/],
    ["h", /Any key goes back/],
    ["x", /q quit/],
    ["/watch\r", /filter: watch/],
    ["\r", /VMAs by rss of \d+/],
    ["\r", /VMA at [0-9a-f]+ of/],
    [" ", /FROZEN/],
    [" ", /every 200 ms/],
    ["\u001b", /VMAs by rss/],
    ["\u001b", /Processes by rss/],
  ];
  for (const [keys, shown] of steps) {
    const from = terminal.output.length;
    terminal.press(keys);
    await terminal.see(shown, from);
  }
  terminal.press("q");
  const behind = await terminal.end();
  expect(behind).toContain("CODE 0");
  expectRestored(terminal, behind);
});

const SIGNALS = [
  { signal: "SIGTERM", code: 143 },
  { signal: "SIGINT", code: 130 },
  { signal: "SIGHUP", code: 129 },
] as const;

test.for(SIGNALS)("$signal gives the terminal back", async ({ signal, code }, ctx) => {
  targetProgram(ctx);
  const terminal = new WatchedTerminal(ctx);
  await terminal.see(/Processes by pss/);
  process.kill(terminal.pid, signal);
  const behind = await terminal.end();
  expect(behind).toContain(`CODE ${code}`);
  expectRestored(terminal, behind);
});

const FAULTS = [
  {
    where: "a moment",
    preload: `import fs from "node:fs"; import { syncBuiltinESMExports } from "node:module";
      process.on("SIGUSR2", () => { fs.readdirSync = () => { throw new TypeError("made up"); }; syncBuiltinESMExports(); });`,
  },
  {
    where: "a timer",
    preload: `process.on("SIGUSR2", () => setTimeout(() => { throw new TypeError("made up"); }, 0));`,
  },
  {
    where: "a promise that nobody waits for",
    preload: `process.on("SIGUSR2", () => void Promise.reject(new TypeError("made up")));`,
  },
] as const;

test.for(FAULTS)("a fault in $where gives the terminal back before it is told", async ({ preload }, ctx) => {
  targetProgram(ctx);
  const terminal = new WatchedTerminal(ctx, { preload });
  await terminal.see(/Processes by pss/);
  process.kill(terminal.pid, "SIGUSR2");
  const behind = await terminal.end();
  expect(behind).toMatch(/TypeError: made up[^]*CODE 1\r\n/);
  expectRestored(terminal, behind);
});

test("Ctrl-Z stops it with the terminal given back, and who goes on has the screen again", async (ctx) => {
  targetProgram(ctx);
  // A shell that controls jobs goes on when its job stops.
  const terminal = new WatchedTerminal(ctx, {
    before: "set -m",
    behind: 'echo "STOPPED"; stty -a; fg; echo "CODE $?"; stty -a',
  });
  await terminal.see(/Processes by pss/);
  terminal.press("\u001a");
  await terminal.see(/STOPPED[^]*Processes by pss/);
  const stopped = terminal.output.lastIndexOf(LEAVE_SCREEN);
  const again = terminal.output.indexOf(ENTER_SCREEN, stopped);
  expectRestored(terminal, terminal.output.slice(stopped, again));
  terminal.press("q");
  const behind = await terminal.end();
  expect(behind).toContain("CODE 0");
  expectRestored(terminal, behind);
});

test("where no shell could bring it back, Ctrl-Z does not stop it", async (ctx) => {
  targetProgram(ctx);
  const terminal = new WatchedTerminal(ctx);
  await terminal.see(/Processes by pss/);
  terminal.press("\u001a");
  await terminal.see(/\[\?1049l[^]*\[\?1049h[^]*Processes by pss/);
  terminal.press("q");
  expectRestored(terminal, await terminal.end());
});

test("when the terminal is closed it ends as by SIGHUP, and without an abort", async (ctx) => {
  targetProgram(ctx);
  const [errors, code] = [join(home, "errors"), join(home, "code")];
  const terminal = new WatchedTerminal(ctx, {
    errors,
    before: 'trap "" HUP',
    behind: `echo "CODE $?" > "${code}.partial"; mv "${code}.partial" "${code}"`,
  });
  await terminal.see(/Processes by pss/);
  terminal.child.kill("SIGKILL");
  await expect.poll(() => existsSync(code), { timeout: 20_000 }).toBe(true);
  expect(readFileSync(code, "utf8")).toBe("CODE 129\n");
  expect(readFileSync(errors, "utf8")).toBe("");
  WatchedTerminal.running.delete(terminal);
});

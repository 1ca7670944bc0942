/**
 * Watching a running machine: what is read anew and what is kept give the figures that the kernel prints, and the screen
 * takes a terminal and gives it back.
 *
 * Targets stand still when they are looked at. The screen runs as its users run it, on a terminal of its own (script).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test, type TestContext } from "vitest";
import { IncrementalReader } from "../../src/capture/index.ts";
import { SCHEMES } from "../../src/schemes/index.ts";
import { type WatchStudy, type WatchedProcess, studyMoment, studyVma, studyVmas } from "../../src/study/index.ts";
import { requireCommand, requireFile } from "../full-run.ts";
import { reportOf, reported } from "./captured.ts";
import { privateKb, rollup } from "./kernel-view.ts";
import { startMenagerie } from "./menagerie.ts";
import { endTargets, type Target, targetProgram } from "./target.ts";

afterAll(async () => {
  for (const terminal of WatchedTerminal.running) terminal.kill();
  await endTargets();
});

const KIB = 1024;
/** Others share libraries with a target and come and go. */
const PSS_TOLERANCE_KB = 16;
const ALL = { budgetMs: Infinity, turnMs: 0 };
const PARTS = { budgetMs: 50, turnMs: 0 };
const ROUNDS_MAX = 500;

async function withReader<T>(body: (reader: IncrementalReader) => Promise<T>): Promise<T> {
  const reader = new IncrementalReader();
  try {
    return await body(reader);
  } finally {
    reader.close();
  }
}

async function look(reader: IncrementalReader, options = ALL): Promise<WatchStudy> {
  return studyMoment(await reader.refresh(options), SCHEMES);
}

function find({ moment }: WatchStudy, { pid }: Target): WatchedProcess | undefined {
  return moment.processes.find((process) => process.pid === pid);
}

/** Rss, Pss and Uss of a target as watched and as its smaps_rollup has them, kB. */
function expectKernelFigures(study: WatchStudy, target: Target): void {
  const found = find(study, target);
  const kernel = rollup(target.pid);
  expect({ rss: (found?.rssBytes ?? 0) / KIB, uss: (found?.schemes["page"].ussBytes.least ?? 0) / KIB }).toEqual({
    rss: kernel.rss,
    uss: privateKb(kernel),
  });
  const pss = (found?.schemes["page"].pssBytes ?? 0) / KIB;
  expect(Math.abs(pss - kernel.pss)).toBeLessThanOrEqual(PSS_TOLERANCE_KB);
}

test("after every change a refresh has the kernel's figures, of those who changed and of those who share with them", async (ctx) => {
  const target = targetProgram(ctx).start();
  await target.askAll("map small anon 4000", "write small 0 2000");
  await withReader(async (reader) => {
    expectKernelFigures(await look(reader), target);
    await target.ask("write small 2000 1000");
    expectKernelFigures(await look(reader), target);
    const child = await target.fork();
    const shared = await look(reader);
    for (const each of [target, child]) expectKernelFigures(shared, each);
    // The parent does nothing; its pages become its own by what the child does.
    await child.ask("write small 0 700 3");
    const copied = await look(reader);
    for (const each of [target, child]) expectKernelFigures(copied, each);
    expect(find(copied, target)?.schemes["page"].ussBytes.least).toBeGreaterThan(700 * 4 * KIB);
    await target.ask("unmap small 100 50");
    const cut = await look(reader);
    for (const each of [target, child]) expectKernelFigures(cut, each);
    child.kill();
    target.kill();
    await target.ended;
    expect(find(await look(reader), target)).toBeUndefined();
  });
});

test(
  "of a machine with everything on it a reading in parts says the same as one in one go",
  { timeout: 180_000 },
  async (ctx) => {
    const { targets } = await startMenagerie(ctx, targetProgram(ctx));
    await withReader(async (reader) => {
      // In parts of 50 ms of reading, until all were read.
      let capture = await reader.refresh(PARTS);
      const isThere = ({ pid }: Target): boolean => capture.processes.some((process) => process.pid === pid);
      for (let rounds = 0; !targets.every(isThere) && rounds < ROUNDS_MAX; rounds++) {
        capture = await reader.refresh(PARTS);
      }
      const study = await look(reader);
      const whole = await reportOf({});
      const figuresOf = ({
        rssBytes,
        hugetlbBytes,
        swapBytes,
        schemes,
      }: Omit<WatchedProcess, "pssChangeBytes" | "rssChangeBytes">) => ({
        rssBytes,
        hugetlbBytes,
        swapBytes,
        uss: Object.values(schemes).map(({ ussBytes }) => ussBytes),
      });
      for (const target of targets) {
        const found = find(study, target);
        expect(found && figuresOf(found)).toEqual(figuresOf(reported(whole, target)));
      }
    });
  },
);

test("who stands still is not read again, but for its turn", async (ctx) => {
  const target = targetProgram(ctx).start();
  await target.askAll("map small anon 5000", "write small 0 5000");
  await withReader(async (reader) => {
    const first = await reader.refresh(ALL);
    expect(first.reading.entriesPresent).toBeGreaterThan(5000);
    const second = await reader.refresh(ALL);
    expect(second.reading.readProcesses).toBeLessThan(first.processes.length);
    expect(second.oldestReadAtMs).toBeLessThan(second.reading.atMs);
    // A turn for all: everything is younger than the refresh before it.
    const third = await reader.refresh({ budgetMs: Infinity, turnMs: Infinity });
    expect(third.oldestReadAtMs).toBeGreaterThanOrEqual(second.reading.atMs);
  });
});

test("a VMA's folios add up to what it maps, and its sharers are those who map its pages", async (ctx) => {
  const target = targetProgram(ctx).start();
  await target.askAll("map small anon 64", "write small 0 64");
  const child = await target.fork();
  await child.ask("write small 0 16 3");
  await withReader(async (reader) => {
    const study = await look(reader);
    const start = Number.parseInt((await target.ask("where small"))[0] ?? "", 16) / 4096;
    const vma = studyVmas(study, target.pid)?.find(({ startPage, endPage }) => startPage <= start && start < endPage);
    const contents = await studyVma(study, target.pid, vma?.startPage ?? -1);
    const mapped = contents?.folios.reduce((all, { mappedBytes }) => all + mappedBytes, 0);
    expect(mapped).toBe(contents?.vma.rssBytes);
    const sharers = contents?.sharers.filter(({ pid }) => pid === child.pid);
    expect(sharers).toEqual([{ pid: child.pid, name: "target", bytes: 48 * 4 * KIB }]);
    expect(await studyVma(study, target.pid, 1)).toBeUndefined();
    expect(studyVmas(study, 2 ** 22)).toBeUndefined();
  });
});

const ENTER_SCREEN = "\u001b[?1049h";
const LEAVE_SCREEN = "\u001b[?1049l";
const WRAP_AND_CURSOR = "\u001b[?7h\u001b[?25h";
const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** The screen on a terminal of 100 columns and 30 rows; behind it the shell prints its exit code and the terminal's state. */
class WatchedTerminal {
  /** Those that a test did not see the end of. */
  static readonly running = new Set<WatchedTerminal>();
  readonly child: ChildProcess;
  output = "";
  private readonly ended: Promise<unknown>;

  constructor(ctx: TestContext, options = "") {
    const script = requireCommand(ctx, "script");
    requireFile(ctx, MAIN);
    const line = `stty cols 100 rows 30; sh -c 'echo "PID $$"; exec "${process.execPath}" "${MAIN}" watch --interval 200ms ${options}'; echo "CODE $?"; stty -a`;
    this.child = spawn(script, ["-qec", line, "/dev/null"], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, TERM: "xterm", NO_COLOR: "1" },
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

test("Ctrl-Z gives the terminal back, and who goes on has the screen again", async (ctx) => {
  targetProgram(ctx);
  const terminal = new WatchedTerminal(ctx);
  await terminal.see(/Processes by pss/);
  terminal.press("\u001a");
  await terminal.see(LEAVE_SCREEN);
  const from = terminal.output.length;
  process.kill(terminal.pid, "SIGCONT");
  await terminal.see(/Processes by pss/, from);
  expect(terminal.output.slice(from)).toContain(ENTER_SCREEN);
  terminal.press("q");
  expectRestored(terminal, await terminal.end());
});

test("without a terminal it is one sentence, and --batch prints moments", async (ctx) => {
  targetProgram(ctx);
  requireFile(ctx, MAIN);
  const run = async (...args: string[]): Promise<{ code: number | null; out: string; err: string }> => {
    const child = spawn(process.execPath, [MAIN, "watch", ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { code, out, err };
  };
  const refused = await run();
  expect(refused).toMatchObject({ code: 2, out: "" });
  expect(refused.err).toMatch(/^foliometer: .*terminal.*--batch N.*\.\n$/);
  const { code, out } = await run("--batch", "2", "--json", "--interval", "100ms", "--pid", String(process.pid));
  expect(code).toBe(0);
  const moments = out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as WatchStudy["moment"]);
  expect(moments.map(({ schema, version, processes }) => [schema, version, processes.map(({ pid }) => pid)])).toEqual(
    Array.from({ length: 2 }, () => ["foliometer-watch", 1, [process.pid]]),
  );
  expect(moments[1].processes[0].pssChangeBytes).not.toBeNull();
  const nobody = await run("--batch", "1", "--pid", "4194304");
  expect(nobody).toMatchObject({
    code: 2,
    out: "",
    err: "foliometer: There is no process 4194304 with memory of its own.\n",
  });
});

/**
 * `foliometer watch`: the processes of the running machine under two schemes, again and again, on a screen with keys.
 *
 * One loop takes moments, each from begin to end; keys change the view at once and draw what is there. Details (VMAs of a
 * process, folios of a VMA) are studied from the last capture, which is only good while the reader is not reading anew:
 * a key that asks for them in the middle of a refresh has its answer at the end of it.
 */
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { type Command, Option } from "commander";
import type { IncrementalReader } from "../capture/index.ts";
import type { WatchCost, WatchData, WatchSort, WatchView } from "../report/index.ts";
import type { Scheme } from "../schemes/index.ts";
import type { WatchStudy } from "../study/index.ts";
import { parseCgroup, parseDuration, parsePattern, parsePids, parseSize, parseWidth } from "./arguments.ts";
import type { ProcessChoice } from "./choose-processes.ts";
import { EXIT_DONE, UsageError } from "./exit-codes.ts";
import type { TerminalScreen } from "./terminal-screen.ts";
import { type WatchDetails, detailsInView, studyDetails } from "./watch-details.ts";
import { budgetFor, paceOf } from "./watch-pace.ts";

/** The same words as WATCH_SORTS of report/, which is not loaded for --help; a test holds them equal. */
export const WATCH_SORT_WORDS = ["pid", "user", "name", "swap", "rss", "change", "pss", "uss", "dpss", "duss"];

const INTERVAL_MS = 1000;
/** Lines of the screen that are no rows of a list: six above it, its two headings, one below it. */
const LINES_AROUND_LIST = 9;
/** On the screen until there is a moment to draw. */
const FIRST_SENTENCE = "foliometer watch: reading the page tables of all processes ...";
/** Keys are served at least this often while the machine is read. */
const SLICE_MS = 20;

/**
 * What runs for hours is worth compiling well, and worth a heap with room: main.ts has set the engine for a second's run.
 * Measured on 23.5 million entries: figures of a moment in half the CPU time.
 */
const LONG_RUN_FLAGS = ["--turbo-inlining", "--no-optimize-for-size", "--max-semi-space-size=16"];

interface WatchOptions extends ProcessChoice {
  readonly interval: number;
  readonly scheme?: string;
  readonly sort: WatchSort;
  readonly batch?: number;
  readonly json?: boolean;
  readonly width?: number;
}

const EXAMPLES = `
Examples:
  foliometer watch                               this machine, every second; h for the keys
  foliometer watch --scheme mapped-pages --sort dpss
  foliometer watch --cgroup /system.slice --interval 5s
  foliometer watch --batch 3 --interval 10s > log        three moments as text, without a screen
  foliometer watch --batch 60 --json | jq '.totals'      a JSON document a line

Only processes whose page tables have probably changed are read anew; the others in turn. The header says how old the
oldest reading is. Watching takes a fifth of one processor at most: on a large machine moments come less often.`;

/** Adds the command. */
export function addWatch(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("watch")
    .description("a live screen of all processes under two schemes, down to VMAs, folios and who shares them")
    .addOption(
      new Option("--interval <time>", "from one moment to the next")
        .argParser(parseDuration)
        .default(INTERVAL_MS, "1s"),
    )
    .option("--scheme <id>", "the scheme beside the kernel's own (default: the kernel's other configuration)")
    .addOption(new Option("--sort <key>", "order at the start").choices(WATCH_SORT_WORDS).default("pss"))
    .option("--pid <pids>", "show only these processes", parsePids)
    .option("--program <regex>", "show only processes whose name or command line matches", parsePattern)
    .option("--cgroup <path>", "show only processes of this control group and those below it", parseCgroup)
    .option("--batch <n>", "print so many moments as text instead of a screen", parseSize)
    .option("--json", "with --batch: each moment as a JSON document on a line")
    .option("--width <columns>", "with --batch: columns of the output; 0: as many as needed", parseWidth)
    .addHelpText("after", EXAMPLES)
    .action(async (options: WatchOptions) => run(async () => watch(options)));
}

async function watch(options: WatchOptions): Promise<number> {
  if (options.batch === undefined) refuseWithoutTerminal(options);
  const [{ IncrementalReader }, { schemeOf }, { initialView }] = await Promise.all([
    import("../capture/index.ts"),
    import("./choose-schemes.ts"),
    import("../report/index.ts"),
  ]);
  if (options.scheme !== undefined) schemeOf(options.scheme);
  for (const flag of LONG_RUN_FLAGS) setFlagsFromString(flag);
  const reader = new IncrementalReader();
  try {
    const watcher = new Watcher(reader, options, initialView(options.sort));
    await (options.batch === undefined ? watcher.runOnScreen() : watcher.printMoments(options.batch));
    return EXIT_DONE;
  } finally {
    reader.close();
  }
}

function refuseWithoutTerminal({ json, width }: WatchOptions): void {
  if (json === true || width !== undefined) {
    throw new UsageError("--json and --width are for --batch N, which prints N moments.");
  }
  const isTerminal = process.stdin.isTTY && process.stdout.isTTY && process.env["TERM"] !== "dumb";
  if (!isTerminal) throw new UsageError("A screen needs a terminal on stdin and stdout; --batch N prints N moments.");
}

/** The loop and what it has in hand. */
class Watcher {
  private readonly reader: IncrementalReader;
  private readonly options: WatchOptions;
  private view: WatchView;
  private study: WatchStudy | undefined;
  private details: WatchDetails | undefined;
  private shown: ReadonlySet<number> | undefined;
  private cost: WatchCost;
  /** CPU time of the last moment but for reading. */
  private otherMs = 0;
  private isReading = false;
  private isOver = false;
  private wake = new AbortController();

  constructor(reader: IncrementalReader, options: WatchOptions, view: WatchView) {
    this.reader = reader;
    this.options = options;
    this.cost = { cpuShare: 0, intervalMs: options.interval, elapsedMs: options.interval };
    this.view = view;
  }

  /** Prints moments as text or JSON. */
  async printMoments(count: number): Promise<void> {
    const { chooseStyles, chooseWidth, formatWatchFrame } = await import("../report/index.ts");
    const { stdout, env } = process;
    const { json, width } = this.options;
    for (let printed = 0; printed < count; printed++) {
      const pauseMs = await this.takeMoment();
      const data = this.data();
      if (json === true) stdout.write(await this.formatJson(data));
      else {
        const widthOf = await chooseWidth(textsOf(data));
        const columns = width ?? (stdout.isTTY ? stdout.columns : Infinity);
        const styles = chooseStyles(stdout, env);
        const text = formatWatchFrame(data, this.view, this.cost, { columns, styles, widthOf });
        stdout.write(printed === 0 ? text : `\n${text}`);
      }
      if (printed + 1 < count) await sleep(pauseMs);
    }
  }

  /** Shows moments until a key ends it. */
  async runOnScreen(): Promise<void> {
    const [{ TerminalScreen }, { chooseStyles, chooseWidth, formatWatchScreen }, { applyKey, parseKeys }] =
      await Promise.all([import("./terminal-screen.ts"), import("../report/index.ts"), import("./watch-keys.ts")]);
    const styles = chooseStyles(process.stdout, process.env);
    let widthOf = await chooseWidth([]);
    const draw = (): void => {
      const { study, view, cost } = this;
      screen.draw(
        study === undefined
          ? [FIRST_SENTENCE]
          : formatWatchScreen(this.data(), view, cost, { ...screen.size, styles, widthOf }),
      );
    };
    const receive = (text: string): void => {
      for (const key of parseKeys(text)) {
        if (this.study === undefined && key !== "interrupt" && key !== "suspend" && key !== "q") continue;
        this.obey(
          this.study === undefined
            ? blindOutcome(key)
            : applyKey(this.view, key, this.data(), Math.max(1, screen.size.rows - LINES_AROUND_LIST)),
          screen,
        );
      }
      void this.studyDetails().then(draw);
    };
    const screen: TerminalScreen = new TerminalScreen(process.stdin, process.stdout, {
      onInput: receive,
      onRedraw: draw,
      onGone: () => process.exit(128 + constants.signals.SIGHUP),
    });
    screen.enter();
    try {
      draw();
      while (!this.isOver) {
        const pauseMs = this.view.frozen ? this.options.interval : await this.takeMoment();
        widthOf = await chooseWidth(textsOf(this.data()));
        draw();
        if (!this.isOver) await sleep(pauseMs, undefined, { signal: this.wake.signal }).catch(() => undefined);
      }
    } finally {
      screen.leave();
    }
  }

  private obey(outcome: WatchView | "quit" | "suspend", screen: TerminalScreen): void {
    if (outcome === "quit") {
      this.isOver = true;
      this.wake.abort();
    } else if (outcome === "suspend") screen.suspend();
    else {
      const goesOn = this.view.frozen && !outcome.frozen;
      this.view = outcome;
      if (!goesOn) return;
      this.wake.abort();
      this.wake = new AbortController();
    }
  }

  /** Reads and studies; returns how long to wait for the next. */
  private async takeMoment(): Promise<number> {
    const began = performance.now();
    const isFirst = this.study === undefined;
    const { interval } = this.options;
    this.isReading = true;
    const capture = await this.reader.refresh({
      ...(isFirst ? { budgetMs: Infinity, turnMs: 0 } : budgetFor(interval, this.otherMs)),
      ...(this.view.pid === undefined || this.view.level === "processes" ? {} : { first: new Set([this.view.pid]) }),
      pause: servingEvery(SLICE_MS, () => this.isOver),
    });
    const { studyMoment } = await import("../study/index.ts");
    const schemes = await schemesOf(capture.machine.mapcountConfig, this.options.scheme);
    this.study = await studyMoment(capture, schemes, this.study);
    this.shown = await this.choose(isFirst);
    this.isReading = false;
    await this.studyDetails();
    // What printing and drawing took since the moment before is part of it.
    const usedMs = cpuMs() - this.pacedCpuMs;
    this.pacedCpuMs += usedMs;
    this.otherMs = usedMs - capture.reading.readMs;
    this.measure();
    const paceMs = isFirst ? interval : paceOf(interval, usedMs);
    return Math.max(0, paceMs - (performance.now() - began));
  }

  /** CPU time that pauses have been reckoned for. */
  private pacedCpuMs = cpuMs();
  private lastCpuMs = cpuMs();
  private lastWallMs = performance.now();

  /** CPU time by wall time since the moment before, drawing and waiting included. */
  private measure(): void {
    const cpu = cpuMs();
    const wall = performance.now();
    const elapsedMs = wall - this.lastWallMs;
    this.cost = { cpuShare: (cpu - this.lastCpuMs) / elapsedMs, intervalMs: this.options.interval, elapsedMs };
    this.lastCpuMs = cpu;
    this.lastWallMs = wall;
  }

  /** Which processes are shown. Whoever names processes that are not there at the start is told so. */
  private async choose(isFirst: boolean): Promise<ReadonlySet<number> | undefined> {
    const { pid, program, cgroup } = this.options;
    if (this.study === undefined || (pid === undefined && program === undefined && cgroup === undefined))
      return undefined;
    const { choosePids } = await import("./choose-processes.ts");
    try {
      return await choosePids(this.study.capture, this.options);
    } catch (error) {
      if (isFirst || !(error instanceof UsageError)) throw error;
      // Processes come and go: those left of the ones named, or none.
      return new Set(pid);
    }
  }

  /** Studies what the view shows of one process. The capture is not touched while the reader reads. */
  private async studyDetails(): Promise<void> {
    if (this.study === undefined || this.isReading) return;
    this.details = await studyDetails(this.study, this.view);
  }

  private data(): WatchData {
    if (this.study === undefined) throw new Error("there is a moment before it is drawn");
    const { details, shown, view } = this;
    return { moment: this.study.moment, ...detailsInView(details, view), ...(shown === undefined ? {} : { shown }) };
  }

  private async formatJson({ moment, shown }: WatchData): Promise<string> {
    const { formatJsonLine } = await import("../report/index.ts");
    const processes = moment.processes.filter(({ pid }) => shown === undefined || shown.has(pid));
    return formatJsonLine({ ...moment, processes, cost: this.cost });
  }
}

/** Before the first moment there is nothing to choose from. */
function blindOutcome(key: string): "quit" | "suspend" {
  return key === "suspend" ? "suspend" : "quit";
}

function textsOf({ moment, vmas, contents }: WatchData): string[] {
  return [
    ...moment.processes.flatMap(({ name, command, user }) => [name, command, user]),
    ...(vmas ?? []).map(({ name }) => name),
    ...(contents === undefined ? [] : [contents.vma.name, ...contents.sharers.map(({ name }) => name)]),
  ];
}

/** The kernel's own scheme and the one beside it. */
async function schemesOf(config: "page" | "nopage" | "unknown", id: string | undefined): Promise<readonly Scheme[]> {
  const [{ SCHEMES }, { chooseSchemes }] = await Promise.all([
    import("../schemes/index.ts"),
    import("./choose-schemes.ts"),
  ]);
  const own = config === "nopage" ? "nopage" : "page";
  const beside = SCHEMES.find(({ kernelConfig }) => kernelConfig !== undefined && kernelConfig !== own);
  const wanted = id ?? beside?.id;
  return chooseSchemes(wanted === undefined ? undefined : [wanted], config);
}

/** A pause that serves the event loop when `sliceMs` have passed since it did last; nothing is waited for at the end. */
function servingEvery(sliceMs: number, isOver: () => boolean): () => Promise<void> {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < sliceMs || isOver()) return;
    await new Promise((resolve) => setImmediate(resolve));
    since = performance.now();
  };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * `foliometer exporter [DIR]`: the figures over HTTP, for Prometheus and whoever reads its formats.
 *
 * It ends in order: at the first signal the answers under way are finished, at the second it ends at once. A SIGTERM is
 * how a service is stopped, so its exit code is 0.
 */
import { constants } from "node:os";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { ListenAddress } from "../server/index.ts";
import type { FigureGrouping, ScrapeChoice, ScrapeSource } from "../study/index.ts";
import { parseCount, parseDuration, parseNames, parseThreads } from "./arguments.ts";
import { EXIT_DONE, UsageError } from "./exit-codes.ts";

/** The same words as FIGURE_GROUPS of study/, which is not loaded for --help; a test compares. */
export const FIGURE_WORDS = ["cgroup+program", "cgroup", "program", "user", "process"];

const LISTEN = "127.0.0.1:9876";
/** Groups unless --top says otherwise; a group is some 25 time series. */
const TOP = 50;
const BUDGET_MS = 2000;
const BUDGET_MS_MAX = 60_000;
const MIN_INTERVAL_MS = 1000;

interface ExporterOptions {
  readonly listen: string;
  readonly allowRemote?: boolean;
  readonly hosts?: readonly string[];
  readonly by: FigureGrouping;
  readonly top: number;
  readonly schemes?: readonly string[];
  readonly budget: number;
  readonly minInterval: number;
  readonly threads?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const EXAMPLES = `
Examples:
  foliometer exporter                                   http://${LISTEN}/metrics, for Prometheus on this machine
  foliometer exporter --by program --top 20             fewer time series
  foliometer exporter --schemes page,mm-owner,sums      the scheme is a label
  foliometer exporter --listen [::1]:9876 --budget 500ms --min-interval 10s
  foliometer exporter --listen 0.0.0.0:9876 --allow-remote --hosts node7,node7.example
  foliometer exporter night                             a capture, which does not change

An answer takes no longer than --budget, or nine tenths of X-Prometheus-Scrape-Timeout-Seconds if that is less.
What it then lacks is counted in foliometer_left_out, and the figures concerned have the label partial. The first
reading of all processes begins at once and takes as long as it takes; until it is done, answers have no figures.`;

/** Adds the command. */
export function addExporter(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("exporter")
    .description("the figures over HTTP as OpenMetrics, with the scheme as a label")
    .argument("[dir]", "a capture; without it the running machine is read at every scrape")
    .option("--listen <address:port>", "where to listen; port 0: any that is free", LISTEN)
    .option("--allow-remote", "listen on an address that other machines can reach")
    .option("--hosts <names>", "names by which it may be asked, beside addresses and localhost", parseHosts)
    .addOption(new Option("--by <what>", "what is summed").choices(FIGURE_WORDS).default("cgroup+program"))
    .option("--top <n>", 'sums at most, by Pss; all others become "other"; 0: all', parseCount, TOP)
    .option("--schemes <ids>", "schemes to compare; the kernel's own is always one", parseNames)
    .addOption(
      new Option("--budget <time>", "time for an answer").argParser(parseBudget).default(BUDGET_MS, `${BUDGET_MS}ms`),
    )
    .addOption(
      new Option("--min-interval <time>", "figures younger than this are given again; 0: never")
        .argParser(parseInterval)
        .default(MIN_INTERVAL_MS, `${MIN_INTERVAL_MS}ms`),
    )
    .option("--json", "tell on stdout where it listens, as one JSON document")
    .option("--threads <n>", "reader threads for a capture", parseThreads)
    .option("--quiet", "tell nothing on stderr but what fails")
    .addHelpText("after", EXAMPLES)
    .action(async (directory: string | undefined, options: ExporterOptions) =>
      run(async () => serveMetrics(directory, options)),
    );
}

function parseBudget(text: string): number {
  const ms = parseDuration(text);
  if (ms > BUDGET_MS_MAX) throw new InvalidArgumentError(`It needs a time up to ${BUDGET_MS_MAX / 1000}s.`);
  return ms;
}

/** Names of hosts as they stand in a Host header before the port; anything else would never match. */
function parseHosts(text: string, before?: readonly string[]): string[] {
  const names = parseNames(text, before);
  const wrong = names.find((name) => !/^[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?$/i.test(name));
  if (wrong !== undefined) throw new InvalidArgumentError(`It needs names without port or scheme, not ${wrong}.`);
  return names;
}

function parseInterval(text: string): number {
  return text === "0" ? 0 : parseDuration(text);
}

async function serveMetrics(directory: string | undefined, options: ExporterOptions): Promise<number> {
  const [{ SharedScrape, parseListenAddress, startMetricsServer }, { chooseSchemes }, { takeSignals, tell }] =
    await Promise.all([import("../server/index.ts"), import("./choose-schemes.ts"), import("./run-action.ts")]);
  const address = checkAddress(parseListenAddress(options.listen), options);
  if (directory === undefined && options.threads !== undefined) {
    throw new UsageError("--threads is for reading a capture; the running machine is read by one thread.");
  }
  const { by, top, budget: budgetMs, minInterval: minIntervalMs } = options;
  const schemes = chooseSchemes(options.schemes, "unknown").map(({ id }) => id);
  const source = await openScrapes(directory, { by, top: top === 0 ? Infinity : top, schemes }, options);
  let failure = "";
  const shared = new SharedScrape(source, {
    minIntervalMs,
    onFailure(message) {
      if (message !== failure) tell(message);
      failure = message;
    },
  });
  const hosts = new Set(options.hosts?.map((name) => name.toLowerCase()));
  const onBug = ({ stack, message }: Error): void => tell(stack ?? message);
  const ended = new Promise<NodeJS.Signals>((resolve) => {
    takeSignals((signal) => {
      // The second time nobody waits any more.
      takeSignals((again) => process.exit(exitCodeOf(again)));
      resolve(signal);
    });
  });
  try {
    const server = await startMetricsServer(address, { shared, budgetMs, minIntervalMs, hosts, onBug });
    if (directory === undefined) shared.warmUp();
    await announce(server.url, options);
    const signal = await ended;
    await server.close();
    return signal === "SIGTERM" ? EXIT_DONE : exitCodeOf(signal);
  } finally {
    await source.close();
  }
}

function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

function checkAddress(address: ListenAddress | undefined, { listen, allowRemote }: ExporterOptions): ListenAddress {
  if (address === undefined) {
    throw new UsageError(
      `--listen needs an address and a port, such as ${LISTEN} or [::1]:9876, not ${JSON.stringify(listen)}.`,
    );
  }
  if (!address.loopback && allowRemote !== true) {
    throw new UsageError(
      `Other machines can reach ${listen}, and the figures name programs and control groups: --allow-remote if that is meant.`,
    );
  }
  return address;
}

async function openScrapes(
  directory: string | undefined,
  choice: ScrapeChoice,
  { threads }: Pick<ExporterOptions, "threads">,
): Promise<ScrapeSource> {
  if (directory === undefined) return (await import("../server/index.ts")).startScrapeThread(choice);
  const [{ openDirectory }, { scrapeCapture }] = await Promise.all([
    import("./open-source.ts"),
    import("../study/index.ts"),
  ]);
  const capture = await openDirectory(directory, threads === undefined ? {} : { threads });
  try {
    const scrape = await scrapeCapture(capture, choice);
    return { scrape: () => Promise.resolve(scrape), close: () => Promise.resolve() };
  } finally {
    await capture.close();
  }
}

async function announce(url: string, { json, quiet }: ExporterOptions): Promise<void> {
  if (json === true) {
    const { formatAnswerJson } = await import("../report/index.ts");
    const answer = { schema: "foliometer-exporter", version: 1, url, pid: process.pid };
    process.stdout.write(formatAnswerJson(answer));
  } else if (quiet !== true) {
    process.stderr.write(`foliometer: listening, ${url}\n`);
  }
}

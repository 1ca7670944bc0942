/**
 * `foliometer run FILE.scn`: a scenario on the model, and what each scheme says about every folio beside the truth.
 */
import { type Command, Option } from "commander";
import type { ConsumerFigures, KernelCounting, RunScenarioOptions, ScenarioRun } from "../scenario/index.ts";
import type { Scheme } from "../schemes/index.ts";
import { parseMemory, parseNames, parseWidth } from "./arguments.ts";
import { EXIT_DONE, EXIT_USAGE, UsageError } from "./exit-codes.ts";

interface RunOptions {
  readonly check?: boolean;
  readonly safety?: boolean;
  readonly cow: NonNullable<RunScenarioOptions["cowRule"]>;
  readonly decidedBy?: string;
  readonly schemes?: readonly string[];
  readonly config: KernelCounting;
  readonly json?: boolean;
  readonly at?: string;
  readonly consumers?: boolean;
  readonly width?: number;
  readonly memory?: number;
}

/** Schemes shown unless --schemes says otherwise: those that kernels run. */
const DEFAULT_SCHEMES = ["page", "mm-owner"];

const PAGE_BYTES = 4096;

const EXAMPLES = `
Examples:
  foliometer run examples/scenarios/a_thp_fork_unmap_half.scn
  foliometer run a.scn --schemes all --at 3_child_unmapped_half
  foliometer workloads show redis-bgsave | foliometer run -
  foliometer run examples/scenarios/redis-bgsave.scn --consumers
  foliometer run a.scn --safety --cow mapcount     who sees what it must not, under the rules before Linux 5.8?
  foliometer run a.scn --config nopage --json | jq '.steps[].dump.folios'
  printf 'spawn P\\nP mmap a 0x200000000 16k rw anon,priv\\nP touch @a 16k w\\ndump 1' | foliometer run -

With --json: what a real kernel would have answered, in the schema of recorded answers.`;

/** Adds the command. */
export function addRun(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("run")
    .description("run a scenario on simulated memory, under any number of schemes")
    .argument("<file>", "a scenario; - reads standard input")
    .option(
      "--schemes <ids>",
      `schemes shown beside the truth, or all (default: ${DEFAULT_SCHEMES.join(",")})`,
      parseNames,
    )
    .addOption(
      new Option("--config <name>", "CONFIG_PAGE_MAPCOUNT or CONFIG_NO_PAGE_MAPCOUNT")
        .choices(["page", "nopage"])
        .default("page"),
    )
    .option("--at <label>", "only the dump of this label")
    .option("--json", "all dumps as one JSON document")
    .option("--consumers", "also what Redis and procrank would read of each process, by the truth and by each scheme")
    .option("--check", "hold the counters' invariants against the page tables after every command (slow)")
    .option("--safety", "check on contents after every command that nobody sees what it must not (slow)")
    .addOption(
      new Option("--cow <rule>", "the era's rule of copy-on-write")
        .choices(["large-reuse", "exclusive", "page-count", "mapcount"])
        .default("large-reuse"),
    )
    .option("--decided-by <scheme>", "the scheme that decides in the kernel's place")
    .option("--memory <size>", "memory of the simulated machine, in two nodes (default: 1G)", parseMemory)
    .option("--width <columns>", "columns of the output; 0: as many as needed (default: the terminal's)", parseWidth)
    .addHelpText("after", EXAMPLES)
    .action(async (file: string, options: RunOptions) => run(async () => runFile(file, options)));
}

async function runFile(file: string, options: RunOptions): Promise<number> {
  const [{ readScenario }, { runScenario }] = await Promise.all([
    import("./scenario-file.ts"),
    import("../scenario/index.ts"),
  ]);
  const schemes = await findSchemes(options.schemes ?? DEFAULT_SCHEMES);
  const scenario = readScenario(file, "model");
  if (scenario === undefined) return EXIT_USAGE;
  const labels = scenario.commands.flatMap((command) => (command.kind === "dump" ? [command.label] : []));
  if (options.at !== undefined && !labels.includes(options.at)) {
    const known = labels.length === 0 ? "it has none" : `it has ${labels.join(", ")}`;
    throw new UsageError(`The scenario has no dump ${JSON.stringify(options.at)}: ${known}.`);
  }
  const result = runScenario(scenario, {
    config: options.config,
    schemes,
    checkInvariants: options.check === true,
    checkContents: options.safety === true,
    consumers: options.consumers === true,
    cowRule: options.cow,
    ...(options.decidedBy === undefined ? {} : { decidedBy: await findScheme(options.decidedBy) }),
    ...(options.memory === undefined ? {} : { frameCount: options.memory / PAGE_BYTES }),
  });
  process.stdout.write(options.json === true ? formatJson(result, options.at) : await formatText(result, options));
  return EXIT_DONE;
}

async function findSchemes(ids: readonly string[]): Promise<readonly Scheme[]> {
  const [{ schemeOf }, { SCHEMES }] = await Promise.all([import("./choose-schemes.ts"), import("../schemes/index.ts")]);
  if (ids.includes("all")) return SCHEMES;
  return [...new Set(ids.map(schemeOf))];
}

async function findScheme(id: string): Promise<Scheme> {
  const { schemeOf } = await import("./choose-schemes.ts");
  return schemeOf(id);
}

function formatJson({ config, schemes, record, views }: ScenarioRun, at: string | undefined): string {
  const all = record.steps.map((step, index) => {
    const { consumers } = views[index];
    return consumers === undefined ? step : { ...step, consumers: consumers.map((each) => byId(each, schemes)) };
  });
  const steps = at === undefined ? all : all.filter(({ dump }) => dump.label === at);
  return `${JSON.stringify({ schema: "foliometer-run", version: 1, config, steps }, null, 1)}\n`;
}

/** Figures under the ids of their schemes, for those who do not know the order. */
function byId({ process, truth, byScheme }: ConsumerFigures, schemes: readonly string[]): object {
  return { process, truth, schemes: Object.fromEntries(schemes.map((id, index) => [id, byScheme[index]])) };
}

async function formatText({ views }: ScenarioRun, { at, width }: RunOptions): Promise<string> {
  const { chooseStyles, formatConsumers, formatScenarioView } = await import("../report/index.ts");
  const { stdout, env } = process;
  const view = {
    width: width ?? (stdout.isTTY ? stdout.columns : Infinity),
    styles: chooseStyles(stdout, env),
  };
  const shown = at === undefined ? views : views.filter(({ label }) => label === at);
  return shown
    .map((each) => {
      const table = formatConsumers(each, view);
      return `${formatScenarioView(each, view)}${table === "" ? "" : `\n${table}`}`;
    })
    .join("\n");
}

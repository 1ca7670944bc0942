/**
 * `foliometer verify FILE.scn`: the scenario on the model and on the running kernel, and where they differ.
 *
 * The kernel answers through the C program that `foliometer reproduce` prints. What this machine cannot do ends the run
 * there; the dumps before are compared.
 */
import { type Command, Option } from "commander";
import type { Comparison, KernelCounting, Reproduction, Scenario } from "../scenario/index.ts";
import { CannotVerify, EXIT_DIFFERS, EXIT_DONE, EXIT_INCOMPLETE, EXIT_USAGE } from "./exit-codes.ts";

interface VerifyOptions {
  readonly config?: KernelCounting;
  readonly json?: boolean;
  readonly rules?: boolean;
}

const EXAMPLES = `
Examples:
  foliometer verify examples/scenarios/f_small_only.scn
  foliometer verify a.scn --json | jq '.differences | length'
  foliometer verify a.scn --rules             also what was not compared, and why

It needs root and gcc. Exit code: 0 no difference, 1 some, 3 the kernel could not be asked, or not to the end.`;

/** Adds the command. */
export function addVerify(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("verify")
    .description("run a scenario on the running kernel too, and show where the model differs")
    .argument("<file>", "a scenario; - reads standard input")
    .addOption(
      new Option("--config <name>", "how the running kernel counts, where it does not say").choices(["page", "nopage"]),
    )
    .option("--rules", "print what was left out of the comparison, and why")
    .option("--json", "as JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (file: string, options: VerifyOptions) => run(async () => verify(file, options)));
}

interface RunningKernel {
  readonly config: KernelCounting;
  readonly hasSoftDirty: boolean;
}

async function verify(file: string, options: VerifyOptions): Promise<number> {
  const [{ readScenario }, { runReproduction }, scenarios] = await Promise.all([
    import("./scenario-file.ts"),
    import("./run-reproduction.ts"),
    import("../scenario/index.ts"),
  ]);
  const scenario = readScenario(file, "driver");
  if (scenario === undefined) return EXIT_USAGE;
  const kernel = await runReproduction(scenario);
  const running = await findKernel(options.config);
  const model = scenarios.runScenario(upTo(scenario, kernel), { ...running, schemes: [] });
  const rules = scenarios.rulesForKernel(kernel.record);
  const comparison = scenarios.compareRecords(model.record, kernel.record, { rules });
  process.stdout.write(
    options.json === true
      ? formatJson(comparison, kernel, running)
      : await formatText(comparison, kernel, { running, options }),
  );
  if (comparison.differences.length > 0) return EXIT_DIFFERS;
  return kernel.done ? EXIT_DONE : EXIT_INCOMPLETE;
}

/** The part of the scenario that the kernel has run: up to its last dump. */
function upTo(scenario: Scenario, { record }: Reproduction): Scenario {
  const dumps = [...scenario.commands.entries()].filter(([, { kind }]) => kind === "dump");
  const last = record.steps.length === 0 ? -1 : (dumps.at(record.steps.length - 1)?.[0] ?? -1);
  return { ...scenario, commands: scenario.commands.slice(0, last + 1) };
}

/** How the running kernel counts: by its configuration, else by what its counts show. */
async function findKernel(config: KernelCounting | undefined): Promise<RunningKernel> {
  const { captureNow } = await import("./open-source.ts");
  const capture = await captureNow({ quiet: true });
  const { machine } = capture;
  await capture.close();
  const found = config ?? machine.mapcountConfig;
  if (found === "unknown") {
    throw new CannotVerify(
      "This kernel does not say how it counts, and its counts do not show it: choose with --config page or nopage.",
    );
  }
  return { config: found, hasSoftDirty: machine.options.CONFIG_MEM_SOFT_DIRTY === "y" };
}

function formatJson({ differences, covered }: Comparison, kernel: Reproduction, { config }: RunningKernel): string {
  const document = {
    schema: "foliometer-verify",
    version: 1,
    kernelRelease: kernel.kernelRelease,
    config,
    dumpsCompared: kernel.record.steps.length,
    complete: kernel.done,
    cannot: kernel.cannot ?? null,
    notes: kernel.notes,
    differences: differences.map(({ step, place, path, left, right }) => ({
      step,
      place,
      path,
      model: left,
      kernel: right,
    })),
    leftOut: Object.fromEntries(covered),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

async function formatText(
  { differences, covered }: Comparison,
  kernel: Reproduction,
  { running, options }: { readonly running: RunningKernel; readonly options: VerifyOptions },
): Promise<string> {
  const [{ describeDifference, rulesForKernel }, { escapeControls, formatCount, formatQuantity }] = await Promise.all([
    import("../scenario/index.ts"),
    import("../report/index.ts"),
  ]);
  const dumps = formatQuantity(kernel.record.steps.length, "dump", "dumps");
  const lines = differences.map((each) => describeDifference(each, { left: "model", right: "kernel" }));
  const { cannot } = kernel;
  if (cannot !== undefined)
    lines.push(`This machine cannot do line ${cannot.line}: ${cannot.reason}. The run ended there.`);
  else if (!kernel.done) lines.push("The run on the kernel ended early.");
  lines.push(...kernel.notes.map((note) => `Note: ${note}.`));
  if (options.rules === true) {
    for (const { name, reason } of rulesForKernel(kernel.record)) {
      const times = covered.get(name) ?? 0;
      if (times > 0) lines.push(`Left out: ${name}, ${formatCount(times)} times: ${reason}.`);
    }
  }
  const count =
    differences.length === 0 ? "no difference" : formatQuantity(differences.length, "difference", "differences");
  lines.push(`Linux ${kernel.kernelRelease} (${running.config}), ${dumps} compared: ${count}.`);
  return lines.map((line) => `${escapeControls(line)}\n`).join("");
}

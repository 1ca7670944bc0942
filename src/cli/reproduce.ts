/**
 * `foliometer reproduce FILE.scn`: the scenario as one C program, to be attached to a mail.
 */
import type { Command } from "commander";
import { EXIT_DONE, EXIT_USAGE } from "./exit-codes.ts";

interface ReproduceOptions {
  readonly bench?: boolean;
}

const EXAMPLES = `
Examples:
  foliometer reproduce a.scn > repro.c && gcc -O2 -o repro repro.c && sudo ./repro
  foliometer reproduce a.scn --bench > bench.c`;

/** Adds the command. */
export function addReproduce(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("reproduce")
    .description("print a scenario as one C program that does the same on the running kernel")
    .argument("<file>", "a scenario; - reads standard input")
    .option("--bench", "the program also prints how long every command took")
    .addHelpText("after", EXAMPLES)
    .action(async (file: string, options: ReproduceOptions) => run(async () => reproduce(file, options)));
}

async function reproduce(file: string, { bench }: ReproduceOptions): Promise<number> {
  const [{ readScenario }, { reproduceAsC }] = await Promise.all([
    import("./scenario-file.ts"),
    import("../scenario/index.ts"),
  ]);
  const scenario = readScenario(file, "driver");
  if (scenario === undefined) return EXIT_USAGE;
  process.stdout.write(reproduceAsC(scenario, { timeCommands: bench === true }));
  return EXIT_DONE;
}

/**
 * `foliometer calibrate`: what each unit of cost takes on this machine, as a table and as prices for `compare --costs`.
 */
import { accessSync, constants, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Command } from "commander";
import type { CalibratedProfile } from "../calibration/index.ts";
import { parseThreads, parseWidth } from "./arguments.ts";
import { EXIT_DONE, EXIT_INCOMPLETE, UsageError } from "./exit-codes.ts";

interface CalibrateCommandOptions {
  readonly output?: string;
  readonly json?: boolean;
  readonly quick?: boolean;
  readonly threads?: number;
  readonly width?: number;
  readonly quiet?: boolean;
}

const EXAMPLES = `
Examples:
  foliometer calibrate
  foliometer calibrate -o here.json && foliometer compare zygote --costs here.json
  foliometer calibrate --quick --json | jq .contendedAtomic

It changes nothing on the machine and needs no root. With gcc a small C program measures what JavaScript cannot: faults,
fork, unmapping, page tables. Exit code 3: some units could not be measured and have the price of a published machine.`;

/** Adds the command. */
export function addCalibrate(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("calibrate")
    .description("measure what each unit of cost takes on this machine")
    .option("-o, --output <file>", "write the prices to a file, for foliometer compare --costs; - is standard output")
    .option("--json", "print the prices as JSON instead of a table")
    .option("--quick", "about two seconds instead of ten, and wider ranges")
    .option("--threads <n>", "threads that contend for a line, 2 to 16 (default: one a processor)", parseThreads)
    .option("--width <columns>", "columns of the output; 0: as many as needed (default: the terminal's)", parseWidth)
    .option("--quiet", "no progress on stderr")
    .addHelpText("after", EXAMPLES)
    .action(async (options: CalibrateCommandOptions) => run(async () => calibrateMachine(options)));
}

async function calibrateMachine(options: CalibrateCommandOptions): Promise<number> {
  const [{ calibrate, formatCostProfile, gapsOfProfile }, { XEON_4210R }, { StepLine }, { tell }] = await Promise.all([
    import("../calibration/index.ts"),
    import("../study/index.ts"),
    import("./step-line.ts"),
    import("./run-action.ts"),
  ]);
  const output = options.output === "-" ? undefined : options.output;
  // A place that cannot be written to is known before the measurement and not after it.
  if (output !== undefined) checkOutput(output);
  const progress = new StepLine(process.stderr, { quiet: options.quiet === true });
  let profile: CalibratedProfile;
  try {
    profile = await calibrate({
      reference: XEON_4210R,
      quick: options.quick === true,
      onProgress: (step, share) => progress.show(`Measuring ${step}: ${Math.floor(Math.min(share, 1) * 100)}%`),
      ...(options.threads === undefined ? {} : { threads: options.threads }),
    });
  } finally {
    progress.clear();
  }
  const text = await formatCostProfile(profile);
  if (output !== undefined) writeFileSync(output, text);
  const printsJson = options.json === true || options.output === "-";
  process.stdout.write(printsJson ? text : await formatTable(profile, options));
  const gaps = gapsOfProfile(profile);
  for (const gap of gaps) tell(`incomplete: ${gap}`);
  return gaps.length > 0 ? EXIT_INCOMPLETE : EXIT_DONE;
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is no such directory",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
  EROFS: "the file system is read-only",
};

function checkOutput(path: string): void {
  const file = statSync(path, { throwIfNoEntry: false });
  try {
    if (file?.isDirectory() === true) throw Object.assign(new Error(), { code: "EISDIR" });
    accessSync(file === undefined ? dirname(path) : path, constants.W_OK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    throw new UsageError(`Cannot write ${path}: ${WHY[code] ?? code}.`);
  }
}

async function formatTable(profile: CalibratedProfile, { width }: CalibrateCommandOptions): Promise<string> {
  const [{ COST_UNITS, priceOf }, { chooseStyles, formatCalibrationText }] = await Promise.all([
    import("../calibration/index.ts"),
    import("../report/index.ts"),
  ]);
  const { stdout, env } = process;
  const prices = COST_UNITS.map((unit) => [unit, priceOf(profile, unit)] as const);
  return formatCalibrationText(profile, prices, {
    width: width ?? (stdout.isTTY ? stdout.columns : Infinity),
    styles: chooseStyles(stdout, env),
  });
}

/**
 * The command line as a whole. Of a command only its declaration is loaded, and where the arguments name one, only that
 * one's; what it needs is loaded when it runs.
 */
import { Command, CommanderError } from "commander";
import { EXIT_CODES_HELP, EXIT_DONE, EXIT_USAGE } from "./exit-codes.ts";
import { readVersion } from "./package-files.ts";

const DESCRIPTION =
  "How often is a folio mapped, by whom, and what does every memory figure become when the Linux kernel counts " +
  "differently?";

const EXAMPLES = `
Examples:
  foliometer                                      this machine now, under all schemes
  foliometer report --help                        sorting, filters, JSON
  foliometer capture -o night                     record it
  foliometer report night                         and look at it elsewhere
  foliometer smaps 4711 --scheme mm-owner         smaps of a process as another kernel would print it
  foliometer run fork.scn --schemes all           a scenario on simulated memory, under all schemes
  foliometer verify fork.scn                      and on the running kernel: where do they differ?
  foliometer compare zygote                       all schemes over a workload, and the verdict on each
  foliometer check mm-owner                       every interleaving of threads over its steps

${EXIT_CODES_HELP}`;

/** Adds a command to a program. */
type AddCommand = (program: Command, run: (action: () => Promise<number>) => Promise<void>) => void;

/** All commands in the order of --help, each by its name. */
const COMMANDS: ReadonlyMap<string, () => Promise<AddCommand>> = new Map([
  ["report", async () => (await import("./report.ts")).addReport],
  ["capture", async () => (await import("./capture.ts")).addCapture],
  ["record", async () => (await import("./record.ts")).addRecord],
  ["timeline", async () => (await import("./timeline.ts")).addTimeline],
  ["smaps", async () => (await import("./smaps.ts")).addSmaps],
  ["sharing", async () => (await import("./sharing.ts")).addSharing],
  ["free", async () => (await import("./free.ts")).addFree],
  ["watch", async () => (await import("./watch.ts")).addWatch],
  ["diff", async () => (await import("./diff.ts")).addDiff],
  ["folios", async () => (await import("./folios.ts")).addFolios],
  ["export", async () => (await import("./export.ts")).addExport],
  ["exporter", async () => (await import("./exporter.ts")).addExporter],
  ["who", async () => (await import("./who.ts")).addWho],
  ["run", async () => (await import("./run.ts")).addRun],
  ["verify", async () => (await import("./verify.ts")).addVerify],
  ["reproduce", async () => (await import("./reproduce.ts")).addReproduce],
  ["compare", async () => (await import("./compare.ts")).addCompare],
  ["cow", async () => (await import("./cow.ts")).addCow],
  ["check", async () => (await import("./check.ts")).addCheck],
  ["calibrate", async () => (await import("./calibrate.ts")).addCalibrate],
  ["schemes", async () => (await import("./schemes.ts")).addSchemes],
  ["workloads", async () => (await import("./workloads.ts")).addWorkloads],
  ["completion", async () => (await import("./completion.ts")).addCompletion],
]);
/** The command that no command means. */
const DEFAULT_COMMAND = "report";
/** It prints all others. */
const COMPLETION = "completion";

/** The program with all its commands, or with one: whoever asks for that waits for no other to be loaded. */
export async function buildProgram(only?: string): Promise<Command> {
  const program = new Command("foliometer");
  program
    .description(DESCRIPTION)
    .usage("[command] [options]")
    .version(readVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .addHelpText("after", EXAMPLES)
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(`foliometer: ${text.replace(/^error: /, "").replaceAll(UNPRINTABLE, "?")}`),
    });
  const loaders = [...COMMANDS].filter(([name]) => only === undefined || name === only);
  for (const add of await Promise.all(loaders.map(async ([, load]) => load()))) add(program, runLater);
  return program;
}

/** Wrong usage is quoted back to its user; line ends are ours. */
const UNPRINTABLE = /(?!\n)[\p{Cc}\p{Cf}]/gu;

async function runLater(action: () => Promise<number>): Promise<void> {
  const { runAction } = await import("./run-action.ts");
  await runAction(action);
}

/** The one command that arguments name; undefined where they are about several, or about none that there is. */
function commandNamed([, , first = DEFAULT_COMMAND]: readonly string[]): string | undefined {
  return COMMANDS.has(first) && first !== COMPLETION ? first : undefined;
}

/** Parses the arguments and runs what they say. Sets the exit code, does not exit. */
export async function runProgram(argv: readonly string[]): Promise<void> {
  try {
    const program = await buildProgram(commandNamed(argv));
    await program.parseAsync(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE;
  }
}

/**
 * The command line as a whole. Only declarations are loaded here; what a command needs is loaded when it runs, so that
 * --version and --help cost no more than Node itself.
 */
import { Command, CommanderError } from "commander";
import { addCalibrate } from "./calibrate.ts";
import { addCapture } from "./capture.ts";
import { addCheck } from "./check.ts";
import { addCompare } from "./compare.ts";
import { addCompletion } from "./completion.ts";
import { addCow } from "./cow.ts";
import { addDiff } from "./diff.ts";
import { EXIT_CODES_HELP, EXIT_DONE, EXIT_USAGE } from "./exit-codes.ts";
import { addExport } from "./export.ts";
import { addExporter } from "./exporter.ts";
import { addFolios } from "./folios.ts";
import { addFree } from "./free.ts";
import { readVersion } from "./package-files.ts";
import { addRecord } from "./record.ts";
import { addReport } from "./report.ts";
import { addReproduce } from "./reproduce.ts";
import { addRun } from "./run.ts";
import { addSchemes } from "./schemes.ts";
import { addSharing } from "./sharing.ts";
import { addSmaps } from "./smaps.ts";
import { addTimeline } from "./timeline.ts";
import { addVerify } from "./verify.ts";
import { addWho } from "./who.ts";
import { addWatch } from "./watch.ts";
import { addWorkloads } from "./workloads.ts";

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

/** All commands. */
export function buildProgram(): Command {
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
  const commands = [
    addReport,
    addCapture,
    addRecord,
    addTimeline,
    addSmaps,
    addSharing,
    addFree,
    addWatch,
    addDiff,
    addFolios,
    addExport,
    addExporter,
    addWho,
    addRun,
    addVerify,
    addReproduce,
    addCompare,
    addCow,
    addCheck,
    addCalibrate,
    addSchemes,
    addWorkloads,
    addCompletion,
  ];
  for (const add of commands) add(program, runLater);
  return program;
}

/** Wrong usage is quoted back to its user; line ends are ours. */
const UNPRINTABLE = /(?!\n)[\p{Cc}\p{Cf}]/gu;

async function runLater(action: () => Promise<number>): Promise<void> {
  const { runAction } = await import("./run-action.ts");
  await runAction(action);
}

/** Parses the arguments and runs what they say. Sets the exit code, does not exit. */
export async function runProgram(argv: readonly string[]): Promise<void> {
  try {
    await buildProgram().parseAsync(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE;
  }
}

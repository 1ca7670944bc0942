/**
 * `foliometer smaps PID [DIR]`: the process's smaps or smaps_rollup as the kernel would print it under a scheme.
 *
 * On stdout is nothing but the kernel's format, byte for byte; what is estimated or depends on history is told on
 * stderr. Only on a terminal are control characters in a file's name escaped, as the kernel escapes a newline.
 */
import { type Command, Option } from "commander";
import type { Capture, CapturedProcess, StoredCapture } from "../capture/index.ts";
import type { SmapsRollup, SmapsVma } from "../kernel/index.ts";
import type { HistoryChoice } from "../study/index.ts";
import { parsePid, parseThreads } from "./arguments.ts";
import { EXIT_DONE, UsageError } from "./exit-codes.ts";

interface SmapsOptions {
  readonly scheme?: string;
  readonly rollup?: boolean;
  readonly history: HistoryChoice;
  readonly threads?: number;
  readonly quiet?: boolean;
}

const EXAMPLES = `
Examples:
  foliometer smaps $(pidof redis-server) --scheme mm-owner
  foliometer smaps 4711 --scheme mm-owner --rollup | diff /proc/4711/smaps_rollup -
  foliometer smaps 4711 night --scheme page   from a capture taken with --with-smaps`;

/** Adds the command. */
export function addSmaps(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("smaps")
    .description("print /proc/PID/smaps as the kernel would under a scheme, in the kernel's format")
    .argument("<pid>", "a process", parsePid)
    .argument("[dir]", "a capture; without it the running machine is read")
    .option("--scheme <id>", "the way of counting (default: the kernel's own)")
    .option("--rollup", "print smaps_rollup: one block for the whole process")
    .addOption(
      new Option("--history <choice>", "what to print where the past of a folio decides")
        .choices(["most-private", "least-private"])
        .default("most-private"),
    )
    .option("--threads <n>", "reader threads", parseThreads)
    .option("--quiet", "no progress and no notes on stderr")
    .addHelpText("after", EXAMPLES)
    .action(async (pid: number, directory: string | undefined, options: SmapsOptions) =>
      run(async () => smaps(pid, directory, options)),
    );
}

async function smaps(pid: number, directory: string | undefined, options: SmapsOptions): Promise<number> {
  const [sources, { schemeOf }] = await Promise.all([import("./open-source.ts"), import("./choose-schemes.ts")]);
  if (options.scheme !== undefined) schemeOf(options.scheme);
  if (directory !== undefined) {
    const stored = await sources.openDirectory(directory, options);
    return printFrom(stored, pid, (process) => storedFacts(stored, process), options);
  }
  return printFrom(await sources.captureNow(options), pid, async () => readFacts(pid), options);
}

interface Facts {
  readonly vmas: readonly SmapsVma[];
  readonly rollup?: SmapsRollup;
}

async function printFrom(
  capture: Capture,
  pid: number,
  factsOf: (process: CapturedProcess) => Facts | Promise<Facts>,
  options: SmapsOptions,
): Promise<number> {
  const [{ SCHEMES }, { schemeOf }, { smapsUnderScheme }, kernel, { tell }] = await Promise.all([
    import("../schemes/index.ts"),
    import("./choose-schemes.ts"),
    import("../study/index.ts"),
    import("../kernel/index.ts"),
    import("./run-action.ts"),
  ]);
  try {
    const target = processOf(capture, pid, kernel.formatProcRefusal);
    const facts = await factsOf(target);
    const config = capture.machine.mapcountConfig === "nopage" ? "nopage" : "page";
    const own = SCHEMES.find(({ kernelConfig }) => kernelConfig === config) ?? SCHEMES[0];
    const result = await smapsUnderScheme(capture, target, facts.vmas, {
      scheme: options.scheme === undefined ? own : schemeOf(options.scheme),
      all: SCHEMES,
      history: options.history,
      ...(facts.rollup === undefined ? {} : { rollup: facts.rollup }),
    });
    write(
      options.rollup === true
        ? kernel.formatSmapsRollup(result.rollup)
        : result.vmas.map((vma) => kernel.formatSmapsVma(vma)).join(""),
    );
    if (options.quiet !== true) for (const sentence of result.estimated) tell(sentence);
    return EXIT_DONE;
  } finally {
    await capture.close();
  }
}

function processOf(
  { processes }: Capture,
  pid: number,
  formatRefusal: (refusal: NonNullable<CapturedProcess["refusal"]>) => string,
): CapturedProcess {
  const found = processes.find((each) => each.pid === pid);
  if (found === undefined) throw new UsageError(`There is no process ${pid} with memory of its own.`);
  if (found.refusal !== null) throw new UsageError(formatRefusal(found.refusal));
  if (found.state === "ended") throw new UsageError(`Process ${pid} ended while it was read.`);
  return found;
}

/** smaps of the running process; its rollup too, whose sums are exact only there. */
async function readFacts(pid: number): Promise<Facts> {
  const [{ readSmapsFacts, readSmapsRollup }, { formatProcRefusal }] = await Promise.all([
    import("../capture/index.ts"),
    import("../kernel/index.ts"),
  ]);
  const vmas = readSmapsFacts(pid);
  if ("code" in vmas) throw new UsageError(formatProcRefusal(vmas));
  const rollup = readSmapsRollup(pid);
  return "code" in rollup ? { vmas } : { vmas, rollup };
}

function storedFacts(capture: StoredCapture, process: CapturedProcess): Facts {
  const vmas: SmapsVma[] = [];
  for (let row = process.firstVma; row < process.endVma; row++) {
    const fields = capture.smapsOf(row);
    if (fields !== undefined) vmas.push({ header: capture.vmas[row], fields, extras: [] });
  }
  if (vmas.length === 0) {
    throw new UsageError(`${capture.directory} was captured without --with-smaps, so it has no smaps to start from.`);
  }
  return { vmas };
}

/** The kernel's bytes: names in smaps are no text in any encoding, so they were read byte by byte. */
function write(text: string): void {
  const { stdout } = process;
  const shown = stdout.isTTY ? text.replace(/[^\n -~\u00a0-\u00ff]/g, octal) : text;
  stdout.write(Buffer.from(shown, "latin1"));
}

function octal(control: string): string {
  return `\\${control.charCodeAt(0).toString(8).padStart(3, "0")}`;
}

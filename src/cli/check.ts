/**
 * `foliometer check SCHEME`: every order in which threads can take their steps, and the shortest way to what breaks.
 *
 * SCHEME is a scheme of the registry, whose cases of the catalogue are checked, or a file in the step language, which is a
 * whole system of its own.
 */
import { type Command, Option } from "commander";
import { collect, parseCount, parseNames, parseSize, parseThreads, parseWidth } from "./arguments.ts";

/** The command line as it was read. */
export interface CheckCommandOptions {
  readonly list?: boolean;
  readonly case?: readonly string[];
  readonly threads?: number;
  readonly mms?: number;
  readonly vmas?: number;
  readonly tables?: number;
  readonly pages?: number;
  readonly operations?: number;
  readonly set: readonly string[];
  readonly without: readonly string[];
  readonly property?: readonly string[];
  readonly always: readonly string[];
  readonly never: readonly string[];
  readonly quiet: readonly string[];
  readonly sometimes: readonly string[];
  /** Absent: the case's own, or sc. */
  readonly memory?: "sc" | "tso";
  readonly buffer?: number;
  readonly search: "breadth-first" | "depth-first";
  readonly reduction: boolean;
  readonly symmetry: boolean;
  readonly liveness?: boolean;
  readonly lockOrder?: boolean;
  readonly stateLimit?: number;
  readonly memoryLimit: number;
  readonly workers: number;
  readonly random?: number;
  readonly seed?: number;
  readonly changes?: number;
  readonly all?: boolean;
  readonly mermaid?: boolean;
  readonly graph?: string;
  readonly graphStates?: number;
  readonly scenario?: string;
  readonly json?: boolean;
  readonly width?: number;
  readonly progress: boolean;
}

const EXAMPLES = `
Examples:
  foliometer check --list                                    the cases, and which schemes they are for
  foliometer check mm-owner                                  all cases of a scheme, a line each
  foliometer check vma --case self-deadlock                  one case, with the story of what breaks
  foliometer check mm-owner --case anonymous --mms 3 --threads 3 --operations 2
  foliometer check mm-owner --case anonymous --without large what the lock is for
  foliometer check mm-owner --case anonymous --never 'lost: _large_mapcount > entries() + 1'
  foliometer check page --case reuse --memory tso            with store buffers
  foliometer check page --case three --random 10000 --seed 7
  foliometer check vma --case embrace --lock-order
  foliometer check vma --case embrace --mermaid > embrace.mmd
  foliometer check vma --case embrace --graph embrace.dot && dot -Tsvg embrace.dot > embrace.svg
  foliometer check my-scheme.steps                           a system of your own

A property of one's own is an expression over the words and defines of the text (docs/step-language.md), with a name before
it or without. Exit code: 0 if all came out as the catalogue says (or, where it says nothing, nothing broke), 1 if not,
3 if a limit was met before the end.`;

/** Adds the command. */
export function addCheck(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  const again = (flags: string, text: string): Option => new Option(flags, text).argParser(collect).default([], "none");
  const size = (flags: string, text: string): Option => new Option(flags, text).argParser(parseSize);
  program
    .command("check")
    .description("explore every interleaving of threads over a scheme's steps, and tell what breaks")
    .argument("[scheme]", "a scheme, or a file in the step language (.steps, or - for standard input)")
    .option("--list", "the cases of the catalogue")
    .option("--case <ids>", "only these cases", parseNames)
    .addOption(size("--threads <n>", "threads of the case"))
    .addOption(size("--mms <n>", "address spaces"))
    .addOption(size("--vmas <n>", "VMAs of an address space that map the folio"))
    .addOption(size("--tables <n>", "page tables that the folio lies across"))
    .addOption(size("--pages <n>", "pages of the folio"))
    .addOption(size("--operations <n>", "operations of each thread"))
    .addOption(again("--set <name=n>", "any other constant of the text; may be given again"))
    .addOption(again("--without <lock>", "leave out a lock; may be given again"))
    .option("--property <names>", "check only these properties (default: all)", parseNames)
    .addOption(again("--always <expression>", "a property of your own: in every state"))
    .addOption(again("--never <expression>", "in no state"))
    .addOption(again("--quiet <expression>", "whenever nobody is at work"))
    .addOption(again("--sometimes <expression>", "in some state"))
    .addOption(
      new Option("--memory <order>", "how stores reach memory (default: as the case says, or sc)").choices([
        "sc",
        "tso",
      ]),
    )
    .addOption(size("--buffer <n>", "entries of a store buffer, 1 to 8, with --memory tso (default: 2)"))
    .addOption(
      new Option("--search <order>", "the order of the search")
        .choices(["breadth-first", "depth-first"])
        .default("breadth-first"),
    )
    .option("--no-reduction", "without partial-order reduction")
    .option("--no-symmetry", "without symmetry of threads, address spaces and pages")
    .option("--liveness", "look also for threads that retry for ever")
    .option("--lock-order", "show which locks are held while others are asked for")
    .option("--all", "go on behind a broken property")
    .addOption(size("--state-limit <n>", "end with what was explored so far after so many states"))
    .addOption(size("--memory-limit <mb>", "end with what was explored so far at so many MiB").default(2048))
    .option("--workers <n>", "search on so many threads (default: 1)", parseThreads, 1)
    .addOption(
      size("--random <n>", "n random schedules (PCT) instead of all: for what is too large to finish").conflicts([
        "liveness",
        "stateLimit",
        "all",
      ]),
    )
    .option("--seed <n>", "of the random schedules (default: 1)", parseCount)
    .option("--changes <n>", "changes of priority in a random schedule (default: 3)", parseCount)
    .option("--mermaid", "the story as a Mermaid sequence diagram")
    .option("--graph <file>", "write the states as a graph: .dot, or .mmd for Mermaid")
    .addOption(size("--graph-states <n>", "the most states to draw (default: 300)"))
    .option("--scenario <file>", "write the story as a scenario, where user space can drive it")
    .option("--json", "as one JSON document")
    .option("--width <columns>", "columns of the output; 0: as many as needed (default: the terminal's)", parseWidth)
    .option("--no-progress", "no progress on stderr")
    .addHelpText("after", EXAMPLES)
    .action(async (scheme: string | undefined, options: CheckCommandOptions) =>
      run(async () => (await import("./run-check.ts")).runCheck(scheme, options)),
    );
}

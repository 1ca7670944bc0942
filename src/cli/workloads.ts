/**
 * `foliometer workloads`: the histories that schemes are compared over, and `workloads show ID`: one of them as a scenario.
 */
import { type Command, InvalidArgumentError } from "commander";
import type { Workload, WorkloadValues } from "../workloads/index.ts";
import { EXIT_DONE, UsageError } from "./exit-codes.ts";

interface ListOptions {
  readonly json?: boolean;
  readonly markdown?: boolean;
}

interface ShowOptions {
  readonly set: readonly string[];
  readonly least?: boolean;
  readonly seed: number;
}

const EXAMPLES = `
Examples:
  foliometer workloads
  foliometer workloads --json
  foliometer workloads show third-mm --least
  foliometer workloads show redis-bgsave --set writes=50 --set folios=8 | foliometer run -`;

const SHOW_EXAMPLES = `
Examples:
  foliometer workloads show fork-server
  foliometer workloads show fork-server --least | foliometer run - --schemes all
  foliometer workloads show zygote --set apps=4 --set folioKb=16 --seed 7 > zygote.scn`;

/** The commands below this one: a name, and a word about it. */
type Runner = (action: () => Promise<number>) => Promise<void>;

/** Adds the command. */
export function addWorkloads(program: Command, run: Runner): void {
  const workloads = program
    .command("workloads")
    .description("list the workloads that schemes are compared over, or print one as a scenario")
    .option("--json", "as JSON")
    .option("--markdown", "as docs/workloads.md has them")
    .addHelpText("after", EXAMPLES)
    .action(async (options: ListOptions) => run(async () => listWorkloads(options)));
  workloads
    .command("show")
    .description("print a workload's scenario")
    .argument("<id>", "which workload")
    .option("--set <name=value>", "one of its parameters; may be given again", collect, [])
    .option("--least", "every parameter that is not set at its least, instead of its default")
    .option("--seed <n>", "another seed gives another history of the same kind (default: 1)", parseSeed, 1)
    .addHelpText("after", SHOW_EXAMPLES)
    .action(async (id: string, options: ShowOptions) => run(async () => showWorkload(id, options)));
}

function collect(text: string, before: readonly string[]): string[] {
  return [...before, text];
}

/** A seed from the command line. */
export function parseSeed(text: string): number {
  const seed = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(seed)) {
    throw new InvalidArgumentError(`It needs a whole number from 0 to ${Number.MAX_SAFE_INTEGER}.`);
  }
  return seed;
}

/** The workload of this id. Throws UsageError. */
export async function workloadOf(id: string): Promise<Workload> {
  const { WORKLOADS, findWorkload } = await import("../workloads/index.ts");
  const workload = findWorkload(id);
  if (workload !== undefined) return workload;
  const known = WORKLOADS.map((each) => each.id).join(", ");
  throw new UsageError(`There is no workload ${JSON.stringify(id)}; the workloads are ${known}.`);
}

/** The values of `--set name=value`, each once or the last one given. Throws BadWorkload. */
export async function parseSettings(workload: Workload, texts: readonly string[]): Promise<WorkloadValues> {
  const { parseAssignment } = await import("../workloads/index.ts");
  return Object.assign({}, ...texts.map((text) => parseAssignment(workload, text))) as WorkloadValues;
}

async function showWorkload(id: string, { set, least, seed }: ShowOptions): Promise<number> {
  const { leastValues, scenarioOfWorkload } = await import("../workloads/index.ts");
  const workload = await workloadOf(id);
  if (workload.kind !== "scenario") {
    throw new UsageError(
      `${id} has folios that the scenario language does not have, so it cannot be shown as a scenario.`,
    );
  }
  const settings = await parseSettings(workload, set);
  const values = least === true ? { ...leastValues(workload), ...settings } : settings;
  process.stdout.write(scenarioOfWorkload(workload, values, seed).text);
  return EXIT_DONE;
}

async function listWorkloads({ json, markdown }: ListOptions): Promise<number> {
  const { WORKLOADS } = await import("../workloads/index.ts");
  if (json === true) process.stdout.write(formatJson(WORKLOADS));
  else if (markdown === true) process.stdout.write(await formatMarkdown(WORKLOADS));
  else process.stdout.write(await formatText(WORKLOADS));
  return EXIT_DONE;
}

function formatJson(workloads: readonly Workload[]): string {
  const described = workloads.map(({ id, kind, title, about, source, parameters }) => {
    return { id, kind, title, about, source, parameters };
  });
  return `${JSON.stringify({ schema: "foliometer-workloads", version: 1, workloads: described }, null, 2)}\n`;
}

async function formatText(workloads: readonly Workload[]): Promise<string> {
  const [{ chooseStyles, formatCount, wrapText }, { describeRange }] = await Promise.all([
    import("../report/index.ts"),
    import("../workloads/index.ts"),
  ]);
  const { stdout, env } = process;
  const width = stdout.isTTY ? stdout.columns : 100;
  const styles = chooseStyles(stdout, env);
  const lines = workloads.flatMap(({ id, title, source, parameters }) => {
    const names = Object.entries(parameters);
    const nameWidth = Math.max(...names.map(([name]) => name.length));
    const valueWidth = Math.max(...names.map(([, each]) => formatCount(each.default).length));
    const indent = " ".repeat(4 + nameWidth + 2 + valueWidth + 2);
    return [
      `${styles.heading(id)}: ${title}`,
      ...wrapText(`  Source: ${source}.`, width, "  "),
      ...names.flatMap(([name, parameter]) => {
        const value = formatCount(parameter.default).padStart(valueWidth);
        const text = `${parameter.about} (${describeRange(parameter)})`;
        const [first, ...rest] = wrapText(`${indent}${text}`, width, indent);
        return [`    ${name.padEnd(nameWidth)}  ${value}  ${first.trimStart()}`, ...rest];
      }),
    ];
  });
  return [...lines, ""].join("\n");
}

/** The part of docs/workloads.md that is generated: a table, and a section each. */
export async function formatMarkdown(workloads: readonly Workload[]): Promise<string> {
  const { describeRange } = await import("../workloads/index.ts");
  const rows = workloads.map(({ id, title, source }) => `| [\`${id}\`](#${id}) | ${title} | ${source} |`);
  const sections = workloads.flatMap(({ id, title, about, source, parameters }) => [
    `### ${id}`,
    "",
    `${title[0].toUpperCase()}${title.slice(1)}. ${about}`,
    "",
    `Source: ${source}.`,
    "",
    "| parameter | default | may be | what it is |",
    "| --- | ---: | --- | --- |",
    ...Object.entries(parameters).map(
      ([name, each]) => `| \`${name}\` | ${each.default} | ${describeRange(each)} | ${each.about} |`,
    ),
    "",
  ]);
  return ["| id | what it is | source |", "| --- | --- | --- |", ...rows, "", ...sections].join("\n");
}

/**
 * `foliometer schemes`: the ways of counting, what state they keep and how surely they answer.
 */
import type { Command } from "commander";
import type { Scheme } from "../schemes/index.ts";
import { EXIT_DONE } from "./exit-codes.ts";

const EXAMPLES = `
Examples:
  foliometer schemes
  foliometer schemes --json`;

const LEGEND =
  "exact: equal to the truth. one-sided: never wrong where it says exclusive or partial. estimate: near the truth. " +
  "unknown: the reverse map must be asked.";

/** Adds the command. */
export function addSchemes(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("schemes")
    .description("list the schemes: where each comes from, what it keeps, how surely it answers")
    .option("--json", "as JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (options: { readonly json?: boolean }) => run(async () => listSchemes(options)));
}

async function listSchemes({ json }: { readonly json?: boolean }): Promise<number> {
  const { SCHEMES } = await import("../schemes/index.ts");
  process.stdout.write(json === true ? formatJson(SCHEMES) : await formatText(SCHEMES));
  return EXIT_DONE;
}

function formatJson(schemes: readonly Scheme[]): string {
  const described = schemes.map(({ id, title, origin, kernelConfig, stateBits, guarantees, rules }) => {
    return { id, title, origin, kernelConfig: kernelConfig ?? null, stateBits, guarantees, rules };
  });
  return `${JSON.stringify({ schema: "foliometer-schemes", version: 1, schemes: described }, null, 2)}\n`;
}

const CONFIGS = { page: "CONFIG_PAGE_MAPCOUNT", nopage: "CONFIG_NO_PAGE_MAPCOUNT" } as const;

async function formatText(schemes: readonly Scheme[]): Promise<string> {
  const { chooseStyles, formatCount, renderTable, wrapText } = await import("../report/index.ts");
  const { stdout, env } = process;
  const width = stdout.isTTY ? stdout.columns : 100;
  const styles = chooseStyles(stdout, env);
  const about = schemes.flatMap(({ id, title, origin, kernelConfig, stateBits }) => {
    const runs = kernelConfig === undefined ? "in no kernel yet" : CONFIGS[kernelConfig];
    const state = `${formatCount(stateBits.perFolio)} bits a folio, ${formatCount(stateBits.perPage)} bits a page`;
    return [styles.heading(id), ...wrapText(`  ${title}. ${origin}; ${runs}. State: ${state}.`, width, "  ")];
  });
  const questions = Object.keys(schemes[0].guarantees) as (keyof Scheme["guarantees"])[];
  const { lines } = renderTable(
    {
      columns: [
        { heading: "Question", align: "left", rank: 0 },
        ...schemes.map(({ id }) => ({ heading: id, align: "left", rank: 1 }) as const),
      ],
      rows: questions.map((question) => [
        { text: question },
        ...schemes.map(({ guarantees }) => ({ text: guarantees[question] })),
      ]),
    },
    { width, styles },
  );
  const legend = wrapText(LEGEND, width).map((line) => styles.faint(line));
  return [...about, "", ...lines, "", ...legend, ""].join("\n");
}

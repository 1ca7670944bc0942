/**
 * `foliometer schemes`: the ways of counting, what state they keep and how surely they answer; and when they overflow.
 */
import type { Command } from "commander";
import type { Scheme } from "../schemes/index.ts";
import { EXIT_DONE } from "./exit-codes.ts";

const EXAMPLES = `
Examples:
  foliometer schemes
  foliometer schemes --limits
  foliometer schemes --json`;

const LEGEND =
  "exact: equal to the truth. exact-or-unknown: where it answers. probable: but for a stated chance. one-sided: wrong in " +
  "the harmless direction only. estimate: near the truth, or not. unknown: the reverse map must be asked.";

/** Adds the command. */
export function addSchemes(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("schemes")
    .description("list the schemes: where each comes from, what it keeps, how surely it answers")
    .option("--limits", "how often a folio can be mapped before a counter overflows")
    .option("--json", "as JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (options: ListOptions) => run(async () => listSchemes(options)));
}

interface ListOptions {
  readonly json?: boolean;
  readonly limits?: boolean;
}

async function listSchemes({ json, limits }: ListOptions): Promise<number> {
  const { SCHEMES } = await import("../schemes/index.ts");
  if (limits === true) {
    process.stdout.write(await formatLimits(SCHEMES, json === true));
    return EXIT_DONE;
  }
  process.stdout.write(json === true ? formatJson(SCHEMES) : await formatText(SCHEMES));
  return EXIT_DONE;
}

function formatJson(schemes: readonly Scheme[]): string {
  const described = schemes.map(({ id, title, origin, kernelConfig, stateBits, guarantees, rules }) => {
    return { id, title, origin, kernelConfig: kernelConfig ?? null, stateBits, guarantees, rules };
  });
  return `${JSON.stringify({ schema: "foliometer-schemes", version: 1, schemes: described }, null, 2)}\n`;
}

async function formatLimits(schemes: readonly Scheme[], asJson: boolean): Promise<string> {
  const { counterLimits } = await import("../study/index.ts");
  const limits = await counterLimits(schemes);
  if (asJson) return `${JSON.stringify({ schema: "foliometer-counter-limits", version: 1, limits }, null, 2)}\n`;
  const { chooseStyles, formatCounterLimits } = await import("../report/index.ts");
  const { stdout, env } = process;
  return formatCounterLimits(limits, {
    width: stdout.isTTY ? stdout.columns : Infinity,
    styles: chooseStyles(stdout, env),
  });
}

const CONFIGS = { page: "CONFIG_PAGE_MAPCOUNT", nopage: "CONFIG_NO_PAGE_MAPCOUNT" } as const;

async function formatText(schemes: readonly Scheme[]): Promise<string> {
  const { chooseStyles, formatCount, wrapText } = await import("../report/index.ts");
  const { stdout, env } = process;
  const width = stdout.isTTY ? stdout.columns : 100;
  const styles = chooseStyles(stdout, env);
  const about = schemes.flatMap(({ id, title, origin, kernelConfig, stateBits, guarantees }) => {
    const runs = kernelConfig === undefined ? "" : `; ${CONFIGS[kernelConfig]}`;
    const state = `${formatCount(stateBits.perFolio)} bits a folio, ${formatCount(stateBits.perPage)} bits a page`;
    return [
      styles.heading(id),
      ...wrapText(`  ${title}. ${origin}${runs}. State: ${state}.`, width, "  "),
      ...wrapText(`  ${describeGuarantees(guarantees)}`, width, "  "),
    ];
  });
  const legend = wrapText(LEGEND, width).map((line) => styles.faint(line));
  return [...about, "", ...legend, ""].join("\n");
}

const ORDER = ["exact", "exact-or-unknown", "probable", "one-sided", "estimate", "unknown"] as const;

/** Questions by guarantee, the surest first. */
function describeGuarantees(guarantees: Scheme["guarantees"]): string {
  const groups = ORDER.map((guarantee) => {
    const questions = Object.entries(guarantees).filter(([, each]) => each === guarantee);
    return questions.length === 0 ? "" : `${guarantee}: ${questions.map(([question]) => question).join(", ")}`;
  });
  return `${groups.filter((group) => group !== "").join("; ")}.`;
}

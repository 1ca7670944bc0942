/**
 * `foliometer cow`: the plan of the kernel's selftest cow.c on the model, under the rules of any era and any scheme.
 */
import { type Command, Option } from "commander";
import type { CowOutcome, CowPlanOptions, CowTest, KernelConfig } from "../scenario/index.ts";
import { parseNames } from "./arguments.ts";
import { EXIT_DIFFERS, EXIT_DONE, UsageError } from "./exit-codes.ts";

type CowRule = CowPlanOptions["rule"];

interface CowCommandOptions {
  readonly rule: CowRule | "all";
  readonly config: KernelConfig;
  readonly decidedBy?: string;
  readonly case?: readonly string[];
  readonly backing?: string;
  readonly printScenario?: string;
  readonly json?: boolean;
}

const RULES: readonly CowRule[] = ["large-reuse", "exclusive", "page-count", "mapcount"];
const TITLES: Readonly<Record<CowRule, string>> = {
  "large-reuse": "large-reuse: PageAnonExclusive, and large folios that are one process's own (Linux 6.15 and later)",
  exclusive: "exclusive: PageAnonExclusive (Linux 5.19 to 6.14)",
  "page-count": "page-count: page_count == 1 for small pages, mapcount for huge ones (Linux 5.9 to 5.17)",
  mapcount: "mapcount: mapcount == 1 (before Linux 5.8)",
};

const EXAMPLES = `
Examples:
  foliometer cow                                          the plan under the rules of today
  foliometer cow --rule mapcount --case A3                CVE-2020-29374, found
  foliometer cow --rule all | grep Totals                 four eras
  foliometer cow --decided-by first-page                  another scheme decides
  foliometer cow --case A9,A10 --backing 'base page'
  foliometer cow --print-scenario 'A3 base page' | foliometer run -
  foliometer cow --json | jq '.runs[].tests[] | select(.verdict != "passed")'

It prints TAP: "ok" is what the kernel of that era does, its known failures (XFAIL) included. Exit code: 1 if anything
failed that should have passed, or passed that should have failed.`;

/** Adds the command. */
export function addCow(program: Command, run: (action: () => Promise<number>) => Promise<void>): void {
  program
    .command("cow")
    .description("run the kernel's copy-on-write tests on simulated memory, under the rules of any era")
    .addOption(
      new Option("--rule <rule>", "the era's rule of copy-on-write").choices([...RULES, "all"]).default("large-reuse"),
    )
    .addOption(
      new Option("--config <name>", "CONFIG_PAGE_MAPCOUNT or CONFIG_NO_PAGE_MAPCOUNT")
        .choices(["page", "nopage"])
        .default("page"),
    )
    .option("--decided-by <scheme>", "the scheme that decides in the kernel's place")
    .option("--case <ids>", "only these cases, such as A3 or A9,A10", parseNames)
    .option("--backing <text>", "only memory whose name contains this, such as 'PTE-mapped THP (64 kB)'")
    .option("--print-scenario <test>", "print one test, such as 'A3 base page', as a scenario")
    .option("--json", "as JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (options: CowCommandOptions) => run(async () => runPlan(options)));
}

async function runPlan(options: CowCommandOptions): Promise<number> {
  const { cowPlan, isUnexpected, runCowTest, scenarioOfCowTest } = await import("../scenario/index.ts");
  const plan = cowPlan();
  if (options.printScenario !== undefined) {
    process.stdout.write(scenarioOfCowTest(await findTest(plan, options.printScenario)));
    return EXIT_DONE;
  }
  const tests = chooseTests(plan, options);
  const { config, decidedBy } = options;
  const decider =
    decidedBy === undefined ? {} : { decidedBy: (await import("./choose-schemes.ts")).schemeOf(decidedBy) };
  const rules = options.rule === "all" ? RULES : [options.rule];
  const runs = rules.map((rule) => ({
    rule,
    outcomes: tests.map((test) => runCowTest(test, { config, rule, ...decider })),
  }));
  process.stdout.write(options.json === true ? formatJson(runs, options) : await formatText(runs, options));
  return runs.some(({ outcomes }) => outcomes.some(isUnexpected)) ? EXIT_DIFFERS : EXIT_DONE;
}

async function findTest(plan: readonly CowTest[], name: string): Promise<CowTest> {
  const { nameOfCowTest } = await import("../scenario/index.ts");
  const found = plan.find((test) => nameOfCowTest(test) === name);
  if (found === undefined) {
    throw new UsageError(
      `There is no test ${JSON.stringify(name)}: write a case and its memory, as in "A3 base page".`,
    );
  }
  if (found.backing.missing !== undefined) throw new UsageError(`Not covered: ${found.backing.missing}.`);
  return found;
}

function chooseTests(plan: readonly CowTest[], options: CowCommandOptions): readonly CowTest[] {
  const known = new Set(plan.map((test): string => test.case.id));
  const unknown = options.case?.find((id) => !known.has(id));
  if (unknown !== undefined) {
    throw new UsageError(`There is no case ${JSON.stringify(unknown)}; the cases are ${[...known].join(", ")}.`);
  }
  const tests = plan.filter(
    (test) => (options.case?.includes(test.case.id) ?? true) && test.backing.title.includes(options.backing ?? ""),
  );
  if (tests.length === 0) throw new UsageError(`No such memory: ${JSON.stringify(options.backing)}.`);
  return tests;
}

interface PlanRun {
  readonly rule: CowRule;
  readonly outcomes: readonly CowOutcome[];
}

async function formatText(runs: readonly PlanRun[], { config, decidedBy }: CowCommandOptions): Promise<string> {
  const { formatCowPlan } = await import("../report/index.ts");
  const who = decidedBy === undefined ? "" : `, decided by ${decidedBy}`;
  return runs
    .map(({ rule, outcomes }) => formatCowPlan({ title: `${TITLES[rule]}, config ${config}${who}`, outcomes }))
    .join("\n");
}

function formatJson(runs: readonly PlanRun[], { config, decidedBy }: CowCommandOptions): string {
  const described = runs.map(({ rule, outcomes }) => ({
    rule,
    tests: outcomes.map(({ test, verdict, reason, knownFailure }) => ({
      number: test.number,
      case: test.case.id,
      title: test.case.title,
      backing: test.backing.title,
      verdict,
      reason: reason ?? null,
      knownFailure: knownFailure ?? null,
    })),
  }));
  const document = { schema: "foliometer-cow", version: 1, config, decidedBy: decidedBy ?? null, runs: described };
  return `${JSON.stringify(document, null, 1)}\n`;
}

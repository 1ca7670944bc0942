/**
 * A folder of recorded answers: NAME.scn, page/NAME.json, nopage/NAME.json. The answer to a scenario never changes, so
 * the model can be held against it without a boot.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type KernelCounting, readRecord } from "../../src/scenario/index.ts";
import type { LabAnswer, LabAnswers, NamedScenario } from "../../test/fidelity/lab.ts";

export type AnswersOfKernels = ReadonlyMap<KernelCounting, LabAnswers>;

/** A scenario file. */
export function readScenarioFile(path: string): NamedScenario {
  return { name: basename(path, ".scn"), text: readFileSync(path, "utf8") };
}

/** All scenarios of a folder, in the order of their names. */
export function readScenarios(folder: string): NamedScenario[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".scn"));
  return names.sort().map((name) => readScenarioFile(join(folder, name)));
}

/** The answers of a folder to these scenarios. */
export function readAnswers(
  folder: string,
  scenarios: readonly NamedScenario[],
  kernels: readonly KernelCounting[],
): AnswersOfKernels {
  const answerOf = (kernel: KernelCounting, { name }: NamedScenario): [string, LabAnswer][] => {
    const path = join(folder, kernel, `${name}.json`);
    if (!existsSync(path)) return [];
    const json = readFileSync(path, "utf8");
    return [[name, { kind: "record", record: readRecord(JSON.parse(json)), json }]];
  };
  return new Map(
    kernels.map((kernel) => [kernel, new Map(scenarios.flatMap((scenario) => answerOf(kernel, scenario)))]),
  );
}

/** Writes scenarios and their answers; returns how many answers there were. */
export function writeAnswers(folder: string, scenarios: readonly NamedScenario[], answers: AnswersOfKernels): number {
  let written = 0;
  mkdirSync(folder, { recursive: true });
  for (const { name, text } of scenarios) writeFileSync(join(folder, `${name}.scn`), text);
  for (const [kernel, ofKernel] of answers) {
    mkdirSync(join(folder, kernel), { recursive: true });
    for (const [name, answer] of ofKernel) {
      if (answer.kind !== "record") continue;
      writeFileSync(join(folder, kernel, `${name}.json`), answer.json);
      written++;
    }
  }
  return written;
}

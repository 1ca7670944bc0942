/**
 * The laboratory as the harness uses it: scenarios of one boot do not disturb each other, and a bad one is told apart.
 * Skipped where there is no laboratory.
 */
import { expect, test, type TestContext } from "vitest";
import { compareRecords } from "../../src/scenario/index.ts";
import { requireCommand, skipAlways } from "../full-run.ts";
import { VMSTAT_KEYS, rulesFor } from "./compare.ts";
import { type LabAnswers, type NamedScenario, askLab, findLab } from "./lab.ts";
import { randomScenario } from "./random-scenario.ts";
import { PROFILE_NAMES } from "./wishes.ts";

const TIMEOUT_MS = 240_000;
const SEED = 11;

function requireLab(ctx: TestContext): void {
  const lab = findLab();
  if ("missing" in lab) skipAlways(ctx, lab.missing);
  requireCommand(ctx, "qemu-system-x86_64");
  requireCommand(ctx, "python3");
}

function differencesBetween(first: LabAnswers, second: LabAnswers, { name, text }: NamedScenario): unknown {
  const [a, b] = [first.get(name), second.get(name)];
  // A process that dies, dies in both.
  if (a?.kind === "rejected" && b?.kind === "rejected" && a.reason === b.reason) return [];
  if (a?.kind !== "record" || b?.kind !== "record") return { name, a, b };
  return compareRecords(a.record, b.record, { rules: rulesFor(text), vmstatKeys: VMSTAT_KEYS }).differences;
}

test(
  "two boots answer a scenario of every kind alike, in whatever order they come",
  async (ctx) => {
    requireLab(ctx);
    const scenarios = PROFILE_NAMES.map((_, index) => randomScenario({ seed: SEED, index, operations: 25 }));
    const first = await askLab(scenarios, { kernel: "page" });
    const second = await askLab(scenarios.toReversed(), { kernel: "page" });
    for (const scenario of scenarios) expect(differencesBetween(first, second, scenario)).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "a scenario in which a process is killed is told apart from its neighbours",
  async (ctx) => {
    requireLab(ctx);
    const good = { name: "good", text: "spawn P\nP mmap a 0x200000000 4k rw anon,priv\nP touch @a 4k w\ndump d1\n" };
    const bad = { name: "bad", text: "spawn P\nP touch 0x200000000 4k w\ndump d1\n" };
    const answers = await askLab([bad, good], { kernel: "nopage" });
    expect(answers.get("bad")).toMatchObject({ kind: "rejected", reason: expect.stringContaining("P died") as string });
    expect(answers.get("good")).toMatchObject({ kind: "record" });
  },
  TIMEOUT_MS,
);

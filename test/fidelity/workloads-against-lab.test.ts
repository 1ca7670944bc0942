/**
 * Workloads at their least through both real kernels and the model: no difference.
 *
 * A workload that only the model can run would prove nothing of a kernel; at its least every scenario is small enough for
 * both. Commands and dumps are the workload's own.
 */
import { expect, test } from "vitest";
import { describeDifference } from "../../src/scenario/index.ts";
import { WORKLOADS, leastValues, scenarioOfWorkload } from "../../src/workloads/index.ts";
import { requireCommand, skipAlways } from "../full-run.ts";
import { judge } from "./compare.ts";
import { type NamedScenario, askBothKernels, findLab } from "./lab.ts";

/** Seeds tried; another one chooses other pages and other victims. */
const SEEDS = [1, 2];

function leastScenarios(): NamedScenario[] {
  return WORKLOADS.flatMap((workload) => {
    if (workload.kind !== "scenario") return [];
    return SEEDS.map((seed) => ({
      name: `${workload.id.replaceAll("-", "_")}_${seed}`,
      text: scenarioOfWorkload(workload, leastValues(workload), seed).text,
    }));
  });
}

test("both kernels answer every workload at its least as the model does", async (ctx) => {
  const lab = findLab();
  if ("missing" in lab) skipAlways(ctx, lab.missing);
  requireCommand(ctx, "qemu-system-x86_64");
  requireCommand(ctx, "python3");
  const scenarios = leastScenarios();
  const answers = await askBothKernels(scenarios, ["page", "nopage"]);
  for (const kernel of ["page", "nopage"] as const) {
    for (const scenario of scenarios) {
      const outcome = judge(scenario, kernel, answers.get(kernel)?.get(scenario.name));
      const said =
        outcome.kind === "differs"
          ? outcome.differences.slice(0, 5).map((one) => describeDifference(one, { left: "model", right: kernel }))
          : outcome;
      expect.soft(said, scenario.text).toEqual({ kind: "equal" });
    }
  }
}, 300_000);

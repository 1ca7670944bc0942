/**
 * Workloads at their least through both real kernels and the model: no difference.
 *
 * A workload that only the model can run would prove nothing of a kernel; at its least every scenario is small enough for
 * both. Commands and dumps are the workload's own.
 */
import { test } from "vitest";
import { WORKLOADS, leastValues, scenarioOfWorkload } from "../../src/workloads/index.ts";
import { expectBothKernelsToAgree } from "./expect-agreement.ts";
import type { NamedScenario } from "./lab.ts";

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
  await expectBothKernelsToAgree(ctx, leastScenarios());
}, 300_000);

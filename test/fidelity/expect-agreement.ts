/**
 * The claim of every test that holds scenarios against the lab: both real kernels answer them as the model does.
 */
import { type TestContext, expect } from "vitest";
import { describeDifference } from "../../src/scenario/index.ts";
import { requireCommand, skipAlways } from "../full-run.ts";
import { judge } from "./compare.ts";
import { type NamedScenario, askBothKernels, findLab } from "./lab.ts";

const KERNELS = ["page", "nopage"] as const;
/** Differences shown of one scenario. */
const SHOWN = 5;

/** Runs the scenarios on both kernels and expects no difference in any. Skips, with the reason, where the lab is not there. */
export async function expectBothKernelsToAgree(ctx: TestContext, scenarios: readonly NamedScenario[]): Promise<void> {
  const lab = findLab();
  if ("missing" in lab) skipAlways(ctx, lab.missing);
  requireCommand(ctx, "qemu-system-x86_64");
  requireCommand(ctx, "python3");
  const answers = await askBothKernels(scenarios, KERNELS);
  for (const kernel of KERNELS) {
    for (const scenario of scenarios) {
      const outcome = judge(scenario, kernel, answers.get(kernel)?.get(scenario.name));
      const said =
        outcome.kind === "differs"
          ? outcome.differences.slice(0, SHOWN).map((one) => describeDifference(one, { left: "model", right: kernel }))
          : outcome;
      expect.soft(said, `${kernel}\n${scenario.text}`).toEqual({ kind: "equal" });
    }
  }
}

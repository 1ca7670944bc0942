/**
 * A small batch of random scenarios, of every kind, through both real kernels and the model: no difference.
 *
 * `npm run fidelity -- --seed N --count N` runs as many as one likes; this is what every full run of the tests does.
 */
import { expect, test } from "vitest";
import { describeDifference } from "../../src/scenario/index.ts";
import { requireCommand, skipAlways } from "../full-run.ts";
import { judge } from "./compare.ts";
import { askBothKernels, findLab } from "./lab.ts";
import { randomScenario } from "./random-scenario.ts";
import { PROFILE_NAMES } from "./wishes.ts";

const SEED = 20_261_121;

test(`the model answers random scenarios as both kernels do (npm run fidelity -- --seed ${SEED} --count ${PROFILE_NAMES.length})`, async (ctx) => {
  const lab = findLab();
  if ("missing" in lab) skipAlways(ctx, lab.missing);
  requireCommand(ctx, "qemu-system-x86_64");
  requireCommand(ctx, "python3");
  const scenarios = PROFILE_NAMES.map((_, index) => randomScenario({ seed: SEED, index, operations: 30 }));
  const answers = await askBothKernels(scenarios, ["page", "nopage"]);
  let compared = 0;
  for (const kernel of ["page", "nopage"] as const) {
    for (const scenario of scenarios) {
      const outcome = judge(scenario, kernel, answers.get(kernel)?.get(scenario.name));
      // A scenario in which a process is killed by its own access is no comparison.
      if (outcome.kind === "unanswered" && outcome.reason.includes("died")) continue;
      compared++;
      const said =
        outcome.kind === "differs"
          ? outcome.differences.slice(0, 5).map((one) => describeDifference(one, { left: "model", right: kernel }))
          : outcome;
      expect(said, scenario.text).toEqual({ kind: "equal" });
    }
  }
  expect(compared).toBeGreaterThan(PROFILE_NAMES.length);
}, 300_000);

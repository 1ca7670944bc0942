import { test, vi } from "vitest";
vi.mock("../scenario/index.ts", async (orig) => {
  const real = (await orig()) as any;
  if (real.createModelHistory !== undefined) return real;
  const { ModelRun } = await import("../scenario/model-run.ts");
  const { runCommand } = await import("../scenario/model-commands.ts");
  const { createCountedMachine } = await import("../scenario/counted-machine.ts");
  return {
    ...real,
    createModelHistory: (scenario: any, options: any) => {
      const machine = createCountedMachine(options);
      const run = new ModelRun(machine as any);
      let at = 0;
      return {
        machine,
        next() {
          for (;;) {
            const c = scenario.commands[at++];
            if (c === undefined) return undefined;
            if (c.kind === "dump" || c.kind === "baseline") continue;
            try {
              runCommand(run, c);
            } catch (e) {
              throw new real.ScenarioStopped(c, e);
            }
            return { operation: c.kind, text: c.source, line: c.line };
          }
        },
      };
    },
  };
});

import { SCHEMES, findScheme } from "../schemes/index.ts";
import { WORKLOADS } from "../workloads/index.ts";
import { compareWorkload } from "./compare-workload.ts";
import { XEON_4210R } from "./cost-profile-xeon-4210r.ts";
test("t", { timeout: 600000 }, async () => {
  for (const w of WORKLOADS) {
    if (process.env.W !== undefined ? !process.env.W.split(",").includes(w.id) : w.kind !== "entries") continue;
    const t = performance.now();
    try {
      const c = await compareWorkload(
        w,
        { values: {}, seed: 1 },
        {
          schemes: SCHEMES,
          against: findScheme("page")!,
          costs: XEON_4210R,
          witnesses: process.env.NOW !== undefined ? false : true,
        },
      );
      console.log(
        w.id,
        Math.round(performance.now() - t),
        "ms",
        JSON.stringify(c.workload),
        JSON.stringify(c.sample),
        c.against,
        c.excluded.map((e) => e.id).join(),
      );
      for (const v of c.verdicts) {
        console.log(v.line);
        if (process.env.V) {
          console.log(v.breaks, v.catastrophic, v.loses);
        }
      }
      if (process.env.O)
        for (const o of c.operations)
          console.log(
            o.operation,
            o.count,
            o.entries,
            o.byScheme.map((b, i) => c.schemes[i].id + " " + b.ratio.middle.toFixed(2)).join(", "),
            Math.round(o.byScheme[0].time.ns),
          );
    } catch (e) {
      console.log(w.id, Math.round(performance.now() - t), e);
    }
  }
});

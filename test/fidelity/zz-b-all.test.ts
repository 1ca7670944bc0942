import { test } from "vitest";
import { writeFileSync } from "node:fs";
import { cowPlan, describeDifference, nameOfCowTest, scenarioOfCowTest } from "../../src/scenario/index.ts";
import { judge } from "./compare.ts";
import { askBothKernels } from "./lab.ts";
test("all", async () => {
  const tests = cowPlan().filter((t) => t.backing.missing === undefined && !/by gup-fast/.test(scenarioOfCowTest(t)) && !/\((32|128|256|512|1024) kB\)/.test(t.backing.title));
  const scenarios = tests.map((t) => ({ name: `cow_${t.number}`, text: scenarioOfCowTest(t), title: nameOfCowTest(t) }));
  const answers = await askBothKernels(scenarios, ["page", "nopage"]);
  const tally: Record<string, number> = {}; const lines: string[] = [];
  for (const kernel of ["page", "nopage"] as const) for (const s of scenarios) {
    const o = judge(s, kernel, answers.get(kernel)?.get(s.name));
    tally[`${kernel} ${o.kind}`] = (tally[`${kernel} ${o.kind}`] ?? 0) + 1;
    if (o.kind !== "equal") lines.push(`${kernel} ${s.title}: ${o.kind} ${o.kind === "differs" ? o.differences.slice(0, 3).map((d) => describeDifference(d, { left: "model", right: kernel })).join(" | ") : o.reason}`);
  }
  writeFileSync("/tmp/b/all-lab.txt", JSON.stringify(tally) + "\n" + lines.join("\n") + "\n");
}, 1500000);

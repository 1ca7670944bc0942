import { test } from "vitest";
import { SCHEMES } from "../schemes/index.ts";
import * as L from "./counting-cases.ts";
import { elaborate } from "./elaborate.ts";
import { checkMachine } from "./explore.ts";
test("look", () => {
  const cases = Object.values(L).find((x) => Array.isArray(x)) as any[];
  console.log(cases.map((c) => c.id));
  for (const id of ["file", "anonymous"]) {
    const c = cases.find((x) => x.id === id);
    const scheme = SCHEMES.find((s) => s.id === "mm-owner")!;
    const machine = elaborate(c.configuration(scheme));
    for (const options of [{}, { partialOrderReduction: false, symmetry: false }, {partialOrderReduction: false}, {symmetry: false}]) {
      const t = performance.now();
      const r = checkMachine(machine, options);
      console.log(c.id, JSON.stringify(options), r.coverage, JSON.stringify(r.figures), performance.now() - t);
    }
  }
}, 100000);

/**
 * The report of a capture against the obvious calculation, page by page, on random small machines.
 */
import * as fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { captureSmallMachine } from "../../test/figures/fake-capture.ts";
import { WordFiles } from "../../test/figures/fake-proc.ts";
import { SLOW_SCHEMES, slowFigures } from "../../test/figures/slow-figures.ts";
import { buildMachine, machineRecipes } from "../../test/figures/small-machine.ts";
import { SCHEMES } from "../schemes/index.ts";
import { reportOnCapture } from "./report-on-capture.ts";

const files = new WordFiles();
afterAll(() => files.close());

const ways = fc.record({
  threads: fc.integer({ min: 1, max: 3 }),
  shuffle: fc.array(fc.nat(2), { minLength: 1, maxLength: 5 }),
  templates: fc.boolean(),
});

test("every figure of every process equals the one counted page by page", async () => {
  await fc.assert(
    fc.asyncProperty(machineRecipes, ways, async (recipe, options) => {
      const machine = buildMachine(recipe);
      const slow = slowFigures(machine);
      const report = await reportOnCapture(await captureSmallMachine(machine, files, options), SCHEMES);
      files.reuse();
      for (const [index, process] of report.processes.entries()) {
        const of = slow.processes[index];
        expect(process.rssBytes).toBe(of.rss * 4096);
        for (const id of SLOW_SCHEMES) {
          expect(process.schemes[id].pssBytes).toBe(Math.floor(of.schemes[id].pss / 4096));
        }
      }
    }),
    { numRuns: 300 },
  );
});

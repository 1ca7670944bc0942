/** Stacks against the report: on random small machines they are its figures, divided by mapping and order. */
import * as fc from "fast-check";
import { afterAll, beforeEach, expect, test } from "vitest";
import { captureSmallMachine } from "../../test/figures/fake-capture.ts";
import { WordFiles } from "../../test/figures/fake-proc.ts";
import { machineRecipes } from "../../test/figures/machine-recipes.ts";
import { buildMachine } from "../../test/figures/small-machine.ts";
import { SCHEMES } from "../schemes/index.ts";
import { reportOnCapture } from "./report-on-capture.ts";
import { sumStacks } from "./stack-sums.ts";

const files = new WordFiles();
beforeEach(() => files.reuse());
afterAll(() => files.close());

test("a process's stacks add up to its Rss and Uss, and to its Pss but for what truncation takes from each", async () => {
  const orders = new Set<number>();
  await fc.assert(
    fc.asyncProperty(
      machineRecipes,
      fc.constantFrom(...SCHEMES),
      fc.integer({ min: 1, max: 3 }),
      async (recipe, scheme, threads) => {
        const capture = await captureSmallMachine(buildMachine(recipe), files, {
          threads,
          shuffle: [0, 1],
          templates: false,
        });
        files.reuse();
        const report = await reportOnCapture(capture, [scheme]);
        const { stacks } = await sumStacks(capture, scheme);
        for (const { order } of stacks) orders.add(order);
        for (const process of report.processes) {
          const own = stacks.filter((stack) => stack.process.pid === process.pid);
          const { pssBytes, ussBytes } = process.schemes[scheme.id];
          const sum = (pick: (stack: (typeof own)[number]) => number): number =>
            own.reduce((all, each) => all + pick(each), 0);
          if (process.state !== "complete") {
            expect(own).toEqual([]);
            continue;
          }
          expect(sum(({ rssBytes }) => rssBytes)).toBe(process.rssBytes);
          expect(sum((stack) => stack.ussBytes.least)).toBe(ussBytes.least);
          expect(sum((stack) => stack.ussBytes.most)).toBe(ussBytes.most);
          const lost = pssBytes - sum((stack) => stack.pssBytes);
          expect(lost).toBeGreaterThanOrEqual(0);
          expect(lost).toBeLessThanOrEqual(own.length);
        }
      },
    ),
    { numRuns: 60 },
  );
  // Small folios and large ones were there.
  expect(orders.size).toBeGreaterThan(2);
});

test("the bytes at an order are those of the folios of that order", async () => {
  await fc.assert(
    fc.asyncProperty(machineRecipes, async (recipe) => {
      const capture = await captureSmallMachine(buildMachine(recipe), files, {
        threads: 1,
        shuffle: [0],
        templates: false,
      });
      files.reuse();
      const scheme = SCHEMES[0];
      const { stacks } = await sumStacks(capture, scheme);
      const { folios, frames } = capture;
      // A folio's Pss under page counting is its mapped pages, each as often as it is mapped divided by that.
      for (const order of new Set(stacks.map((stack) => stack.order))) {
        if (order === 0) continue;
        let mappings = 0;
        for (let row = 0; row < folios.count; row++) {
          if (folios.order[row] !== order) continue;
          for (let page = 0; page < 2 ** order; page++) mappings += frames.mapcount[folios.headPfn[row] + page];
        }
        const rss = stacks.reduce((all, stack) => all + (stack.order === order ? stack.rssBytes : 0), 0);
        // hugetlb is no Rss, and what changed under the reader is in no sum.
        expect(rss).toBeLessThanOrEqual(mappings * 4096);
      }
    }),
    { numRuns: 40 },
  );
});

/** Stacks against the report: on random small machines they are its figures, divided by mapping and order. */
import * as fc from "fast-check";
import { afterAll, beforeEach, expect, test } from "vitest";
import { captureSmallMachine } from "../../test/figures/fake-capture.ts";
import { WordFiles } from "../../test/figures/fake-proc.ts";
import { machineRecipes } from "../../test/figures/machine-recipes.ts";
import { buildMachine } from "../../test/figures/small-machine.ts";
import type { Capture } from "../capture/index.ts";
import { FRAME_KIND_MASK, KIND_ANON, KIND_FILE, KIND_KSM, KIND_SHMEM } from "../kernel/index.ts";
import { SCHEMES } from "../schemes/index.ts";
import { reportOnCapture, sumCapture } from "./report-on-capture.ts";
import { sumStacks } from "./stack-sums.ts";

const files = new WordFiles();
beforeEach(() => files.reuse());
afterAll(() => files.close());

const PLAIN = { threads: 1, shuffle: [0], templates: false };

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

/** Rss bytes by "pid mapping order", one page after the other. */
async function rssPageByPage({ folios, frames, processes, vmas, ...capture }: Capture): Promise<Map<string, number>> {
  const orders = new Map<number, number>();
  for (let row = 0; row < folios.count; row++) {
    for (let page = 0; page < 2 ** folios.order[row]; page++) orders.set(folios.headPfn[row] + page, folios.order[row]);
  }
  const owners = new Map<number, number>();
  for (const { state, pid, firstVma, endVma } of processes) {
    if (state !== "complete") continue;
    for (let row = firstVma; row < endVma; row++) owners.set(row, pid);
  }
  const bytes = new Map<string, number>();
  for (const runs of await capture.presentRuns()) {
    for (let run = 0; run < runs.count; run++) {
      for (let page = 0; page < runs.pages[run]; page++) {
        const frame = runs.frame[run] + runs.step[run] * page;
        const kind = frames.kind[frame] & FRAME_KIND_MASK;
        const isAnon = kind === KIND_ANON || kind === KIND_KSM;
        // hugetlb and what is never counted is no Rss; where entry and frame disagree, it changed under the reader.
        const isRss = frames.mapcount[frame] > 0 && (isAnon || kind === KIND_FILE || kind === KIND_SHMEM);
        if (!isRss || isAnon === (runs.file[run] === 1)) continue;
        const vma = runs.vma[run];
        const key = `${owners.get(vma)} ${vmas[vma].name} ${orders.get(frame) ?? 0}`;
        bytes.set(key, (bytes.get(key) ?? 0) + 4096);
      }
    }
  }
  return bytes;
}

test("each stack has the pages that its process maps there, of folios of its order", async () => {
  const seen = new Set<number>();
  await fc.assert(
    fc.asyncProperty(machineRecipes, async (recipe) => {
      const capture = await captureSmallMachine(buildMachine(recipe), files, PLAIN);
      files.reuse();
      const { stacks } = await sumStacks(capture, SCHEMES[0]);
      // Entries in transit have no frame; they are in the stacks of order 0.
      const { movingPages } = await sumCapture(capture, [SCHEMES[0]]);
      fc.pre(movingPages.every((pages) => pages === 0));
      const found = stacks.map(({ process, mapping, order, rssBytes }) => {
        seen.add(order);
        return [`${process.pid} ${mapping} ${order}`, rssBytes] as const;
      });
      expect(new Map(found)).toEqual(await rssPageByPage(capture));
    }),
    { numRuns: 50 },
  );
  expect(seen.size).toBeGreaterThan(2);
});

/** Ranges of random pagemaps: entry by entry what was written, levels too; and VMAs to cut them. */
import * as fc from "fast-check";
import { afterAll, beforeEach, expect, test } from "vitest";
import { FakeSystemCalls, WordFiles, rawEntries, writePagemap } from "../../test/figures/fake-proc.ts";
import { machineRecipes } from "../../test/figures/machine-recipes.ts";
import { buildMachine } from "../../test/figures/small-machine.ts";
import { LEVEL_PMD, LEVEL_UNKNOWN } from "../kernel/index.ts";
import { EntryRanges, joinRanges, placeInVmas } from "./entry-ranges.ts";
import { RUN_LEVEL_SHIFT, RUN_PRESENT } from "./run-layout.ts";
import { type SelectedRun, cutToIntervals, intervalsOf } from "./selected-runs.ts";

const files = new WordFiles();
beforeEach(() => files.reuse());
afterAll(() => files.close());

/** One line an entry: page, frame, and its level if it is present. */
function entriesOf(runs: readonly SelectedRun[]): string[] {
  return runs.flatMap(({ page, frame, pages, step, bits }) =>
    Array.from({ length: pages }, (_, at) => {
      const isPmd = bits >>> RUN_LEVEL_SHIFT === LEVEL_PMD;
      return `${page + at} ${frame + step * at} ${(bits & RUN_PRESENT) === 0 ? "not present" : isPmd ? "pmd" : "pte"}`;
    }),
  );
}

const WORD = 2 ** 32;

test("what is read of a range is every entry in it, huge ones as such", () => {
  let huge = 0;
  fc.assert(
    fc.property(machineRecipes, fc.nat(3000), fc.nat(4000), (recipe, skip, length) => {
      files.reuse();
      const calls = new FakeSystemCalls();
      for (const { vmas } of buildMachine(recipe).processes) {
        const last = vmas.at(-1);
        if (last === undefined || last.endPage > 2 ** 33) continue;
        const fd = files.take();
        const raw = vmas.flatMap(rawEntries);
        writePagemap(fd, raw, last.endPage);
        calls.add(fd, raw);
        // Ranges begin with a page table, as they may be read from the middle of a huge mapping otherwise.
        const startPage = Math.floor((vmas[0].startPage + skip) / 512) * 512;
        const endPage = startPage + length;
        const expected = raw
          .filter(({ page }) => page >= startPage && page < endPage)
          .map(({ page, low, high, pmd }) => {
            const isWhole = pmd && Math.floor(page / 512) * 512 + 512 <= endPage;
            const level = high >= 0 ? "not present" : isWhole ? "pmd" : "pte";
            return `${page} ${(low >>> 0) + (high & 0x7f_ffff) * WORD} ${level}`;
          });
        expect(entriesOf(new EntryRanges(calls).read(fd, { startPage, endPage }))).toEqual(expected);
        huge += expected.filter((line) => line.endsWith("pmd")).length;
      }
    }),
    { numRuns: 100 },
  );
  expect(huge).toBeGreaterThan(0);
});

test("without system calls the level of what could be huge is unknown, not guessed", () => {
  const fd = files.take();
  const raw = Array.from({ length: 512 }, (_, at) => ({ page: 512 + at, low: 1024 + at, high: 1 << 31, pmd: true }));
  writePagemap(fd, raw, 1024);
  const [run] = new EntryRanges(undefined).read(fd, { startPage: 512, endPage: 1024 });
  expect(run).toMatchObject({ pages: 512, bits: RUN_PRESENT | (LEVEL_UNKNOWN << RUN_LEVEL_SHIFT) });
});

test("a range behind the end of a pagemap is empty", () => {
  const fd = files.take();
  writePagemap(fd, [], 64);
  expect(new EntryRanges(undefined).read(fd, { startPage: 0, endPage: 100_000 })).toEqual([]);
});

const run = (page: number, frame: number, pages: number, step: number): SelectedRun => ({
  vma: 0,
  page,
  frame,
  pages,
  step,
  bits: RUN_PRESENT,
});

test("runs are cut where VMAs end, and what lies in none is left out", () => {
  const vmas = [
    { startPage: 10, endPage: 12 },
    { startPage: 12, endPage: 20 },
  ];
  expect(placeInVmas([run(8, 100, 10, 1)], vmas, 5)).toEqual([
    { ...run(10, 102, 2, 1), vma: 5 },
    { ...run(12, 104, 6, 1), vma: 6 },
  ]);
});

test("a run is cut to intervals frame by frame, whichever way it steps", () => {
  const runs = fc.record({
    page: fc.nat(50),
    frame: fc.integer({ min: 30, max: 90 }),
    pages: fc.integer({ min: 1, max: 30 }),
    step: fc.constantFrom(-1, 0, 1),
  });
  fc.assert(
    fc.property(runs, fc.uniqueArray(fc.nat(130), { maxLength: 40 }), ({ page, frame, pages, step }, frames) => {
      const intervals = intervalsOf(frames.map((each) => run(0, each, 1, 1)));
      const found: SelectedRun[] = [];
      cutToIntervals(run(page, frame, pages, step), intervals, found);
      const wanted = new Set(frames);
      const expected = entriesOf([run(page, frame, pages, step)]).filter((line) =>
        wanted.has(Number(line.split(" ")[1])),
      );
      expect(entriesOf(found).toSorted()).toEqual(expected.toSorted());
    }),
  );
});

test("ranges that touch are one, empty ones none", () => {
  const joined = joinRanges([
    { startPage: 20, endPage: 30 },
    { startPage: 0, endPage: 10 },
    { startPage: 10, endPage: 12 },
    { startPage: 15, endPage: 15 },
  ]);
  expect(joined).toEqual([
    { startPage: 0, endPage: 12 },
    { startPage: 20, endPage: 30 },
  ]);
});

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { GRAIN_SHIFT, type PackedRuns, RunsOfSpaces, markChangedGrains, packRuns } from "./packed-runs.ts";
import {
  ADDRESS_AT,
  BITS_AT,
  BLOCK_RUNS,
  FRAME_AT,
  PAGES_AT,
  RUN_PRESENT,
  RUN_SWAP,
  RunBlocks,
  type RunSource,
  STEP_AT,
  WORDS_PER_RUN,
} from "./run-blocks.ts";
import { RunTemplates } from "./run-templates.ts";

interface Run {
  readonly vma: number;
  readonly page: number;
  readonly frame: number;
  readonly pages: number;
  readonly step: number;
  readonly bits: number;
}

const FRAMES = 4096;

const oneRun = fc.record({
  vma: fc.nat(3),
  gap: fc.nat(5),
  frame: fc.integer({ min: 300, max: FRAMES - 300 }),
  pages: fc.integer({ min: 1, max: 200 }),
  step: fc.constantFrom(-1, 0, 1, 1),
  bits: fc.constantFrom(RUN_PRESENT, RUN_PRESENT, RUN_PRESENT, RUN_SWAP),
});

/** Runs in the order of their addresses; some of them above 4 GiB. */
const runLists = fc.array(oneRun, { maxLength: 30 }).map((list): Run[] => {
  let page = 2 ** 20 - 1000;
  return list.map(({ gap, ...run }) => {
    const placed = { ...run, page: page + gap };
    page += gap + run.pages;
    return placed;
  });
});

function packed(list: readonly Run[], templates: RunTemplates): PackedRuns {
  const runs = new RunBlocks(undefined, { memoryBlocks: 0, saveEveryBlock: false, templates });
  for (const { vma, page, frame, pages, step, bits } of list) {
    runs.append(vma, (page << 12) | 0, Math.floor(page / 2 ** 20), frame, 0, pages, step, bits);
  }
  runs.finish();
  return packRuns(runs);
}

function listed(source: RunSource): Run[] {
  const list: Run[] = [];
  source.forEachRun((block, at, vma) =>
    list.push({
      vma,
      page: (block[ADDRESS_AT + 2 * at] >>> 12) + block[ADDRESS_AT + 2 * at + 1] * 2 ** 20,
      frame: block[FRAME_AT + 2 * at],
      pages: block[PAGES_AT + at],
      step: block[STEP_AT + at],
      bits: block[BITS_AT + at],
    }),
  );
  return list;
}

const scratch = (): Int32Array => new Int32Array(BLOCK_RUNS * WORDS_PER_RUN);

test("packed runs of several address spaces come out as they went in, VMAs shifted to their place", () => {
  fc.assert(
    fc.property(runLists, runLists, (first, second) => {
      const templates = new RunTemplates();
      const spaces = [
        { runs: packed(first, templates), firstVma: 0 },
        { runs: packed(second, templates), firstVma: 10 },
      ];
      const expected = [...first, ...second.map((run) => ({ ...run, vma: run.vma + 10 }))];
      expect(listed(new RunsOfSpaces(templates, spaces, scratch()))).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});

test("more runs than a block holds keep their order", () => {
  const list = Array.from({ length: BLOCK_RUNS + 5 }, (_, at) => ({
    vma: 1,
    page: at * 2,
    frame: at % FRAMES,
    pages: 1,
    step: 1,
    bits: RUN_PRESENT,
  }));
  const templates = new RunTemplates();
  const runs = packed(list, templates);
  expect(runs.chunks.map((chunk) => chunk.length / WORDS_PER_RUN)).toEqual([BLOCK_RUNS, 5]);
  expect(listed(new RunsOfSpaces(templates, [{ runs, firstVma: 0 }], scratch()))).toEqual(list);
});

/** Grains of the present frames of a run. */
function grainsOf({ frame, pages, step, bits }: Run): number[] {
  if ((bits & RUN_PRESENT) === 0) return [];
  return Array.from({ length: pages }, (_, at) => (frame + step * at) >> GRAIN_SHIFT);
}

test("a grain is marked if and only if a run in it is in one reading and not in the other; VMAs do not count", () => {
  const pairs = fc.tuple(runLists, runLists, fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }), fc.nat(2));
  fc.assert(
    fc.property(pairs, ([first, second, keep, shift]) => {
      // The later reading has lost some runs and gained some of another list, behind the others.
      const end = Math.max(0, ...first.map(({ page, pages }) => page + pages));
      const after = [
        ...first.filter((_, at) => keep[at]).map((run) => ({ ...run, vma: run.vma + shift })),
        ...second.map((run) => ({ ...run, page: run.page + end })),
      ];
      const keyOf = ({ vma: _, ...run }: Run): string => JSON.stringify(run);
      const [had, has] = [first, after].map((list) => new Set(list.map(keyOf)));
      const changed = [...first.filter((run) => !has.has(keyOf(run))), ...after.filter((run) => !had.has(keyOf(run)))];
      const expected = new Uint8Array(FRAMES >> GRAIN_SHIFT);
      for (const grain of changed.flatMap(grainsOf)) expected[grain] = 1;
      const templates = new RunTemplates();
      const marked = new Uint8Array(FRAMES >> GRAIN_SHIFT);
      markChangedGrains(packed(first, templates), packed(after, templates), marked);
      expect(marked).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});

test.each<readonly [string, Partial<Run>, readonly number[]]>([
  ["another frame", { frame: 1000 }, [8, 15, 16]],
  ["more pages", { pages: 100 }, [8, 9]],
  ["another direction", { step: -1 }, [7, 8]],
  ["another kind of entry", { bits: RUN_SWAP }, [8]],
  ["nothing but its VMA", { vma: 3 }, []],
])("a run that has %s at the same address marks its grains before and after", (_, change, grains) => {
  const run: Run = { vma: 0, page: 50, frame: 520, pages: 40, step: 1, bits: RUN_PRESENT };
  const templates = new RunTemplates();
  const marked = new Uint8Array(FRAMES >> GRAIN_SHIFT);
  markChangedGrains(packed([run], templates), packed([{ ...run, ...change }], templates), marked);
  expect([...marked.entries()].flatMap(([grain, is]) => (is === 1 ? [grain] : []))).toEqual(grains);
});

test("runs of other templates are refused", () => {
  const runs = packed([], new RunTemplates());
  expect(() => new RunsOfSpaces(new RunTemplates(), [{ runs, firstVma: 0 }], scratch())).toThrow("other templates");
});

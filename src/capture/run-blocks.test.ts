import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type PlainRun, appendRun, expandRuns } from "../../test/figures/expanded-runs.ts";
import { MappingPart } from "./mapping-part.ts";
import {
  BLOCK_RUNS,
  type BlockStore,
  PAGES_AT,
  RUN_PRESENT,
  RUN_TEMPLATE,
  RunBlocks,
  STEP_AT,
  VMA_AT,
} from "./run-blocks.ts";

const folder = mkdtempSync(join(tmpdir(), "foliometer-runs-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Fills 3 blocks and a bit; run i has its number in every column that can hold it. */
function fill(runs: RunBlocks): number {
  const total = 3 * BLOCK_RUNS + 5;
  for (let i = 0; i < total; i++)
    runs.append(i, i << 12, i >>> 20, i * 7, i & 1, 1 + (i % 3), (i % 3) - 1, RUN_PRESENT);
  runs.finish();
  return total;
}

/** The first thing that is wrong in the runs that `fill` made; undefined if nothing is. */
function problemOf(runs: RunBlocks, total: number): string | undefined {
  let next = 0;
  let problem: string | undefined;
  runs.forEachBlock((block, count) => {
    for (let at = 0; at < count; at++, next++) {
      const isRight =
        block[VMA_AT + at] === next &&
        block[PAGES_AT + at] === 1 + (next % 3) &&
        block[STEP_AT + at] === (next % 3) - 1;
      if (!isRight) problem ??= `run ${next}`;
    }
  });
  return problem ?? (next === total ? undefined : `${next} runs`);
}

test("runs come back in order, across blocks, however often", () => {
  const runs = new RunBlocks(undefined, { memoryBlocks: 1, saveEveryBlock: false });
  const total = fill(runs);
  expect(problemOf(runs, total)).toBeUndefined();
  expect(problemOf(runs, total)).toBeUndefined();
});

test.each([
  { memoryBlocks: 0, saveEveryBlock: false },
  { memoryBlocks: 1, saveEveryBlock: false },
  { memoryBlocks: 1, saveEveryBlock: true },
  { memoryBlocks: 9, saveEveryBlock: true },
])("blocks that lie in a file come back as they were written: %o", (options) => {
  const part = new MappingPart(join(folder, `part-${options.memoryBlocks}-${options.saveEveryBlock}`));
  const runs = new RunBlocks(part, options);
  const total = fill(runs);
  expect(problemOf(runs, total)).toBeUndefined();
  expect(problemOf(runs, total)).toBeUndefined();
  const saved = options.saveEveryBlock ? 4 : 4 - options.memoryBlocks;
  expect(part.finish()).toHaveLength(saved);
  part.close();
});

test("stored blocks are loaded once while there is room, and else each time", () => {
  for (const { memoryBlocks, loads } of [
    { memoryBlocks: 2, loads: 4 },
    { memoryBlocks: 0, loads: 6 },
  ]) {
    let loaded = 0;
    const store: BlockStore = {
      save: () => -1,
      load(handle, block, count) {
        loaded++;
        for (let at = 0; at < count; at++) block[VMA_AT + at] = handle;
      },
    };
    const runs = new RunBlocks(store, { memoryBlocks, saveEveryBlock: false });
    for (let handle = 0; handle < 3; handle++) runs.addStored(handle, handle + 1);
    const seen: number[][] = [];
    for (let pass = 0; pass < 2; pass++) {
      runs.forEachBlock((block, count) => seen.push([...block.subarray(VMA_AT, VMA_AT + count)]));
    }
    expect(seen).toEqual([[0], [1, 1], [2, 2, 2], [0], [1, 1], [2, 2, 2]]);
    expect(loaded).toBe(loads);
  }
});

test("an unfinished block is not seen, and runs may follow one that was finished", () => {
  const runs = new RunBlocks(undefined, { memoryBlocks: 4, saveEveryBlock: false });
  const run: PlainRun = { vma: 0, page: 5, frame: 2 ** 33 + 2 ** 31, pages: 2, step: -1, bits: RUN_PRESENT };
  appendRun(runs, run);
  expect(expandRuns(runs)).toEqual([]);
  runs.finish();
  appendRun(runs, { ...run, vma: 1, page: 2 ** 34 + 1, pages: 1 });
  runs.finish();
  runs.finish();
  expect(expandRuns(runs)).toEqual([
    { vma: 0, page: 5, frame: 2 ** 33 + 2 ** 31, bits: RUN_PRESENT, level: 0 },
    { vma: 0, page: 6, frame: 2 ** 33 + 2 ** 31 - 1, bits: RUN_PRESENT, level: 0 },
    { vma: 1, page: 2 ** 34 + 1, frame: 2 ** 33 + 2 ** 31, bits: RUN_PRESENT, level: 0 },
  ]);
});

test("a record of a template stands for its runs, as runs of the record's VMA", () => {
  const runs = new RunBlocks(undefined, { memoryBlocks: 1, saveEveryBlock: false });
  const { templates } = runs;
  const granule = Buffer.alloc(4096, 1);
  templates.begin();
  for (let i = 0; i < 4; i++) templates.append(3, i << 12, 0, 100 * i, 0, 1, 1, RUN_PRESENT);
  expect(templates.keep(0, granule, 0)).toBe(0);
  for (const vma of [4, 9]) runs.append(vma, 0, 0, 0, 0, 512, 0, RUN_TEMPLATE);
  runs.finish();
  expect(expandRuns(runs).map(({ vma, page, frame }) => [vma, page, frame])).toEqual(
    [4, 9].flatMap((vma) => [0, 1, 2, 3].map((i) => [vma, i, 100 * i])),
  );
  expect(templates.find(0, granule, 0)).toBe(0);
  expect(templates.find(512, granule, 0)).toBe(-1);
  expect(templates.find(0, Buffer.alloc(4096, 2), 0)).toBe(-1);
});

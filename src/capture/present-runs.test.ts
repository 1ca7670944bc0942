/** Present runs come out of their blocks whole and in order, however many pieces they take. */
import { expect, test } from "vitest";
import { LEVEL_PMD, LEVEL_PTE } from "../kernel/index.ts";
import { collectPresentRuns } from "./present-runs.ts";
import { RUN_FILE, RUN_LEVEL_SHIFT, RUN_PRESENT, RUN_SWAP, RunBlocks } from "./run-blocks.ts";

const RUNS = 40_000;
const TABLES = { mmOfVma: Int32Array.of(0, 1), mmAlive: Uint8Array.of(1, 0), frameCount: 100_000 };

test("as many runs as fill several pieces, none lost between them", () => {
  const runs = new RunBlocks(undefined, { memoryBlocks: 8, saveEveryBlock: false });
  for (let i = 0; i < RUNS; i++) {
    const bits =
      RUN_PRESENT | (i % 3 === 0 ? RUN_FILE : 0) | ((i % 5 === 0 ? LEVEL_PMD : LEVEL_PTE) << RUN_LEVEL_SHIFT);
    runs.append(0, (i << 12) | 0, i >>> 20, i + 7, 0, 1, i % 2 === 0 ? 1 : -1, bits);
  }
  runs.finish();
  const pieces = collectPresentRuns(runs, TABLES);
  expect(pieces.length).toBeGreaterThan(1);
  const rows = pieces.flatMap(({ count, frame, file, level, step }) =>
    Array.from({ length: count }, (_, row) => [frame[row], file[row], level[row], step[row]]),
  );
  expect(rows).toHaveLength(RUNS);
  for (const [i, row] of rows.entries()) {
    expect(row).toEqual([i + 7, i % 3 === 0 ? 1 : 0, i % 5 === 0 ? LEVEL_PMD : LEVEL_PTE, i % 2 === 0 ? 1 : -1]);
  }
});

test("what is swapped out, of an mm that ended or beyond the frames does not come out", () => {
  const runs = new RunBlocks(undefined, { memoryBlocks: 8, saveEveryBlock: false });
  runs.append(0, 0, 0, 5, 0, 1, 32, RUN_SWAP);
  runs.append(1, 0, 0, 5, 0, 1, 1, RUN_PRESENT);
  runs.append(0, 0, 0, 99_990, 0, 20, 1, RUN_PRESENT);
  runs.append(0, 0, 0, 5, 1, 1, 1, RUN_PRESENT);
  runs.append(0, 4096, 1, 99_999, 0, 20, -1, RUN_PRESENT);
  runs.finish();
  const [only, ...more] = collectPresentRuns(runs, TABLES);
  expect(more).toEqual([]);
  expect([only.count, only.frame[0], only.page[0], only.pages[0]]).toEqual([1, 99_999, 2 ** 20 + 1, 20]);
});

test("of chosen VMAs and without addresses it is the same runs, fewer and narrower", () => {
  const runs = new RunBlocks(undefined, { memoryBlocks: 8, saveEveryBlock: false });
  for (let i = 0; i < 10; i++) runs.append(i % 2, 4096 * i, 0, 100 + i, 0, 1, 1, RUN_PRESENT | RUN_FILE);
  runs.finish();
  const tables = { ...TABLES, mmAlive: Uint8Array.of(1, 1) };
  const [all] = collectPresentRuns(runs, tables);
  const [some] = collectPresentRuns(runs, tables, { vmas: Uint8Array.of(0, 1), framesOnly: true });
  expect([all.count, some.count]).toEqual([10, 5]);
  expect([...some.frame.subarray(0, 5)]).toEqual([101, 103, 105, 107, 109]);
  expect([...some.file.subarray(0, 5)]).toEqual([1, 1, 1, 1, 1]);
  expect([some.page.length, some.level.length]).toEqual([0, 0]);
  expect([...all.page.subarray(0, 3)]).toEqual([0, 1, 2]);
});

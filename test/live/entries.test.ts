/**
 * Entries that this machine does not have or does not hold still: migration, poisoned memory, swap, device memory. They
 * are put into what a real capture answers, by hand.
 */
import { afterAll, expect, test } from "vitest";
import { countRun, createDifference, sumDifferences } from "../../src/capture/frame-table.ts";
import type { Histograms, LiveCapture } from "../../src/capture/index.ts";
import { RUN_FILE, RUN_GUARD, RUN_PRESENT, RUN_SWAP, RunBlocks } from "../../src/capture/run-blocks.ts";
import { collectHistograms } from "../../src/capture/run-passes.ts";
import { SWAP_ENTRY_KINDS, SWAP_TYPE_BITS, swapLayoutFromConfig, swapTypeTable } from "../../src/kernel/index.ts";
import { SCHEMES } from "../../src/schemes/index.ts";
import { type ProcessReport, reportOnCapture } from "../../src/study/index.ts";
import { captured, only, reported, withCapture } from "./captured.ts";
import { type Target, endTargets, targetProgram } from "./target.ts";

afterAll(endTargets);

/** The report on a capture in which `target` has 10 entries of each of these swap types besides its own. */
async function withSwapTypes(capture: LiveCapture, target: Target, types: readonly number[]): Promise<ProcessReport> {
  const row = captured(capture, target).firstVma;
  const bits = (type: number): number => RUN_SWAP | (type === 31 ? RUN_GUARD : 0);
  const swap = Int32Array.from(types.flatMap((type) => [row, type | (4096 << SWAP_TYPE_BITS), 10, bits(type)]));
  const countClasses = async (...wanted: Parameters<LiveCapture["countClasses"]>): Promise<Histograms[]> => {
    const histograms = await capture.countClasses(...wanted);
    return [...histograms, { triples: new Int32Array(0), swap }];
  };
  return reported(await reportOnCapture({ ...capture, countClasses }, SCHEMES), target);
}

test("swap is swap, a migrating page is in Rss and shared, a marker is nothing (kernel-facts 3.2)", async (ctx) => {
  const target = targetProgram(ctx).start();
  await target.askAll("map a anon 10", "write a 0 10");
  await withCapture(only(target), async (capture) => {
    const config = new Map(Object.entries(capture.machine.options));
    expect(config.get("CONFIG_MIGRATION")).toBe("y");
    const kinds = swapTypeTable(swapLayoutFromConfig(config, { deviceTypes: 4 }));
    const typesOf = (wanted: string): number[] =>
      [...kinds.keys()].filter((type) => SWAP_ENTRY_KINDS[kinds[type]].startsWith(wanted));
    const plain = await withSwapTypes(capture, target, []);
    expect(plain.swapBytes).toBe(0);
    const areas = typesOf("swap");
    expect(await withSwapTypes(capture, target, areas)).toEqual({ ...plain, swapBytes: areas.length * 40_960 });
    const migrating = typesOf("migration");
    expect(migrating).toHaveLength(3);
    const { rssBytes, swapBytes, schemes } = await withSwapTypes(capture, target, migrating);
    expect([rssBytes, swapBytes]).toEqual([plain.rssBytes + 3 * 40_960, 0]);
    for (const [id, { pssBytes, ussBytes, exclusiveEntries }] of Object.entries(schemes)) {
      const without = plain.schemes[id];
      expect(pssBytes).toBe(without.pssBytes + 3 * 40_960);
      expect({ ussBytes, exclusiveEntries }).toEqual({
        ussBytes: without.ussBytes,
        exclusiveEntries: without.exclusiveEntries,
      });
    }
    expect(await withSwapTypes(capture, target, typesOf("marker"))).toEqual(plain);
  });
});

/** A present entry's run, in an mm of one VMA. */
function runsOf(
  ...runs: readonly (readonly [frameLow: number, frameHigh: number, pages: number, step: number])[]
): RunBlocks {
  const blocks = new RunBlocks(undefined, { memoryBlocks: 4, saveEveryBlock: false });
  let page = 0;
  for (const [frameLow, frameHigh, pages, step] of runs) {
    blocks.append(0, page << 12, 0, frameLow, frameHigh, pages, step, RUN_PRESENT | RUN_FILE);
    page += pages;
  }
  blocks.finish();
  return blocks;
}

test("device memory beyond the frame table is present, in no frame's count, and of no counted class", () => {
  const frameCount = 2048;
  const difference = createDifference(frameCount);
  expect(countRun(difference, 2040, 8, 1, 1)).toBe(true);
  // The last frame is the table's; one more is not, and a run that leaves the table counts nowhere.
  expect(countRun(difference, 2041, 8, 1, 1)).toBe(false);
  expect(countRun(difference, 2048, 1, 1, 1)).toBe(false);
  const { mapcount } = sumDifferences([difference], frameCount);
  expect([...mapcount.subarray(2038, 2048)]).toEqual([0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
  const classOfFrame = new Int32Array(frameCount).fill(3);
  const tables = { mmOfVma: Int32Array.of(0), mmAlive: Uint8Array.of(1), frameCount };
  // Inside; across the end; behind it; descending across the end; above 16 TiB of frames.
  const runs = runsOf([2040, 0, 8, 1], [2041, 0, 8, 1], [5000, 0, 16, 1], [2050, 0, 4, -1], [7, 1, 32, 1]);
  const { triples } = collectHistograms(runs, tables, classOfFrame, 4);
  const pagesByClass = new Map<number, number>();
  for (let at = 0; at < triples.length; at += 3) {
    const key = Math.floor(triples[at + 1] / 16);
    pagesByClass.set(key, (pagesByClass.get(key) ?? 0) + triples[at + 2]);
  }
  expect(Object.fromEntries(pagesByClass)).toEqual({ 0: 8 + 16 + 4 + 32, 3: 8 });
});

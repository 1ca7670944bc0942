import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FolioColumns, KIND_ANON } from "../kernel/index.ts";
import {
  type FrameDifference,
  countRun,
  createDifference,
  folioOfFrame,
  indexFolios,
  sumDifferences,
} from "./frame-table.ts";

interface CountedRun {
  readonly frame: number;
  readonly pages: number;
  readonly step: number;
  readonly times: number;
  /** Which reader's table. */
  readonly table: number;
}

const FRAME_COUNTS = [1, 511, 512, 513, 1024, 3000, 4096];

const counts = fc.record({
  frameCount: fc.constantFrom(...FRAME_COUNTS),
  runs: fc.array(
    fc.record({
      frame: fc.nat(4100),
      pages: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 2500 })),
      step: fc.constantFrom(1, -1, 0),
      times: fc.constantFrom(1, 2, 5),
      table: fc.nat(2),
    }),
    { maxLength: 12 },
  ),
});

function framesOf({ frame, pages, step }: CountedRun): number[] {
  return Array.from({ length: pages }, (_, i) => frame + i * step);
}

function countAll(differences: readonly FrameDifference[], runs: readonly CountedRun[]): CountedRun[] {
  return runs.filter(({ frame, pages, step, times, table }) => {
    // Readers never see a run that descends below frame 0.
    if (frame + (pages - 1) * step < 0) return false;
    return countRun(differences[table], frame, pages, step, times);
  });
}

test("one prefix sum over all tables counts what counting every page of every run does", () => {
  fc.assert(
    fc.property(counts, ({ frameCount, runs }) => {
      const differences = [0, 1, 2].map(() => createDifference(frameCount));
      const counted = countAll(differences, runs);
      const expected = new Int32Array(frameCount + 1);
      for (const run of counted) for (const frame of framesOf(run)) expected[frame] += run.times;
      const table = sumDifferences(differences, frameCount);
      expect([...table.mapcount]).toEqual([...expected]);
      for (const [block, mapped] of table.blockMapped.entries()) {
        const frames = expected.subarray(block * 512, Math.min(frameCount, block * 512 + 512));
        expect(mapped).toBe(frames.some((count) => count > 0) ? 1 : 0);
      }
    }),
    { numRuns: 500 },
  );
});

test("a run is counted if and only if all of it lies in the table", () => {
  fc.assert(
    fc.property(counts, ({ frameCount, runs }) => {
      const counted = new Set(
        countAll(
          [0, 1, 2].map(() => createDifference(frameCount)),
          runs,
        ),
      );
      for (const run of runs) {
        const frames = framesOf(run);
        if (frames.at(-1)! >= 0) expect(counted.has(run)).toBe(frames.every((frame) => frame < frameCount));
      }
    }),
  );
});

test("what is taken back was never there", () => {
  fc.assert(
    fc.property(counts, ({ frameCount, runs }) => {
      const differences = [0, 1, 2].map(() => createDifference(frameCount));
      for (const run of countAll(differences, runs)) {
        countRun(differences[run.table], run.frame, run.pages, run.step, -run.times);
      }
      const { mapcount, blockMapped } = sumDifferences(differences, frameCount);
      expect(mapcount.every((count) => count === 0)).toBe(true);
      expect(blockMapped.every((mapped) => mapped === 0)).toBe(true);
    }),
  );
});

test("a run that ends at the last frame is counted, one frame further it is not", () => {
  const difference = createDifference(1024);
  expect(countRun(difference, 1014, 10, 1, 1)).toBe(true);
  expect(countRun(difference, 1023, 10, -1, 1)).toBe(true);
  expect(countRun(difference, 1023, 10, 0, 1)).toBe(true);
  expect(countRun(difference, 1015, 10, 1, 1)).toBe(false);
  expect(countRun(difference, 1024, 10, -1, 1)).toBe(false);
  expect(countRun(difference, 1024, 1, 0, 1)).toBe(false);
  expect(countRun(difference, 2 ** 31, 1, 1, 1)).toBe(false);
  const { mapcount } = sumDifferences([difference], 1024);
  expect([...mapcount.subarray(1012)]).toEqual([0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 12, 0]);
});

test("a frame's folio is found as by looking at all folios, those larger than a block too", () => {
  const folios = fc.array(fc.record({ gap: fc.nat(600), order: fc.constantFrom(0, 1, 2, 4, 9, 10, 12) }), {
    maxLength: 20,
  });
  fc.assert(
    fc.property(folios, (recipes) => {
      const columns = new FolioColumns(1);
      let frame = 0;
      for (const { gap, order } of recipes) {
        const head = Math.ceil((frame + gap) / 2 ** order) * 2 ** order;
        columns.append(head, order, KIND_ANON, false);
        frame = head + 2 ** order;
      }
      const table = sumDifferences([createDifference(frame)], frame);
      indexFolios(table, columns);
      for (let row = 0; row < columns.count; row++) {
        const head = columns.headPfn[row];
        const last = head + 2 ** columns.order[row] - 1;
        for (const pfn of [head, Math.floor((head + last) / 2), last]) {
          expect(folioOfFrame(table.blockFirstFolio, columns.headPfn, columns.count, pfn)).toBe(row);
        }
      }
    }),
  );
});

test("without folios no frame has one", () => {
  const table = sumDifferences([createDifference(600)], 600);
  indexFolios(table, new FolioColumns(1));
  expect(folioOfFrame(table.blockFirstFolio, new Float64Array(1), 0, 0)).toBe(-1);
  expect(folioOfFrame(table.blockFirstFolio, new Float64Array(1), 0, 599)).toBe(-1);
});

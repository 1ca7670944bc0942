/** Entries that are swapped out come out as the slots that they hold. */
import { expect, test } from "vitest";
import { RUN_PRESENT, RUN_SWAP, RunBlocks } from "./run-blocks.ts";
import { type SwappedRuns, collectSwappedRuns } from "./swapped-runs.ts";

const TABLES = { mmOfVma: Int32Array.of(0, 1, 2), mmAlive: Uint8Array.of(1, 1, 0) };
/** Types 0 and 1 are areas of swap. */
const AREAS = Uint8Array.from({ length: 32 }, (_, type) => (type < 2 ? 1 : 0));

/** A run of swap entries as pagemap has them: type in the lowest five bits, slot above. */
interface SwapRun {
  readonly vma: number;
  readonly area: number;
  readonly slot: number;
  readonly pages: number;
  readonly step: number;
}

function collect(given: readonly SwapRun[]): SwappedRuns[] {
  const runs = new RunBlocks(undefined, { memoryBlocks: 8, saveEveryBlock: false });
  for (const [at, { vma, area, slot, pages, step }] of given.entries()) {
    const frame = slot * 32 + area;
    runs.append(vma, at * 4096 * 512, 0, (frame % 2 ** 32) | 0, Math.floor(frame / 2 ** 32), pages, step, RUN_SWAP);
  }
  runs.finish();
  return collectSwappedRuns(runs, TABLES, AREAS);
}

/** Rows as "vma area first+slots". */
function rowsOf(pieces: readonly SwappedRuns[]): string[] {
  return pieces.flatMap(({ count, vma, area, firstSlot, slots }) =>
    Array.from({ length: count }, (_, row) => `${vma[row]} ${area[row]} ${firstSlot[row]}+${slots[row]}`),
  );
}

test("slots in a row are one interval, upwards and downwards", () => {
  const rows = rowsOf(
    collect([
      { vma: 0, area: 0, slot: 100, pages: 8, step: 32 },
      { vma: 1, area: 1, slot: 100, pages: 8, step: -32 },
      { vma: 1, area: 0, slot: 7, pages: 1, step: 0 },
    ]),
  );
  expect(rows).toEqual(["0 0 100+8", "1 1 93+8", "1 0 7+1"]);
});

test("one slot in several entries is one slot", () => {
  expect(rowsOf(collect([{ vma: 0, area: 0, slot: 5, pages: 3, step: 0 }]))).toEqual(["0 0 5+1"]);
});

test("entries that step otherwise are slots of their own, also of another area", () => {
  expect(rowsOf(collect([{ vma: 0, area: 0, slot: 5, pages: 3, step: 64 }]))).toEqual([
    "0 0 5+1",
    "0 0 7+1",
    "0 0 9+1",
  ]);
  expect(rowsOf(collect([{ vma: 0, area: 0, slot: 5, pages: 2, step: 1 }]))).toEqual(["0 0 5+1", "0 1 5+1"]);
  expect(rowsOf(collect([{ vma: 0, area: 1, slot: 5, pages: 3, step: 1 }]))).toEqual(["0 1 5+1"]);
});

test("slots beyond 2^32 keep all their bits", () => {
  const slot = 2 ** 40 + 12_345;
  expect(rowsOf(collect([{ vma: 0, area: 1, slot, pages: 4, step: 32 }]))).toEqual([`0 1 ${slot}+4`]);
});

test("present entries, markers and other types, and whoever ended have no slots", () => {
  const runs = new RunBlocks(undefined, { memoryBlocks: 8, saveEveryBlock: false });
  runs.append(0, 0, 0, 32, 0, 1, 1, RUN_PRESENT);
  runs.append(0, 4096, 0, 32 + 31, 0, 1, 32, RUN_SWAP);
  runs.append(2, 0, 0, 64, 0, 1, 32, RUN_SWAP);
  runs.finish();
  expect(rowsOf(collectSwappedRuns(runs, TABLES, AREAS))).toEqual([]);
});

test("as many intervals as fill several pieces, none lost between them", () => {
  const given = Array.from({ length: 20_000 }, (_, at) => ({ vma: 0, area: 0, slot: 3 * at, pages: 2, step: 32 }));
  const pieces = collect(given);
  expect(pieces).toHaveLength(2);
  expect(rowsOf(pieces)).toEqual(given.map(({ slot }) => `0 0 ${slot}+2`));
});

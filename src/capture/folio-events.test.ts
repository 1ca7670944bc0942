import * as fc from "fast-check";
import { expect, test } from "vitest";
import { fakeReaders } from "../../test/figures/fake-capture.ts";
import { appendRun } from "../../test/figures/expanded-runs.ts";
import {
  FolioColumns,
  KIND_ANON,
  KIND_HUGETLB,
  LEVEL_PMD,
  LEVEL_PTE,
  LEVEL_UNKNOWN,
  OBSERVED_EXCLUSIVE,
  OBSERVED_SHARED,
  OBSERVED_UNKNOWN,
} from "../kernel/index.ts";
import { addEvents, applyEvents, countMappedPages } from "./folio-events.ts";
import { FRAME_LARGE, createDifference, countRun, indexFolios, sumDifferences } from "./frame-table.ts";
import { RUN_EXCLUSIVE, RUN_FILE, RUN_PRESENT, RunBlocks } from "./run-blocks.ts";
import { EVENT_EXCLUSIVE, type PassTables } from "./run-passes.ts";

interface Batch {
  readonly folio: number;
  readonly pages: number;
  readonly level: number;
  readonly mm: number;
  /** Which reader met it. */
  readonly list: number;
}

const FOLIOS = 4;

const batches: fc.Arbitrary<Batch[]> = fc.array(
  fc.record({
    folio: fc.nat(FOLIOS - 1),
    pages: fc.integer({ min: 1, max: 512 }),
    level: fc.constantFrom(LEVEL_PTE, LEVEL_UNKNOWN, LEVEL_PMD),
    mm: fc.nat(5),
    list: fc.nat(2),
  }),
  { maxLength: 40 },
);

function wordsOf(of: readonly Batch[]): Int32Array {
  return Int32Array.from(
    of.flatMap(({ folio, pages, level, mm }) => {
      return [folio, 0, level === LEVEL_PMD ? 512 : pages, level | (pages % 2 === 0 ? EVENT_EXCLUSIVE : 0), 2 * mm, mm];
    }),
  );
}

test("however the readers share the batches, a folio's entries and address spaces are counted as one by one", () => {
  fc.assert(
    fc.property(batches, (all) => {
      const folios = new FolioColumns(FOLIOS);
      for (let row = 0; row < FOLIOS; row++) folios.append(row * 512, 9, KIND_ANON, false);
      const sorted = all.toSorted((a, b) => a.mm - b.mm);
      applyEvents(
        [0, 1, 2].map((list) => wordsOf(sorted.filter((batch) => batch.list === list))),
        folios,
      );
      for (let row = 0; row < FOLIOS; row++) {
        const own = all.filter(({ folio }) => folio === row);
        const pmds = own.filter(({ level }) => level === LEVEL_PMD);
        const ptePages = own.filter(({ level }) => level !== LEVEL_PMD).reduce((sum, { pages }) => sum + pages, 0);
        expect(folios.entries[row]).toBe(ptePages + pmds.length);
        expect(folios.pmdEntries[row]).toBe(pmds.length);
        expect(folios.mappedPages[row]).toBe(ptePages + 512 * pmds.length);
        expect(folios.mmCount[row]).toBe(new Set(own.map(({ mm }) => mm)).size);
      }
    }),
    { numRuns: 300 },
  );
});

/** One folio of this order at its own size, mapped by the runs. */
function oneFolio(
  { order, kind }: { order: number; kind: typeof KIND_ANON | typeof KIND_HUGETLB },
  runs: RunBlocks,
  mms: number,
): { folios: FolioColumns; tables: PassTables } {
  const frameCount = 2 * 2 ** order;
  const folios = new FolioColumns(1);
  folios.append(2 ** order, order, kind, false);
  const frames = sumDifferences([createDifference(frameCount)], frameCount);
  frames.kind.fill(kind | FRAME_LARGE, 2 ** order);
  indexFolios(frames, folios);
  runs.finish();
  const tables: PassTables = {
    mmOfVma: Int32Array.from({ length: mms }, (_, vma) => vma),
    mmAlive: new Uint8Array(mms).fill(1),
    frameCount,
    kind: frames.kind,
    blockFirstFolio: frames.blockFirstFolio,
    headPfn: folios.headPfn,
    order: folios.order,
    folioCount: 1,
  };
  return { folios, tables };
}

function emptyRuns(): RunBlocks {
  return new RunBlocks(undefined, { memoryBlocks: 1, saveEveryBlock: false });
}

test("a gigantic hugetlb page read in pieces by two readers has one entry in each address space", async () => {
  const pages = 2 ** 18;
  const runs = [emptyRuns(), emptyRuns()];
  for (const vma of [0, 1]) {
    for (let from = 0; from < pages; from += 16_384) {
      const bits = RUN_PRESENT | RUN_FILE;
      const reader = runs[from < 2 ** 17 ? 0 : 1];
      appendRun(reader, { vma, page: from, frame: pages + from, pages: 16_384, step: 1, bits, level: LEVEL_PMD });
    }
  }
  runs[1].finish();
  const { folios, tables } = oneFolio({ order: 18, kind: KIND_HUGETLB }, runs[0], 2);
  await addEvents(fakeReaders(runs, tables), tables, folios, false);
  expect(folios.mappedPages[0]).toBe(2 * pages);
  expect(folios.mmCount[0]).toBe(2);
  expect([folios.entries[0], folios.pmdEntries[0]]).toEqual([2, 2]);
});

test.each([
  [RUN_PRESENT | RUN_EXCLUSIVE, true, OBSERVED_EXCLUSIVE],
  [RUN_PRESENT, true, OBSERVED_SHARED],
  [RUN_PRESENT | RUN_EXCLUSIVE, false, OBSERVED_UNKNOWN],
])(
  "bits %d say what the kernel thinks of a folio's sharing only if they are its view: %s",
  async (bits, isView, seen) => {
    const runs = emptyRuns();
    appendRun(runs, { vma: 0, page: 0, frame: 4, pages: 3, step: 1, bits });
    const { folios, tables } = oneFolio({ order: 2, kind: KIND_ANON }, runs, 1);
    await addEvents(fakeReaders([runs], tables), tables, folios, isView);
    expect(folios.observed[0]).toBe(seen);
    expect(folios.entries[0]).toBe(3);
  },
);

test("the pages mapped of a folio are those with a mapcount, up to the end of the table", () => {
  const difference = createDifference(13);
  countRun(difference, 6, 4, 1, 1);
  countRun(difference, 12, 1, 1, 3);
  const frames = sumDifferences([difference], 13);
  const folios = new FolioColumns(3);
  folios.append(4, 2, KIND_ANON, false);
  folios.append(8, 2, KIND_ANON, false);
  folios.append(12, 2, KIND_ANON, false);
  countMappedPages(frames, folios);
  expect([...folios.pagesMapped.subarray(0, 3)]).toEqual([2, 2, 1]);
});

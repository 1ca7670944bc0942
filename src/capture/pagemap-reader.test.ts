/**
 * The reader against pagemaps in files (test/figures/fake-proc.ts): whatever lies in them comes out as runs, entry by
 * entry, however it was read.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import * as fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { type ExpandedEntry, expandRuns } from "../../test/figures/expanded-runs.ts";
import { publishMachine, smallPlan } from "../../test/figures/fake-capture.ts";
import { FakeSystemCalls, WordFiles, rawEntries } from "../../test/figures/fake-proc.ts";
import { machineRecipes } from "../../test/figures/machine-recipes.ts";
import { type SmallProcess, buildMachine } from "../../test/figures/small-machine.ts";
import { LEVEL_PMD, LEVEL_PTE, LEVEL_UNKNOWN } from "../kernel/index.ts";
import { createDifference, sumDifferences } from "./frame-table.ts";
import { PagemapReader } from "./pagemap-reader.ts";
import { ITEM_DONE, ITEM_ENDED, ITEM_FAILED, publishedItems } from "./read-plan.ts";
import { RUN_EXCLUSIVE, RUN_FILE, RUN_GUARD, RUN_PRESENT, RUN_SOFT_DIRTY, RUN_SWAP, RunBlocks } from "./run-blocks.ts";

const files = new WordFiles();
beforeEach(() => files.reuse());
afterAll(() => files.close());

const FRAME_COUNT = 8192;

/** Reads processes as a thread does; without `calls` as where koffi is missing. */
function read(
  processes: readonly SmallProcess[],
  options: { calls?: FakeSystemCalls | undefined; templates?: boolean; frameCount?: number; rows?: number } = {},
) {
  const { frameCount = FRAME_COUNT } = options;
  const plan = smallPlan(options.rows);
  const { fds } = publishMachine(plan, processes, files, options.calls ?? new FakeSystemCalls());
  const useTemplates = options.templates === true;
  const runs = new RunBlocks(undefined, { memoryBlocks: 1, saveEveryBlock: false, useTemplates });
  const difference = createDifference(frameCount);
  const reader = new PagemapReader(plan.vmas, runs, difference, options.calls);
  const readItem = (item: number): number => reader.readItem(plan, item);
  const readAll = (): ExpandedEntry[] => {
    for (let item = 0; item < publishedItems(plan); item++) expect(readItem(item)).toBe(ITEM_DONE);
    runs.finish();
    reader.countTemplates();
    files.reuse();
    return expandRuns(runs);
  };
  return { plan, fds, reader, runs, readItem, readAll, difference };
}

/** Entries as lines: thousands of them are compared in no time, and a difference is readable. */
function linesOf(entries: readonly ExpandedEntry[]): string {
  return entries.map(({ vma, page, frame, bits, level }) => `${vma} ${page} ${frame} ${bits} ${level}`).join("\n");
}

/** What the entries of the processes are, one by one. */
function expectedEntries(processes: readonly SmallProcess[]): ExpandedEntry[] {
  const vmas = processes.flatMap((process) => process.vmas);
  return vmas.flatMap((of, vma) =>
    rawEntries(of).map(({ page, low, high, pmd }) => ({
      vma,
      page,
      frame: (low >>> 0) + (high & 0x7f_ffff) * 2 ** 32,
      bits: (high >>> 23) & 0x1ff,
      level: pmd ? LEVEL_PMD : LEVEL_PTE,
    })),
  );
}

/** A process with one VMA from `startPage` to `endPage`. */
function oneVma(startPage: number, endPage: number, of: Partial<SmallProcess["vmas"][number]> = {}): SmallProcess {
  return { ended: false, vmas: [{ startPage, endPage, shared: false, entries: [], swap: [], ...of }] };
}

function pte(page: number, frame: number, bits: { file?: boolean; exclusive?: boolean } = {}) {
  return { page, frame, pmd: false, firstFrame: frame, file: false, exclusive: false, ...bits };
}

function ptes(count: number, of: (i: number) => ReturnType<typeof pte>): ReturnType<typeof pte>[] {
  return Array.from({ length: count }, (_, i) => of(i));
}

describe("random pagemaps", () => {
  test("come out entry by entry, in order, with their bits and levels; and every frame is counted", () => {
    fc.assert(
      fc.property(machineRecipes, fc.boolean(), (recipe, templates) => {
        const { processes, frameCount } = buildMachine(recipe);
        const { reader, readAll, difference } = read(processes, {
          calls: new FakeSystemCalls(),
          templates,
          frameCount,
        });
        const expected = expectedEntries(processes);
        expect(linesOf(readAll())).toBe(linesOf(expected));
        const present = expected.filter(({ bits }) => (bits & RUN_PRESENT) !== 0);
        const mapcount = new Int32Array(frameCount + 1);
        for (const { frame } of present) if (frame < frameCount) mapcount[frame]++;
        expect(sumDifferences([difference], frameCount).mapcount.join(" ")).toBe(mapcount.join(" "));
        expect(reader.totals).toMatchObject({
          entriesPresent: present.length,
          entriesNotPresent: expected.length - present.length,
          entriesBeyondFrames: present.filter(({ frame }) => frame >= frameCount).length,
          errno: undefined,
        });
      }),
      { numRuns: 120 },
    );
  });

  test("come out the same but for levels without PAGEMAP_SCAN, whether it is missing or fails", () => {
    fc.assert(
      fc.property(machineRecipes, fc.boolean(), (recipe, isMissing) => {
        const { processes } = buildMachine(recipe);
        const calls = new FakeSystemCalls();
        calls.fails = true;
        const found = read(processes, { calls: isMissing ? undefined : calls }).readAll();
        const expected = expectedEntries(processes);
        const withoutLevel = (entries: ExpandedEntry[]) => linesOf(entries.map((entry) => ({ ...entry, level: 0 })));
        expect(withoutLevel(found)).toBe(withoutLevel(expected));
        const isWrong = ({ level, page, frame }: ExpandedEntry, i: number): boolean =>
          expected[i].level === LEVEL_PMD ? level !== LEVEL_UNKNOWN : level !== LEVEL_PTE && (page - frame) % 512 !== 0;
        expect(found.filter(isWrong)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

/** Steps and lengths of the runs read. */
function shapes(runs: RunBlocks): number[][] {
  const found: number[][] = [];
  runs.forEachRun((block, at) => found.push([block[5 * 32_768 + at], block[6 * 32_768 + at]]));
  return found;
}

describe("what is one run", () => {
  test.each([
    ["frames that ascend", ptes(40, (i) => pte(600 + i, 100 + i)), [[40, 1]]],
    ["frames that descend", ptes(40, (i) => pte(600 + i, 100 - i)), [[40, -1]]],
    [
      "one frame again and again, as the zero page, up to a multiple of 2 MiB",
      ptes(700, (i) => pte(600 + i, 7)),
      [
        [424, 0],
        [276, 0],
      ],
    ],
    [
      "no frames with a gap between them",
      ptes(3, (i) => pte(600 + i, 100 + 2 * i)),
      [
        [1, 1],
        [1, 1],
        [1, 1],
      ],
    ],
    [
      "not beyond a change of bits",
      ptes(6, (i) => pte(600 + i, 100 + i, { exclusive: i < 2, file: i > 3 })),
      [
        [2, 1],
        [2, 1],
        [2, 1],
      ],
    ],
    [
      "not beyond a hole",
      ptes(6, (i) => pte(600 + i + (i > 3 ? 1 : 0), 100 + i)),
      [
        [4, 1],
        [2, 1],
      ],
    ],
  ])("%s", (_, entries, expected) => {
    const { readAll, runs } = read([oneVma(512, 2000, { entries })]);
    expect(readAll()).toHaveLength(entries.length);
    expect(shapes(runs)).toEqual(expected);
  });

  test("swap slots that ascend or descend by one are a run whose words step by 32; a marker repeats", () => {
    const slot = (page: number, offset: number, type = 1) => ({ page, type, offset, file: false });
    const swap = [
      ...Array.from({ length: 9 }, (_, i) => slot(600 + i, 50 + i)),
      ...Array.from({ length: 9 }, (_, i) => slot(700 + i, 50 - i)),
      ...Array.from({ length: 9 }, (_, i) => slot(800 + i, 4, 31)),
      slot(900, 2 ** 30),
    ];
    const { readAll, runs } = read([oneVma(512, 1024, { swap })]);
    const found = readAll();
    expect(shapes(runs)).toEqual([
      [9, 32],
      [9, -32],
      [9, 0],
      [1, 32],
    ]);
    // A guard region's marker, as a running kernel printed it: 0x440000000000009f (kernel-facts 3.7).
    expect(found.find(({ page }) => page === 800)).toMatchObject({ frame: 0x9f, bits: RUN_SWAP | RUN_GUARD });
    expect(found.at(-1)).toMatchObject({ frame: 2 ** 35 + 1, bits: RUN_SWAP });
  });

  test("neighbouring VMAs are never in one run, and bits stay with their entries", () => {
    const first = oneVma(512, 600, { entries: ptes(88, (i) => pte(512 + i, i, { file: true })) }).vmas[0];
    const second = oneVma(600, 700, { entries: ptes(100, (i) => pte(600 + i, 88 + i, { file: true })) }).vmas[0];
    const { readAll } = read([{ ended: false, vmas: [first, second] }]);
    expect(readAll().map(({ vma, bits }) => `${vma} ${bits}`)).toEqual([
      ...Array.from({ length: 88 }, () => `0 ${RUN_PRESENT | RUN_FILE}`),
      ...Array.from({ length: 100 }, () => `1 ${RUN_PRESENT | RUN_FILE}`),
    ]);
  });
});

describe("frames at the edges", () => {
  test("a run that ends at the last frame counts; one frame more, 2^31, 2^32 and 2^54 are kept and do not count", () => {
    const frames = [FRAME_COUNT - 1, FRAME_COUNT, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 5, 2 ** 54 + 1];
    const entries = frames.map((frame, i) => pte(600 + 2 * i, frame, { exclusive: true }));
    const { readAll, reader, difference } = read([oneVma(512, 1024, { entries })]);
    expect(readAll().map(({ frame, bits }) => [frame, bits])).toEqual(
      frames.map((frame) => [frame, RUN_PRESENT | RUN_EXCLUSIVE]),
    );
    expect(reader.totals.entriesBeyondFrames).toBe(frames.length - 1);
    const { mapcount } = sumDifferences([difference], FRAME_COUNT);
    expect(mapcount.reduce((sum, count) => sum + count, 0)).toBe(1);
    expect(mapcount[FRAME_COUNT - 1]).toBe(1);
  });

  test("a table for fewer frames than a run has counts none of the run", () => {
    const { readAll, reader } = read([oneVma(512, 600, { entries: ptes(20, (i) => pte(512 + i, 90 + i)) })], {
      frameCount: 100,
    });
    expect(readAll()).toHaveLength(20);
    expect(reader.totals).toMatchObject({ entriesPresent: 20, entriesBeyondFrames: 20 });
  });
});

describe("address spaces at the edges", () => {
  const TIB_PAGES = 2 ** 28;

  test("16 TiB with something here and there are read at what is there", () => {
    const start = 2 ** 34;
    const pages = [
      0,
      1,
      16_383,
      16_384,
      99_999,
      2 ** 20 - 1,
      2 ** 20,
      2 ** 24,
      2 ** 24 + 511,
      5 * TIB_PAGES + 3,
      2 ** 32 - 1,
    ];
    const entries = pages.map((page, i) => pte(start + page, 10 * i));
    const huge = ptes(512, (i) => ({ ...pte(start + 7 * TIB_PAGES + i, 1024 + i), pmd: true, firstFrame: 1024 }));
    const process = oneVma(start, start + 2 ** 32, { entries: [...entries, ...huge].sort((a, b) => a.page - b.page) });
    const { readAll, reader, plan } = read([process], { calls: new FakeSystemCalls() });
    expect(linesOf(readAll())).toBe(linesOf(expectedEntries([process])));
    expect(publishedItems(plan)).toBeLessThanOrEqual(258);
    // A piece of 128 KiB begins each item of 64 GiB.
    expect(reader.totals.reads).toBeLessThan(2 * publishedItems(plan));
  });

  test("a VMA of 6 GiB is two items, whose runs are those of one", () => {
    const start = 300;
    const around = (page: number) => ptes(1100, (i) => pte(page - 550 + i, 2000 + i));
    const entries = [...around(start + 600), ...around(2 ** 20), ...around(2 ** 20 + 400_000)];
    const process = oneVma(start, start + 1_572_864, { entries });
    const { readAll, plan } = read([process], { calls: new FakeSystemCalls() });
    expect(publishedItems(plan)).toBe(2);
    expect(linesOf(readAll())).toBe(linesOf(expectedEntries([process])));
  });

  test("gaps up to 2 MiB between VMAs are read through, larger ones are not read", () => {
    const vma = (startPage: number) => oneVma(startPage, startPage + 10, { entries: [pte(startPage + 9, 5)] }).vmas[0];
    const near = read([{ ended: false, vmas: [vma(512), vma(522), vma(522 + 10 + 512)] }]);
    expect(near.readAll()).toHaveLength(3);
    expect(near.reader).toMatchObject({ bytesRead: (10 + 10 + 512 + 10) * 8, totals: { reads: 1 } });
    const far = read([{ ended: false, vmas: [vma(512), vma(522 + 513)] }]);
    expect(far.readAll()).toHaveLength(2);
    expect(far.reader).toMatchObject({ bytesRead: 20 * 8, totals: { reads: 2 } });
  });

  test("an address space that went away is told as ended, at its begin, in its middle and behind a hole", () => {
    for (const keptPages of [0, 520, 40_000]) {
      const { readItem, fds } = read([oneVma(512, 200_000, { entries: [pte(514, 3)] })], {
        calls: new FakeSystemCalls(),
      });
      ftruncateSync(fds[0], keptPages * 8);
      // Holes are scanned, and a scan of what is gone finds nothing; only a plain read sees the end.
      expect(readItem(0)).toBe(keptPages === 40_000 ? ITEM_DONE : ITEM_ENDED);
      files.reuse();
    }
  });

  test("an error of the kernel ends the item with its name, and nothing is thrown", () => {
    const { plan, readItem, reader } = read([oneVma(512, 600)]);
    plan.fd[0] = openSync("/", "r");
    expect(readItem(0)).toBe(ITEM_FAILED);
    expect(reader.totals.errno).toBe("EISDIR");
    closeSync(plan.fd[0]);
  });
});

test("holes that only say soft-dirty are no entries, and a soft-dirty page keeps its bit", () => {
  const entries = [pte(700, 3), pte(701, 4)];
  const process = oneVma(512, 512 + 60_000, { entries });
  const { readAll, reader, fds } = read([process], { calls: new FakeSystemCalls() });
  const softDirty = (count: number) => Buffer.from(new BigUint64Array(count).fill(1n << 55n).buffer);
  writeSync(fds[0], softDirty(188), 0, 188 * 8, 512 * 8);
  writeSync(fds[0], softDirty(30_000), 0, 30_000 * 8, 702 * 8);
  writeSync(fds[0], Uint8Array.of(0x80), 0, 1, 701 * 8 + 6);
  expect(readAll().map(({ page, frame, bits }) => [page, frame, bits])).toEqual([
    [700, 3, RUN_PRESENT],
    [701, 4, RUN_PRESENT | RUN_SOFT_DIRTY],
  ]);
  expect(reader.totals).toMatchObject({ entriesPresent: 2, entriesNotPresent: 0 });
});

describe("huge entries", () => {
  const HOLE = 40_960;
  const huge = (page: number, frame: number) =>
    ptes(512, (i) => ({ ...pte(page + i, frame + i, { exclusive: true }), pmd: true, firstFrame: frame }));

  test("aligned PTEs, PMDs and PTEs on frames in one row are three runs", () => {
    const flat = (page: number) => ptes(512, (i) => pte(page + i, page + i, { exclusive: true }));
    const process = oneVma(300, 3000, {
      entries: [...flat(512), ...huge(1024, 1024), ...huge(1536, 1536), ...flat(2048)],
    });
    const { readAll, runs } = read([process], { calls: new FakeSystemCalls() });
    expect(linesOf(readAll())).toBe(linesOf(expectedEntries([process])));
    expect(shapes(runs)).toEqual([
      [512, 1],
      [1024, 1],
      [512, 1],
    ]);
  });

  test("a huge mapping behind a hole is one, whatever small pages lie around it", () => {
    for (const before of [0, 1, 100, 511]) {
      const page = 512 + HOLE + 512;
      const entries = [
        ...ptes(before, (i) => pte(page - before + i, 100 + 2 * i)),
        ...huge(page, 1024),
        pte(page + 512, 9),
      ];
      const process = oneVma(512, 512 + 3 * HOLE, { entries });
      expect(linesOf(read([process], { calls: new FakeSystemCalls() }).readAll())).toBe(
        linesOf(expectedEntries([process])),
      );
    }
  });

  test("a huge mapping that a scan finds in two parts is one all the same", () => {
    const page = 512 + HOLE + 512;
    const process = oneVma(512, 512 + 3 * HOLE, { entries: [pte(page - 2, 9), ...huge(page, 1024)] });
    const calls = new FakeSystemCalls();
    expect(linesOf(read([process], { calls }).readAll())).toBe(linesOf(expectedEntries([process])));
  });

  // One that begins inside a page table, where the one before stopped early, ends inside another.
  test("a scan ends with a page table, so that its end is in no huge mapping", () => {
    const page = 512 + HOLE;
    // More than a call finds, with a hole between, in any window of two page tables or more.
    const stretches = [600, 1124].map((at) => ptes(300, (i) => pte(page + at + i, at + 2 * i)));
    const process = oneVma(512, 512 + 3 * HOLE, { entries: stretches.flat() });
    const calls = new FakeSystemCalls();
    expect(linesOf(read([process], { calls }).readAll())).toBe(linesOf(expectedEntries([process])));
    expect(calls.ends.filter((end) => end % 512 !== 0)).toEqual([]);
  });

  test.each([0, 1])("a huge mapping keeps its first page, though the page before maps its frame %d", (index) => {
    const process = oneVma(512, 2048, { entries: [pte(1023, 1024 + index, { exclusive: true }), ...huge(1024, 1024)] });
    expect(linesOf(read([process], { calls: new FakeSystemCalls() }).readAll())).toBe(
      linesOf(expectedEntries([process])),
    );
  });
});

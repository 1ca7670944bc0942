import { writeSync } from "node:fs";
import * as fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { collectFolios, scanFolios } from "../../test/figures/fake-capture.ts";
import { WordFiles, flagsOf, writeKpageflags } from "../../test/figures/fake-proc.ts";
import { type SmallFolio, type SmallKind, framesOf, isAnon } from "../../test/figures/small-machine.ts";
import {
  type FolioKind,
  KIND_ANON,
  KIND_FILE,
  KIND_HUGETLB,
  KIND_KSM,
  KIND_NONE,
  KIND_SHMEM,
  KIND_UNCOUNTED,
  KPF_SLAB,
} from "../kernel/index.ts";
import { FolioScanner } from "./folio-scan.ts";
import { FRAME_LARGE, type FrameTable, countRun, createDifference, sumDifferences } from "./frame-table.ts";

const files = new WordFiles();
const giganticFiles = new WordFiles();
beforeEach(() => files.reuse());
afterAll(() => {
  files.close();
  giganticFiles.close();
});

const KINDS: Record<SmallKind, FolioKind> = {
  anon: KIND_ANON,
  ksm: KIND_KSM,
  file: KIND_FILE,
  shmem: KIND_SHMEM,
  hugetlb: KIND_HUGETLB,
  zero: KIND_UNCOUNTED,
  freed: KIND_NONE,
  reserved: KIND_UNCOUNTED,
};

interface Placed extends SmallFolio {
  /** Which of its frames are mapped: none, the first, the last, all. */
  readonly mapped: "none" | "first" | "last" | "all";
}

interface PlacedRecipe {
  readonly gap: number;
  readonly order: number;
  readonly kind: SmallKind;
  readonly owner2: boolean;
  readonly mapped: Placed["mapped"];
}

function place(recipes: readonly PlacedRecipe[]): { folios: Placed[]; frameCount: number } {
  let frame = 0;
  const folios = recipes.map(({ gap, ...rest }) => {
    const size = 2 ** rest.order;
    const head = Math.ceil((frame + gap) / size) * size;
    frame = head + size;
    // hugetlb is mapped whole or not at all.
    const mapped = rest.kind === "hugetlb" && rest.mapped !== "none" ? ("all" as const) : rest.mapped;
    return { ...rest, head, mapped, ofFile: false, historyBit: false };
  });
  return { folios, frameCount: frame + 5 };
}

function mapcountsOf(folios: readonly Placed[], frameCount: number): FrameTable {
  const difference = createDifference(frameCount);
  for (const { head, mapped, order } of folios) {
    if (mapped === "first") countRun(difference, head, 1, 1, 1);
    if (mapped === "last") countRun(difference, head + 2 ** order - 1, 1, 1, 2);
    if (mapped === "all") countRun(difference, head, 2 ** order, 1, 1);
  }
  return sumDifferences([difference], frameCount);
}

const recipes: fc.Arbitrary<PlacedRecipe[]> = fc.array(
  fc
    .record({
      gap: fc.oneof(fc.nat(3), fc.constantFrom(100, 512, 1500)),
      size: fc.oneof(
        fc.record({
          order: fc.constant(0),
          kind: fc.constantFrom<SmallKind>("anon", "file", "shmem", "ksm", "zero", "freed", "reserved"),
        }),
        fc.record({ order: fc.integer({ min: 1, max: 9 }), kind: fc.constantFrom<SmallKind>("anon", "file", "shmem") }),
        fc.record({ order: fc.constantFrom(9, 10, 11, 12, 13), kind: fc.constantFrom<SmallKind>("hugetlb") }),
        fc.record({ order: fc.constant(9), kind: fc.constantFrom<SmallKind>("zero", "anon") }),
      ),
      owner2: fc.boolean(),
      mapped: fc.constantFrom<Placed["mapped"]>("none", "first", "last", "all", "all"),
    })
    .map(({ size, ...rest }) => ({ ...rest, ...size })),
  { maxLength: 25 },
);

test("the folios found are those with a mapped frame, however the windows are shared among threads", () => {
  fc.assert(
    fc.property(recipes, fc.integer({ min: 1, max: 4 }), (of, threads) => {
      const { folios, frameCount } = place(of);
      const frames = mapcountsOf(folios, frameCount);
      const fd = files.take();
      writeKpageflags(fd, { folios, frameCount });
      const found = scanFolios(fd, frames, threads);
      files.reuse();
      const columns = collectFolios(found);
      const expected = folios.filter(({ order, mapped }) => order > 0 && mapped !== "none");
      const rows = Array.from({ length: columns.count }, (_, row) => row);
      expect(
        rows.map((row) => [columns.headPfn[row], columns.order[row], columns.kind[row], columns.headExclusive[row]]),
      ).toEqual(
        expected.map((folio) => {
          const isAnonymous = isAnon(folio) && folio.kind !== "hugetlb";
          const isHeadMapped = folio.mapped !== "last" || folio.order === 0;
          return [folio.head, folio.order, KINDS[folio.kind], Number(isAnonymous && folio.owner2 && isHeadMapped)];
        }),
      );
      const kinds = new Uint8Array(frameCount);
      for (const folio of folios) {
        const kind = KINDS[folio.kind] | (folio.order > 0 ? FRAME_LARGE : 0);
        if (folio.mapped !== "none") kinds.fill(kind, folio.head, folio.head + framesOf(folio));
      }
      expect(frames.kind.findIndex((kind, pfn) => kind !== kinds[pfn])).toBe(-1);
      expect(found.map(({ torn }) => torn)).toEqual(found.map(() => 0));
    }),
    { numRuns: 150 },
  );
});

/** A kpageflags file with these folios. */
function flagsFile(folios: readonly SmallFolio[], frameCount: number, from = files): number {
  const fd = from.take();
  writeKpageflags(fd, { folios, frameCount });
  return fd;
}

function folioOf(head: number, order: number, kind: SmallKind): SmallFolio {
  return { head, order, kind, owner2: false, ofFile: true, historyBit: false };
}

/** Sets the flags of one frame to those of a page of another folio. */
function overwrite(fd: number, pfn: number, folio: SmallFolio, index: number): void {
  overwriteWord(fd, pfn, flagsOf(folio, index));
}

function overwriteWord(fd: number, pfn: number, { low, high }: { readonly low: number; readonly high: number }): void {
  writeSync(fd, Uint8Array.from(new Uint8Array(Int32Array.of(low, high).buffer)), 0, 8, pfn * 8);
}

function scanAll(fd: number, frames: FrameTable, from = 0, count = frames.frameCount - from): FolioScanner {
  const { mapcount, kind } = frames;
  const scanner = new FolioScanner({ fd, mapcount, kind, ksmBitMeansKsm: true, wantSmall: true });
  scanner.scan(from, count);
  return scanner;
}

describe("gigantic hugetlb pages of 1 GiB", () => {
  const GIB = 2 ** 18;
  const frameCount = 3 * GIB;
  const folios = [folioOf(GIB - 1, 0, "file"), folioOf(GIB, 18, "hugetlb"), folioOf(2 * GIB, 18, "hugetlb")];
  const flagsFd = flagsFile(folios, frameCount, giganticFiles);
  const frames = (): FrameTable => {
    const difference = createDifference(frameCount);
    countRun(difference, GIB - 1, 2 * GIB, 1, 3);
    return sumDifferences([difference], frameCount);
  };

  test.each([1, 2, 3, 4])("two in a row, and a small page before, are found by %d threads", (threads) => {
    const table = frames();
    const found = scanFolios(flagsFd, table, threads);
    const columns = collectFolios(found);
    const seen = new Set(found.flatMap(({ headPfn }) => headPfn));
    expect([...seen].sort((a, b) => a - b)).toEqual([GIB, 2 * GIB]);
    expect([...columns.order.subarray(0, columns.count)]).toEqual(Array.from({ length: columns.count }, () => 18));
    expect(found.reduce((sum, { torn }) => sum + torn, 0)).toBe(0);
    expect(table.kind[GIB - 1]).toBe(KIND_FILE);
    for (const pfn of [GIB, GIB + 1, 2 * GIB - 1, 2 * GIB, 3 * GIB - 1]) {
      expect(table.kind[pfn]).toBe(KIND_HUGETLB | FRAME_LARGE);
    }
  });

  test("a window that opens inside one finds its head and kind without reading the rest", () => {
    const table = frames();
    const { found } = scanAll(flagsFd, table, GIB + 512 * 77, 512);
    expect([found.headPfn, found.order, found.torn]).toEqual([[GIB], [18], 0]);
    expect(found.bytesRead).toBeLessThan(512 * 8 + 40 * 8);
  });
});

describe("flags that change under the reader", () => {
  test("a compound whose length is no power of two is torn, and its neighbours are not", () => {
    const fd = flagsFile([folioOf(4, 2, "anon"), folioOf(8, 2, "anon"), folioOf(12, 1, "file")], 512);
    overwrite(fd, 11, folioOf(11, 0, "file"), 0);
    const difference = createDifference(512);
    countRun(difference, 0, 16, 1, 1);
    const frames = sumDifferences([difference], 512);
    const { found } = scanAll(fd, frames);
    expect([found.headPfn, found.order, found.torn]).toEqual([[4, 12], [2, 1], 1]);
    expect([...frames.kind.subarray(4, 16)]).toEqual([
      ...Array.from({ length: 4 }, () => KIND_ANON | FRAME_LARGE),
      KIND_NONE,
      KIND_NONE,
      KIND_NONE,
      KIND_FILE,
      KIND_FILE | FRAME_LARGE,
      KIND_FILE | FRAME_LARGE,
      KIND_NONE,
      KIND_NONE,
    ]);
  });

  test("tails without a head are torn, in the middle of a window too", () => {
    const fd = flagsFile([folioOf(4, 2, "anon"), folioOf(8, 2, "anon"), folioOf(12, 1, "file")], 512);
    overwrite(fd, 8, folioOf(8, 0, "file"), 0);
    overwrite(fd, 9, folioOf(9, 0, "file"), 0);
    const difference = createDifference(512);
    countRun(difference, 0, 16, 1, 1);
    const frames = sumDifferences([difference], 512);
    const { found } = scanAll(fd, frames);
    expect([found.headPfn, found.order, found.torn]).toEqual([[4, 12], [2, 1], 1]);
    expect([...frames.kind.subarray(8, 12)]).toEqual([KIND_FILE, KIND_FILE, KIND_NONE, KIND_NONE]);
  });

  test("a compound as long as a huge page that does not begin where one could is torn", () => {
    const fd = flagsFile([], 2048);
    for (let i = 0; i < 1024; i++) overwrite(fd, 300 + i, folioOf(0, 10, "hugetlb"), i);
    const difference = createDifference(2048);
    countRun(difference, 0, 2048, 1, 1);
    const { found } = scanAll(fd, sumDifferences([difference], 2048), 0, 1024);
    expect([found.headPfn, found.torn]).toEqual([[], 1]);
  });

  test("a window that opens on tails without a head is torn", () => {
    const fd = flagsFile([], 2048);
    for (let i = 1; i < 512; i++) overwrite(fd, 1023 + i, folioOf(0, 9, "anon"), i);
    const difference = createDifference(2048);
    countRun(difference, 1024, 1024, 1, 1);
    const { found } = scanAll(fd, sumDifferences([difference], 2048), 1024);
    expect([found.headPfn, found.torn]).toEqual([[], 1]);
  });

  test("a compound that was freed and put to other use is no folio of those who mapped it", () => {
    const difference = createDifference(512);
    countRun(difference, 0, 32, 1, 1);
    const frames = sumDifferences([difference], 512);
    const slab = { low: flagsOf(folioOf(8, 3, "file"), 0).low | KPF_SLAB, high: 0 };
    const fd = flagsFile([folioOf(8, 3, "file"), folioOf(16, 3, "anon")], 512);
    overwriteWord(fd, 8, slab);
    const { found } = scanAll(fd, frames);
    expect([found.headPfn, found.torn]).toEqual([[16], 0]);
    expect([frames.kind[8], frames.kind[16]]).toEqual([KIND_NONE, KIND_ANON | FRAME_LARGE]);
  });

  test("a file that ends early ends the scan", () => {
    const difference = createDifference(2048);
    countRun(difference, 0, 2048, 1, 1);
    const { found } = scanAll(flagsFile([folioOf(64, 4, "file")], 100), sumDifferences([difference], 2048));
    expect([found.headPfn, found.bytesRead]).toEqual([[64], 800]);
  });
});

test("flags of small mapped frames are kept as runs of equal ones, unmapped frames left out", () => {
  const folios = [20, 21, 22, 24].map((head) => folioOf(head, 0, head === 22 ? "anon" : "file"));
  const difference = createDifference(512);
  for (const { head } of folios) countRun(difference, head, 1, 1, 1);
  countRun(difference, 30, 2, 1, 1);
  const { small } = scanAll(flagsFile(folios, 512), sumDifferences([difference], 512)).found;
  expect([small.pfn, small.frames]).toEqual([
    [20, 22, 24, 30],
    [2, 1, 1, 2],
  ]);
  expect(small.flagsLow[0]).toBe(flagsOf(folios[0], 0).low);
});

test("without KSM in use its bit is not believed", () => {
  const difference = createDifference(512);
  countRun(difference, 20, 1, 1, 1);
  const { mapcount, kind } = sumDifferences([difference], 512);
  const fd = flagsFile([folioOf(20, 0, "ksm")], 512);
  new FolioScanner({ fd, mapcount, kind, ksmBitMeansKsm: false, wantSmall: false }).scan(0, 512);
  expect(kind[20]).toBe(KIND_ANON);
});

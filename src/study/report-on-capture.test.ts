/**
 * The report of a capture against the obvious calculation, page by page, on random small machines: entries to pagemap
 * words in a file, the real reader, difference tables, kpageflags scan, events, classes, histograms, sums, report.
 */
import * as fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { captureSmallMachine } from "../../test/figures/fake-capture.ts";
import { WordFiles } from "../../test/figures/fake-proc.ts";
import {
  SLOW_SCHEMES,
  type SlowFigures,
  type SlowFolio,
  type SlowSums,
  slowFigures,
} from "../../test/figures/slow-figures.ts";
import {
  type MachineRecipe,
  type PieceRecipe,
  machineOf,
  machineRecipes,
  mapPages,
} from "../../test/figures/machine-recipes.ts";
import { buildMachine, framesOf } from "../../test/figures/small-machine.ts";
import type { Capture } from "../capture/index.ts";
import * as figures from "../figures/index.ts";
import { procRefusal } from "../kernel/index.ts";
import { SCHEMES } from "../schemes/index.ts";
import type { FolioOrderReport, MachineFigures, ProcessReport } from "./capture-report.ts";
import { orderSchemes, reportOnCapture, sumCapture } from "./report-on-capture.ts";

const files = new WordFiles();
beforeEach(() => files.reuse());
afterAll(() => files.close());

/** How the capture is taken must not matter. */
const ways = fc.record({
  threads: fc.integer({ min: 1, max: 3 }),
  shuffle: fc.array(fc.nat(2), { minLength: 1, maxLength: 5 }),
  templates: fc.boolean(),
});

/** What reports compare unless told otherwise; the first test takes all. */
const SHOWN = SCHEMES.filter(({ shownByDefault }) => shownByDefault);

const PLAIN = { threads: 1, shuffle: [0], templates: false };
const bytes = (pages: number): number => pages * 4096;

/** What the report should say of a process, but for its names. */
function expectedProcess(sums: SlowSums): Partial<ProcessReport> {
  return {
    rssBytes: bytes(sums.rss),
    rssAnonBytes: bytes(sums.anon),
    rssFileBytes: bytes(sums.file),
    rssShmemBytes: bytes(sums.shmem),
    swapBytes: bytes(sums.swap),
    hugetlbBytes: bytes(sums.hugetlb),
    changedBytes: bytes(sums.changed),
    exclusiveEntriesMeasured: sums.exclusiveMeasured,
    schemes: Object.fromEntries(
      SLOW_SCHEMES.map((id) => {
        const of = sums.schemes[id];
        return [
          id,
          {
            pssBytes: Math.floor(of.pss / 4096),
            pssAnonBytes: Math.floor(of.pssAnon / 4096),
            pssFileBytes: Math.floor(of.pssFile / 4096),
            pssShmemBytes: Math.floor(of.pssShmem / 4096),
            ussBytes: { least: bytes(of.privateLeast), most: bytes(of.privateMost) },
            exclusiveEntries: { least: of.exclusiveLeast, most: of.exclusiveMost },
          },
        ];
      }),
    ),
  };
}

/** What the report should say of the machine under one scheme. */
function expectedMachine(slow: SlowFigures, id: (typeof SLOW_SCHEMES)[number]): MachineFigures {
  const { anonPages, mapped, partialMissedPages, partialPastDecidesPages, ...counts } = slow.machine[id];
  const total = (pick: (sums: SlowSums["schemes"]["page"]) => number): number =>
    slow.processes.reduce((all, { schemes }) => all + pick(schemes[id]), 0);
  return {
    ...counts,
    anonPagesBytes: bytes(anonPages),
    mappedBytes: bytes(mapped),
    partialMissedBytes: bytes(partialMissedPages),
    partialPastDecidesBytes: bytes(partialPastDecidesPages),
    pssBytes: total(({ pss }) => Math.floor(pss / 4096)),
    ussBytes: { least: bytes(total((of) => of.privateLeast)), most: bytes(total((of) => of.privateMost)) },
    exclusiveEntries: { least: total((of) => of.exclusiveLeast), most: total((of) => of.exclusiveMost) },
  };
}

function isPartial({ folio, pagesMapped }: SlowFolio): boolean {
  return pagesMapped < framesOf(folio);
}

/** The large folios of one order and kind. */
function expectedFolios(slow: SlowFigures, { order, kind }: FolioOrderReport): FolioOrderReport {
  const all = slow.folios.filter(
    ({ folio }) => folio.order === order && (folio.kind === "zero" ? "uncounted" : folio.kind) === kind,
  );
  return {
    order,
    kind,
    folios: all.length,
    bytes: bytes(all.length * 2 ** order),
    mappedBytes: bytes(all.reduce((sum, { pagesMapped }) => sum + pagesMapped, 0)),
    mappedByOne: all.filter(({ mmCount }) => mmCount === 1).length,
    mappedByTwo: all.filter(({ mmCount }) => mmCount === 2).length,
    mappedByMore: all.filter(({ mmCount }) => mmCount > 2).length,
    partiallyMapped: all.filter(isPartial).length,
  };
}

async function takeCapture(recipe: MachineRecipe, options: Parameters<typeof captureSmallMachine>[2] = PLAIN) {
  const machine = buildMachine(recipe);
  const capture = await captureSmallMachine(machine, files, options);
  files.reuse();
  return { machine, capture, slow: slowFigures(machine) };
}

describe("a random small machine", () => {
  test("is reported as counted page by page: processes, totals, machine, folios", async () => {
    await fc.assert(
      fc.asyncProperty(machineRecipes, ways, async (recipe, options) => {
        const { capture, slow } = await takeCapture(recipe, options);
        const report = await reportOnCapture(capture, SCHEMES);
        for (const [index, process] of report.processes.entries()) {
          expect(process).toMatchObject(expectedProcess(slow.processes[index]));
        }
        const total = (pick: (sums: SlowSums) => number): number =>
          bytes(slow.processes.reduce((sum, of) => sum + pick(of), 0));
        expect(report.totals).toEqual({
          rssBytes: total(({ rss }) => rss),
          swapBytes: total(({ swap }) => swap),
          hugetlbBytes: total(({ hugetlb }) => hugetlb),
        });
        for (const id of SLOW_SCHEMES) expect(report.figures[id]).toEqual(expectedMachine(slow, id));
        expect(report.folios).toEqual(report.folios.map((group) => expectedFolios(slow, group)));
        expect(report.folios.reduce((sum, { folios }) => sum + folios, 0)).toBe(slow.folios.length);
        const partial = slow.folios.filter((of) => of.folio.kind === "anon" && isPartial(of));
        const unmapped = partial.reduce((sum, { folio, pagesMapped }) => sum + framesOf(folio) - pagesMapped, 0);
        expect(report.partial).toEqual({ folios: partial.length, unmappedBytes: bytes(unmapped) });
        expect(report.memory.reduce((sum, account) => sum + account.bytes, 0)).toBe(report.machine.memTotalBytes);
      }),
      { numRuns: 200 },
    );
  });

  test("is summed VMA by VMA as counted page by page, column by column", async () => {
    await fc.assert(
      fc.asyncProperty(machineRecipes, ways, async (recipe, options) => {
        const { capture, slow } = await takeCapture(recipe, options);
        const { vmas, swapPages, schemes } = await sumCapture(capture, SHOWN);
        for (const [row, sums] of slow.vmas.flat().entries()) {
          expect(readFixedColumns(vmas, row)).toEqual(expectedFixedColumns(sums));
          expect(swapPages[row]).toBe(sums.swap);
          for (const [index, { id }] of schemes.entries()) {
            const of = sums.schemes[id as "page"];
            const at = vmas.schemeAt(index);
            expect(Array.from({ length: 9 }, (_, column) => vmas.get(row, at + column))).toEqual([
              of.pss,
              of.pssAnon,
              of.pssFile,
              of.pssShmem,
              of.privateLeast,
              of.privateMost,
              of.exclusiveLeast,
              of.exclusiveMost,
              of.mapmax,
            ]);
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  test("under its own kernel's scheme has the exclusive bits that pagemap printed", async () => {
    await fc.assert(
      fc.asyncProperty(machineRecipes, ways, async (recipe, options) => {
        // Bits that were printed while a process lived do not match what is left when it has ended.
        const processes = recipe.processes.map((process) => ({ ...process, ended: false }));
        const { capture } = await takeCapture({ ...recipe, processes }, options);
        const own = orderSchemes(capture, SHOWN)[0].id;
        const report = await reportOnCapture(capture, SHOWN);
        expect(report.schemes[0]).toBe(own);
        expect(own).toBe(recipe.config === "page" ? "page" : "mm-owner");
        for (const { schemes, exclusiveEntriesMeasured: measured } of report.processes) {
          expect(schemes[own].exclusiveEntries).toEqual({ least: measured, most: measured });
        }
      }),
      { numRuns: 100 },
    );
  });

  test("keeps its figures without PAGEMAP_SCAN if no PMD entry is in it", async () => {
    const withoutPmds = machineRecipes.map((recipe) => ({
      ...recipe,
      processes: recipe.processes.map((process) => ({
        ...process,
        vmas: process.vmas.map((vma) => ({ ...vma, pieces: vma.pieces.filter(({ type }) => type !== "pmd") })),
      })),
    }));
    await fc.assert(
      fc.asyncProperty(withoutPmds, ways, async (recipe, options) => {
        const { capture, slow } = await takeCapture(recipe, { ...options, withoutScan: true });
        const report = await reportOnCapture(capture, SHOWN);
        for (const [index, process] of report.processes.entries()) {
          expect(process).toMatchObject(expectedProcess(slow.processes[index]));
        }
        for (const id of SLOW_SCHEMES) expect(report.figures[id]).toEqual(expectedMachine(slow, id));
      }),
      { numRuns: 60 },
    );
  });
});

const FIXED_COLUMNS = {
  rss: figures.SUM_RSS,
  anon: figures.SUM_ANON,
  ksm: figures.SUM_KSM,
  file: figures.SUM_FILE,
  shmem: figures.SUM_SHMEM,
  hugetlb: figures.SUM_HUGETLB,
  hugetlbShared: figures.SUM_HUGETLB_SHARED,
  uncounted: figures.SUM_UNCOUNTED,
  changed: figures.SUM_CHANGED,
  pmdAnon: figures.SUM_PMD_ANON,
  pmdShmem: figures.SUM_PMD_SHMEM,
  pmdFile: figures.SUM_PMD_FILE,
  exclusiveMeasured: figures.SUM_EXCLUSIVE_MEASURED,
};

function readFixedColumns(vmas: figures.MappingSums, row: number): Record<string, number> {
  return Object.fromEntries(Object.entries(FIXED_COLUMNS).map(([name, column]) => [name, vmas.get(row, column)]));
}

function expectedFixedColumns({ swap: _swap, schemes: _schemes, ...sums }: SlowSums): Record<string, number> {
  return sums;
}

test("random small machines hold what these properties are about", async () => {
  const seen = { pmd: 0, ranges: 0, partialMissed: 0, mapmax: 0, hugetlb: 0, ended: 0, swap: 0, kpagecount: 0 };
  for (const recipe of fc.sample(machineRecipes, { numRuns: 150, seed: 7 })) {
    const machine = buildMachine(recipe);
    const slow = slowFigures(machine);
    const { processes } = slow;
    if (processes.some(({ pmdAnon }) => pmdAnon > 0)) seen.pmd++;
    const isRange = ({ privateLeast, privateMost }: SlowSums["schemes"]["page"]): boolean => privateLeast < privateMost;
    if (processes.some(({ schemes }) => isRange(schemes["mm-owner"]))) seen.ranges++;
    if (slow.machine["mm-owner"].partialMissed > 0) seen.partialMissed++;
    if (slow.machine["mm-owner"].mapmaxChangedVmas > 0) seen.mapmax++;
    if (slow.machine["mapped-pages"].kpagecountChangedFrames > 0) seen.kpagecount++;
    if (processes.some(({ hugetlbShared }) => hugetlbShared > 0)) seen.hugetlb++;
    if (machine.processes.some(({ ended, vmas }) => ended && vmas.length > 0)) seen.ended++;
    if (processes.some(({ swap }) => swap > 0)) seen.swap++;
  }
  for (const [what, count] of Object.entries(seen)) expect({ what, count }).toSatisfy(() => count >= 5);
  await Promise.resolve();
});

describe("the kernel's own examples", () => {
  test("three anonymous pages in three processes print a Pss of 3 kB, not 4 (kernel-facts 9.2)", async () => {
    const { capture } = await takeCapture(
      machineOf([{ order: 0 }, { order: 0 }, { order: 0 }], [mapPages(0, 3)], { likes: 2 }),
    );
    const { processes } = await reportOnCapture(capture, SHOWN);
    expect(processes).toHaveLength(3);
    for (const { schemes, rssBytes } of processes) {
      expect(rssBytes).toBe(12_288);
      expect(Math.floor(schemes["page"].pssBytes / 1024)).toBe(3);
      expect(schemes["page"].ussBytes).toEqual({ least: 0, most: 0 });
    }
  });

  test("a huge page of which another process maps all but the first page: Pss 1026 kB, every bit exclusive (9.1)", async () => {
    const recipe = machineOf([{ order: 9, owner2: false }], [{ type: "pmd", folio: 0 }]);
    const split = {
      like: null,
      base: 513,
      ended: false,
      vmas: [{ gap: 0, shared: false, pieces: [mapPages(0, 511, { first: 1 })] }],
    };
    const { capture } = await takeCapture({ ...recipe, processes: [...recipe.processes, split] });
    const [a, b] = (await reportOnCapture(capture, SHOWN)).processes;
    expect(Math.floor(a.schemes["page"].pssBytes / 1024)).toBe(1026);
    expect(a.schemes["page"].ussBytes).toEqual({ least: 4096, most: 4096 });
    expect(a.exclusiveEntriesMeasured).toBe(512);
    expect(a.schemes["page"].exclusiveEntries).toEqual({ least: 512, most: 512 });
    expect(b.schemes["page"].exclusiveEntries).toEqual({ least: 0, most: 0 });
    // Without a mapcount in every page all 512 are shared, and count 2 each: 511 entries and a PMD.
    expect(a.schemes["mm-owner"].ussBytes).toEqual({ least: 0, most: 0 });
    expect(a.schemes["mm-owner"].exclusiveEntries).toEqual({ least: 0, most: 0 });
    expect(a.schemes["mm-owner"].pssBytes).toBe(1_048_576);
  });

  test("KSM: two pages of one process that share a frame, and a third that was written: Pss 8 kB (9.2)", async () => {
    const pieces = [mapPages(0, 2, { step: 0 }), mapPages(1, 1)];
    const { capture } = await takeCapture(machineOf([{ kind: "ksm" }, { kind: "anon" }], pieces));
    const [process] = (await reportOnCapture(capture, SHOWN)).processes;
    for (const { pssBytes, ussBytes } of Object.values(process.schemes)) {
      expect(pssBytes).toBe(8192);
      expect(ussBytes).toEqual({ least: 4096, most: 4096 });
    }
  });

  test("zero pages, small and huge, and device memory are in no figure, though present", async () => {
    const pieces: PieceRecipe[] = [
      mapPages(0, 700, { step: 0 }),
      { type: "pmd", folio: 0 },
      { type: "device", above: 2 ** 31, pages: 3 },
      { type: "device", above: 2 ** 33, pages: 3 },
    ];
    const { capture, machine } = await takeCapture(machineOf([{ kind: "zero" }, { kind: "zero", order: 9 }], pieces));
    // FILE is set of a huge zero page and not of a small one, and must not make it a file's.
    expect(new Set(machine.processes[0].vmas[0].entries.map(({ pmd, file }) => `${pmd} ${file}`))).toEqual(
      new Set(["false false", "true true"]),
    );
    const report = await reportOnCapture(capture, SHOWN);
    expect(report.processes[0]).toMatchObject({ rssBytes: 0, changedBytes: 0, hugetlbBytes: 0 });
    for (const of of Object.values(report.figures)) expect(of).toMatchObject({ anonPagesBytes: 0, mappedBytes: 0 });
    const { vmas } = await sumCapture(capture, SHOWN);
    expect(vmas.get(0, figures.SUM_UNCOUNTED)).toBe(700 + 512 + 6);
  });

  test("swap counts as swap, hwpoison and migration entries as mapped pages, markers as nothing", async () => {
    const swap = (swapType: number, pages: number): PieceRecipe => {
      return { type: "swap", swapType, offset: 4, pages, step: swapType === 31 ? 0 : 1, file: swapType === 28 };
    };
    const { capture } = await takeCapture(
      machineOf([{}], [swap(0, 3), swap(26, 5), swap(27, 7), swap(28, 11), swap(31, 13)]),
    );
    const [process] = (await reportOnCapture(capture, SHOWN)).processes;
    expect(process).toMatchObject({ swapBytes: bytes(8), rssBytes: bytes(18), rssFileBytes: bytes(11) });
    expect(process.schemes["page"]).toMatchObject({ pssBytes: bytes(18), ussBytes: { least: 0, most: 0 } });
  });
});

describe("what is not there", () => {
  /** A capture whose process `index` is described differently. */
  function withProcess(capture: Capture, index: number, change: object): Capture {
    return { ...capture, processes: capture.processes.map((of, i) => (i === index ? { ...of, ...change } : of)) };
  }

  test("who shares an address space shows its figures, and is in no total", async () => {
    const { capture } = await takeCapture(machineOf([{ order: 2 }], [mapPages(0, 4)], { likes: 1 }));
    const { mm, firstVma, endVma } = capture.processes[0];
    const report = await reportOnCapture(withProcess(capture, 1, { state: "shares-mm", mm, firstVma, endVma }), SHOWN);
    expect(report.processes.map(({ rssBytes }) => rssBytes)).toEqual([16_384, 16_384]);
    expect(report.totals.rssBytes).toBe(16_384);
    expect(report.coverage).toMatchObject({ processesRead: 1, processesEnded: 0, processesRefused: 0 });
  });

  test("who was refused or ended has no figures and a sentence that says why", async () => {
    const { capture } = await takeCapture(machineOf([{ order: 2 }], [mapPages(0, 4)], { likes: 1 }));
    const refusal = procRefusal("EACCES", "/proc/101/pagemap");
    for (const change of [{ state: "ended" }, { state: "refused", refusal, mm: -1, firstVma: 0, endVma: 0 }]) {
      const report = await reportOnCapture(withProcess(capture, 1, change), SHOWN);
      expect(report.processes[1]).toMatchObject({ rssBytes: 0, swapBytes: 0, state: change.state });
      expect(report.processes[1].refusal).toMatch(/\.$/);
      expect(report.totals.rssBytes).toBe(16_384);
    }
  });

  test("a page whose frame was put to another use meanwhile is changed, and in no other figure", async () => {
    const { machine } = await takeCapture(machineOf([{ kind: "anon" }, { kind: "file" }], [mapPages(0, 2)]));
    for (const entry of machine.processes[0].vmas[0].entries) entry.file = !entry.file;
    const report = await reportOnCapture(await captureSmallMachine(machine, files, PLAIN), SHOWN);
    expect(report.processes[0]).toMatchObject({ changedBytes: 8192, rssBytes: 0 });
    expect(report.processes[0].schemes["page"].pssBytes).toBe(0);
  });

  test("cgroups are told what whole folios add, largest first, and nothing where nothing is added", async () => {
    const recipe = machineOf(
      [{ order: 2 }, { order: 3 }, { order: 3, kind: "file" }, { order: 2 }],
      [mapPages(0, 1), mapPages(1, 2), mapPages(2, 1), mapPages(3, 4)],
    );
    const { capture } = await takeCapture(recipe);
    const groups = ["/a", "/a", "/b", "/c"];
    const { cgroups } = await reportOnCapture({ ...capture, folioCgroups: new Map(groups.entries()) }, SHOWN);
    expect(cgroups).toEqual([
      {
        cgroup: "/a",
        anonExtraBytes: { page: 0, "mm-owner": bytes(3 + 6), "mapped-pages": bytes(3 + 6) },
        fileExtraBytes: {},
      },
      { cgroup: "/b", anonExtraBytes: {}, fileExtraBytes: { page: 0, "mm-owner": bytes(7), "mapped-pages": bytes(7) } },
    ]);
  });
});

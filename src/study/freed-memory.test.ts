/**
 * What comes free when processes end: against the ending of every mapping, page by page, on random small machines; and
 * shared files, shared address spaces and swap, which those do not have. Rankings against the answers for one and for many.
 */
import * as fc from "fast-check";
import { afterAll, beforeEach, expect, test } from "vitest";
import { captureSmallMachine } from "../../test/figures/fake-capture.ts";
import { WordFiles } from "../../test/figures/fake-proc.ts";
import { machineOf, machineRecipes, mapPages } from "../../test/figures/machine-recipes.ts";
import { type SmallMachine, buildMachine } from "../../test/figures/small-machine.ts";
import { mappedFolios } from "../../test/study/slow-sharing.ts";
import type { Capture } from "../capture/index.ts";
import { type FreeReport, prepareFreeing, studyFreeing } from "./freed-memory.ts";
import { rankEach, rankTogether } from "./freed-ranking.ts";

const files = new WordFiles();
beforeEach(() => files.reuse());
afterAll(() => files.close());

const PLAIN = { threads: 1, shuffle: [0], templates: false };
const PAGE = 4096;
/** What the made-up processes say of their page tables. */
const TABLES = 8192;

/** Takes the mappings of some mms away and looks at what is left. */
function slowFreed(machine: SmallMachine, ends: ReadonlySet<number>): Record<string, number> {
  const sums = { anon: 0, ksm: 0, unmapped: 0, hugetlb: 0, file: 0, shmem: 0, held: 0, stays: 0, mapped: 0, alone: 0 };
  for (const { folio, mappers } of mappedFolios(machine)) {
    const touched = mappers.filter((members) => [...members].some((mm) => ends.has(mm)));
    if (touched.length === 0) continue;
    const left = mappers.filter((members) => [...members].some((mm) => !ends.has(mm)));
    const gone = touched.filter((members) => [...members].every((mm) => ends.has(mm))).length;
    sums.mapped += touched.length;
    sums.stays += touched.length - gone;
    sums.alone += touched.filter(({ size }) => size === 1).length;
    if (folio.kind === "anon" || folio.kind === "ksm") {
      if (left.length > 0) sums.held += gone;
      else {
        sums[folio.kind] += gone;
        sums.unmapped += mappers.length - gone;
      }
    } else if (folio.kind === "hugetlb" || folio.kind === "file" || folio.kind === "shmem") sums[folio.kind] += gone;
  }
  return sums;
}

function figuresOf({ free, heldByFoliosBytes, stays, mapped, aloneSum }: FreeReport): ReturnType<typeof slowFreed> {
  return {
    anon: free.anonBytes / PAGE,
    ksm: free.ksmBytes / PAGE,
    unmapped: free.unmappedBytes / PAGE,
    hugetlb: free.hugetlbBytes / PAGE,
    file: free.cacheFileBytes / PAGE,
    shmem: free.cacheShmemBytes / PAGE,
    held: heldByFoliosBytes / PAGE,
    stays: stays.bytes / PAGE,
    mapped: mapped.bytes / PAGE,
    alone: aloneSum.bytes / PAGE,
  };
}

test("what comes free is what has no mapping when theirs are gone, whole folios at a time", async () => {
  const seen = { held: 0, unmapped: 0, stays: 0 };
  await fc.assert(
    fc.asyncProperty(machineRecipes, fc.integer({ min: 1, max: 63 }), async (recipe, bits) => {
      files.reuse();
      const machine = buildMachine(recipe);
      const ends = new Set([...machine.processes.keys()].filter((mm) => ((bits >> mm) & 1) !== 0));
      const alive = [...ends].filter((mm) => !machine.processes[mm].ended);
      const freeing = await prepareFreeing(await captureSmallMachine(machine, files, PLAIN));
      const report = studyFreeing(freeing, new Set(alive.map((mm) => 100 + mm)));
      const expected = slowFreed(machine, new Set(alive));
      expect(figuresOf(report)).toEqual(expected);
      const { free } = report;
      expect(free.pageTablesBytes).toBe(alive.length * TABLES);
      const freedPages = expected["anon"] + expected["ksm"] + expected["unmapped"];
      expect(free.freed).toEqual({ least: freedPages * PAGE + free.pageTablesBytes, most: free.freed.least });
      for (const key of ["held", "unmapped", "stays"] as const) seen[key] += expected[key];
    }),
    { numRuns: 150 },
  );
  expect(Math.min(seen.held, seen.unmapped, seen.stays)).toBeGreaterThan(0);
});

test("each alone frees what the question about it alone says, and the best few what the question about them says", async () => {
  await fc.assert(
    fc.asyncProperty(machineRecipes, async (recipe) => {
      files.reuse();
      const freeing = await prepareFreeing(await captureSmallMachine(buildMachine(recipe), files, PLAIN));
      const each = rankEach(freeing, () => true);
      for (const { process, free } of each.processes) {
        expect(free).toEqual(studyFreeing(freeing, new Set([process.pid])).free);
      }
      const taken = new Set<number>();
      let together = 0;
      for (const { process, free } of rankTogether(freeing, () => true, 4).processes) {
        const others = each.processes.map(({ process: { pid } }) => pid).filter((pid) => !taken.has(pid));
        const gains = others.map((pid) => studyFreeing(freeing, new Set([...taken, pid])).free.freed.least - together);
        expect(free.freed.least).toBe(Math.max(...gains));
        taken.add(process.pid);
        together += free.freed.least;
        expect(together).toBe(studyFreeing(freeing, taken).free.freed.least);
      }
    }),
    { numRuns: 60 },
  );
});

/** Three processes alike with 4 pages of shared memory, one a frame. */
async function threeSharing(name: string, changes: Partial<Capture["vmas"][number]> = {}): Promise<Capture> {
  const folios = Array.from({ length: 4 }, () => ({ kind: "shmem" as const }));
  const pieces = folios.map((_, folio) => mapPages(folio, 1));
  const capture = await captureSmallMachine(buildMachine(machineOf(folios, pieces, { likes: 2 })), files, PLAIN);
  return { ...capture, vmas: capture.vmas.map((vma) => ({ ...vma, shared: true, inode: 9, name, ...changes })) };
}

const ALL = new Set([100, 101, 102]);

test.each([
  ["/dev/zero (deleted)", { least: 4, most: 4 }, 0],
  ["/memfd:ring (deleted)", { least: 0, most: 4 }, 0],
  ["/dev/shm/ring", { least: 0, most: 0 }, 4],
  ["/SYSV00000007 (deleted)", { least: 0, most: 0 }, 4],
])("shared memory called %s frees %o pages with its last mapping", async (name, vanishing, cache) => {
  const freeing = await prepareFreeing(await threeSharing(name));
  const all = studyFreeing(freeing, ALL).free;
  expect(all.vanishingBytes).toEqual({ least: vanishing.least * PAGE, most: vanishing.most * PAGE });
  expect(all.cacheShmemBytes).toBe(cache * PAGE);
  expect(all.freed).toEqual({
    least: vanishing.least * PAGE + 3 * TABLES,
    most: vanishing.most * PAGE + 3 * TABLES,
  });
  const two = studyFreeing(freeing, new Set([100, 101]));
  expect(two.free.freed).toEqual({ least: 2 * TABLES, most: 2 * TABLES });
  expect(two.holders.map(({ process, held }) => [process?.pid, held.shmemBytes])).toEqual([[102, 4 * PAGE]]);
});

test("a page that someone not read maps too stays, with a holder that has no name, who may have all of its file", async () => {
  const capture = await threeSharing("/dev/zero (deleted)");
  capture.frames.mapcount[capture.frames.mapcount.indexOf(3)] = 4;
  const report = studyFreeing(await prepareFreeing(capture), ALL);
  expect(report.free.vanishingBytes).toEqual({ least: 0, most: 3 * PAGE });
  expect(report.stays.bytes).toBe(PAGE);
  expect(report.holders).toEqual([{ process: null, held: report.stays }]);
});

test.each([
  ["was not chosen", (capture: Capture): Capture => ({ ...capture, wholeMachine: false })],
  [
    "could not be read",
    (capture: Capture): Capture => {
      const refused = { ...capture.processes[0], pid: 7, mm: -1, state: "refused" as const };
      return { ...capture, processes: [...capture.processes, refused] };
    },
  ],
])("shared memory that nobody else is seen to map is not sure to go where somebody %s", async (_, change) => {
  const freeing = await prepareFreeing(change(await threeSharing("/dev/zero (deleted)")));
  expect(studyFreeing(freeing, ALL).free.freed).toEqual({ least: 3 * TABLES, most: 4 * PAGE + 3 * TABLES });
});

test("what one left in the page cache and the next takes with it is freed by the next", async () => {
  const folios = Array.from({ length: 4 }, () => ({ kind: "shmem" as const }));
  const pieces = folios.map((_, folio) => mapPages(folio, 1));
  const recipe = machineOf(folios, pieces, {});
  const idle = { like: null, base: 512, ended: false, vmas: [{ gap: 0, shared: true, pieces: [] }] };
  const machine = buildMachine({ ...recipe, processes: [...recipe.processes, idle] });
  const capture = await captureSmallMachine(machine, files, PLAIN);
  const name = "/dev/zero (deleted)";
  const vmas = capture.vmas.map((vma) => ({ ...vma, shared: true, inode: 9, name }));
  const freeing = await prepareFreeing({ ...capture, vmas });
  const [first, second] = rankTogether(freeing, () => true, 2).processes.map(({ free }) => free);
  expect([first.cacheShmemBytes, first.vanishingBytes.least]).toEqual([4 * PAGE, 0]);
  expect([second.cacheShmemBytes, second.vanishingBytes.least]).toEqual([-4 * PAGE, 4 * PAGE]);
  const both = studyFreeing(freeing, new Set([100, 101])).free;
  expect(both.freed.least).toBe(first.freed.least + second.freed.least);
  expect(both).toMatchObject({ cacheShmemBytes: 0, vanishingBytes: { least: 4 * PAGE } });
});

test("of those that free the same alone the one is taken first that has more of what the rest shares", async () => {
  const recipe = machineOf([{}, {}, {}], [mapPages(0, 1), mapPages(1, 1), mapPages(2, 1)], {});
  const [first] = recipe.processes;
  const idle = { like: null, base: 512, ended: false, vmas: [{ gap: 0, shared: true, pieces: [] }] };
  const machine = buildMachine({ ...recipe, processes: [idle, first, { ...first, like: 1, vmas: [] }] });
  const freeing = await prepareFreeing(await captureSmallMachine(machine, files, PLAIN));
  const taken = rankTogether(freeing, () => true, 3).processes;
  expect(taken.map(({ process, free }) => [process.pid, free.anonBytes / PAGE])).toEqual([
    [101, 0],
    [102, 3],
    [100, 0],
  ]);
});

test("an address space comes free when all who share it end, and not before", async () => {
  const capture = await threeSharing("/dev/zero (deleted)");
  const twin = { ...capture.processes[2], pid: 500, state: "shares-mm" as const };
  const freeing = await prepareFreeing({ ...capture, processes: [...capture.processes, twin] });
  const without = studyFreeing(freeing, ALL);
  expect(without.keptSpaces.map(({ process, sharedWith }) => [process.pid, sharedWith])).toEqual([[102, [500]]]);
  expect(without.free.freed.least).toBe(2 * TABLES);
  const ranked = rankEach(freeing, () => true).processes;
  expect(ranked.map(({ process, sharedWith }) => [process.pid, sharedWith])).toEqual([
    [100, []],
    [101, []],
    [102, [500]],
  ]);
  const all = studyFreeing(freeing, new Set([...ALL, 500]));
  expect(all.keptSpaces).toEqual([]);
  expect(all.free.freed.least).toBe(4 * PAGE + 3 * TABLES);
});

/** Slots of area 0 by row of mm: [first slot, slots]. */
function withSwap(capture: Capture, slotsOf: readonly (readonly (readonly [number, number])[])[]): Capture {
  const rows = slotsOf.flatMap((intervals, mm) =>
    intervals.map((interval) => [capture.mmOfVma.indexOf(mm), ...interval]),
  );
  const runs = {
    count: rows.length,
    vma: Int32Array.from(rows, ([vma]) => vma),
    area: new Uint8Array(rows.length),
    firstSlot: Float64Array.from(rows, ([, first]) => first),
    slots: Int32Array.from(rows, ([, , slots]) => slots),
  };
  const processes = capture.processes.map((process, mm) => ({
    ...process,
    status: { ...process.status, vmSwapBytes: (slotsOf[mm] ?? []).reduce((sum, [, slots]) => sum + slots, 0) * PAGE },
  }));
  return { ...capture, processes, swappedRuns: async () => Promise.resolve([runs]) };
}

test("a slot of swap comes free with the last entry for it", async () => {
  // 0..900 of the first, 600 of them with the second, 50 of those with the third too, which has 50 of its own.
  const capture = withSwap(await threeSharing(""), [
    [[0, 900]],
    [[300, 600]],
    [
      [850, 50],
      [2000, 50],
    ],
  ]);
  const pagesOf = async (whole: boolean, ...pids: number[]): Promise<number[]> => {
    const freeing = await prepareFreeing({ ...capture, wholeMachine: whole });
    const { free, swappedBytes } = studyFreeing(freeing, new Set(pids));
    return [free.swapBytes.least / PAGE, free.swapBytes.most / PAGE, swappedBytes / PAGE];
  };
  expect(await pagesOf(true, 100)).toEqual([300, 300, 900]);
  expect(await pagesOf(true, 101)).toEqual([0, 0, 600]);
  expect(await pagesOf(true, 100, 101)).toEqual([850, 850, 900]);
  expect(await pagesOf(true, 100, 101, 102)).toEqual([950, 950, 950]);
  // Who was not read may have any of them.
  expect(await pagesOf(false, 100, 101)).toEqual([0, 850, 900]);
});

test("each process is ranked by the swap that it alone has entries for, and those taken together add up", async () => {
  const capture = withSwap(await threeSharing(""), [
    [[0, 900]],
    [[300, 600]],
    [
      [850, 50],
      [2000, 50],
    ],
  ]);
  const freeing = await prepareFreeing({ ...capture, wholeMachine: true });
  for (const { process, free } of rankEach(freeing, () => true).processes) {
    expect(free.swapBytes).toEqual(studyFreeing(freeing, new Set([process.pid])).free.swapBytes);
  }
  const together = rankTogether(freeing, () => true, 3).processes;
  expect(together).toHaveLength(3);
  const taken = new Set<number>();
  let sum = 0;
  for (const { process, free } of together) {
    taken.add(process.pid);
    sum += free.swapBytes.most;
    expect(sum).toBe(studyFreeing(freeing, taken).free.swapBytes.most);
  }
  expect(sum).toBe(950 * PAGE);
});

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
  const sums = { anon: 0, ksm: 0, unmapped: 0, hugetlb: 0, file: 0, shmem: 0, held: 0, stays: 0, mapped: 0 };
  for (const { folio, mappers } of mappedFolios(machine)) {
    const touched = mappers.filter((members) => [...members].some((mm) => ends.has(mm)));
    if (touched.length === 0) continue;
    const left = mappers.filter((members) => [...members].some((mm) => !ends.has(mm)));
    const gone = touched.filter((members) => [...members].every((mm) => ends.has(mm))).length;
    sums.mapped += touched.length;
    sums.stays += touched.length - gone;
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

function figuresOf({ free, heldByFoliosBytes, stays, mapped }: FreeReport): ReturnType<typeof slowFreed> {
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

test("a page that someone not read maps too stays, with a holder that has no name", async () => {
  const capture = await threeSharing("/dev/zero (deleted)");
  capture.frames.mapcount[capture.frames.mapcount.indexOf(3)] = 4;
  const report = studyFreeing(await prepareFreeing(capture), ALL);
  expect(report.free.vanishingBytes.least).toBe(3 * PAGE);
  expect(report.stays.bytes).toBe(PAGE);
  expect(report.holders).toEqual([{ process: null, held: report.stays }]);
});

test("an address space comes free when all who share it end, and not before", async () => {
  const capture = await threeSharing("/dev/zero (deleted)");
  const twin = { ...capture.processes[2], pid: 500, state: "shares-mm" as const };
  const freeing = await prepareFreeing({ ...capture, processes: [...capture.processes, twin] });
  const without = studyFreeing(freeing, ALL);
  expect(without.keptSpaces.map(({ process, sharedWith }) => [process.pid, sharedWith])).toEqual([[102, [500]]]);
  expect(without.free.freed.least).toBe(2 * TABLES);
  const all = studyFreeing(freeing, new Set([...ALL, 500]));
  expect(all.keptSpaces).toEqual([]);
  expect(all.free.freed.least).toBe(4 * PAGE + 3 * TABLES);
});

test("swap comes free between what nobody else can have and what they have in all", async () => {
  const capture = await threeSharing("");
  const swapOf = [900, 300, 100];
  const processes = capture.processes.map((process, mm) => ({
    ...process,
    status: { ...process.status, vmSwapBytes: swapOf[mm] * PAGE },
  }));
  const boundsOf = async (whole: boolean, ...pids: number[]): Promise<number[]> => {
    const freeing = await prepareFreeing({ ...capture, processes, wholeMachine: whole });
    const { least, most } = studyFreeing(freeing, new Set(pids)).free.swapBytes;
    return [least / PAGE, most / PAGE];
  };
  expect(await boundsOf(true, 100, 101, 102)).toEqual([900, 1300]);
  expect(await boundsOf(true, 100)).toEqual([500, 900]);
  expect(await boundsOf(true, 101)).toEqual([0, 300]);
  expect(await boundsOf(false, 100, 101)).toEqual([0, 1200]);
});

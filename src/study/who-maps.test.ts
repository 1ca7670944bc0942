/** Who maps a folio or a range: against a look at every entry of random small machines. */
import * as fc from "fast-check";
import { afterAll, beforeEach, expect, test } from "vitest";
import { captureSmallMachine } from "../../test/figures/fake-capture.ts";
import { WordFiles } from "../../test/figures/fake-proc.ts";
import { machineOf, machineRecipes, mapPages } from "../../test/figures/machine-recipes.ts";
import {
  type SmallFolio,
  type SmallMachine,
  buildMachine,
  countTableEntries,
  entriesOf,
  framesOf,
  isCounted,
} from "../../test/figures/small-machine.ts";
import { type Capture, type FoundMappings, intervalsOf } from "../capture/index.ts";
import { SCHEMES } from "../schemes/index.ts";
import { findInCapture } from "./who-in-capture.ts";
import { type WhoReport, reportWho } from "./who-maps.ts";
import { reportRangeInCapture } from "./who-range-in-capture.ts";
import { reportWhoRange } from "./who-range.ts";

const files = new WordFiles();
beforeEach(() => files.reuse());
afterAll(() => files.close());

const PLAIN = { threads: 2, shuffle: [0, 1, 0], templates: true };
const PID = 100;

async function whoHas(capture: Capture, pfn: number): Promise<WhoReport | undefined> {
  const found = await findInCapture(capture, { kind: "frame", pfn }, "capture");
  return "found" in found ? reportWho(found.found, SCHEMES) : undefined;
}

/** "pid page index" of every entry on a folio. */
function slowMappers({ processes }: SmallMachine, folio: SmallFolio): string[] {
  const end = folio.head + framesOf(folio);
  return processes.flatMap((process, mm) =>
    process.ended
      ? []
      : entriesOf(process)
          .filter(({ frame }) => frame >= folio.head && frame < end)
          .map(({ page, frame }) => `${PID + mm} ${page} ${frame - folio.head}`),
  );
}

function mappersOf(report: WhoReport): string[] {
  return report.mappers.flatMap(({ process, pieces, pages }) => {
    const lines = pieces.flatMap(({ address, firstPage, pages: length }) =>
      Array.from({ length }, (_, at) => `${process.pid} ${Number.parseInt(address, 16) / 4096 + at} ${firstPage + at}`),
    );
    expect(pages).toBe(lines.length);
    return lines;
  });
}

/** The folios that runs of equal frames, or backwards ones, are on: their pieces name only the first page. */
function isMappedForward({ processes }: SmallMachine, folio: SmallFolio): boolean {
  const end = folio.head + framesOf(folio);
  return processes.every(({ vmas }) =>
    vmas.every(({ entries }) =>
      entries.every(({ page, frame }, at) => {
        const next = entries[at + 1];
        if (next === undefined || frame < folio.head || frame >= end || next.page !== page + 1) return true;
        return next.frame - frame !== 0 && next.frame - frame !== -1;
      }),
    ),
  );
}

test("everybody who maps a folio is found, at the right addresses, as often as they do", async () => {
  const seen = { shared: 0, pmd: 0, folios: 0 };
  await fc.assert(
    fc.asyncProperty(machineRecipes, async (recipe) => {
      files.reuse();
      const machine = buildMachine(recipe);
      const capture = await captureSmallMachine(machine, files, PLAIN);
      for (const folio of machine.folios.filter(({ kind }) => isCounted(kind))) {
        const report = await whoHas(capture, folio.head + (framesOf(folio) >> 1));
        const expected = slowMappers(machine, folio);
        if (report === undefined) {
          // A small frame, or a folio, that nobody maps is not in the capture.
          expect(expected).toEqual([]);
          continue;
        }
        expect(report.folio).toMatchObject({
          pfn: `0x${folio.head.toString(16)}`,
          order: folio.order,
          kind: folio.kind,
        });
        const counts = Array.from({ length: framesOf(folio) }, () => 0);
        for (const line of expected) counts[Number(line.split(" ")[2])]++;
        expect(report.mapcounts.found).toEqual(counts);
        if (isMappedForward(machine, folio)) expect(mappersOf(report).toSorted()).toEqual(expected.toSorted());
        expect(report.mappers.reduce((sum, { pages }) => sum + pages, 0)).toBe(expected.length);
        const alive = machine.processes.filter(({ ended }) => !ended).flatMap((process) => entriesOf(process));
        const entries = countTableEntries(
          alive.filter(({ frame }) => frame >= folio.head && frame < folio.head + framesOf(folio)),
        );
        expect(report.totals).toMatchObject({ entries: entries.all, pmdEntries: entries.pmd, outside: 0 });
        seen.folios++;
        if (report.totals.addressSpaces > 1) seen.shared++;
        if (entries.pmd > 0) seen.pmd++;
      }
    }),
    { numRuns: 60 },
  );
  expect(Math.min(seen.shared, seen.pmd)).toBeGreaterThan(5);
});

test("an address leads to its folio; to nothing, and says what, where there is none", async () => {
  const seen: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(machineRecipes, fc.nat(2000), async (recipe, skip) => {
      files.reuse();
      const machine = buildMachine(recipe);
      const capture = await captureSmallMachine(machine, files, PLAIN);
      for (const [mm, { vmas, ended }] of machine.processes.entries()) {
        const vma = vmas.at(-1);
        if (vma === undefined) continue;
        const page = vma.startPage + (skip % (vma.endPage - vma.startPage + 1));
        const answer = await findInCapture(capture, { kind: "address", pid: PID + mm, page }, "capture");
        const entry = vma.entries.find((each) => each.page === page);
        const folio = entry === undefined ? undefined : machine.folioOfFrame[entry.frame];
        const state = "nothing" in answer ? answer.nothing.state : "found";
        seen[state] = (seen[state] ?? 0) + 1;
        if (ended) expect(state).toBe("ended");
        else if (page === vma.endPage) expect(state).toBe("not-mapped");
        else if (entry === undefined)
          expect(state).toBe(vma.swap.some((each) => each.page === page) ? "not-present" : "empty");
        else if (entry.frame >= machine.frameCount) expect(state).toBe("beyond-frames");
        else if ("found" in answer && folio !== undefined) expect(answer.found.folio?.head).toBe(folio.head);
      }
      expect(await findInCapture(capture, { kind: "address", pid: 7, page: 1 }, "capture")).toEqual({
        nothing: { state: "no-process" },
      });
    }),
    { numRuns: 100 },
  );
  expect(Object.keys(seen).toSorted()).toEqual(
    expect.arrayContaining(["beyond-frames", "empty", "ended", "found", "not-mapped", "not-present"]),
  );
});

test("of a VMA's pages, each other VMA's part is what it maps of them, and alone what nobody else maps", async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(machineRecipes, async (recipe) => {
      files.reuse();
      const machine = buildMachine(recipe);
      const capture = await captureSmallMachine(machine, files, PLAIN);
      for (const [mm, { vmas, ended }] of machine.processes.entries()) {
        const [vma] = vmas;
        if (vma === undefined || ended) continue;
        const wants = ({ startPage }: { readonly startPage: number }): boolean => startPage === vma.startPage;
        const report = await reportRangeInCapture(capture, { kind: "vmas", pid: PID + mm, wants }, "capture");
        const wanted = new Set(vma.entries.map(({ frame }) => frame).filter((frame) => frame < machine.frameCount));
        if ("nothing" in report) {
          expect(wanted.size).toBe(0);
          continue;
        }
        const alive = machine.processes.flatMap((process, at) =>
          process.ended ? [] : process.vmas.map((each) => ({ pid: PID + at, each })),
        );
        const counts = new Map<number, number>();
        for (const { each } of alive)
          for (const { frame } of each.entries) counts.set(frame, (counts.get(frame) ?? 0) + 1);
        const expected = alive.flatMap(({ pid, each }) => {
          const own = each.entries.filter(({ frame }) => wanted.has(frame));
          const alone = own.filter(({ frame }) => counts.get(frame) === 1).length;
          return own.length === 0 ? [] : [`${pid} ${each.startPage} ${own.length} ${alone}`];
        });
        const found = report.mappers.map(
          ({ process, vma: of, bytes, aloneBytes }) =>
            `${process.pid} ${Number.parseInt(of.start, 16) / 4096} ${bytes / 4096} ${aloneBytes / 4096}`,
        );
        expect(found.toSorted()).toEqual(expected.toSorted());
        // The search that has runs and no frame table says the same.
        const { search: _, mapcounts: __, ...same } = report;
        expect(reportWhoRange(await foundOf(capture, wanted))).toMatchObject(same);
        compared++;
      }
    }),
    { numRuns: 100 },
  );
  expect(compared).toBeGreaterThan(50);
});

async function foundOf(capture: Capture, frames: ReadonlySet<number>): Promise<FoundMappings> {
  const intervals = intervalsOf(
    [...frames].map((frame) => ({ vma: 0, page: 0, frame, pages: 1, step: 1, bits: 0x100 })),
  );
  const kinds: number[] = [];
  for (let at = 0; at < intervals.length; at += 2) {
    kinds.push(...capture.frames.kind.subarray(intervals[at], intervals[at + 1]));
  }
  return {
    ...capture,
    folio: undefined,
    askedFrame: -1,
    intervals,
    kinds: Uint8Array.from(kinds),
    runs: await capture.runsOfFrames(intervals),
    kernelCounts: undefined,
    mappedOutside: 0,
    search: { how: "candidates", processesRead: 0, processesRefused: 0, pagemapBytes: 0, elapsedMs: 0 },
  };
}

test("schemes answer of the folio what they answer at rest, in units of their own", async () => {
  const machine = buildMachine(machineOf([{ order: 2 }], [mapPages(0, 3)], { likes: 1 }));
  const capture = await captureSmallMachine(machine, files, PLAIN);
  const report = await whoHas(capture, machine.folios[0].head);
  const said = new Map(report?.schemes.map((scheme) => [scheme.id, scheme]));
  expect(said.get("page")).toMatchObject({
    isOwn: true,
    mappings: 6,
    others: "yes",
    partial: "yes",
    averageMapcount: null,
  });
  expect(said.get("mm-owner")).toMatchObject({ isOwn: false, mappings: 6, others: "yes", averageMapcount: 2 });
  expect(said.get("vma")).toMatchObject({ mappings: 2, unit: "vmas", others: "yes", partial: "ask" });
  expect(said.get("vma-table")).toMatchObject({ mappings: 2, unit: "tables" });
  expect(said.get("none")).toMatchObject({ mappings: null, others: "ask" });
});

test("a folio that once two had and one has now is either: its past decides", async () => {
  const machine = buildMachine(machineOf([{ order: 4 }], [mapPages(0, 16)], {}));
  const capture = await captureSmallMachine(machine, files, PLAIN);
  const report = await whoHas(capture, machine.folios[0].head);
  expect(report?.schemes.find(({ id }) => id === "mm-owner")?.others).toBe("either");
});

test("a page that the kernel counts more often than it was found is nobody's alone", async () => {
  const machine = buildMachine(machineOf([{}, {}, {}], [mapPages(0, 1), mapPages(1, 1), mapPages(2, 1)], {}));
  const capture = await captureSmallMachine(machine, files, PLAIN);
  const found = await foundOf(capture, new Set(machine.folios.map(({ head }) => head)));
  const alone = (kernelCounts: Int32Array | undefined): unknown[] => {
    const { mappers, mapcounts } = reportWhoRange({ ...found, kernelCounts });
    return [mappers[0].aloneBytes / 4096, mapcounts];
  };
  expect(alone(undefined)).toEqual([3, [{ mapcount: 1, pages: 3 }]]);
  expect(alone(Int32Array.of(1, 4, 0))).toEqual([
    2,
    [
      { mapcount: 1, pages: 2 },
      { mapcount: 4, pages: 1 },
    ],
  ]);
});

test("a capture's counts are the kernel's only where every frame was compared with them", async () => {
  const machine = buildMachine(machineOf([{ order: 2 }], [mapPages(0, 4)], { likes: 1 }));
  const capture = await captureSmallMachine(machine, files, PLAIN);
  const countsIf = async (more: Partial<Capture["agreement"]>): Promise<unknown> => {
    const compared = { ...capture, agreement: { ...capture.agreement, refusal: null, ...more } };
    const report = await whoHas(compared, machine.folios[0].head);
    return [report?.search.counts, report?.mapcounts.kernel];
  };
  expect(await countsIf({ everyFrame: true })).toEqual(["explained", [2, 2, 2, 2]]);
  expect(await countsIf({ everyFrame: false })).toEqual(["unchecked", null]);
  expect(await countsIf({ everyFrame: true, refusal: "no" })).toEqual(["unchecked", null]);
});

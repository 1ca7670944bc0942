/** Large folios: owners, partial mappings and contiguous blocks against a look at every entry of random small machines. */
import * as fc from "fast-check";
import { afterAll, beforeEach, expect, test } from "vitest";
import { captureSmallMachine } from "../../test/figures/fake-capture.ts";
import { WordFiles } from "../../test/figures/fake-proc.ts";
import { machineOf, machineRecipes, mapPages } from "../../test/figures/machine-recipes.ts";
import { type SmallMachine, buildMachine, entriesOf, framesOf, isCounted } from "../../test/figures/small-machine.ts";
import { SCHEMES } from "../schemes/index.ts";
import { type FoliosReport, findFolioOwners, reportLargeFolios } from "./large-folios.ts";
import { evenSample } from "./underused-folios.ts";

const files = new WordFiles();
beforeEach(() => files.reuse());
afterAll(() => files.close());

const PLAIN = { threads: 2, shuffle: [0, 1, 0], templates: false };

async function reportOn(machine: SmallMachine, by: "process" | "program" = "process"): Promise<FoliosReport> {
  const capture = await captureSmallMachine(machine, files, PLAIN);
  return reportLargeFolios(capture, await findFolioOwners(capture), { by, schemes: SCHEMES, underused: null });
}

/** Large folios with their entries by mm. */
function slowFolios({
  folios,
  processes,
}: SmallMachine): { order: number; kind: string; owner: number; mapped: number }[] {
  return folios
    .filter(({ order, kind }) => order > 0 && isCounted(kind))
    .map((folio) => {
      const mapped = new Set<number>();
      const pages = processes.map((process) => {
        if (process.ended) return 0;
        const own = entriesOf(process).filter(
          ({ frame }) => frame >= folio.head && frame < folio.head + framesOf(folio),
        );
        for (const { frame } of own) mapped.add(frame);
        return own.length;
      });
      const most = Math.max(...pages);
      return { order: folio.order, kind: folio.kind, owner: 100 + pages.indexOf(most), mapped: mapped.size };
    })
    .filter(({ mapped }) => mapped > 0);
}

test("a folio is its who maps most of it, and counts once", async () => {
  let shared = 0;
  await fc.assert(
    fc.asyncProperty(machineRecipes, async (recipe) => {
      files.reuse();
      const machine = buildMachine(recipe);
      const { owners, partial, orders } = await reportOn(machine);
      const expected = slowFolios(machine);
      const counted = owners.filter(({ folios, name }) => folios > 0 && name !== "(not read)");
      const byOwner = new Map<number, number>();
      for (const { owner } of expected) byOwner.set(owner, (byOwner.get(owner) ?? 0) + 1);
      // The huge zero folio is large and nobody's count; it has owners too.
      const withoutZero = counted
        .map(({ process, folios, kinds }) => [process?.pid, folios - (kinds["uncounted"] ?? 0)] as const)
        .filter(([, folios]) => folios > 0);
      expect(new Map(withoutZero)).toEqual(byOwner);
      const sums = orders.filter(({ kind }) => kind !== "uncounted").reduce((sum, { folios }) => sum + folios, 0);
      expect(sums).toBe(expected.length);
      const held = expected.filter(({ kind, order, mapped }) => kind === "anon" && mapped < 2 ** order);
      expect(partial.folios).toBe(held.length);
      expect(partial.unmappedBytes).toBe(held.reduce((sum, { order, mapped }) => sum + 2 ** order - mapped, 0) * 4096);
      for (const scheme of partial.schemes) {
        expect(scheme.noticed + scheme.either + scheme.missed).toBe(partial.folios);
      }
      shared += owners.reduce((sum, { sharedFolios }) => sum + sharedFolios, 0);
    }),
    { numRuns: 120 },
  );
  expect(shared).toBeGreaterThan(20);
});

/** Blocks of 16 entries that arm64 could mark: looked for at every 16th page. */
function slowContiguous({ processes, folioOfFrame }: SmallMachine): number {
  let blocks = 0;
  for (const { vmas, ended } of processes) {
    if (ended) continue;
    for (const { entries } of vmas) {
      const byPage = new Map(entries.map((entry) => [entry.page, entry]));
      for (const { page, frame } of entries) {
        const folio = folioOfFrame[frame];
        if (page % 16 !== 0 || frame % 16 !== 0 || folio === undefined || folio.order < 4) continue;
        if (folio.kind === "hugetlb" || folio.kind === "freed" || folio.kind === "reserved") continue;
        const block = Array.from({ length: 16 }, (_, at) => byPage.get(page + at));
        const fits = block.every(
          (entry, at) =>
            entry !== undefined &&
            !entry.pmd &&
            entry.frame === frame + at &&
            (entry.file || entry.exclusive === block[0]?.exclusive) &&
            entry.file === block[0]?.file,
        );
        if (fits) blocks++;
      }
    }
  }
  return blocks;
}

test("contiguous blocks are aligned runs of 16 PTEs inside one folio, also where a file's exclusive bit changes", async () => {
  let blocks = 0;
  const folio = fc.record({
    gap: fc.nat(3),
    order: fc.constantFrom(3, 4, 5, 9),
    kind: fc.constantFrom("anon" as const, "file" as const),
    owner2: fc.boolean(),
    ofFile: fc.boolean(),
    historyBit: fc.boolean(),
  });
  const piece = fc.record({
    type: fc.constant("map" as const),
    folio: fc.nat(5),
    first: fc.constantFrom(0, 0, 16, 5, 32),
    pages: fc.integer({ min: 1, max: 70 }),
    step: fc.constantFrom(1, 1, 1, -1),
    align: fc.constantFrom(true, true, false),
  });
  const vma = fc.record({
    gap: fc.nat(3),
    shared: fc.boolean(),
    pieces: fc.array(piece, { minLength: 1, maxLength: 3 }),
  });
  const process = fc.record({
    like: fc.option(fc.nat(2)),
    base: fc.constant(512),
    ended: fc.constant(false),
    vmas: fc.array(vma, { maxLength: 2 }),
  });
  const recipes = fc.record({
    config: fc.constant("page" as const),
    folios: fc.array(folio, { minLength: 1, maxLength: 6 }),
    processes: fc.array(process, { minLength: 1, maxLength: 4 }),
    slack: fc.constant(0),
  });
  await fc.assert(
    fc.asyncProperty(recipes, async (recipe) => {
      files.reuse();
      const machine = buildMachine(recipe);
      const { contiguous } = await reportOn(machine);
      const expected = slowContiguous(machine);
      expect(contiguous.contiguousBytes).toBe(expected * 16 * 4096);
      blocks += expected;
    }),
    { numRuns: 150 },
  );
  expect(blocks).toBeGreaterThan(50);
});

test("a partially mapped folio is noticed by who counts pages, and missed by who has a total alone", async () => {
  // Twenty entries on sixteen pages: a total alone cannot tell this from a folio mapped whole.
  const machine = buildMachine(machineOf([{ order: 4 }], [mapPages(0, 10)], { likes: 1 }));
  const { partial, owners } = await reportOn(machine, "program");
  expect(partial).toMatchObject({ folios: 1, unmappedBytes: 6 * 4096 });
  const said = new Map(partial.schemes.map((scheme) => [scheme.id, scheme]));
  expect(said.get("page")).toMatchObject({ isOwn: true, noticed: 1, missed: 0, missedBytes: 0 });
  expect(said.get("total")).toMatchObject({ noticed: 0, missed: 1, missedBytes: 6 * 4096 });
  expect(partial.list[0]).toMatchObject({ owner: "p0", addressSpaces: 2, pagesMapped: 10 });
  expect(owners.find(({ name }) => name === "p0")).toMatchObject({ folios: 1, sharedFolios: 1, sharedByMost: 2 });
});

test("a sample is as large a share as asked for, spread evenly", () => {
  const rows = Array.from({ length: 100 }, (_, at) => at);
  expect(evenSample(rows, 1)).toEqual(rows);
  expect(evenSample(rows, 0.25)).toEqual(rows.filter((row) => row % 4 === 3));
});

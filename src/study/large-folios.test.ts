/** Large folios: owners, partial mappings and contiguous blocks against a look at every entry of random small machines. */
import * as fc from "fast-check";
import { afterAll, beforeEach, expect, test } from "vitest";
import { captureSmallMachine } from "../../test/figures/fake-capture.ts";
import { WordFiles } from "../../test/figures/fake-proc.ts";
import {
  type MachineRecipe,
  type PieceRecipe,
  machineOf,
  machineRecipes,
  mapPages,
} from "../../test/figures/machine-recipes.ts";
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
      for (const each of counted.filter(({ kinds }) => kinds["uncounted"] === undefined)) {
        const own = expected.filter(({ owner }) => owner === each.process?.pid);
        const pages = (of: (folio: (typeof own)[number]) => number): number =>
          own.reduce((sum, folio) => sum + of(folio), 0);
        expect([each.bytes, each.unmappedBytes, each.partialFolios]).toEqual([
          pages(({ order }) => 2 ** order) * 4096,
          pages(({ order, mapped }) => 2 ** order - mapped) * 4096,
          pages(({ order, mapped }) => Number(mapped < 2 ** order)),
        ]);
      }
      expect(owners.map(({ bytes }) => bytes)).toEqual(owners.map(({ bytes }) => bytes).toSorted((a, b) => b - a));
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
      const { contiguous, owners } = await reportOn(machine);
      const expected = slowContiguous(machine);
      expect(owners.reduce((sum, each) => sum + each.contiguousBytes, 0)).toBe(contiguous.contiguousBytes);
      expect(contiguous.contiguousBytes).toBe(expected * 16 * 4096);
      blocks += expected;
    }),
    { numRuns: 150 },
  );
  expect(blocks).toBeGreaterThan(50);
});

test("a block that two VMAs of a file map together is not contiguous: their rights may differ", async () => {
  const vmas = [mapPages(0, 8), { ...mapPages(0, 24), first: 8 }].map((piece) => ({
    gap: 0,
    shared: true,
    pieces: [piece],
  }));
  const processes = [{ like: null, base: 512, ended: false, vmas }];
  const { contiguous } = await reportOn(buildMachine(machineOf([{ order: 5, kind: "file" }], [], { processes })));
  expect([contiguous.ptePagesBytes, contiguous.contiguousBytes]).toEqual([32 * 4096, 16 * 4096]);
});

/** Processes that each map these pages. */
function mapping(...pieces: readonly (readonly PieceRecipe[])[]): Pick<MachineRecipe, "processes"> {
  return {
    processes: pieces.map((each) => {
      return { like: null, base: 512, ended: false, vmas: [{ gap: 0, shared: true, pieces: each }] };
    }),
  };
}

test("a block over two folios is not contiguous, and one that only the exclusive bit cuts is", async () => {
  const bytes = async (recipe: MachineRecipe): Promise<number> =>
    (await reportOn(buildMachine(recipe))).contiguous.contiguousBytes;
  const halves = [0, 1].map(() => ({ order: 3, kind: "file" as const }));
  expect(await bytes(machineOf(halves, [], mapping([mapPages(0, 16)])))).toBe(0);
  const file = [{ order: 4, kind: "file" as const }];
  expect(await bytes(machineOf(file, [], mapping([mapPages(0, 16)], [mapPages(0, 1)])))).toBe(16 * 4096);
  const one = mapPages(0, 1, { first: 7 });
  expect(await bytes(machineOf(file, [], mapping([mapPages(0, 16)], [one])))).toBe(16 * 4096);
  expect(await bytes(machineOf(file, [], mapping([mapPages(0, 15)], [mapPages(0, 1)])))).toBe(0);
});

test("who shares the most widely shared folio counts, whichever it is", async () => {
  const recipe = machineOf([{ order: 2 }, { order: 2 }, { order: 2 }], [], {
    ...mapping([mapPages(0, 4), mapPages(1, 4), mapPages(2, 4)], [mapPages(1, 3)], [mapPages(1, 2), mapPages(2, 2)]),
  });
  const { owners } = await reportOn(buildMachine(recipe));
  expect(owners).toHaveLength(3);
  expect(owners[0]).toMatchObject({ folios: 3, sharedFolios: 2, sharedByMost: 3 });
  expect(owners.slice(1).map(({ folios, sharedByMost }) => [folios, sharedByMost])).toEqual([
    [0, 0],
    [0, 0],
  ]);
});

test("a folio that was let go of while it was looked at is not mapped in part", async () => {
  const capture = await captureSmallMachine(buildMachine(machineOf([{ order: 4 }], [mapPages(0, 10)])), files, PLAIN);
  capture.folios.pagesMapped[0] = 0;
  const owners = await findFolioOwners(capture);
  const { partial } = reportLargeFolios(capture, owners, { by: "process", schemes: SCHEMES, underused: null });
  expect(partial).toMatchObject({ folios: 0, unmappedBytes: 0, list: [] });
});

test("a partially mapped folio is noticed by who counts pages, and not by who counts VMAs alone", async () => {
  const machine = buildMachine(machineOf([{ order: 4 }], [mapPages(0, 10)], { likes: 1 }));
  const { partial, owners } = await reportOn(machine, "program");
  expect(partial).toMatchObject({ folios: 1, unmappedBytes: 6 * 4096 });
  const said = new Map(partial.schemes.map((scheme) => [scheme.id, scheme]));
  expect(said.get("page")).toMatchObject({ isOwn: true, noticed: 1, either: 0, missed: 0, missedBytes: 0 });
  expect(said.get("vma")).toMatchObject({ isOwn: false, noticed: 0, either: 0, missed: 1, missedBytes: 6 * 4096 });
  expect(partial.list[0]).toMatchObject({ owner: "p0", addressSpaces: 2, mappedOutside: false, pagesMapped: 10 });
  expect(owners.find(({ name }) => name === "p0")).toMatchObject({ folios: 1, sharedFolios: 1, sharedByMost: 2 });
});

test("whether an average is below one depends on whether pages went before or after others came", async () => {
  // Twice 10 of 16 pages: 10 entries were seen if the child came later, never fewer than 16 if it was there.
  const depends = (await reportOn(buildMachine(machineOf([{ order: 4 }], [mapPages(0, 10)], { likes: 1 })))).partial;
  const certain = (await reportOn(buildMachine(machineOf([{ order: 4 }], [mapPages(0, 7)], { likes: 1 })))).partial;
  for (const id of ["mm-owner", "mapped-pages", "sums", "total"]) {
    const of = ({ schemes }: typeof depends): unknown => schemes.find((scheme) => scheme.id === id);
    expect(of(depends)).toMatchObject({ noticed: 0, either: 1, eitherBytes: 6 * 4096, missed: 0, missedBytes: 0 });
    expect(of(certain)).toMatchObject({ noticed: 1, either: 0, eitherBytes: 0, missed: 0 });
  }
  // A total alone takes what a PMD may map whole for mapped whole, whatever came before.
  const huge = (await reportOn(buildMachine(machineOf([{ order: 9 }], [mapPages(0, 300)], { likes: 1 })))).partial;
  expect(huge.schemes.find(({ id }) => id === "total")).toMatchObject({ noticed: 0, either: 0, missed: 1 });
  expect(huge.schemes.find(({ id }) => id === "mm-owner")).toMatchObject({ noticed: 0, either: 1, missed: 0 });
});

test("those with the most unmapped bytes come first", async () => {
  const pieces = [mapPages(0, 13), mapPages(1, 20), mapPages(2, 15)];
  const { list } = (await reportOn(buildMachine(machineOf([{ order: 4 }, { order: 5 }, { order: 4 }], pieces))))
    .partial;
  expect(list.map(({ unmappedBytes }) => unmappedBytes / 4096)).toEqual([12, 3, 1]);
});

test("a sample is as large a share of every order as asked for, spread evenly", () => {
  const rows = Array.from({ length: 100 }, (_, at) => at);
  const order = Uint8Array.from(rows, (row) => (row % 2 === 0 ? 9 : 4));
  expect(evenSample(rows, order, { limitBytes: 8, bytes: 8 })).toEqual(rows);
  expect(evenSample(rows, order, { limitBytes: 2, bytes: 8 })).toEqual(rows.filter((row) => row % 8 >= 6));
});

test("a sample holds no more than its limit, and one more of any order would be more than its share", () => {
  const orders = fc.array(fc.constantFrom(2, 4, 9), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(orders, fc.nat(40_000), (all, seed) => {
      const pagesOf = (rows: readonly number[]): number => rows.reduce((sum, row) => sum + 2 ** all[row], 0);
      const rows = [...all.keys()];
      const pages = pagesOf(rows);
      const limitPages = 1 + (seed % pages);
      const sample = evenSample(rows, Uint8Array.from(all), { limitBytes: limitPages * 4096, bytes: pages * 4096 });
      expect(pagesOf(sample)).toBeLessThanOrEqual(limitPages);
      for (const order of new Set(all)) {
        const [there, chosen] = [rows, sample].map((some) => some.filter((row) => all[row] === order).length);
        expect(chosen).toBe(Math.min(there, Math.floor((there * limitPages) / pages)));
      }
    }),
  );
});

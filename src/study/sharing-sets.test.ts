/**
 * The sets that share memory, against one look at every page of small machines (test/figures/small-machine.ts), and the
 * cases that such machines do not have: mappings by others, frames put to other use, a folio split between two.
 */
import * as fc from "fast-check";
import { afterAll, beforeEach, expect, test } from "vitest";
import { captureSmallMachine } from "../../test/figures/fake-capture.ts";
import { WordFiles } from "../../test/figures/fake-proc.ts";
import { machineOf, machineRecipes, mapPages } from "../../test/figures/machine-recipes.ts";
import { type SmallFolio, type SmallMachine, buildMachine } from "../../test/figures/small-machine.ts";
import { mappedFolios } from "../../test/study/slow-sharing.ts";
import type { Capture } from "../capture/index.ts";
import { FOLIO_KIND_NAMES } from "../kernel/index.ts";
import { KIND_COLUMNS } from "./kind-bytes.ts";
import { type SharingSets, collectSharingSets } from "./sharing-sets.ts";

const files = new WordFiles();
beforeEach(() => files.reuse());
afterAll(() => files.close());

const PLAIN = { threads: 1, shuffle: [0], templates: false };

/** "0,2 anon" to pages, without what is zero. */
type Pages = Record<string, number>;

function readTable(sets: SharingSets, table: Float64Array): Pages {
  const found: Pages = {};
  for (let set = 0; set < sets.count; set++) {
    const members = [...sets.members.subarray(sets.firstMember[set], sets.firstMember[set + 1])];
    const names = members.map((row) => (row === sets.outsideRow ? "outside" : String(row)));
    for (let kind = 0; kind < KIND_COLUMNS; kind++) {
      const pages = table[set * KIND_COLUMNS + kind];
      if (pages !== 0) found[`${names.join(",")} ${FOLIO_KIND_NAMES[kind]}`] = pages;
    }
  }
  return found;
}

function readTables(sets: SharingSets): { pages: Pages; folioPages: Pages; unmappedPages: Pages } {
  return {
    pages: readTable(sets, sets.pages),
    folioPages: readTable(sets, sets.folioPages),
    unmappedPages: readTable(sets, sets.unmappedPages),
  };
}

/** The same, one page after the other. */
function slowTables(machine: SmallMachine): ReturnType<typeof readTables> {
  const tables: ReturnType<typeof readTables> = { pages: {}, folioPages: {}, unmappedPages: {} };
  const add = (table: Pages, members: Iterable<number>, { kind }: SmallFolio, pages: number): void => {
    if (pages === 0) return;
    const key = `${[...members].toSorted((a, b) => a - b).join(",")} ${kind}`;
    table[key] = (table[key] ?? 0) + pages;
  };
  for (const { folio, mappers } of mappedFolios(machine)) {
    const mapped = mappers.filter(({ size }) => size > 0);
    for (const members of mapped) add(tables.pages, members, folio, 1);
    const all = new Set(mapped.flatMap((members) => [...members]));
    add(tables.folioPages, all, folio, mapped.length);
    add(tables.unmappedPages, all, folio, mappers.length - mapped.length);
  }
  return tables;
}

const ways = fc.record({
  threads: fc.integer({ min: 1, max: 3 }),
  shuffle: fc.array(fc.nat(2), { minLength: 1, maxLength: 5 }),
  templates: fc.boolean(),
});

test("every frame is in the set of those who map it, every folio in the union of its pages' sets", async () => {
  const seen = { shared: 0, mixedFolios: 0, unmapped: 0 };
  await fc.assert(
    fc.asyncProperty(machineRecipes, ways, async (recipe, way) => {
      files.reuse();
      const machine = buildMachine(recipe);
      const sets = await collectSharingSets(await captureSmallMachine(machine, files, way));
      const { pages, folioPages, unmappedPages } = readTables(sets);
      expect({ pages, folioPages, unmappedPages }).toEqual(slowTables(machine));
      if (Object.keys(pages).some((key) => key.includes(","))) seen.shared++;
      if (JSON.stringify(folioPages) !== JSON.stringify(pages)) seen.mixedFolios++;
      if (Object.keys(unmappedPages).length > 0) seen.unmapped++;
    }),
    { numRuns: 150 },
  );
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(0);
});

/** Two processes alike, of which the machine has no others, with 8 pages of an anonymous folio. */
async function twoAlike(order = 0): Promise<Capture> {
  const folios = Array.from({ length: order === 0 ? 8 : 1 }, () => ({ order }));
  const pieces = order === 0 ? folios.map((_, folio) => mapPages(folio, 1)) : [mapPages(0, 8)];
  return captureSmallMachine(buildMachine(machineOf(folios, pieces, { likes: 1 })), files, PLAIN);
}

test("a frame that the kernel counts more often than it was found is also mapped by someone not read", async () => {
  const capture = await twoAlike();
  const first = capture.frames.mapcount.indexOf(2);
  capture.frames.mapcount[first + 3] = 3;
  const sets = await collectSharingSets(capture);
  expect(readTables(sets).pages).toEqual({ "0,1 anon": 7, "0,1,outside anon": 1 });
});

test("where the kernel's count is an average, the whole folio is also mapped by someone not read", async () => {
  const capture = await twoAlike(3);
  capture.folios.mappedOutside[0] = 1;
  const averaged = { ...capture, machine: { ...capture.machine, mapcountConfig: "nopage" as const } };
  expect(readTables(await collectSharingSets(averaged)).pages).toEqual({ "0,1,outside anon": 8 });
  expect(readTables(await collectSharingSets(capture)).pages).toEqual({ "0,1 anon": 8 });
});

test("a frame whose entries are gone at the second look is in no set", async () => {
  const capture = await twoAlike();
  capture.frames.mapcount[capture.frames.mapcount.indexOf(2)] = 0;
  const sets = await collectSharingSets(capture);
  expect(readTables(sets).pages).toEqual({ "0,1 anon": 7 });
  expect(sets.changedFrames).toBe(1);
});

test("entries that say FILE of an anonymous page do not count, those beside them do", async () => {
  const capture = await twoAlike();
  const pieces = await capture.presentRuns();
  expect(pieces[0].count).toBe(2);
  pieces[0].file[0] = 1;
  const half = await collectSharingSets({ ...capture, presentRuns: () => Promise.resolve([...pieces]) });
  expect(readTables(half).pages).toEqual({ "1 anon": 8 });
  expect(half.changedFrames).toBe(0);
  pieces[0].file[1] = 1;
  const none = await collectSharingSets({ ...capture, presentRuns: () => Promise.resolve([...pieces]) });
  expect(readTables(none).pages).toEqual({});
  expect(none.changedFrames).toBe(8);
});

test("a page that one mm maps twice is its own", async () => {
  const folios = [{ kind: "shmem" as const }];
  const machine = buildMachine(machineOf(folios, [mapPages(0, 1), mapPages(0, 1)]));
  expect(machine.processes[0].vmas[0].entries).toHaveLength(2);
  const sets = await collectSharingSets(await captureSmallMachine(machine, files, PLAIN));
  expect(readTables(sets).pages).toEqual({ "0 shmem": 1 });
});

test("a folio of which two processes map a half each belongs to both, with what neither maps", async () => {
  const recipe = machineOf([{ order: 4 }], [mapPages(0, 6)]);
  const second = { gap: 0, shared: false, pieces: [mapPages(0, 7, { first: 8 })] };
  const processes = [...recipe.processes, { like: null, base: 512, ended: false, vmas: [second] }];
  const machine = buildMachine({ ...recipe, processes });
  const sets = await collectSharingSets(await captureSmallMachine(machine, files, PLAIN));
  expect(readTables(sets)).toEqual({
    pages: { "0 anon": 6, "1 anon": 7 },
    folioPages: { "0,1 anon": 13 },
    unmappedPages: { "0,1 anon": 3 },
  });
});

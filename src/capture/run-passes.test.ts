import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type PlainRun, appendRun, expandRuns } from "../../test/figures/expanded-runs.ts";
import {
  FolioColumns,
  type FolioKind,
  KIND_ANON,
  KIND_FILE,
  KIND_HUGETLB,
  LEVEL_PMD,
  LEVEL_PTE,
} from "../kernel/index.ts";
import { FRAME_LARGE, createDifference, indexFolios, sumDifferences } from "./frame-table.ts";
import { RUN_EXCLUSIVE, RUN_FILE, RUN_PRESENT, RUN_SWAP, RunBlocks } from "./run-blocks.ts";
import {
  ATTRIBUTES,
  ATTRIBUTE_EXCLUSIVE,
  ATTRIBUTE_FILE,
  ATTRIBUTE_PMD,
  ATTRIBUTE_PMD_HEAD,
  EVENT_EXCLUSIVE,
  EVENT_LEVEL_MASK,
  EVENT_WORDS,
  type Histograms,
  type PassTables,
  collectEvents,
  collectHistograms,
  countRuns,
} from "./run-passes.ts";

const FRAME_COUNT = 4096;
const MMS = 3;
const VMAS_PER_MM = 2;
const CLASSES = 5;

const layout = fc.record({
  folios: fc.array(fc.record({ gap: fc.nat(40), order: fc.constantFrom(1, 2, 4, 9), hugetlb: fc.boolean() }), {
    maxLength: 6,
  }),
  alive: fc.array(fc.boolean(), { minLength: MMS, maxLength: MMS }),
  classes: fc.array(fc.nat(CLASSES - 1), { minLength: 1, maxLength: 30 }),
  /** Frames next to each other that are of one class. */
  stretch: fc.constantFrom(1, 37, 64, 200),
  runs: fc.array(
    fc.record({
      vma: fc.nat(MMS * VMAS_PER_MM - 1),
      frame: fc.oneof(fc.nat(FRAME_COUNT + 10), fc.constantFrom(0, 512, 1024, 2 ** 31 + 5, 2 ** 33 + 7)),
      pages: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constantFrom(512, 600, 1024)),
      step: fc.constantFrom(1, -1, 0),
      bits: fc.constantFrom(0, RUN_EXCLUSIVE, RUN_FILE, RUN_EXCLUSIVE | RUN_FILE),
      kind: fc.constantFrom<"pte" | "pmd" | "swap">("pte", "pte", "pmd", "swap"),
    }),
    { maxLength: 25 },
  ),
});

type Layout = typeof layout extends fc.Arbitrary<infer T> ? T : never;

/** Runs by VMA; a PMD run is made whole, one that would leave the frames at 0 is left out. */
function makeRuns({ runs: recipes }: Layout): RunBlocks {
  const runs = new RunBlocks(undefined, { memoryBlocks: 1, saveEveryBlock: false });
  let page = 0;
  for (const { kind, bits, frame, pages, step, vma } of recipes.toSorted((a, b) => a.vma - b.vma)) {
    page += 2048;
    const run: PlainRun = { vma, page, frame, pages, step, bits: bits | RUN_PRESENT, level: LEVEL_PTE };
    if (kind === "swap") appendRun(runs, { ...run, step: step * 32, bits: bits | RUN_SWAP });
    else if (kind === "pmd") {
      const whole = {
        frame: Math.floor((frame % (FRAME_COUNT - 512)) / 512) * 512,
        pages: pages >= 1024 ? 1024 : 512,
        step: 1,
      };
      appendRun(runs, { ...run, ...whole, level: LEVEL_PMD });
    } else if (frame + (pages - 1) * step >= 0) appendRun(runs, run);
  }
  runs.finish();
  return runs;
}

function makeTables({ folios: recipes, alive }: Layout): PassTables {
  const folios = new FolioColumns(1);
  const frames = sumDifferences([createDifference(FRAME_COUNT)], FRAME_COUNT);
  let frame = 0;
  for (const { gap, order, hugetlb } of recipes) {
    const head = Math.ceil((frame + gap) / 2 ** order) * 2 ** order;
    const kind: FolioKind = order === 9 && hugetlb ? KIND_HUGETLB : KIND_ANON;
    folios.append(head, order, kind, false);
    frames.kind.fill(kind | FRAME_LARGE, head, head + 2 ** order);
    frame = head + 2 ** order;
  }
  for (let pfn = 0; pfn < FRAME_COUNT; pfn++) if (frames.kind[pfn] === 0) frames.kind[pfn] = KIND_FILE;
  indexFolios(frames, folios);
  return {
    mmOfVma: Int32Array.from({ length: MMS * VMAS_PER_MM }, (_, vma) => Math.floor(vma / VMAS_PER_MM)),
    mmAlive: Uint8Array.from(alive, Number),
    frameCount: FRAME_COUNT,
    kind: frames.kind,
    blockFirstFolio: frames.blockFirstFolio,
    headPfn: folios.headPfn.slice(0, folios.count),
    order: folios.order.slice(0, folios.count),
    folioCount: folios.count,
  };
}

/** True of runs of which every frame lies in the table: only those count. */
function isInside({ frame, pages, step, bits }: Layout["runs"][number]): boolean {
  const ends = [frame, frame + (pages - 1) * step];
  return (bits & RUN_SWAP) === 0 && ends.every((end) => end >= 0 && end < FRAME_COUNT);
}

/** A layout without runs that reach beyond the table: each of their entries counts on its own. */
function withinTable(made: Layout): Layout {
  return { ...made, runs: made.runs.filter((run) => run.kind !== "pte" || isInside(run)) };
}

test("events say of every page of a large folio what its entries say, one by one", () => {
  fc.assert(
    fc.property(layout.map(withinTable), (made) => {
      const runs = makeRuns(made);
      const tables = makeTables(made);
      const { mmOfVma, mmAlive, headPfn, order, kind } = tables;
      const expected: string[] = [];
      for (const { vma, frame, bits, level } of expandRuns(runs)) {
        if ((bits & RUN_PRESENT) === 0 || mmAlive[mmOfVma[vma]] === 0 || frame >= FRAME_COUNT) continue;
        const folio = headPfn.findIndex((head, row) => frame >= head && frame < head + 2 ** order[row]);
        if (folio < 0) continue;
        const asLevel = (kind[frame] & 7) === KIND_HUGETLB ? LEVEL_PMD : level;
        const exclusive = (bits & RUN_EXCLUSIVE) !== 0;
        expected.push([folio, frame - headPfn[folio], asLevel, exclusive, vma, mmOfVma[vma]].join(" "));
      }
      const events = collectEvents(runs, tables);
      const found: string[] = [];
      let lastMm = -1;
      for (let at = 0; at < events.length; at += EVENT_WORDS) {
        const [folio, first, pageCount, levelWord, vma, mm] = events.subarray(at, at + EVENT_WORDS);
        expect(mm).toBeGreaterThanOrEqual(lastMm);
        lastMm = mm;
        for (let page = first; page < first + pageCount; page++) {
          const exclusive = (levelWord & EVENT_EXCLUSIVE) !== 0;
          found.push([folio, page, levelWord & EVENT_LEVEL_MASK, exclusive, vma, mm].join(" "));
        }
      }
      expect(found.sort()).toEqual(expected.sort());
    }),
    { numRuns: 300 },
  );
});

test("a PMD's event is one for each folio that it maps whole", () => {
  fc.assert(
    fc.property(layout.map(withinTable), (made) => {
      const tables = makeTables(made);
      const events = collectEvents(makeRuns(made), tables);
      for (let at = 0; at < events.length; at += EVENT_WORDS) {
        const [folio, first, pageCount, levelWord] = events.subarray(at, at + EVENT_WORDS);
        if ((levelWord & EVENT_LEVEL_MASK) !== LEVEL_PMD || tables.order[folio] !== 9) continue;
        if ((tables.kind[tables.headPfn[folio]] & 7) === KIND_HUGETLB) continue;
        expect([first, pageCount]).toEqual([0, 512]);
      }
    }),
  );
});

/** Sums a histogram's triples, whatever their order. */
function sumTriples({ triples }: Histograms): Map<string, number> {
  const sums = new Map<string, number>();
  for (let at = 0; at < triples.length; at += 3) {
    const key = `${triples[at]} ${triples[at + 1]}`;
    sums.set(key, (sums.get(key) ?? 0) + triples[at + 2]);
  }
  return sums;
}

test("histograms count every entry once, and those of PMDs again under the class of their first page", () => {
  fc.assert(
    fc.property(layout.map(withinTable), (made) => {
      const runs = makeRuns(made);
      const tables = makeTables(made);
      const classOfFrame = Int32Array.from(
        { length: FRAME_COUNT },
        (_, pfn) => made.classes[Math.floor(pfn / made.stretch) % made.classes.length],
      );
      const expected = new Map<string, number>();
      const add = (vma: number, classOf: number, attributes: number): void => {
        const key = `${vma} ${classOf * ATTRIBUTES + attributes}`;
        expected.set(key, (expected.get(key) ?? 0) + 1);
      };
      let notPresent = 0;
      for (const { vma, frame, bits, level } of expandRuns(runs)) {
        if (tables.mmAlive[tables.mmOfVma[vma]] === 0) continue;
        if ((bits & RUN_PRESENT) === 0) {
          notPresent++;
          continue;
        }
        const attributes =
          ((bits & RUN_EXCLUSIVE) !== 0 ? ATTRIBUTE_EXCLUSIVE : 0) |
          ((bits & RUN_FILE) !== 0 ? ATTRIBUTE_FILE : 0) |
          (level === LEVEL_PMD ? ATTRIBUTE_PMD : 0);
        add(vma, frame < FRAME_COUNT ? classOfFrame[frame] : 0, attributes);
        const head = Math.floor(frame / 512) * 512;
        if (level === LEVEL_PMD) add(vma, classOfFrame[head], attributes | ATTRIBUTE_PMD_HEAD);
      }
      const found = collectHistograms(runs, tables, classOfFrame, CLASSES);
      expect(sumTriples(found)).toEqual(expected);
      let swapPages = 0;
      for (let at = 0; at < found.swap.length; at += 4) swapPages += found.swap[at + 2];
      expect(swapPages).toBe(notPresent);
    }),
    { numRuns: 300 },
  );
});

test("runs that leave the table are in the class of what is never counted, and in no event", () => {
  fc.assert(
    fc.property(layout, (made) => {
      const beyond = { ...made, runs: made.runs.filter((run) => run.kind === "pte" && !isInside(run)) };
      const runs = makeRuns(beyond);
      const tables = makeTables(beyond);
      const found = collectHistograms(runs, tables, new Int32Array(FRAME_COUNT).fill(3), CLASSES);
      for (const key of sumTriples(found).keys()) expect(Number(key.split(" ")[1])).toBeLessThan(ATTRIBUTES);
      expect(collectEvents(runs, tables)).toHaveLength(0);
    }),
  );
});

test("counting adds the wanted address spaces, taking back leaves nothing, and what is outside is told", () => {
  fc.assert(
    fc.property(layout, (made) => {
      const runs = makeRuns(made);
      const { mmOfVma, mmAlive } = makeTables(made);
      const inside = makeRuns(withinTable(made));
      const expected = new Int32Array(FRAME_COUNT + 1);
      const counts = (mm: number, bits: number): boolean => mmAlive[mm] === 1 && (bits & RUN_PRESENT) !== 0;
      let present = 0;
      for (const { vma, frame, bits } of expandRuns(inside)) {
        if (!counts(mmOfVma[vma], bits)) continue;
        if (frame < FRAME_COUNT) expected[frame]++;
      }
      for (const { vma, bits } of expandRuns(runs)) if (counts(mmOfVma[vma], bits)) present++;
      const difference = createDifference(FRAME_COUNT);
      const outside = countRuns(runs, mmOfVma, mmAlive, difference, 1);
      const { mapcount } = sumDifferences([{ ...difference, table: difference.table.slice() as never }], FRAME_COUNT);
      expect([...mapcount]).toEqual([...expected]);
      expect(outside + expected.reduce((sum, count) => sum + count, 0)).toBe(present);
      expect(countRuns(runs, mmOfVma, mmAlive, difference, -1)).toBe(outside);
      expect(difference.table.every((value) => value === 0)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test("a VMA with more than 2^30 pages of one class has them in several triples, and none is lost", () => {
  const runs = new RunBlocks(undefined, { memoryBlocks: 1, saveEveryBlock: false });
  const pages = 2 ** 29 + 11;
  for (let i = 0; i < 5; i++) appendRun(runs, { vma: 0, page: 0, frame: 1, pages, step: 0, bits: RUN_PRESENT });
  runs.finish();
  const tables = { mmOfVma: new Int32Array(1), mmAlive: Uint8Array.of(1), frameCount: 16 };
  const found = collectHistograms(runs, tables, new Int32Array(16).fill(2), 3);
  expect([...sumTriples(found).values()]).toEqual([5 * pages]);
  expect(found.triples.length).toBeGreaterThan(3);
});

import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { KPF_ANON, KPF_COMPOUND_HEAD, KPF_COMPOUND_TAIL, KPF_MMAP } from "../kernel/index.ts";
import { FrameLedger, type LedgerState, mergeFolios } from "./frame-ledger.ts";
import { type PackedRuns, RunsOfSpaces, markChangedGrains, noRuns, packRuns } from "./packed-runs.ts";
import { BLOCK_RUNS, RUN_PRESENT, RunBlocks, WORDS_PER_RUN } from "./run-blocks.ts";
import { RunTemplates } from "./run-templates.ts";

const GRAINS = 64;
const GRAIN_FRAMES = 64;

interface Folio {
  readonly head: number;
  readonly order: number;
}

/** Folios that do not overlap, each aligned to its size. */
const folioLists = fc
  .array(fc.record({ skip: fc.nat(200), order: fc.integer({ min: 1, max: 6 }) }), { maxLength: 40 })
  .map((list): Folio[] => {
    const folios: Folio[] = [];
    let behind = 0;
    for (const { skip, order } of list) {
      const size = 2 ** order;
      const head = Math.ceil((behind + skip) / size) * size;
      if (head + size > GRAINS * GRAIN_FRAMES) break;
      folios.push({ head, order });
      behind = head + size;
    }
    return folios;
  });

function columns(list: readonly Folio[]) {
  return {
    headPfn: list.map(({ head }) => head),
    order: list.map(({ order }) => order),
    kind: list.map(() => 1),
    headExclusive: list.map(() => 0),
  };
}

test("folios of the grains that were read are those found, of the others those known", () => {
  const asked = fc.uint8Array({ minLength: GRAINS, maxLength: GRAINS, max: 1 });
  fc.assert(
    fc.property(folioLists, folioLists, asked, (known, truth, grains) => {
      const isAsked = ({ head }: Folio): boolean => grains[Math.floor(head / GRAIN_FRAMES)] === 1;
      // A folio up to a grain's size lies in one grain, so what was found lies in what was read.
      const expected = [...known.filter((each) => !isAsked(each)), ...truth.filter(isAsked)];
      const merged = mergeFolios(columns(known), columns(truth.filter(isAsked)), grains);
      expect(merged).toEqual(columns(expected.toSorted((a, b) => a.head - b.head)));
    }),
  );
});

test("a gigantic folio that is found from one of its blocks takes the place of what was known of its others", () => {
  const grains = new Uint8Array(2 ** 15);
  // Its last block was read; its head lies far below.
  grains.fill(1, 4088, 4096);
  const gigantic = columns([{ head: 0, order: 18 }]);
  expect(mergeFolios(gigantic, gigantic, grains)).toEqual(gigantic);
  expect(mergeFolios(columns([{ head: 512, order: 9 }]), gigantic, grains)).toEqual(gigantic);
  const behind = { head: 2 ** 18, order: 9 };
  expect(mergeFolios(columns([behind]), gigantic, grains)).toEqual(columns([{ head: 0, order: 18 }, behind]));
});

test("a folio found inside of a larger one that was known before takes its place", () => {
  const grains = new Uint8Array(GRAINS);
  grains[5] = 1;
  const found = columns([{ head: 5 * GRAIN_FRAMES, order: 2 }]);
  expect(mergeFolios(columns([{ head: 0, order: 9 }]), found, grains)).toEqual(found);
});

const SLOT_FRAMES = 1024;
const SLOTS = 8;
const FRAME_COUNT = SLOTS * SLOT_FRAMES;

/** Folios of one order that fill a slot of memory: which of them are mapped, wholly or by one page; the others are free. */
interface Slot {
  readonly order: number;
  readonly mapped: readonly ("whole" | "page" | "no")[];
}

interface MappedFolio {
  readonly head: number;
  readonly order: number;
  readonly pages: number;
}

const slots = fc.record({
  order: fc.constantFrom(0, 1, 3, 5, 6, 7, 9, 10),
  mapped: fc.array(fc.constantFrom("whole", "whole", "page", "no"), { minLength: 1, maxLength: 5 }),
});

function foliosOf({ order, mapped }: Slot, index: number): MappedFolio[] {
  return Array.from({ length: SLOT_FRAMES >> order }, (_, at) => ({
    head: index * SLOT_FRAMES + (at << order),
    order,
    pages: { whole: 2 ** order, page: 1, no: 0 }[mapped[at % mapped.length]],
  })).filter(({ pages }) => pages > 0);
}

/** The runs of a slot in an address space; a slot that was filled anew is mapped at another address. */
function runsOfSlot(folios: readonly MappedFolio[], version: number, templates: RunTemplates): PackedRuns {
  const runs = new RunBlocks(undefined, { memoryBlocks: 0, saveEveryBlock: false, templates });
  for (const { head, pages } of folios) {
    runs.append(0, ((version * FRAME_COUNT + head) << 12) | 0, 0, head, 0, pages, 1, RUN_PRESENT);
  }
  runs.finish();
  return packRuns(runs);
}

/** /proc/kpageflags of the folios; whatever is in none of them is free. */
function flagsOf(folios: readonly MappedFolio[]): Buffer {
  const words = new Int32Array(FRAME_COUNT * 2);
  for (const { head, order } of folios) {
    for (let pfn = head; pfn < head + 2 ** order; pfn++) {
      const part = order === 0 ? 0 : pfn === head ? KPF_COMPOUND_HEAD : KPF_COMPOUND_TAIL;
      words[2 * pfn] = KPF_ANON | KPF_MMAP | part;
    }
  }
  return Buffer.from(words.buffer);
}

/** What a state says of mapped frames and of folios. Texts: arrays of thousands are slow to compare. */
function said({ frames, folios }: LedgerState) {
  return {
    mapcount: frames.mapcount.slice(0, FRAME_COUNT).join(),
    kind: frames.kind.map((kind, pfn) => (frames.mapcount[pfn] > 0 ? kind : 0)).join(),
    heads: folios.headPfn.slice(0, folios.count).join(),
    orders: folios.order.slice(0, folios.count).join(),
  };
}

/** A ledger of `FRAME_COUNT` frames, an update of it by the flags of these folios, and what books runs in it. */
function withLedger(body: (use: LedgerUse) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "foliometer-ledger-"));
  const path = join(folder, "kpageflags");
  const ledger = new FrameLedger(FRAME_COUNT);
  const templates = new RunTemplates();
  let before = noRuns(templates);
  try {
    body((runs, folios) => {
      const list = new RunBlocks(undefined, { memoryBlocks: 0, saveEveryBlock: false, templates });
      for (const { page, head, pages } of runs) list.append(0, page << 12, 0, head, 0, pages, 1, RUN_PRESENT);
      list.finish();
      const now = packRuns(list);
      const scratch = new Int32Array(BLOCK_RUNS * WORDS_PER_RUN);
      ledger.count(new RunsOfSpaces(templates, [{ runs: now, firstVma: 0 }], scratch), 1);
      ledger.count(new RunsOfSpaces(templates, [{ runs: before, firstVma: 0 }], scratch), -1);
      markChangedGrains(before, now, ledger.changedGrains);
      before = now;
      writeFileSync(path, flagsOf(folios));
      const fd = openSync(path, "r");
      try {
        return said(ledger.update(fd, true));
      } finally {
        closeSync(fd);
      }
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type LedgerUse = (
  runs: readonly { readonly page: number; readonly head: number; readonly pages: number }[],
  folios: readonly MappedFolio[],
) => ReturnType<typeof said>;

test("a folio of several grains that is split is known to be, whichever grain of it changed", () => {
  withLedger((update) => {
    // A second block is mapped, so that the first is not looked at anew in its turn at the second update.
    const other = { page: 0, head: 512, pages: 1 };
    const single = { head: 512, order: 0, pages: 1 };
    const [low, high] = [0, 64].map((head) => ({ page: 100 + 2 * head, head, pages: 64 }));
    expect(update([other, low, high], [{ head: 0, order: 7, pages: 128 }, single])).toMatchObject({ orders: "7" });
    const small = Array.from({ length: 96 }, (_, head) => ({ head, order: 0, pages: 1 }));
    expect(update([other, low, { ...high, pages: 32 }], [...small, single])).toMatchObject({ heads: "", orders: "" });
  });
});

test("of a run over many blocks that is gone nothing is left in the blocks between its ends", () => {
  withLedger((update) => {
    const folio = { head: 0, order: 12, pages: 4096 };
    expect(update([{ page: 0, head: 0, pages: 4096 }], [folio]).mapcount.startsWith("1,1,1")).toBe(true);
    const { mapcount, heads } = update([], []);
    expect(mapcount).toBe(Array.from({ length: FRAME_COUNT }, () => 0).join());
    expect(heads).toBe("");
  });
});

test("after any history of changes a ledger says what one says that has seen nothing but the last state", () => {
  const folder = mkdtempSync(join(tmpdir(), "foliometer-ledger-"));
  const path = join(folder, "kpageflags");
  const scratch = new Int32Array(BLOCK_RUNS * WORDS_PER_RUN);
  const templates = new RunTemplates();
  const update = (ledger: FrameLedger, flags: Buffer): LedgerState => {
    writeFileSync(path, flags);
    const fd = openSync(path, "r");
    const state = ledger.update(fd, true);
    closeSync(fd);
    return state;
  };
  const bookedIn = (ledger: FrameLedger, runs: PackedRuns, sign: 1 | -1): void =>
    ledger.count(new RunsOfSpaces(templates, [{ runs, firstVma: 0 }], scratch), sign);
  const steps = fc.array(fc.tuple(fc.nat(SLOTS - 1), slots), { minLength: 1, maxLength: 12 });
  try {
    fc.assert(
      fc.property(steps, (history) => {
        const ledger = new FrameLedger(FRAME_COUNT);
        const folios: MappedFolio[][] = Array.from({ length: SLOTS }, () => []);
        const runs = folios.map(() => noRuns(templates));
        let last: LedgerState | undefined;
        for (const [version, [index, slot]] of history.entries()) {
          folios[index] = foliosOf(slot, index);
          const before = runs[index];
          runs[index] = runsOfSlot(folios[index], version, templates);
          bookedIn(ledger, runs[index], 1);
          bookedIn(ledger, before, -1);
          markChangedGrains(before, runs[index], ledger.changedGrains);
          last = update(ledger, flagsOf(folios.flat()));
        }
        const fresh = new FrameLedger(FRAME_COUNT);
        for (const each of runs) {
          bookedIn(fresh, each, 1);
          markChangedGrains(noRuns(templates), each, fresh.changedGrains);
        }
        const large = folios.flat().filter(({ order }) => order > 0);
        expect(last && said(last)).toEqual(said(update(fresh, flagsOf(folios.flat()))));
        expect(last && said(last).heads).toBe(large.map(({ head }) => head).join());
      }),
      { numRuns: 40 },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

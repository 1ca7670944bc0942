/**
 * What the looks of schemes that count VMAs, or tables, cost on page tables: up to the first entry that is found.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LEVEL_PTE, LEVEL_PUD } from "../kernel/index.ts";
import { ANON } from "../memory/index.ts";
import { findScheme } from "../schemes/index.ts";
import { EntryMachine } from "./entry-machine.ts";

const IDS = ["vma", "vma-table"] as const;
const SCHEMES = IDS.map((id) => {
  const scheme = findScheme(id);
  if (scheme === undefined) throw new Error(`no scheme ${id}`);
  return scheme;
});
/** At the start of a page table. */
const BASE = 512 * 8;

type Looked = Readonly<Record<(typeof IDS)[number], readonly [entries: number, tables: number, locks: number]>>;

/** What `step` makes the schemes look at. */
function lookedAt(machine: EntryMachine, step: () => void): Looked {
  const before = machine.studied.map(({ meter }) => meter.totals.slice());
  step();
  const costs = machine.studied.map(({ meter }, row) => {
    const { entriesExamined, tablesVisited, pageTableLocks } = meter.since(before[row]);
    return [entriesExamined, tablesVisited, pageTableLocks] as const;
  });
  return { vma: costs[0], "vma-table": costs[1] };
}

/** One process with a folio of this order mapped by PTEs `offset` pages behind the start of a table. */
function oneFolio(order: number, offset = 0): { machine: EntryMachine; vma: number; folio: number; page: number } {
  const machine = new EntryMachine({ schemes: SCHEMES, frameCount: 2 ** 12 });
  const page = BASE + offset;
  const vma = machine.createVma(machine.createMm(), BASE, 2048);
  const folio = machine.createFolio(order, ANON);
  machine.map(folio, 0, 2 ** order, LEVEL_PTE, vma, page);
  return { machine, vma, folio, page };
}

test("a look ends at the first entry that it finds", () => {
  const { machine, vma, page } = oneFolio(4);
  expect(lookedAt(machine, () => machine.unmap(vma, page + 8, 4))).toEqual({ vma: [1, 1, 0], "vma-table": [1, 1, 0] });
  // What the batch itself had is known.
  expect(lookedAt(machine, () => machine.unmap(vma, page, 2))).toEqual({ vma: [1, 1, 0], "vma-table": [1, 1, 0] });
  // Two empty entries, then the first that is there.
  expect(lookedAt(machine, () => machine.unmap(vma, page + 12, 1))).toEqual({ vma: [3, 1, 0], "vma-table": [3, 1, 0] });
});

test("where there is none it goes over all of the folio but the batch", () => {
  const { machine, vma, page } = oneFolio(4);
  machine.unmap(vma, page, 15);
  expect(lookedAt(machine, () => machine.unmap(vma, page + 15, 1))).toEqual({
    vma: [15, 1, 0],
    "vma-table": [15, 1, 0],
  });
});

test("an entry in another table than the batch's costs that table's lock, for who counts VMAs", () => {
  const { machine, vma, page } = oneFolio(4, 508);
  // Four pages lie in the first table, twelve in the second.
  expect(lookedAt(machine, () => machine.unmap(vma, page + 4, 1))).toEqual({ vma: [1, 1, 1], "vma-table": [1, 1, 0] });
  // The first four go: the look goes on in the second table, to its second entry; in the first there is nothing to look at.
  expect(lookedAt(machine, () => machine.unmap(vma, page, 4))).toEqual({ vma: [2, 2, 1], "vma-table": [0, 1, 0] });
});

test("a look stays within the VMA: after a split the folio's other half is another VMA's", () => {
  const { machine, vma, folio, page } = oneFolio(4);
  const upper = machine.splitVma(vma, page + 8);
  machine.unmap(upper, page + 8, 7);
  // Not the eight entries before it.
  const last = lookedAt(machine, () => machine.unmap(upper, page + 15, 1));
  expect(last).toEqual({ vma: [7, 1, 0], "vma-table": [7, 1, 0] });
  const again = lookedAt(machine, () => machine.map(folio, 15, 1, LEVEL_PTE, upper, page + 15));
  expect(again).toEqual(last);
  machine.unmap(vma, page, 7);
  expect(lookedAt(machine, () => machine.unmap(vma, page + 7, 1))).toEqual(last);
});

test("splitting a PUD entry looks at the PUD entry, which is there to the end, once a PMD entry", () => {
  const machine = new EntryMachine({ schemes: SCHEMES, frameCount: 2 ** 18, leafEntries: "any-part" });
  const vma = machine.createVma(machine.createMm(), 2 ** 18, 2 ** 18);
  machine.map(machine.createFolio(18, ANON), 0, 2 ** 18, LEVEL_PUD, vma, 2 ** 18);
  const split = lookedAt(machine, () => machine.splitPud(vma, 2 ** 18));
  // The first is under the lock of the table that holds the PUD entry; all others find what the split has put.
  expect(split.vma).toEqual([512, 512, 1]);
  // The first finds an empty table; every other its first entry.
  expect(split["vma-table"]).toEqual([511 + 511, 512, 0]);
  // 512 PTEs come under the PMD entry of page 0, then that goes.
  const ptes = lookedAt(machine, () => machine.splitPmd(vma, 2 ** 18 + 512 * 100));
  expect(ptes.vma).toEqual([2, 2, 1]);
});

/** The same counted over one flag a page: entries that a look for other pages passes, the found one among them. */
function slowLook(isMapped: readonly boolean[], own: number): number {
  let entries = 0;
  for (let page = 0; page < isMapped.length; page++) {
    if (page === own) continue;
    entries++;
    if (isMapped[page]) break;
  }
  return entries;
}

test("in any order of pages the looks pass as many entries as one flag a page says", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(15), { maxLength: 30 }), (pages) => {
      const { machine, vma, folio, page } = oneFolio(4);
      machine.hold(folio, { gets: 1 });
      const isMapped: boolean[] = Array.from({ length: 16 }, () => true);
      for (const at of pages) {
        const looked = lookedAt(machine, () => {
          if (isMapped[at]) machine.unmap(vma, page + at, 1);
          else machine.map(folio, at, 1, LEVEL_PTE, vma, page + at);
        });
        isMapped[at] = !isMapped[at];
        const entries = slowLook(isMapped, at);
        expect(looked.vma[0]).toBe(entries);
        expect(looked["vma-table"][0]).toBe(entries);
      }
    }),
  );
});

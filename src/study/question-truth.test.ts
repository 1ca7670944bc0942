/**
 * The truth about a folio, read by one walk, against entries counted one by one.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LEVEL_PMD, LEVEL_PTE } from "../kernel/index.ts";
import { ANON, KSM } from "../memory/index.ts";
import { EntryMachine } from "../scenario/index.ts";
import { FolioTruth } from "./question-truth.ts";

const BASE = 512 * 4;

/** Everything again, from entries as a list. */
function slowTruth(machine: EntryMachine, head: number) {
  const nrPages = 2 ** machine.orderOf(head);
  const pages = Array<number>(nrPages).fill(0);
  const vmas = new Set<number>();
  const mms = new Set<number>();
  const tables = new Set<string>();
  let entries = 0;
  machine.pageTables.walk(head, (first, pageCount, level, table, vma, mm) => {
    entries += level === LEVEL_PTE ? pageCount : 1;
    for (let page = first; page < first + pageCount; page++) pages[page]++;
    vmas.add(vma);
    mms.add(mm);
    tables.add(`${vma} ${table}`);
    return true;
  });
  const pagesMapped = pages.filter((mapcount) => mapcount > 0).length;
  return {
    entries,
    pages,
    vmas: [...vmas],
    mms: [...mms],
    tables: tables.size,
    pagesMapped,
    isPartial: pagesMapped > 0 && pagesMapped < nrPages,
    mappedPages: pages.reduce((sum, mapcount) => sum + mapcount, 0),
  };
}

function check(truth: FolioTruth, machine: EntryMachine, head: number): void {
  truth.read(machine, head);
  const { vmas, mms, tableCount, entries, pagesMapped, isPartial, mappedPages, nrPages } = truth;
  expect({
    entries,
    pages: Array.from({ length: nrPages }, (_, page) => truth.pageMapcount(page)),
    vmas: [...vmas.subarray(0, truth.vmaCount)],
    mms: [...mms.subarray(0, truth.mmCount)],
    tables: tableCount,
    pagesMapped,
    isPartial,
    mappedPages,
  }).toEqual(slowTruth(machine, head));
}

const PART = fc.record({ first: fc.nat(15), count: fc.integer({ min: 1, max: 16 }), mm: fc.nat(3) });

test("one walk finds what counting entries one by one finds, folio after folio", () => {
  const truth = new FolioTruth();
  fc.assert(
    fc.property(fc.constantFrom(0, 2, 4), fc.array(PART, { maxLength: 12 }), (order, parts) => {
      const machine = new EntryMachine({ schemes: [], frameCount: 4096 });
      const mms = Array.from({ length: 4 }, () => machine.createMm());
      const folio = machine.createFolio(order, ANON);
      for (const [index, { first, count, mm }] of parts.entries()) {
        const from = first % 2 ** order;
        // Not aligned, so that some straddle two page tables.
        const start = BASE * (index + 1) - 7;
        const vma = machine.createVma(mms[mm], start, 16);
        machine.map(folio, from, Math.min(count, 2 ** order - from), LEVEL_PTE, vma, start);
      }
      machine.hold(folio, { gets: 2, pins: 1 });
      check(truth, machine, folio);
      expect(truth.references).toBe(machine.references.references(folio));
      expect(truth.pins).toBe(1);
    }),
    { numRuns: 200 },
  );
});

test("a huge page mapped by a PMD and by PTEs, and a KSM page at many addresses of one VMA", () => {
  const truth = new FolioTruth();
  const machine = new EntryMachine({ schemes: [], frameCount: 4096 });
  const mm = machine.createMm();
  const huge = machine.createFolio(9, ANON);
  machine.map(huge, 0, 512, LEVEL_PMD, machine.createVma(mm, BASE, 512), BASE);
  machine.map(huge, 5, 3, LEVEL_PTE, machine.createVma(mm, 2 * BASE, 512), 2 * BASE + 5);
  check(truth, machine, huge);
  expect(truth.entries).toBe(4);
  expect(truth.pageMapcount(5)).toBe(2);
  const ksm = machine.createFolio(0, KSM);
  const vma = machine.createVma(mm, 3 * BASE, 8);
  for (const page of [0, 1, 5]) machine.map(ksm, 0, 1, LEVEL_PTE, vma, 3 * BASE + page);
  check(truth, machine, ksm);
  expect(truth).toMatchObject({ entries: 3, vmaCount: 1, mmCount: 1, isAnon: false });
});

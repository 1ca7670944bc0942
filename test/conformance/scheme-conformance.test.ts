/**
 * One suite for all schemes: after every event of random histories, each answer keeps the scheme's declared guarantee.
 *
 * A new scheme of the registry is tested here without a line of its own. The truth is a set of page tables
 * (mapping-machine.ts). A failure prints the seed and the shortest history that fast-check can find.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FolioColumns, KIND_FILE, KIND_HUGETLB, LEVEL_PMD } from "../../src/kernel/index.ts";
import {
  type Counter,
  EITHER,
  Meter,
  NO,
  type Question,
  SCHEMES,
  UNKNOWN,
  YES,
  createAnswersAtRest,
  findScheme,
} from "../../src/schemes/index.ts";
import { OwnerSlots } from "../../src/schemes/owner-slots.ts";
import { CHECKS, checkStatistics, pickMm } from "./guarantees.ts";
import { type Listener, MappingMachine } from "./mapping-machine.ts";
import { histories, play, stage } from "./random-histories.ts";
import { slotComplaint } from "./slot-invariants.ts";
import { Soak } from "./soak.ts";
import { MMS } from "./table-shape.ts";

const ORDERS = [0, 1, 2, 4, 9];
const LARGE = ORDERS.slice(1);
const RUNS = { numRuns: 40 };
/** Pages, address spaces or numbers of mappings that are asked about behind each event. */
const PICKS = 6;

describe.each(SCHEMES)("$id keeps its guarantees after every event", (scheme) => {
  test.for(Object.entries(scheme.guarantees) as [Question, string][])("%s: %s", ([question]) => {
    const check = CHECKS[question];
    fc.assert(
      fc.property(histories(ORDERS), (history) => {
        const { machine, listeners } = stage(history, [scheme]);
        const [{ counter }] = listeners;
        play(history, { machine, listeners }, (slot) => {
          for (let pick = 0; pick < PICKS; pick++) {
            const at = { machine, slot, pick: pick * 101 };
            expect(check(scheme, counter, at)).toBeUndefined();
          }
        });
      }),
      RUNS,
    );
  });

  test("what it counts into AnonPages and Mapped follows its rule for statistics", () => {
    fc.assert(
      fc.property(histories(ORDERS), (history) => {
        const { machine, listeners } = stage(history, [scheme]);
        const [{ counter }] = listeners;
        play(history, { machine, listeners }, (slot) => {
          expect(checkStatistics(scheme, counter, { machine, slot, pick: 0 })).toBeUndefined();
        });
      }),
      RUNS,
    );
  });

  test("after everything is unmapped and the folio freed nothing is left behind", () => {
    fc.assert(
      fc.property(histories(ORDERS), (history) => {
        const { machine, listeners } = stage(history, [scheme]);
        const [{ counter }] = listeners;
        const exits = history.slots.flatMap((_, slot) =>
          Array.from({ length: MMS }, (_mm, mm) => wishOf("exit", slot, mm * 3)),
        );
        const ends = history.slots.map((_, slot) => wishOf("recreate", slot, 0));
        play({ ...history, wishes: [...history.wishes, ...exits, ...ends] }, { machine, listeners }, () => {});
        machine.heads.forEach((head, slot) => {
          expect(counter.mappingReferences(head)).toBe(0);
          expect([0, -1]).toContain(counter.mappings(head));
          expect([0, -1]).toContain(counter.pageMapcount(head, machine.nrPages(slot) - 1));
          expect([NO, UNKNOWN]).toContain(counter.mapped(head));
        });
      }),
      RUNS,
    );
  });

  test("charging a meter changes no answer, and no event is free", () => {
    fc.assert(
      fc.property(histories(ORDERS), (history) => {
        const machine = new MappingMachine(history.slots);
        const { frameCount, orders } = machine;
        const context = { frameCount, orders, pageTables: machine, references: machine, seed: 1 };
        const meter = new Meter();
        const plain = { scheme, counter: scheme.createCounter(context) };
        const metered = { scheme, counter: scheme.createCounter({ ...context, meter }) };
        machine.listen([plain, metered]);
        play(history, { machine, listeners: [plain, metered] }, (slot) => {
          expect(answersOf(metered, machine, slot)).toEqual(answersOf(plain, machine, slot));
        });
        const charged = meter.totals.reduce((sum, cost) => sum + cost, 0);
        if (machine.events > 0) expect(charged).toBeGreaterThanOrEqual(machine.events);
        expect(meter.totals.every((cost) => cost >= 0)).toBe(true);
      }),
      RUNS,
    );
  });

  test("at rest it answers as it does after a history, or says that it depends", () => {
    fc.assert(
      fc.property(histories(LARGE), (history) => {
        const { machine, listeners } = stage(history, [scheme]);
        const [{ counter }] = listeners;
        play(history, { machine, listeners }, (slot) => {
          if (machine.orderOf(slot) > 0) expect(complaintAtRest({ scheme, counter }, machine, slot)).toBeUndefined();
        });
      }),
      RUNS,
    );
  });
});

function wishOf(kind: "exit" | "recreate", slot: number, vma: number) {
  return { kind, slot, vma, other: 0, from: 0, length: 0 } as const;
}

/** All answers about a folio in a row. */
function answersOf({ counter }: { readonly counter: Counter }, machine: MappingMachine, slot: number): number[] {
  const folio = machine.heads[slot];
  const mm = Math.max(0, pickMm(machine, slot, 0));
  return [
    counter.mapped(folio),
    counter.mappings(folio),
    counter.pageMapcount(folio, 0),
    counter.others(folio, mm),
    counter.otherVmas(folio, mm * 3),
    counter.partial(folio),
    counter.canReuse(folio, mm),
    counter.stopWalk(folio, 1),
    counter.extraReferences(folio),
    counter.pinned(folio),
    counter.statisticsPages(folio),
  ];
}

/** What a capture says of the folio, against what the counter says after the folio's history. */
function complaintAtRest({ scheme, counter }: Listener, machine: MappingMachine, slot: number): string | undefined {
  const folio = machine.heads[slot];
  const answers = createAnswersAtRest(1);
  scheme.answerAtRest(columnsOf(machine, slot), answers);
  const [pageMapcount] = answers.pageMapcount;
  for (let page = 0; page < machine.nrPages(slot); page += 7) {
    const counted = counter.pageMapcount(folio, page);
    const atRest = pageMapcount === -1 ? machine.pageMapcount(slot, page) : pageMapcount;
    if (counted !== -1 && counted !== atRest) return `page ${page}: ${atRest} at rest, ${counted} by its history`;
  }
  const [partial] = answers.partial;
  if (partial !== UNKNOWN && partial !== counter.partial(folio)) return `partial is ${partial} at rest`;
  const [shared] = answers.shared;
  for (let pick = 0; pick < machine.mms[slot]; pick++) {
    const said = counter.others(folio, pickMm(machine, slot, pick));
    if (shared !== EITHER && shared !== UNKNOWN && shared !== said) return `others is ${shared} at rest, and ${said}`;
  }
  return undefined;
}

/** What a capture would say of the folio, were it a file's. */
function columnsOf(machine: MappingMachine, slot: number): FolioColumns {
  const folios = new FolioColumns(1);
  const kind = machine.isHugetlb[slot] === 1 ? KIND_HUGETLB : KIND_FILE;
  const row = folios.append(0, machine.orderOf(slot), kind, false);
  folios.entries[row] = machine.entries[slot];
  folios.pmdEntries[row] = machine.pmdEntries[slot];
  folios.mappedPages[row] = machine.mappedPages[slot];
  folios.mmCount[row] = machine.mms[slot];
  folios.pagesMapped[row] = machine.pagesMapped(slot);
  return folios;
}

describe("the owner slots", () => {
  /** The slots fed by a machine's events. */
  function slotsOf(frameCount: number): { slots: OwnerSlots; listener: Listener } {
    const slots = new OwnerSlots(frameCount);
    const total = findScheme("total")!;
    const counter = total.createCounter({ frameCount, orders: new Uint8Array(frameCount) });
    const entriesOf = (pageCount: number, level: number): number => (level >= LEVEL_PMD ? 1 : pageCount);
    counter.add = (folio, _first, pageCount, level, _table, _vma, mm) =>
      void slots.add(folio, entriesOf(pageCount, level), mm);
    counter.remove = (folio, _first, pageCount, level, _table, _vma, mm) =>
      void slots.subtract(folio, entriesOf(pageCount, level), mm);
    return { slots, listener: { scheme: total, counter } };
  }

  test("keep the kernel's invariants after every event", () => {
    fc.assert(
      fc.property(histories(ORDERS), (history) => {
        const machine = new MappingMachine(history.slots);
        const { slots, listener } = slotsOf(machine.frameCount);
        machine.listen([listener]);
        play(history, { machine, listeners: [listener] }, (slot) => {
          const entries = Array.from({ length: MMS }, (_, mm) => machine.entriesOfMm[slot * MMS + mm]);
          expect(slotComplaint(slots, machine.heads[slot], entries)).toBeUndefined();
        });
      }),
      RUNS,
    );
  });

  test("are exact as long as no more than two address spaces have mapped the folio since it was last unmapped", () => {
    fc.assert(
      fc.property(histories(LARGE), (history) => {
        const machine = new MappingMachine(history.slots);
        const { slots, listener } = slotsOf(machine.frameCount);
        machine.listen([listener]);
        const seen = history.slots.map(() => new Set<number>());
        play(history, { machine, listeners: [listener] }, (slot) => {
          for (let mm = 0; mm < MMS; mm++) if (machine.entriesOfMm[slot * MMS + mm] > 0) seen[slot].add(mm);
          if (machine.entries[slot] === 0) seen[slot].clear();
          if (seen[slot].size > 2) return;
          expect(slots.maybeMappedShared(machine.heads[slot])).toBe(machine.mms[slot] > 1 ? YES : NO);
        });
      }),
      RUNS,
    );
  });
});

test("up to PMD size mapped-pages, mm-owner and mm-owner-levels answer alike, but for partial under a PMD entry", () => {
  const schemes = ["mm-owner", "mapped-pages", "mm-owner-levels"].map((id) => findScheme(id)!);
  fc.assert(
    fc.property(histories(ORDERS), (history) => {
      const { machine, listeners } = stage(history, schemes);
      const [owner, pages, levels] = listeners.map(({ counter }) => counter);
      play(history, { machine, listeners }, (slot) => {
        const folio = machine.heads[slot];
        for (const other of [pages, levels]) {
          expect(other.mappings(folio)).toBe(owner.mappings(folio));
          expect(other.pageMapcount(folio, 0)).toBe(owner.pageMapcount(folio, 0));
          expect(other.statisticsPages(folio)).toBe(owner.statisticsPages(folio));
          expect(other.others(folio, 0)).toBe(owner.others(folio, 0));
          expect(other.canReuse(folio, 0)).toBe(owner.canReuse(folio, 0));
        }
        expect(levels.partial(folio)).toBe(owner.partial(folio));
        if (machine.pmdEntries[slot] === 0) expect(pages.partial(folio)).toBe(owner.partial(folio));
      });
    }),
    RUNS,
  );
});

describe("folios that PMD and PUD entries map in parts", () => {
  const anyPart = SCHEMES.filter(({ leafEntries }) => leafEntries === "any-part");

  test.each([
    { slots: [{ order: 10, leaves: true }], events: 6000 },
    { slots: [{ order: 12, leaves: true }], events: 3000 },
    { slots: [{ order: 18, leaves: true }], events: 300 },
  ])("$slots", ({ slots, events }) => {
    const soak = new Soak(20_260_217, anyPart, slots);
    soak.run(events);
    expect(soak.broken).toBeUndefined();
    expect(soak.machine.events).toBeGreaterThanOrEqual(events);
  });
});

test("random histories reach what the guarantees are about", () => {
  const reached = {
    "three address spaces": 0,
    "several VMAs of one address space": 0,
    "a VMA with entries in two tables": 0,
    "a PMD entry beside PTEs": 0,
    "a partial mapping": 0,
    "a partial mapping that mm-owner misses and sums sees": 0,
    "one address space that mm-owner takes for several": 0,
    "a page's mapcount far from the average": 0,
    "a folio that lost its count under troll": 0,
    "a pinned folio": 0,
    "hugetlb, mapped": 0,
    "a COW fault that may reuse": 0,
  };
  const schemes = ["mm-owner", "sums", "troll"].map((id) => findScheme(id)!);
  for (const history of fc.sample(histories(ORDERS), { seed: 20_260_217, numRuns: 400 })) {
    const { machine, listeners } = stage(history, schemes);
    const [owner, sums, troll] = listeners.map(({ counter }) => counter);
    play(history, { machine, listeners }, (slot) => {
      const folio = machine.heads[slot];
      const mm = pickMm(machine, slot, 0);
      const note = (what: keyof typeof reached, holds: boolean): void => void (reached[what] += Number(holds));
      note("three address spaces", machine.mms[slot] >= 3);
      note("several VMAs of one address space", machine.vmas[slot] > machine.mms[slot]);
      note("a VMA with entries in two tables", machine.tables[slot] > machine.vmas[slot]);
      note("a PMD entry beside PTEs", machine.pmdEntries[slot] > 0 && machine.entries[slot] > machine.pmdEntries[slot]);
      note("a partial mapping", machine.isPartial(slot));
      const isMissed = machine.isPartial(slot) && owner.partial(folio) === UNKNOWN;
      note("a partial mapping that mm-owner misses and sums sees", isMissed && sums.partial(folio) !== NO);
      const isOne = machine.mms[slot] === 1 && machine.orderOf(slot) > 0 && machine.isHugetlb[slot] === 0;
      note("one address space that mm-owner takes for several", isOne && owner.others(folio, mm) === YES);
      note("a page's mapcount far from the average", machine.pageMapcount(slot, 0) - owner.pageMapcount(folio, 0) > 1);
      note("a folio that lost its count under troll", troll.mappings(folio) === -1);
      note("a pinned folio", machine.pinCounts[slot] > 0);
      note("hugetlb, mapped", machine.isHugetlb[slot] === 1 && machine.entries[slot] > 0);
      note("a COW fault that may reuse", mm >= 0 && sums.canReuse(folio, mm) === YES);
    });
  }
  for (const [what, times] of Object.entries(reached)) expect(times, what).toBeGreaterThan(0);
});

test("every question is checked", () => {
  expect(Object.keys(CHECKS).toSorted()).toEqual(Object.keys(SCHEMES[0].guarantees).toSorted());
});

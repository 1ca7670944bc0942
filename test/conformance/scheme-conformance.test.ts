/**
 * One suite for all schemes: after every event of random histories, each answer keeps the scheme's declared guarantee.
 *
 * A new scheme of the registry is tested here without a line of its own. The truth is a plain set of page-table entries
 * (page-tables.ts). A failure prints the seed and the shortest history that fast-check can find.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FolioColumns, KIND_FILE, entriesOfBatch } from "../../src/kernel/index.ts";
import { EITHER, NO, type Question, SCHEMES, UNKNOWN, YES, createAnswersAtRest } from "../../src/schemes/index.ts";
import { OwnerSlots } from "../../src/schemes/owner-slots.ts";
import { CHECKS, SKIPPED, isPartial } from "./guarantees.ts";
import { type FolioTruth, type MappingEvent, PageTables, emit } from "./page-tables.ts";
import { type History, eventsOf, histories } from "./random-histories.ts";
import { slotComplaint } from "./slot-invariants.ts";

const ORDERS = [0, 1, 2, 4, 9];
const LARGE = ORDERS.slice(1);
const RUNS = { numRuns: 100 };

/** Plays a history; calls `after` behind every event with the folio it touched and what is true of that folio. */
function play(
  history: History,
  observe: (event: MappingEvent) => void,
  after: (folio: number, truth: FolioTruth) => void,
): void {
  const tables = new PageTables(history.orders);
  for (const event of eventsOf(history)) {
    tables.apply(event);
    observe(event);
    after(event.folio, tables.truth(event.folio));
  }
}

describe.each(SCHEMES)("$id keeps its guarantees after every event", (scheme) => {
  test.for(Object.entries(scheme.guarantees) as [Question, string][])("%s: %s", ([question, guarantee], ctx) => {
    const check = CHECKS[question] ?? ctx.skip(SKIPPED[question]);
    if (guarantee === "unknown") ctx.skip("the scheme says that it does not know");
    fc.assert(
      fc.property(histories(ORDERS), (history) => {
        const counter = scheme.createCounter(history.orders);
        play(
          history,
          (event) => emit(counter, event),
          (folio, truth) => expect(check(scheme, counter, folio, truth)).toBeUndefined(),
        );
      }),
      RUNS,
    );
  });

  test("what it counts into AnonPages and Mapped follows its rule for statistics", () => {
    fc.assert(
      fc.property(histories(ORDERS), (history) => {
        const counter = scheme.createCounter(history.orders);
        play(
          history,
          (event) => emit(counter, event),
          (folio, { entries, pagesMapped, pageMapcounts }) => {
            const whole = entries > 0 ? pageMapcounts.length : 0;
            const expected = scheme.rules.statistics === "pages-mapped" ? pagesMapped : whole;
            expect(counter.statisticsPages(folio)).toBe(expected);
          },
        );
      }),
      RUNS,
    );
  });

  test("a partial mapping that it cannot see is UNKNOWN, never NO", () => {
    fc.assert(
      fc.property(histories(ORDERS), (history) => {
        const counter = scheme.createCounter(history.orders);
        play(
          history,
          (event) => emit(counter, event),
          (folio, truth) => {
            if (isPartial(truth)) expect([YES, UNKNOWN]).toContain(counter.partial(folio));
          },
        );
      }),
      RUNS,
    );
  });

  test("at rest it answers as its counter does, or says that both answers have a history", () => {
    fc.assert(
      fc.property(histories(LARGE), (history) => {
        const counter = scheme.createCounter(history.orders);
        play(
          history,
          (event) => emit(counter, event),
          (folio, truth) => {
            const answers = createAnswersAtRest(1);
            scheme.answerAtRest(columnsOf(history.orders[folio], truth), answers);
            const said = answers.pageMapcount[0];
            const differing = truth.pageMapcounts.findIndex(
              (count, page) => (said === -1 ? count : said) !== counter.pageMapcount(folio, page),
            );
            expect(differing, "the first page whose mapcount differs").toBe(-1);
            expect(answers.partial[0]).toBe(counter.partial(folio));
            for (const mm of truth.entriesOfMm.keys()) {
              expect([EITHER, counter.others(folio, mm)]).toContain(answers.shared[0]);
            }
          },
        );
      }),
      RUNS,
    );
  });
});

/** What a capture would say of the folio, were it a file's. */
function columnsOf(order: number, truth: FolioTruth): FolioColumns {
  const folios = new FolioColumns(1);
  const row = folios.append(0, order, KIND_FILE, false);
  folios.entries[row] = truth.entries;
  folios.pmdEntries[row] = truth.pmdEntries;
  folios.mappedPages[row] = truth.mappedPages;
  folios.mmCount[row] = truth.entriesOfMm.size;
  folios.pagesMapped[row] = truth.pagesMapped;
  return folios;
}

describe("the owner slots", () => {
  test("keep the kernel's invariants after every event", () => {
    fc.assert(
      fc.property(histories(ORDERS), (history) => {
        const slots = new OwnerSlots(history.orders.length);
        play(
          history,
          ({ type, folio, pageCount, level, mm }) => {
            const entries = entriesOfBatch(pageCount, level);
            if (type === "add") slots.add(folio, entries, mm);
            else slots.subtract(folio, entries, mm);
          },
          (folio, { entriesOfMm }) => {
            const entries = Array.from({ length: history.mms }, (_, mm) => entriesOfMm.get(mm) ?? 0);
            expect(slotComplaint(slots, folio, entries)).toBeUndefined();
          },
        );
      }),
      RUNS,
    );
  });

  test("are exact as long as no more than two address spaces have mapped the folio since it was last unmapped", () => {
    fc.assert(
      fc.property(histories(LARGE), (history) => {
        const slots = new OwnerSlots(history.orders.length);
        const seen = history.orders.map(() => new Set<number>());
        play(
          history,
          ({ type, folio, pageCount, level, mm }) => {
            seen[folio].add(mm);
            if (type === "add") slots.add(folio, entriesOfBatch(pageCount, level), mm);
            else slots.subtract(folio, entriesOfBatch(pageCount, level), mm);
          },
          (folio, { entries, entriesOfMm }) => {
            if (entries === 0) seen[folio].clear();
            if (seen[folio].size > 2) return;
            expect(slots.maybeMappedShared(folio)).toBe(entriesOfMm.size > 1 ? YES : NO);
          },
        );
      }),
      RUNS,
    );
  });
});

test("up to PMD size mapped-pages and mm-owner answer alike, but for a partial mapping under a PMD entry", () => {
  const [owner, sum] = ["mm-owner", "mapped-pages"].map((id) => SCHEMES.find((scheme) => scheme.id === id)!);
  fc.assert(
    fc.property(histories(ORDERS), (history) => {
      const a = owner.createCounter(history.orders);
      const b = sum.createCounter(history.orders);
      play(
        history,
        (event) => {
          emit(a, event);
          emit(b, event);
        },
        (folio, { pmdEntries, entriesOfMm }) => {
          expect(b.mappings(folio)).toBe(a.mappings(folio));
          expect(b.pageMapcount(folio, 0)).toBe(a.pageMapcount(folio, 0));
          expect(b.statisticsPages(folio)).toBe(a.statisticsPages(folio));
          for (const mm of entriesOfMm.keys()) expect(b.others(folio, mm)).toBe(a.others(folio, mm));
          if (pmdEntries === 0) expect(b.partial(folio)).toBe(a.partial(folio));
        },
      );
    }),
    RUNS,
  );
});

test("random histories reach what the guarantees are about", () => {
  const reached = {
    "three address spaces": 0,
    "a PMD entry beside PTEs": 0,
    "a partial mapping": 0,
    "a partial mapping that mm-owner misses": 0,
    "one address space that mm-owner takes for several": 0,
    "a page's mapcount far from the average": 0,
    "several mappings by one address space": 0,
  };
  const owner = SCHEMES.find(({ id }) => id === "mm-owner")!;
  for (const history of fc.sample(histories(ORDERS), { seed: 20_260_217, numRuns: 400 })) {
    const counter = owner.createCounter(history.orders);
    play(
      history,
      (event) => emit(counter, event),
      (folio, truth) => {
        const { entries, pmdEntries, entriesOfMm, pageMapcounts } = truth;
        const large = pageMapcounts.length > 1;
        reached["three address spaces"] += Number(entriesOfMm.size >= 3);
        reached["a PMD entry beside PTEs"] += Number(pmdEntries > 0 && entries > pmdEntries);
        reached["a partial mapping"] += Number(isPartial(truth));
        reached["a partial mapping that mm-owner misses"] += Number(
          isPartial(truth) && counter.partial(folio) === UNKNOWN,
        );
        const [mm] = entriesOfMm.keys();
        reached["one address space that mm-owner takes for several"] += Number(
          large && entriesOfMm.size === 1 && counter.others(folio, mm) === YES,
        );
        reached["a page's mapcount far from the average"] += Number(
          pageMapcounts.some((count, page) => Math.abs(count - counter.pageMapcount(folio, page)) > 1),
        );
        reached["several mappings by one address space"] += Number(entriesOfMm.size === 1 && pageMapcounts[0] > 1);
      },
    );
  }
  for (const [what, times] of Object.entries(reached)) expect(times, what).toBeGreaterThan(0);
});

test("every question is checked, or says why not", () => {
  const questions = Object.keys(SCHEMES[0].guarantees).toSorted();
  expect(Object.keys({ ...CHECKS, ...SKIPPED }).toSorted()).toEqual(questions);
});

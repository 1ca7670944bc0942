/**
 * Random histories of a few folios: wishes of fast-check, kept legal by the page tables.
 *
 * A wish is a handful of numbers. What it comes to depends on what is mapped when its turn comes: a range is cut to the
 * first run of pages that can be mapped (or unmapped), a PMD entry is added where nothing else is. A wish that cannot be
 * met comes to nothing. So every part of a history that fast-check leaves out leaves a legal history.
 */
import * as fc from "fast-check";
import { HPAGE_PMD_NR, LEVEL_PMD, LEVEL_PTE } from "../../src/kernel/index.ts";
import { type MappingEvent, PageTables } from "./page-tables.ts";

/** VMAs of one address space that may map the same folio. */
const VMAS_OF_MM = 2;

/** Something to be tried. */
export interface Wish {
  readonly what: "map" | "unmap" | "mapPmd" | "unmapPmd" | "splitPmd" | "fork" | "exit";
  readonly folio: number;
  readonly mm: number;
  readonly other: number;
  readonly view: number;
  /** First page and number of pages, as shares of the folio in 1/64, so that small and large folios are cut alike. */
  readonly from: number;
  readonly length: number;
}

/** A history: folios of these orders, so many address spaces, and wishes. */
export interface History {
  readonly orders: readonly number[];
  readonly mms: number;
  readonly wishes: readonly Wish[];
}

const SHARES = 64;

/** Histories of one to three folios in one to five address spaces. */
export function histories(orders: readonly number[]): fc.Arbitrary<History> {
  return fc.record({
    orders: fc.array(fc.constantFrom(...orders), { minLength: 1, maxLength: 3 }),
    mms: fc.integer({ min: 1, max: 5 }),
    // Long ones: a third address space must come and the first two must go before anything is misjudged.
    wishes: fc.array(wish(), { minLength: 1, maxLength: 60, size: "max" }),
  });
}

function wish(): fc.Arbitrary<Wish> {
  return fc.record({
    what: fc.oneof(
      { arbitrary: fc.constant<Wish["what"]>("map"), weight: 4 },
      { arbitrary: fc.constant<Wish["what"]>("unmap"), weight: 4 },
      { arbitrary: fc.constantFrom<Wish["what"]>("mapPmd", "unmapPmd", "splitPmd"), weight: 3 },
      { arbitrary: fc.constantFrom<Wish["what"]>("fork", "exit"), weight: 6 },
    ),
    folio: fc.nat(2),
    mm: fc.nat(4),
    other: fc.nat(4),
    view: fc.nat(VMAS_OF_MM - 1),
    from: fc.oneof(fc.constant(0), fc.nat(SHARES - 1)),
    length: fc.oneof(fc.constant(SHARES), fc.nat(SHARES)),
  });
}

/** The events of a history, in order. */
export function eventsOf(history: History): MappingEvent[] {
  const tables = new PageTables(history.orders);
  const events: MappingEvent[] = [];
  for (const each of history.wishes) {
    const step = {
      ...each,
      folio: each.folio % history.orders.length,
      mm: each.mm % history.mms,
      other: each.other % history.mms,
    };
    for (const event of comesTo(step, tables)) {
      tables.apply(event);
      events.push(event);
    }
  }
  return events;
}

function comesTo(step: Wish, tables: PageTables): MappingEvent[] {
  const { what, folio, mm } = step;
  const vma = mm * VMAS_OF_MM + step.view;
  const pages = tables.pageCount(folio);
  const whole = { folio, first: 0, pageCount: pages, mm, vma };
  const hasPmd = tables.isMapped(folio, 0, LEVEL_PMD, vma);
  const ptes = pagesOf(tables, folio, vma);
  switch (what) {
    case "map":
      return hasPmd ? [] : oneRun(step, tables, (page) => !ptes.has(page), "add");
    case "unmap":
      return oneRun(step, tables, (page) => ptes.has(page), "remove");
    case "mapPmd":
      if (hasPmd || ptes.size > 0 || pages !== HPAGE_PMD_NR) return [];
      return [{ type: "add", level: LEVEL_PMD, ...whole }];
    case "unmapPmd":
      return hasPmd ? [{ type: "remove", level: LEVEL_PMD, ...whole }] : [];
    case "splitPmd":
      if (!hasPmd) return [];
      return [
        { type: "add", level: LEVEL_PTE, ...whole },
        { type: "remove", level: LEVEL_PMD, ...whole },
      ];
    case "fork":
      return fork(step, tables);
    case "exit":
      return allOf(tables, folio, mm).map((event) => ({ ...event, type: "remove" }));
  }
}

function pagesOf(tables: PageTables, folio: number, vma: number): Set<number> {
  const ptes = tables.entriesOf(folio).filter((entry) => entry.vma === vma && entry.level === LEVEL_PTE);
  return new Set(ptes.map(({ first }) => first));
}

/** The first run of fitting pages in the wished range, as one batch. */
function oneRun(
  { folio, mm, view, from, length }: Wish,
  tables: PageTables,
  fits: (page: number) => boolean,
  type: "add" | "remove",
): MappingEvent[] {
  const pages = tables.pageCount(folio);
  let first = Math.floor((from * pages) / SHARES);
  const end = Math.min(pages, first + Math.max(1, Math.floor((length * pages) / SHARES)));
  while (first < end && !fits(first)) first++;
  let behind = first;
  while (behind < end && fits(behind)) behind++;
  if (behind === first) return [];
  return [{ type, folio, first, pageCount: behind - first, level: LEVEL_PTE, mm, vma: mm * VMAS_OF_MM + view }];
}

/** What an address space maps of a folio, in batches of consecutive pages. */
function allOf(tables: PageTables, folio: number, mm: number): MappingEvent[] {
  const events: MappingEvent[] = [];
  for (let vma = mm * VMAS_OF_MM; vma < (mm + 1) * VMAS_OF_MM; vma++) {
    const pages = tables.pageCount(folio);
    if (tables.isMapped(folio, 0, LEVEL_PMD, vma)) {
      events.push({ type: "add", folio, first: 0, pageCount: pages, level: LEVEL_PMD, mm, vma });
    }
    const ptes = pagesOf(tables, folio, vma);
    for (let first = 0; first < pages; first++) {
      if (!ptes.has(first)) continue;
      let behind = first;
      while (ptes.has(behind)) behind++;
      events.push({ type: "add", folio, first, pageCount: behind - first, level: LEVEL_PTE, mm, vma });
      first = behind;
    }
  }
  return events;
}

/** An address space that maps nothing of the folio becomes a copy of another. */
function fork({ folio, mm, other }: Wish, tables: PageTables): MappingEvent[] {
  if (mm === other || allOf(tables, folio, other).length > 0) return [];
  return allOf(tables, folio, mm).map((event) => ({
    ...event,
    mm: other,
    vma: other * VMAS_OF_MM + (event.vma % VMAS_OF_MM),
  }));
}

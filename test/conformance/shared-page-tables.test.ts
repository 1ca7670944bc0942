/**
 * Page tables that two address spaces share (hugetlb PMD sharing; literature 6.20): an entry is made through one of them
 * and taken away through the other, so every count that is kept by mm or by VMA goes out of step.
 */
import { describe, expect, test } from "vitest";
import { LEVEL_PTE } from "../../src/kernel/index.ts";
import { type Counter, NO, SCHEMES, findScheme } from "../../src/schemes/index.ts";

const [X, Y, Z] = [1, 2, 3];
const TABLE = 7;
const PAGES = 16;

/** A counter over one folio of 16 pages, whose page tables nobody needs to look at: each VMA maps it whole or not. */
function counterOf(id: string): Counter {
  const scheme = findScheme(id);
  if (scheme === undefined) throw new Error(`no scheme ${id}`);
  const counter = scheme.createCounter({
    frameCount: PAGES,
    orders: new Uint8Array(PAGES).fill(4),
    pageTables: { entriesOfVma: () => 0, entriesOfTable: () => 0, walk: () => {} },
    references: { references: () => 0, cacheReferences: () => 0, pins: () => 0 },
    seed: 1,
  });
  counter.created?.(0, 4, false);
  return counter;
}

/** X makes the entries in the shared table, Y takes them away. */
function mapThroughXAndUnmapThroughY(counter: Counter): void {
  counter.add(0, 0, PAGES, LEVEL_PTE, TABLE, X, X);
  counter.remove(0, 0, PAGES, LEVEL_PTE, TABLE, Y, Y);
}

/** What the counter says while Z, then X too, map the folio, and after Z has left again. */
function answersOfTwoOwners(counter: Counter): (string | number | boolean)[] {
  const ask = (): (string | number)[] => [
    counter.mapped(0),
    counter.mappings(0),
    counter.others(0, Z),
    counter.partial(0),
  ];
  const answers = ask();
  counter.add(0, 0, PAGES, LEVEL_PTE, 8, Z, Z);
  answers.push(...ask());
  counter.add(0, 0, PAGES, LEVEL_PTE, TABLE, X, X);
  answers.push(...ask());
  counter.remove(0, 0, PAGES, LEVEL_PTE, 8, Z, Z);
  return [...answers, counter.mapped(0), counter.others(0, X), counter.partial(0)];
}

describe("mapped through one address space, unmapped through another", () => {
  test("schemes that keep something by mm go out of step; those that keep totals do not", () => {
    const outOfStep = SCHEMES.filter(({ id }) => {
      const counter = counterOf(id);
      mapThroughXAndUnmapThroughY(counter);
      return JSON.stringify(answersOfTwoOwners(counter)) !== JSON.stringify(answersOfTwoOwners(counterOf(id)));
    });
    expect(outOfStep.map(({ id }) => id).sort()).toEqual([
      "mapped-pages",
      "mm-owner",
      "mm-owner-levels",
      "page",
      "rmap-id",
      "sums",
    ]);
  });

  test("mm-owner forgets that the table's second user exists: Y is told that nobody else maps the folio", () => {
    const counter = counterOf("mm-owner");
    counter.add(0, 0, PAGES, LEVEL_PTE, TABLE, X, X);
    expect(counter.others(0, Y)).toBe(NO);
  });
});

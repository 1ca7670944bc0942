/**
 * Histories from the mails, each with the answer that its author gives or complains about.
 *
 * Where a scheme is at fault the test says so: it must miss what the record says it misses, or it is another scheme.
 */
import { describe, expect, test } from "vitest";
import { LEVEL_PMD, LEVEL_PTE } from "../../src/kernel/index.ts";
import { type Counter, NO, SCHEMES, UNKNOWN, YES, findScheme } from "../../src/schemes/index.ts";

const PAGES = 512;
const AVERAGING = ["mm-owner", "mapped-pages"];

function counterOf(id: string, order: number): Counter {
  return findScheme(id)!.createCounter([order]);
}

function mapPtes(counter: Counter, mm: number, first: number, pageCount: number): void {
  counter.add(0, first, pageCount, LEVEL_PTE, mm, mm, mm);
}

function unmapPtes(counter: Counter, mm: number, first: number, pageCount: number): void {
  counter.remove(0, first, pageCount, LEVEL_PTE, mm, mm, mm);
}

function mapPmd(counter: Counter, mm: number): void {
  counter.add(0, 0, PAGES, LEVEL_PMD, mm, mm, mm);
}

function splitPmd(counter: Counter, mm: number): void {
  mapPtes(counter, mm, 0, PAGES);
  counter.remove(0, 0, PAGES, LEVEL_PMD, mm, mm, mm);
}

describe.each(SCHEMES.map(({ id }) => id))("%s", (id) => {
  test("a PMD split adds 512 mappings and takes one away", () => {
    const counter = counterOf(id, 9);
    mapPmd(counter, 0);
    mapPmd(counter, 1);
    expect(counter.mappings(0)).toBe(2);
    splitPmd(counter, 1);
    expect(counter.mappings(0)).toBe(513);
    for (const pageIndex of [0, 255, 511]) expect(counter.pageMapcount(0, pageIndex)).toBe(2);
    expect(counter.statisticsPages(0)).toBe(512);
    expect(counter.others(0, 0)).toBe(YES);
  });

  test("two PMD entries and a PTE of a 512-page folio are 3 mappings and 1,025 mapped pages", () => {
    const counter = counterOf(id, 9);
    mapPmd(counter, 0);
    mapPmd(counter, 1);
    mapPtes(counter, 2, 7, 1);
    expect(counter.mappings(0)).toBe(3);
    // 1,025 / 512 rounds to 2; page 7 alone has 3.
    expect(counter.pageMapcount(0, 0)).toBe(2);
    expect(counter.pageMapcount(0, 7)).toBe(id === "page" ? 3 : 2);
  });

  test("one page of a large folio is mapped: AnonPages gets one page, or the whole folio", () => {
    const counter = counterOf(id, 9);
    mapPtes(counter, 0, 100, 1);
    expect(counter.statisticsPages(0)).toBe(id === "page" ? 1 : 512);
    expect(counter.pageMapcount(0, 0)).toBe(id === "page" ? 0 : 1);
    expect(counter.partial(0)).toBe(YES);
  });
});

describe.each(AVERAGING)("%s misses partial mappings that several address spaces cover together", (id) => {
  test("order 2: parent and child unmap the same page; found when the child exits", () => {
    const [counter, page] = [counterOf(id, 2), counterOf("page", 2)];
    for (const each of [counter, page]) {
      mapPtes(each, 0, 0, 4);
      mapPtes(each, 1, 0, 4);
      unmapPtes(each, 0, 0, 1);
      unmapPtes(each, 1, 0, 1);
    }
    expect(counter.mappings(0)).toBe(6);
    expect(page.partial(0)).toBe(YES);
    expect(counter.partial(0)).toBe(UNKNOWN);
    unmapPtes(counter, 1, 1, 3);
    expect(counter.mappings(0)).toBe(3);
    expect(counter.partial(0)).toBe(YES);
  });

  test("a THP and one child, each unmapping up to half: not detected; one page more is", () => {
    const [counter, page] = [counterOf(id, 9), counterOf("page", 9)];
    for (const each of [counter, page]) {
      for (const mm of [0, 1]) {
        mapPmd(each, mm);
        splitPmd(each, mm);
        unmapPtes(each, mm, 256, 256);
      }
    }
    expect(counter.mappings(0)).toBe(512);
    expect(page.partial(0)).toBe(YES);
    expect(counter.partial(0)).toBe(UNKNOWN);
    unmapPtes(counter, 1, 255, 1);
    expect(counter.partial(0)).toBe(YES);
  });

  test("a THP and 511 children, all unmapping all but one page: not detected until one of them exits", () => {
    const [counter, page] = [counterOf(id, 9), counterOf("page", 9)];
    for (const each of [counter, page]) {
      for (let mm = 0; mm < 512; mm++) {
        mapPmd(each, mm);
        splitPmd(each, mm);
        unmapPtes(each, mm, 1, 511);
      }
    }
    expect(counter.mappings(0)).toBe(512);
    expect(page.pageMapcount(0, 0)).toBe(512);
    expect(counter.pageMapcount(0, 0)).toBe(1);
    expect(page.partial(0)).toBe(YES);
    expect(counter.partial(0)).toBe(UNKNOWN);
    unmapPtes(counter, 511, 0, 1);
    expect(counter.partial(0)).toBe(YES);
  });
});

describe("a folio larger than a PMD entry", () => {
  test("mapped-pages counts what each entry maps: one PMD entry of two is a partial mapping", () => {
    const counter = counterOf("mapped-pages", 10);
    counter.add(0, 0, PAGES, LEVEL_PMD, 0, 0, 0);
    expect(counter.partial(0)).toBe(YES);
    counter.add(0, PAGES, PAGES, LEVEL_PMD, 0, 0, 0);
    expect(counter.mappings(0)).toBe(2);
    expect(counter.pageMapcount(0, 0)).toBe(1);
    expect(counter.partial(0)).toBe(UNKNOWN);
    expect(counter.others(0, 0)).toBe(NO);
  });
});

describe("two mappings by one address space", () => {
  test.each(SCHEMES.map(({ id }) => id))("%s: look shared in a small folio, not in a large one", (id) => {
    for (const [order, expected] of [
      [0, YES],
      [4, NO],
    ] as const) {
      const counter = counterOf(id, order);
      counter.add(0, 0, 1, LEVEL_PTE, 0, 0, 0);
      counter.add(0, 0, 1, LEVEL_PTE, 1, 1, 0);
      expect(counter.others(0, 0)).toBe(expected);
    }
  });
});

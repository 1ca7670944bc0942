import { describe, expect, test } from "vitest";
import { SCHEMES } from "../schemes/index.ts";
import { type CounterLimit, type MappingForm, counterLimits, leafEntriesThatFit } from "./counter-limits.ts";

const limits = counterLimits(SCHEMES);

function limitOf(scheme: string, order: number, level: MappingForm["level"]): CounterLimit {
  const found = limits.find((each) => each.scheme === scheme && each.order === order && each.level === level);
  if (found === undefined) throw new Error(`${scheme} counts folios of order ${order} by ${level}s`);
  return found;
}

describe("a sum of mapped pages", () => {
  test("of 32 bits holds 8,191 PUD entries: the 8,192nd overflows it", () => {
    expect(leafEntriesThatFit(32)).toEqual({ pmd: 4_194_303, pud: 8191 });
    expect(limitOf("mapped-pages", 18, "PUD").pagesFit32).toBe(8191);
  });

  test("of 64 bits overflows at 2^45 PUD entries, which no machine has", () => {
    expect(limitOf("mapped-pages", 18, "PUD").pagesFit64).toBe(2 ** 45 - 1);
  });

  test("overflows at the same number of address spaces, whatever entries they map the folio by", () => {
    for (const level of ["PTE", "PMD", "PUD"] as const)
      expect(limitOf("mapped-pages", 18, level).pagesFit32).toBe(8191);
  });

  test("is kept by mapped-pages and sums only", () => {
    const keepers = new Set(limits.filter(({ pagesFit32 }) => pagesFit32 !== null).map(({ scheme }) => scheme));
    expect([...keepers].sort()).toEqual(["mapped-pages", "sums"]);
  });
});

describe("a mapcount of 32 bits", () => {
  test("that counts entries holds 2^31 whole mappings by PMDs, and 512 times fewer by PTEs", () => {
    expect(limitOf("mm-owner", 9, "PMD").countFits).toBe(2 ** 31);
    expect(limitOf("mm-owner", 9, "PTE").countFits).toBe(2 ** 22);
  });

  test("is full when 8,192 address spaces map a folio of 1 GiB by PTEs", () => {
    for (const scheme of ["page", "mm-owner", "total", "mm-owner-levels"]) {
      expect(limitOf(scheme, 18, "PTE").countFits).toBe(8192);
    }
  });

  test("in every page holds 2^31 mappings of any form", () => {
    expect(limitOf("subpages", 9, "PTE").countFits).toBe(2 ** 31);
    expect(limitOf("doublemap", 18, "PTE").countFits).toBe(2 ** 31);
  });

  test("that counts VMAs or tables is far from full", () => {
    expect(limitOf("vma", 18, "PTE").countFits).toBe(2 ** 31);
    expect(limitOf("vma-table", 18, "PTE")).toMatchObject({ countAdds: 512, countFits: 2 ** 22 });
  });

  test("that saturates never overflows", () => {
    for (const scheme of ["troll", "three-state"]) expect(limitOf(scheme, 18, "PTE").countFits).toBeNull();
  });
});

describe("references that mapping forces", () => {
  test("are 3 at most under troll, and one a PTE where entries hold them", () => {
    expect(limitOf("troll", 18, "PTE")).toMatchObject({ referencesAdd: 1, referencesMost: 3, referencesFit: null });
    for (const scheme of ["page", "mm-owner", "none", "doublemap"]) {
      expect(limitOf(scheme, 9, "PTE")).toMatchObject({ referencesAdd: 512, referencesMost: null });
    }
  });

  test("overflow a count of 31 bits with 2^22 huge pages' worth of PTEs, less one", () => {
    expect(limitOf("doublemap", 9, "PTE").referencesFit).toBe(2 ** 22 - 1);
    expect(limitOf("page", 18, "PTE").referencesFit).toBe(8191);
  });
});

test("schemes that cannot count PMD entries of parts have no limit there", () => {
  const there = limits.filter(({ order, level }) => order === 18 && level === "PMD").map(({ scheme }) => scheme);
  expect(there).not.toContain("page");
  expect(there).toContain("mapped-pages");
});

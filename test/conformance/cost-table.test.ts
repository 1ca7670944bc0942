/**
 * What operations cost under each scheme: docs/costs.md as computed, and single charges held against the sources.
 */
import { describe, expect, test } from "vitest";
import { LEFT_OUT, type MappedFolio, OPERATIONS, chargesOf, costTable, questionTable } from "./cost-table.ts";
import { checkTable } from "./doc-table.ts";

const FOLIOS = [
  ["costs-4k", { sizeKb: 4, byPmd: false }],
  ["costs-64k", { sizeKb: 64, byPmd: false }],
  ["costs-2m-pte", { sizeKb: 2048, byPmd: false }],
  ["costs-2m-pmd", { sizeKb: 2048, byPmd: true }],
] as const;

test.each(FOLIOS)("the table %s", (name, folio) => {
  checkTable("costs.md", name, costTable(folio));
});

test("the table of questions", () => {
  checkTable("costs.md", "costs-questions", questionTable());
});

test("the tables leave out loads, stores and reference operations, and nothing else", () => {
  expect(LEFT_OUT).toEqual(["loads", "stores", "referenceOperations"]);
});

/** The charges of an operation by its name in the table. */
function charges(name: string, folio: MappedFolio, scheme: string): ReturnType<ReturnType<typeof chargesOf>["get"]> {
  const operation = OPERATIONS.find((each) => each.name === name);
  if (operation === undefined) throw new Error(`there is no operation ${name}`);
  return chargesOf(operation, folio).get(scheme);
}

describe("single charges, from the sources", () => {
  const ptes: MappedFolio = { sizeKb: 64, byPmd: false };
  const pmd: MappedFolio = { sizeKb: 2048, byPmd: true };

  test("fork under `page`: an atomic a page, the lock of the large mapcount, one change of the reference count (kernel-facts 2.2, 2.10)", () => {
    expect(charges("fork", ptes, "page")).toMatchObject({
      atomics: 16 + 1 + 1,
      largeMapcountLocks: 1,
      referenceOperations: 1,
      structPageLines: 16,
    });
    expect(charges("fork", ptes, "mm-owner")).toMatchObject({ atomics: 1 + 1, structPageLines: 2 });
  });

  test("the first and the last PMD entry turn ENTIRELY_MAPPED, one between does not (kernel-facts 1.3, 2.3)", () => {
    // The reference count, _entire_mapcount, _large_mapcount; and _nr_pages_mapped.
    for (const [id, others] of [
      ["page", 3],
      ["first-page", 3],
      ["subpages", 2],
    ] as const) {
      expect(charges("first touch", pmd, id)?.atomics).toBe(others + 1);
      expect(charges("unmap the last", pmd, id)?.atomics).toBe(others + 1);
      expect(charges("fork", pmd, id)?.atomics).toBe(others);
    }
  });

  test("a split beside another PMD mapping raises all 512 counts and sets PageDoubleMap (kernel-facts 5.1)", () => {
    // 512 PTEs and their reference; the PMD entry and its; the raise and the flag; the copy's two and the old page's two.
    expect(charges("copy a page", pmd, "doublemap")?.atomics).toBe(513 + 2 + 513 + 2 + 2);
  });

  test("who counts VMAs asks both halves of a split VMA: one finds its first entry, the other has none but those at hand", () => {
    for (const id of ["vma", "troll"]) {
      expect(charges("split the VMA inside", ptes, id)).toMatchObject({ vmasVisited: 2, entriesExamined: 1 });
    }
    expect(charges("split the VMA inside", ptes, "vma-table")).toMatchObject({ vmasVisited: 0, entriesExamined: 1 });
    expect(charges("split the VMA inside", ptes, "mm-owner")).toMatchObject({ atomics: 0, entriesExamined: 0 });
  });

  test("page by page, each of n looks passes the pages that are gone already: swapping out grows with the square", () => {
    expect(charges("swap out", ptes, "vma")?.entriesExamined).toBe(16 + (16 * 15) / 2 + 15);
    expect(charges("swap out", { sizeKb: 2048, byPmd: false }, "vma")?.entriesExamined).toBe(
      512 + (512 * 511) / 2 + 511,
    );
    expect(charges("swap out", { sizeKb: 2048, byPmd: false }, "mm-owner")?.entriesExamined).toBe(512);
  });

  test("who has lost count walks through the child's VMA, too, whose pages were all copied", () => {
    expect(charges("swap out", ptes, "none")).toMatchObject({ vmasVisited: 2, entriesExamined: 32, pageTableLocks: 2 });
    expect(charges("swap out", ptes, "total")).toMatchObject({
      vmasVisited: 1,
      entriesExamined: 16,
      pageTableLocks: 1,
    });
  });
});

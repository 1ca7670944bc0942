/**
 * As steps.test.ts, where a folio lies in more than one page table, or in more than one VMA of an address space: what
 * schemes that look into page tables are about.
 */
import { test } from "vitest";
import { SCHEMES } from "../../src/schemes/index.ts";
import { STRADDLING, TWO_AREAS, expectAgreement } from "./step-pairs.ts";

for (const { id } of SCHEMES) {
  test(`${id}: steps and counter agree in all states of a folio that straddles two page tables`, () => {
    expectAgreement(id, STRADDLING, 1);
  });

  test(`${id}: steps and counter agree in all states of two VMAs of each address space`, () => {
    expectAgreement(id, TWO_AREAS, 2);
  });
}

import { expect, test } from "vitest";
import * as size from "./page-size.ts";

test("shift, size, orders and counts agree", () => {
  expect(size.PAGE_SIZE_BYTES).toBe(1 << size.PAGE_SHIFT);
  expect(size.HPAGE_PMD_NR).toBe(1 << size.HPAGE_PMD_ORDER);
  expect(size.HPAGE_PUD_NR).toBe(1 << size.HPAGE_PUD_ORDER);
  expect(size.HPAGE_PMD_NR * size.PAGE_SIZE_BYTES).toBe(2 * 1024 * 1024);
});

/** Cases of GUP-fast against fork; and that every case of the catalogue is in a group that a file tests. */
import { expect, test } from "vitest";
import { CHECK_CASES } from "../../src/checker/index.ts";
import { CASE_GROUPS, testCases } from "./case-outcome.ts";

testCases("gup");

test("every case is tested", () => {
  expect(Object.values(CASE_GROUPS).flat().toSorted()).toEqual(CHECK_CASES.map(({ id }) => id).toSorted());
});

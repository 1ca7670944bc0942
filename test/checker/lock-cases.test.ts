/** Cases of the locks that a look into page tables takes, and how their stories end. */
import { expect, test } from "vitest";
import { check, findCase } from "../../src/checker/index.ts";
import { findScheme } from "../../src/schemes/index.ts";
import { testCases } from "./case-outcome.ts";

testCases("locks");

/** The last sentence of the shortest story of a broken property of `vma`. */
function endingOf(caseId: string, property: string): { ending: string; steps: number } {
  const checkCase = findCase(caseId);
  const vma = findScheme("vma");
  if (checkCase === undefined || vma === undefined) throw new Error("no such case or scheme");
  const { properties } = check(checkCase.configuration(vma), { ...checkCase.options, properties: [property] });
  const found = properties.find(({ name }) => name === property);
  if (found?.outcome !== "broken") throw new Error(`${property} is ${found?.outcome ?? "absent"}`);
  return { ending: found.story.ending, steps: found.story.steps.length };
}

test("vma's plain look waits for the page table lock that its thread holds", () => {
  expect(endingOf("self-deadlock", "deadlock").ending).toMatch(
    /worker waits for (ptl\[0\]\[0\]\[\d\]), which it holds itself/,
  );
});

test("with the table at hand excluded, two threads in two tables of one folio embrace", () => {
  expect(endingOf("embrace", "deadlock").ending).toMatch(
    /worker\[0\] waits for ptl\[0\]\[0\]\[1\], which worker\[1\] holds; worker\[1\] waits for ptl\[0\]\[0\]\[0\], which worker\[0\] holds/,
  );
});

import { expect, test } from "vitest";
import { SCHEMES, findScheme } from "../schemes/index.ts";
import { CHECK_CASES, casesOf, findCase } from "./cases.ts";
import { elaborate } from "./elaborate.ts";

test("every case has an id of its own, a title and a question", () => {
  expect(new Set(CHECK_CASES.map(({ id }) => id)).size).toBe(CHECK_CASES.length);
  for (const { title, asks } of CHECK_CASES) {
    expect(title.length).toBeGreaterThan(5);
    expect(asks.length).toBeGreaterThan(15);
  }
});

test("every scheme has cases, and each case is for known schemes only", () => {
  for (const { id } of SCHEMES) expect(casesOf(id).length).toBeGreaterThanOrEqual(9);
  for (const { schemes } of CHECK_CASES) for (const id of schemes) expect(findScheme(id)?.id).toBe(id);
  expect(casesOf("no such scheme")).toEqual([]);
});

test("a case is found by its id", () => {
  expect(findCase("embrace")?.schemes).toContain("vma");
  expect(findCase("embraces")).toBeUndefined();
});

test.each(CHECK_CASES.map((checkCase) => ({ id: checkCase.id, checkCase })))(
  "$id runs for its schemes; it speaks of properties that there are, and what holds stands beside what is seen",
  ({ checkCase }) => {
    for (const id of checkCase.schemes) {
      const scheme = findScheme(id);
      if (scheme === undefined) throw new Error(`no scheme ${id}`);
      const { properties } = elaborate(checkCase.configuration(scheme));
      const names = [...properties.map(({ name }) => name), "deadlock", "livelock"];
      const { broken = [], unseen = [] } = checkCase.outcomes[id];
      for (const name of [...broken, ...unseen]) expect(names, id).toContain(name);
      const isSeen = properties.some(({ name, when }) => when === "sometimes" && !unseen.includes(name));
      expect(isSeen || broken.length > 0, id).toBe(true);
    }
  },
);

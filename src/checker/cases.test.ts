/** Which cases a scheme has. What they give is held in test/checker/. */
import { expect, test } from "vitest";
import { squares } from "../../test/conformance/example-scheme.ts";
import { SCHEMES } from "../schemes/index.ts";
import { CHECK_CASES, casesOf, findCase } from "./cases.ts";
import { elaborate } from "./elaborate.ts";

test("ids are unique, and every scheme that a case names is in the registry", () => {
  expect(new Set(CHECK_CASES.map(({ id }) => id)).size).toBe(CHECK_CASES.length);
  const known = SCHEMES.map(({ id }) => id);
  expect(CHECK_CASES.flatMap(({ schemes }) => schemes).filter((id) => !known.includes(id))).toEqual([]);
  for (const checkCase of CHECK_CASES) expect(findCase(checkCase.id)).toBe(checkCase);
});

test("every scheme has cases of its own", () => {
  for (const { id } of SCHEMES) expect(casesOf(id).every(({ schemes }) => schemes.includes(id))).toBe(true);
});

test("a scheme that the catalogue does not know yet has the cases that all have, and they can be run", () => {
  const general = casesOf(squares.id);
  expect(general.map(({ id }) => id)).toContain("file");
  expect(general.map(({ id }) => id)).not.toContain("embrace");
  expect(general.every(({ schemes }) => schemes.length === SCHEMES.length)).toBe(true);
  for (const checkCase of general) {
    expect(elaborate(checkCase.configuration(squares)).threads.length, checkCase.id).toBeGreaterThan(0);
  }
});

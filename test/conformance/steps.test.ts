/**
 * One definition serves the model and the checker: the fast form of every scheme is equal to its stepwise form.
 *
 * Equal means: over all small states (joint states of both, every event that page tables allow from each), every answer,
 * every word that both have, the pages in the statistics, and the text's own `quiet counts`. Numbers of states are exact:
 * an event that one side no longer reaches changes them.
 */
import { expect, test } from "vitest";
import { StepsError } from "../../src/checker/syntax.ts";
import { SCHEMES, UNKNOWN, findScheme } from "../../src/schemes/index.ts";
import { squares } from "./example-scheme.ts";
import { ProcedureRunner } from "./run-procedure.ts";
import { SideBySide } from "./side-by-side.ts";
import type { Shape } from "./small-tables.ts";
import { HUGE, PAIRS, STRADDLING, TWO_AREAS, pairOf } from "./step-pairs.ts";

/** Joint states by scheme: HUGE, STRADDLING, TWO_AREAS. Without memory of the past they are the page tables' 5^3, 2^8, 5^4. */
const STATES: Readonly<Record<string, readonly [huge: number, straddling: number, twoAreas: number]>> = {
  page: [1461, 511, 1249],
  "mm-owner": [1461, 511, 1249],
  "mapped-pages": [1461, 511, 1249],
  "mm-owner-levels": [1461, 511, 1249],
  sums: [125, 256, 625],
  doublemap: [240, 256, 1482],
  subpages: [125, 256, 625],
  none: [125, 256, 625],
  "three-state": [138, 287, 642],
  troll: [186, 256, 738],
  "vma-table": [125, 256, 625],
  vma: [125, 256, 625],
  "first-page": [125, 256, 625],
  total: [125, 256, 625],
  "rmap-id": [125, 256, 625],
};

test("every scheme has a pair", () => {
  expect(Object.keys(PAIRS)).toEqual(SCHEMES.map(({ id }) => id));
});

const SHAPES: readonly (readonly [string, Shape])[] = [
  ["three address spaces with PTEs and PMD entries", HUGE],
  ["a folio that straddles two page tables", STRADDLING],
  ["two VMAs of each address space", TWO_AREAS],
];

for (const [index, [name, shape]] of SHAPES.entries()) {
  for (const { id } of SCHEMES) {
    test(`${id}: steps and counter agree in all states of ${name}`, () => {
      const { states, isComplete, compared } = pairOf(id, shape).search();
      expect({ states, isComplete }).toEqual({ states: STATES[id][index], isComplete: true });
      // Every answer was compared, and those about an address space where there was one.
      for (const each of ["mapped", "mappings", "partial", "pageMapcount", "others", "canReuse"]) {
        expect(compared[each], each).toBeGreaterThanOrEqual(states - 1);
      }
    });
  }
}

/** Constants that change the order or the safety of steps, not what they come to if nobody is in between. */
const VARIANTS: readonly (readonly [id: string, shape: Shape, constants: Readonly<Record<string, number>>])[] = [
  ["doublemap", HUGE, { FLAG_FIRST: 0 }],
  ["subpages", HUGE, { COMPOUND_MAPPED: 0 }],
  ["mm-owner", HUGE, { RECHECK: 0 }],
  ["sums", HUGE, { RECHECK: 0 }],
  ["rmap-id", HUGE, { RECHECK: 0, RETRY: 0 }],
  ["rmap-id", HUGE, { VALUES: 2 }],
  ["vma", STRADDLING, { REMEDY: 2 }],
  ["vma", STRADDLING, { REMEDY: 3 }],
  ["vma", STRADDLING, { REMEDY: 1, PEEK: 1 }],
  ["troll", STRADDLING, { REMEDY: 1 }],
  ["three-state", STRADDLING, { REMEDY: 1 }],
];

for (const [id, shape, constants] of VARIANTS) {
  test(`${id} agrees with ${JSON.stringify(constants)} too`, () => {
    const { words, ...pair } = PAIRS[id];
    // Their words differ from the counter's: what is compared are the answers.
    const differ = "COMPOUND_MAPPED" in constants || "VALUES" in constants;
    const options = { scheme: schemeOf(id), shape, ...pair, ...(differ || words === undefined ? {} : { words }) };
    const result = new SideBySide({ ...options, constants: { ...pair.constants, ...constants } }).search();
    expect(result.states).toBe(STATES[id][shape === HUGE ? 0 : 1]);
  });
}

test("vma: the plain walk waits for the lock that its caller holds, in the first batch that is not the whole folio", () => {
  const plain = pairOf("vma", STRADDLING, { REMEDY: 0 });
  expect(() => plain.search()).toThrow(StepsError);
  expect(() => pairOf("vma", STRADDLING, { REMEDY: 0 }).search()).toThrow("waits for ever for ptl[0][0][0]");
});

test("total: where PMD entries can be among them, fewer entries than pages mean nothing", () => {
  const runner = new ProcedureRunner(schemeOf("total"), { PAGES: 4 });
  const added = runner.run("add(0, 1, PTE, element(mm, 0), 0)", runner.initial()).variables;
  expect(runner.run("let answer = partial()\nghost given = answer", added).given).toBe(UNKNOWN);
});

test("the worked example agrees", () => {
  for (const shape of [HUGE, STRADDLING, TWO_AREAS]) {
    const words = { entry_count: "entries", id_sum: "sumOfIds.low", square_sum: "sumOfSquares.low" };
    expect(new SideBySide({ scheme: squares, shape, words }).search().isComplete).toBe(true);
  }
});

function schemeOf(id: string): (typeof SCHEMES)[number] {
  const scheme = findScheme(id);
  if (scheme === undefined) throw new Error(`there is no scheme ${id}`);
  return scheme;
}

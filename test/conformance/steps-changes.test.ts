/**
 * That the steps agree with the counters would say little if the comparison could not fail: every change of a word or ghost
 * that a text makes is left out once (a fence takes its place), and the search must find a difference.
 */
import { expect, test } from "vitest";
import { SCHEMES, type Scheme } from "../../src/schemes/index.ts";
import { SideBySide } from "./side-by-side.ts";
import { HUGE, PAIRS } from "./step-pairs.ts";

/** Constants under which the other half of a text is at work. */
const OTHER_HALF: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  doublemap: { FLAG_FIRST: 0 },
  subpages: { COMPOUND_MAPPED: 0 },
};

/** A change of a word or ghost, at the beginning of a line or in a block of one line. */
const CHANGE = /(?<=^\s*|\{ )(?:store|add|ghost) (?<word>[a-zA-Z_]\w*)(?:\[[^\]]*\])?(?: =|,)[^\n}]*/gm;

/** Not seen by one CPU alone: readers beside a writer need it, and the checker shows that. */
const FOR_OTHERS = new Set(["sequence"]);

for (const scheme of SCHEMES.filter(({ id }) => id !== "none")) {
  test(`${scheme.id}: none of its changes can be left out`, () => {
    const changes = [...scheme.steps.matchAll(CHANGE)].filter(({ groups }) => !FOR_OTHERS.has(groups?.word ?? ""));
    // three-state has none: it changes its word by compare and exchange.
    expect(changes.length > 0).toBe(scheme.id !== "three-state");
    const unseen = changes
      .filter(({ index, 0: change }) => {
        const steps = `${scheme.steps.slice(0, index)}fence${scheme.steps.slice(index + change.length)}`;
        return agrees({ ...scheme, steps }, {}) && agrees({ ...scheme, steps }, OTHER_HALF[scheme.id] ?? {});
      })
      .map(([change]) => change.trim());
    expect(unseen).toEqual([]);
  });
}

function agrees(scheme: Scheme, constants: Readonly<Record<string, number>>): boolean {
  const { words, ...pair } = PAIRS[scheme.id];
  const isOther = "COMPOUND_MAPPED" in constants;
  const options = { scheme, shape: HUGE, ...(isOther || words === undefined ? {} : { words }) };
  // A text that cannot be read is no difference.
  const sides = new SideBySide({ ...options, constants: { ...pair.constants, ...constants } });
  try {
    sides.search();
    return true;
  } catch {
    return false;
  }
}

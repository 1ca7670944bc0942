/**
 * That `quiet counts` holds would say little if it held of wrong counts too.
 *
 * Every word that it determines is made wrong by one in every state, and the property must see it: else a lost update could
 * go unseen by the checker, which has nothing but this property to know it by.
 */
import { expect, test } from "vitest";
import { SCHEMES } from "../../src/schemes/index.ts";
import { SideBySide } from "./side-by-side.ts";
import { HUGE, PAIRS } from "./step-pairs.ts";

/** Words that may differ between two states of the same page tables, each with the reason. */
const BY_HISTORY: Readonly<Record<string, string>> = {
  mm_ids_shared: "may be stale (kernel-facts 2.5)",
  _mm_id: "who got the slots is a matter of who came first",
  _mm_id_mapcount: "may count too little: entries from before the slot was free",
  times_mapped: "possibly more is never left by a removal",
  troll_count: "Many is never left by a removal",
  sequence: "counts writes",
};

/** Not the scheme's, or never written. */
const NOT_COUNTS = new Set([
  "pte",
  "pmd",
  "refcount",
  "given",
  "arg_mm",
  "arg_area",
  "arg_first",
  "arg_n",
  "weight",
  "sub_id",
]);

for (const scheme of SCHEMES.filter(({ id }) => id !== "none")) {
  test(`${scheme.id}: a word that is wrong by one is seen in every state`, () => {
    const { constants } = PAIRS[scheme.id];
    const pair = new SideBySide({ scheme, shape: HUGE, ...(constants === undefined ? {} : { constants }) });
    const words = [...pair.runner.machine.variables.entries()].filter(
      ([, { kind, array }]) => kind !== "lock" && !NOT_COUNTS.has(array) && !(array in BY_HISTORY),
    );
    const unseen = new Set<string>();
    pair.search((variables) => {
      for (const [word, { name, min, max }] of words) {
        const value = variables[word];
        for (const wrong of [value - 1, value + 1]) {
          if (wrong < min || wrong > max) continue;
          const changed = variables.slice();
          changed[word] = wrong;
          if (pair.runner.counts(changed)) unseen.add(`${name} is ${wrong}, not ${value}`);
        }
      }
    });
    expect([...unseen]).toEqual([]);
    // The two that count VMAs keep one word, which depends on history.
    expect(words.length > 0).toBe(!["three-state", "troll"].includes(scheme.id));
  });
}

test("three-state and troll: below their last state the word is exact", () => {
  for (const [id, word, last] of [
    ["three-state", "times_mapped", 2],
    ["troll", "troll_count", 3],
  ] as const) {
    const scheme = SCHEMES.find((each) => each.id === id);
    if (scheme === undefined) throw new Error(`there is no scheme ${id}`);
    const pair = new SideBySide({ scheme, shape: HUGE, constants: PAIRS[id].constants ?? {} });
    const at = pair.runner.placeOf(word);
    const unseen: number[] = [];
    pair.search((variables) => {
      for (let wrong = 0; wrong < last; wrong++) {
        if (wrong === variables[at]) continue;
        const changed = variables.slice();
        changed[at] = wrong;
        // A state that lost count may be any: only a walk knows.
        if (pair.runner.counts(changed) && variables[at] !== last) unseen.push(wrong);
      }
    });
    expect(unseen, id).toEqual([]);
  }
});

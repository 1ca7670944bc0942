/**
 * Breadth first through all lives of a folio, and what a capture would see of each state.
 *
 * A capture sees the present entries of every address space and, of an anonymous folio, whether its head page is mapped
 * and exclusive; it does not see slots, the shared bit, the other pages' flags, swap or migration entries. States that
 * look alike are one sight. For every sight the search collects the values of folio_maybe_mapped_shared, each with the
 * length of the shortest history that leaves it.
 */
import { FolioColumns, HPAGE_PMD_ORDER, KIND_ANON, KIND_FILE } from "../../src/kernel/index.ts";
import { Life, LifeCode, type LifeRules, bitCount, firstMoment, forEachStep } from "./folio-life.ts";

/** What a capture sees, and what folio_maybe_mapped_shared may say there. */
export interface Sight {
  readonly entries: number;
  readonly pmdEntries: number;
  readonly mappedPages: number;
  readonly mmCount: number;
  readonly pagesMapped: number;
  readonly headExclusive: boolean;
  /** Steps of the shortest history after which the answer is "not shared"; -1: there is none. */
  stepsToNo: number;
  /** The same for "shared". */
  stepsToYes: number;
}

/** A finished search. */
export interface LivesFound {
  readonly rules: LifeRules;
  readonly states: number;
  /** Steps of the longest shortest history. */
  readonly depth: number;
  readonly sights: ReadonlyMap<string, Sight>;
}

/** Every reachable state, each shown to `check` once. O(states x steps out of one). */
export function searchLives(rules: LifeRules, check: (life: Life) => void): LivesFound {
  const code = new LifeCode(rules);
  const life = new Life(rules);
  const next = new Life(rules);
  const start = code.encode(firstMoment(rules));
  const known = new Set([start]);
  const sights = new Map<string, Sight>();
  let layer = [start];
  let depth = 0;
  for (;;) {
    const coming: number[] = [];
    for (const key of layer) {
      code.decode(key, life);
      check(life);
      look(life, depth, sights);
      forEachStep(life, next, (after) => {
        const found = code.encode(after);
        if (known.has(found)) return;
        known.add(found);
        coming.push(found);
      });
    }
    if (coming.length === 0) return { rules, states: known.size, depth, sights };
    layer = coming;
    depth++;
  }
}

function look(life: Life, depth: number, sights: Map<string, Sight>): void {
  if (life.slots.entries[0] === 0) return;
  const key = nameOf(life);
  let sight = sights.get(key);
  if (sight === undefined) {
    sight = describe(life);
    sights.set(key, sight);
  }
  if (life.slots.maybeMappedShared(0) === 1) {
    if (sight.stepsToYes < 0) sight.stepsToYes = depth;
  } else if (sight.stepsToNo < 0) sight.stepsToNo = depth;
}

function isHeadExclusive(life: Life): boolean {
  if ((life.exclusive & 1) === 0) return false;
  return life.present.some((mask) => (mask & 1) !== 0) || life.leaf.includes(1);
}

/** The entries of each mm, page by page, and the head's flag: "1101 0100 exclusive". */
function nameOf(life: Life): string {
  const { mms, views } = life.rules;
  const names: string[] = [];
  for (let mm = 0; mm < mms; mm++) {
    if (!life.isMapping(mm)) continue;
    const counts = Array.from({ length: life.rules.pages }, (_, page) => {
      let count = 0;
      for (let view = mm * views; view < (mm + 1) * views; view++) count += (life.present[view] >>> page) & 1;
      return count;
    });
    let leaves = 0;
    for (let view = mm * views; view < (mm + 1) * views; view++) leaves += life.leaf[view];
    names.push(`${counts.join("")}${leaves > 0 ? `+${leaves}` : ""}`);
  }
  names.sort();
  if (isHeadExclusive(life)) names.push("exclusive");
  return names.join(" ");
}

function describe(life: Life): Sight {
  const { mms, pages } = life.rules;
  const pmdEntries = life.leaf.reduce((sum, leaf) => sum + leaf, 0);
  const entries = life.slots.entries[0];
  const anyPage = life.present.reduce((mask, present) => mask | present, pmdEntries > 0 ? life.all : 0);
  let mmCount = 0;
  for (let mm = 0; mm < mms; mm++) mmCount += life.isMapping(mm) ? 1 : 0;
  return {
    entries,
    pmdEntries,
    mappedPages: entries - pmdEntries + pmdEntries * pages,
    mmCount,
    pagesMapped: bitCount(anyPage),
    headExclusive: isHeadExclusive(life),
    stepsToNo: -1,
    stepsToYes: -1,
  };
}

/** The sights as a capture's columns, in the map's order. A folio with PMD entries passes for one of 512 pages. */
export function columnsOf({ rules, sights }: LivesFound): FolioColumns {
  const folios = new FolioColumns(sights.size);
  const kind = rules.kind === "anon" ? KIND_ANON : KIND_FILE;
  for (const sight of sights.values()) {
    const order = rules.pmd ? HPAGE_PMD_ORDER : Math.ceil(Math.log2(rules.pages));
    const row = folios.append(0, order, kind, sight.headExclusive);
    folios.entries[row] = sight.entries;
    folios.pmdEntries[row] = sight.pmdEntries;
    folios.mappedPages[row] = sight.mappedPages;
    folios.mmCount[row] = sight.mmCount;
    folios.pagesMapped[row] = sight.pagesMapped;
  }
  return folios;
}

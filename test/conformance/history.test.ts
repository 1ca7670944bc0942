/**
 * What a capture cannot know of mm-owner's shared bit, settled by trying every life of a small folio (docs/history.md).
 *
 * For every sight, a set of page tables with the head's flag as a capture sees them, the values that some history leaves
 * must be exactly the answer of sharedAtRest: no value too few (that would be a guess) and none too many.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { EITHER, NO, YES } from "../../src/schemes/index.ts";
import { sharedAtRest } from "../../src/schemes/owner-slots.ts";
import { checkTable, formatTable } from "./doc-table.ts";
import type { Life, LifeRules } from "./folio-life.ts";
import { type LivesFound, type Sight, columnsOf, searchLives } from "./life-search.ts";
import { slotComplaint } from "./slot-invariants.ts";

const ANON: Omit<LifeRules, "name" | "pages" | "mms"> = {
  kind: "anon",
  views: 1,
  pmd: false,
  partialForks: false,
  movable: false,
};

const WHOLE_FORKS: LifeRules = { ...ANON, name: "anonymous, whole forks", pages: 4, mms: 4 };
const PARTIAL_FORKS: LifeRules = { ...ANON, name: "anonymous, partial forks", pages: 4, mms: 3, partialForks: true };
const MOVED: LifeRules = {
  ...ANON,
  name: "anonymous, whole forks, swap and migration",
  pages: 3,
  mms: 3,
  movable: true,
};
const MOVED_FOUR: LifeRules = { ...MOVED, name: "the same, four address spaces", pages: 2, mms: 4 };
const PARTIAL_AND_MOVED: LifeRules = {
  ...ANON,
  name: "anonymous, partial forks, swap and migration",
  pages: 2,
  mms: 4,
  partialForks: true,
  movable: true,
};
const UNDER_PMD: LifeRules = { ...ANON, name: "anonymous, PMD-mapped at first", pages: 4, mms: 3, pmd: true };
const FILE: LifeRules = { ...ANON, name: "file or shmem", kind: "file", pages: 4, mms: 3 };
const FILE_TWICE: LifeRules = {
  ...ANON,
  name: "file or shmem, two VMAs each, PMD entries",
  kind: "file",
  pages: 2,
  mms: 3,
  views: 2,
  pmd: true,
};

const ALL = [WHOLE_FORKS, PARTIAL_FORKS, MOVED, MOVED_FOUR, PARTIAL_AND_MOVED, UNDER_PMD, FILE, FILE_TWICE];
/** The one search in which sharedAtRest says less than the truth, on purpose. */
const WITHOUT_EXCEPTION = ALL.filter((rules) => rules !== PARTIAL_AND_MOVED);

const found = new Map<LifeRules, LivesFound>();
const complaints: string[] = [];

beforeAll(() => {
  for (const rules of ALL) {
    found.set(
      rules,
      searchLives(rules, (life) => {
        const complaint = slotComplaint(life.slots, 0, life.entriesOfMms()) ?? exclusiveComplaint(life);
        if (complaint !== undefined && complaints.length < 10) complaints.push(`${rules.name}: ${complaint}`);
      }),
    );
  }
});

/** An exclusive mapped page has one entry in the whole system (kernel-facts 1.6 and 8). */
function exclusiveComplaint(life: Life): string | undefined {
  if (life.rules.kind === "file") return undefined;
  const leaves = life.leaf.reduce((sum, leaf) => sum + leaf, 0);
  for (let page = 0; page < life.rules.pages; page++) {
    if (((life.exclusive >>> (leaves > 0 ? 0 : page)) & 1) === 0) continue;
    const entries = life.present.reduce((sum, mask) => sum + ((mask >>> page) & 1), leaves);
    if (entries > 1) return `page ${page} is exclusive and has ${entries} entries`;
  }
  return undefined;
}

/** The values that histories leave, as an answer. */
function answerOf(sight: Sight): number {
  if (sight.stepsToNo < 0) return YES;
  return sight.stepsToYes < 0 ? NO : EITHER;
}

/** Names of sights where sharedAtRest is not the set of values found. */
function differingSights(lives: LivesFound): string[] {
  const columns = columnsOf(lives);
  return [...lives.sights].flatMap(([name, sight], row) =>
    sharedAtRest(columns, row) === answerOf(sight) ? [] : [name],
  );
}

/** The cases of sharedAtRest, in the order of docs/history.md. */
const CASES: readonly { readonly name: string; readonly holds: (sight: Sight) => boolean }[] = [
  { name: "two or more address spaces", holds: (sight) => sight.mmCount >= 2 },
  { name: "one entry", holds: (sight) => sight.entries === 1 },
  {
    name: "one address space, several entries, head exclusive",
    holds: (sight) => sight.mmCount === 1 && sight.entries > 1 && sight.headExclusive,
  },
  {
    name: "one address space, several entries, otherwise",
    holds: (sight) => sight.mmCount === 1 && sight.entries > 1 && !sight.headExclusive,
  },
];

function sightsOf(rules: LifeRules, name: string): Sight[] {
  const holds = CASES.find((each) => each.name === name)!.holds;
  return [...found.get(rules)!.sights.values()].filter((sight) => holds(sight));
}

describe("every value that some history leaves is in sharedAtRest's answer, and no other", () => {
  test.each(WITHOUT_EXCEPTION)("$name: $pages pages, $mms address spaces", (rules) => {
    expect(differingSights(found.get(rules)!)).toEqual([]);
  });

  test("partial forks and moving together: but for the one exception", () => {
    const lives = found.get(PARTIAL_AND_MOVED)!;
    const exceptions = differingSights(lives).map((name) => lives.sights.get(name)!);
    expect(exceptions).toEqual(sightsOf(PARTIAL_AND_MOVED, "one address space, several entries, head exclusive"));
    expect(exceptions.map((sight) => answerOf(sight))).toEqual([EITHER]);
  });
});

describe("no case is true by emptiness", () => {
  test.each(CASES.map(({ name }) => name))("%s", (name) => {
    const searches = name.endsWith("head exclusive") ? [WHOLE_FORKS, PARTIAL_FORKS, MOVED] : [WHOLE_FORKS, MOVED, FILE];
    for (const rules of [...searches, UNDER_PMD]) expect(sightsOf(rules, name).length).toBeGreaterThan(0);
  });

  test("two address spaces of which one has the head exclusively need a partial fork", () => {
    const isMixed = (sight: Sight): boolean => sight.mmCount >= 2 && sight.headExclusive;
    expect([...found.get(PARTIAL_FORKS)!.sights.values()].filter(isMixed).length).toBeGreaterThan(0);
    for (const rules of [WHOLE_FORKS, MOVED, MOVED_FOUR]) {
      expect([...found.get(rules)!.sights.values()].filter(isMixed)).toEqual([]);
    }
  });
});

test("in every state of every search the slots keep their invariants, and exclusive pages have one entry", () => {
  expect(complaints).toEqual([]);
});

describe("docs/history.md tells what was found", () => {
  test("the searches", () => {
    const rows = ALL.map((rules) => {
      const { states, depth, sights } = found.get(rules)!;
      return [rules.name, rules.pages, rules.mms, states, sights.size, depth];
    });
    const table = formatTable(["lives", "pages", "address spaces", "states", "sights", "longest history"], rows);
    checkTable("history.md", "searches", table);
  });

  test("the shortest histories", () => {
    const rows = CASES.flatMap(({ name }) =>
      [WHOLE_FORKS, PARTIAL_AND_MOVED, UNDER_PMD, FILE].flatMap((rules) => {
        const sights = sightsOf(rules, name);
        if (sights.length === 0) return [];
        return [[name, rules.name, shortest(sights, "stepsToNo"), shortest(sights, "stepsToYes")]];
      }),
    );
    const table = formatTable(["what the capture sees", "lives", 'steps to "not shared"', 'steps to "shared"'], rows);
    checkTable("history.md", "shortest", table);
  });
});

function shortest(sights: readonly Sight[], value: "stepsToNo" | "stepsToYes"): string {
  const steps = sights.map((sight) => sight[value]).filter((each) => each >= 0);
  return steps.length === 0 ? "none" : String(Math.min(...steps));
}

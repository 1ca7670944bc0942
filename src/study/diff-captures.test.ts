/** Comparing captures: two small machines against one look at every page, and what must hold of any two. */
import * as fc from "fast-check";
import { afterAll, beforeEach, expect, test } from "vitest";
import { captureSmallMachine } from "../../test/figures/fake-capture.ts";
import { WordFiles } from "../../test/figures/fake-proc.ts";
import { machineOf, machineRecipes, mapPages } from "../../test/figures/machine-recipes.ts";
import { slowFigures } from "../../test/figures/slow-figures.ts";
import { type SmallMachine, buildMachine } from "../../test/figures/small-machine.ts";
import type { Capture, CapturedProcess } from "../capture/index.ts";
import { SCHEMES } from "../schemes/index.ts";
import { type CaptureSide, commonScheme, readSide } from "./capture-side.ts";
import {
  type CaptureDiff,
  type DiffOptions,
  type GroupChange,
  type GroupPresence,
  diffCaptures,
} from "./diff-captures.ts";
import {
  FIGURE_KEYS,
  type MemoryFigures,
  NO_FIGURES,
  changeBytes,
  isBeyond,
  rangeOf,
  sumFigures,
} from "./diff-figures.ts";
import { MAPPING_KEYS, type MappingChange } from "./diff-mappings.ts";
import { GROUP_KEYS, type GroupKey } from "./mm-groups.ts";

const files = new WordFiles();
beforeEach(() => files.reuse());
afterAll(() => files.close());

const PLAIN = { threads: 1, shuffle: [0], templates: false };
const SHOWN = SCHEMES.filter(({ id }) => ["page", "mm-owner", "sums"].includes(id));
const NAMES = ["", "/lib/a", "/lib/b", "[heap]"];

/** How a capture's processes and mappings are called: what matching goes by. */
interface Naming {
  /** Added to every pid. */
  readonly pids: number;
  readonly names: readonly string[];
  readonly users: readonly string[];
  readonly bootId: string;
}

const namings: fc.Arbitrary<Naming> = fc.record({
  pids: fc.constantFrom(0, 0, 1),
  names: fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 3 }),
  users: fc.array(fc.constantFrom("root", "guest"), { minLength: 1, maxLength: 2 }),
  bootId: fc.constantFrom("one", "one", "two"),
});
const NAMED: Naming = { pids: 0, names: ["a", "b"], users: ["root"], bootId: "one" };

async function sideOf(machine: SmallMachine, naming: Naming): Promise<CaptureSide> {
  files.reuse();
  const capture = await captureSmallMachine(machine, files, PLAIN);
  return readSide(named(capture, naming), SHOWN);
}

function named(capture: Capture, { pids, names, users, bootId }: Naming): Capture {
  const processes = capture.processes.map((process): CapturedProcess => {
    const name = names[process.mm % names.length];
    const userName = users[process.mm % users.length];
    return { ...process, pid: process.pid + pids, name, command: `${name} -x`, userName, cgroup: `/${name}` };
  });
  const vmas = capture.vmas.map((vma, row) => ({ ...vma, name: NAMES[row % NAMES.length] }));
  return { ...capture, processes, vmas, machine: { ...capture.machine, bootId } };
}

const EXACT = { percent: 0, bytes: 0 };

function compare(a: CaptureSide, b: CaptureSide, more: Partial<DiffOptions> = {}): CaptureDiff {
  return diffCaptures({
    a: { side: a, source: "a", scheme: "page" },
    b: { side: b, source: "b", scheme: "page" },
    by: "process",
    mappingsBy: "address",
    tolerance: EXACT,
    ...more,
  });
}

test("a capture does not differ from itself, however its processes are taken together", async () => {
  await fc.assert(
    fc.asyncProperty(machineRecipes, namings, async (recipe, naming) => {
      const [a, b] = [await sideOf(buildMachine(recipe), naming), await sideOf(buildMachine(recipe), naming)];
      for (const by of GROUP_KEYS) {
        const diff = compare(a, b, { by });
        expect(diff.differing).toBe(0);
        for (const group of diff.groups) {
          expect(group).toMatchObject({ presence: "both", differs: false, mappings: [] });
          expect(changeBytes(group.a, group.b)).toBe(0);
        }
        expect(diff.totals.a).toEqual(diff.totals.b);
        for (const { a: one, b: other } of [...diff.accounts, ...diff.machine, ...diff.folios])
          expect(one).toEqual(other);
      }
    }),
    { numRuns: 25 },
  );
});

const TURNED: Readonly<Record<GroupPresence, GroupPresence>> = {
  both: "both",
  "only-a": "only-b",
  "only-b": "only-a",
  "unread-a": "unread-b",
  "unread-b": "unread-a",
};

const asText = (values: readonly unknown[]): string[] => values.map((value) => JSON.stringify(value)).toSorted();

/** A comparison as the other one should be. Names of single processes are those of one side. */
function turned(groups: readonly GroupChange[], turn: boolean): string[] {
  return asText(
    groups.map(({ presence, processes, a, b, differs, mappings }) => {
      const change = ({ name, vmas, place, a: one, b: other }: MappingChange): unknown =>
        turn
          ? [name, vmas.b, vmas.a, place?.b, place?.a, other, one]
          : [name, vmas.a, vmas.b, place?.a, place?.b, one, other];
      const sides = turn ? [processes.b, processes.a, b, a] : [processes.a, processes.b, a, b];
      return [turn ? TURNED[presence] : presence, differs, sides, asText(mappings.map(change))];
    }),
  );
}

/** The largest change comes first. */
function expectFalling(changes: readonly Pick<GroupChange, "a" | "b">[]): void {
  const sizes = changes.map(({ a, b }) => changeBytes(a, b));
  expect(sizes).toEqual(sizes.toSorted((one, other) => other - one));
}

test("the comparison of B with A is that of A with B with its signs turned", async () => {
  let alone = 0;
  let moved = 0;
  await fc.assert(
    fc.asyncProperty(
      machineRecipes,
      machineRecipes,
      namings,
      namings,
      fc.constantFrom(...GROUP_KEYS),
      fc.constantFrom(...MAPPING_KEYS),
      async (recipeA, recipeB, namingA, namingB, by, mappingsBy) => {
        const a = await sideOf(buildMachine(recipeA), namingA);
        const b = await sideOf(buildMachine(recipeB), namingB);
        const [there, back] = [compare(a, b, { by, mappingsBy }), compare(b, a, { by, mappingsBy })];
        expect(turned(back.groups, true)).toEqual(turned(there.groups, false));
        expect(back.differing).toBe(there.differing);
        expect([back.totals.b, back.totals.a]).toEqual([there.totals.a, there.totals.b]);
        expectFalling(there.groups);
        for (const { mappings } of there.groups) expectFalling(mappings);
        const orders = there.folios.map(({ order }) => order);
        expect(orders).toEqual(orders.toSorted((one, other) => one - other));
        alone += there.groups.filter(({ presence }) => presence !== "both").length;
        moved += there.groups.filter(({ mappings }) => mappings.length > 0).length;
      },
    ),
    { numRuns: 40 },
  );
  expect({ alone: alone > 0, moved: moved > 0 }).toEqual({ alone: true, moved: true });
});

/** The processes of a machine that count, page by page. */
function slowTotals(machine: SmallMachine): Partial<MemoryFigures> {
  const { processes } = slowFigures(machine);
  const of = (pick: (sums: (typeof processes)[number]) => number): number =>
    processes.reduce((sum, each, index) => sum + (machine.processes[index].ended ? 0 : pick(each)), 0);
  const least = of(({ schemes }) => schemes.page.privateLeast) * 4096;
  return {
    rssBytes: of(({ rss }) => rss) * 4096,
    rssAnonBytes: of(({ anon }) => anon) * 4096,
    swapBytes: of(({ swap }) => swap) * 4096,
    hugetlbBytes: of(({ hugetlb }) => hugetlb) * 4096,
    pssBytes: of(({ schemes }) => Math.floor(schemes.page.pss / 4096)),
    ussBytes: { least, most: of(({ schemes }) => schemes.page.privateMost) * 4096 },
  };
}

test("however processes are matched or taken together, groups add up to what is there page by page", async () => {
  await fc.assert(
    fc.asyncProperty(machineRecipes, machineRecipes, namings, namings, async (recipeA, recipeB, namingA, namingB) => {
      const machines = [buildMachine(recipeA), buildMachine(recipeB)];
      const [a, b] = [await sideOf(machines[0], namingA), await sideOf(machines[1], namingB)];
      for (const by of GROUP_KEYS) {
        const { totals, groups } = compare(a, b, { by });
        expect(totals.a).toMatchObject(slowTotals(machines[0]));
        expect(totals.b).toMatchObject(slowTotals(machines[1]));
        for (const group of groups) checkMappings(group);
        for (const group of compare(a, b, { by, mappingsBy: "name" }).groups) checkMappings(group);
      }
    }),
    { numRuns: 25 },
  );
});

/** The mappings that changed account for the change of their group; Pss but for fractions of a byte a mapping. */
function checkMappings({ presence, a, b, mappings }: GroupChange): void {
  if (presence !== "both") {
    expect(mappings).toEqual([]);
    return;
  }
  for (const key of FIGURE_KEYS) {
    const change = (of: Pick<GroupChange, "a" | "b">): number =>
      (of.b === null ? 0 : rangeOf(of.b, key).most) - (of.a === null ? 0 : rangeOf(of.a, key).most);
    const sum = mappings.reduce((all, mapping) => all + change(mapping), 0);
    // One fraction a mapping and process of either side, of which a small machine has few.
    const slack = key === "pssBytes" ? 64 : 0;
    expect(Math.abs(sum - change({ a, b }))).toBeLessThanOrEqual(slack);
  }
}

test("accounts add up to MemTotal on both sides, under any scheme", async () => {
  await fc.assert(
    fc.asyncProperty(machineRecipes, machineRecipes, async (recipeA, recipeB) => {
      const [a, b] = [await sideOf(buildMachine(recipeA), NAMED), await sideOf(buildMachine(recipeB), NAMED)];
      const { accounts } = compare(a, b, { b: { side: b, source: "b", scheme: "mm-owner" } });
      const sum = (side: "a" | "b"): number => accounts.reduce((all, each) => all + (each[side]?.least ?? 0), 0);
      expect([sum("a"), sum("b")]).toEqual([a.report.machine.memTotalBytes, b.report.machine.memTotalBytes]);
      const [processes] = accounts;
      expect(processes.a?.least).toBe(a.report.figures["page"].pssBytes);
      expect(processes.b?.least).toBe(b.report.figures["mm-owner"].pssBytes);
    }),
    { numRuns: 20 },
  );
});

const figuresWith = (rssBytes: number): MemoryFigures => ({ ...NO_FIGURES, rssBytes });

/** A process that maps all of a folio of four pages, and others that map the first pages of it. */
function machineMapping(...pages: readonly number[]): SmallMachine {
  const processes = [4, ...pages].map((mapped) => ({
    like: null,
    base: 512,
    ended: false,
    vmas: [{ gap: 0, shared: false, pieces: [mapPages(0, mapped)] }],
  }));
  return buildMachine(machineOf([{ order: 2, kind: "anon" }], [], { processes }));
}

test("under two schemes only what depends on the count differs, and each figure is the report's", async () => {
  const side = await sideOf(machineMapping(1), NAMED);
  const diff = compare(side, side, { b: { side, source: "a", scheme: "mm-owner" } });
  expect(diff.matching).toBe("one-capture");
  expect(diff.differing).toBe(2);
  for (const { processes, a, b } of diff.groups) {
    const report = side.report.processes.find(({ pid }) => pid === processes.a[0].pid);
    expect([a?.pssBytes, b?.pssBytes]).toEqual([report?.schemes.page.pssBytes, report?.schemes["mm-owner"].pssBytes]);
    expect([a?.ussBytes, b?.ussBytes]).toEqual([report?.schemes.page.ussBytes, report?.schemes["mm-owner"].ussBytes]);
    expect(a?.rssBytes).toBe(b?.rssBytes);
    expect(report?.rssBytes).toBe(b?.rssBytes);
  }
});

const withBoot = (side: CaptureSide, bootId: string): CaptureSide => ({
  ...side,
  scope: { ...side.scope, machine: { ...side.scope.machine, bootId } },
});

test("a process that one side could not read is no difference and nobody's gain", async () => {
  const [a, b] = [await sideOf(machineMapping(2), NAMED), await sideOf(machineMapping(2), NAMED)];
  const refused = b.processes.map((process, row): CapturedProcess =>
    row === 1 ? { ...process, state: "refused" } : process,
  );
  const diff = compare(a, { ...b, processes: refused });
  expect(diff.groups.map(({ presence, differs }) => [presence, differs])).toEqual(
    expect.arrayContaining([
      ["unread-b", false],
      ["both", false],
    ]),
  );
});

test("a program of which one side could not read anything has neither come nor gone", async () => {
  const [a, b] = [await sideOf(machineMapping(2), NAMED), await sideOf(machineMapping(2), NAMED)];
  const withoutB = (states: readonly CapturedProcess["state"][]): CaptureSide => ({
    ...b,
    processes: b.processes.flatMap((process): CapturedProcess[] =>
      process.name === "b" ? states.map((state) => ({ ...process, state })) : [process],
    ),
  });
  const presencesOf = (diff: CaptureDiff): unknown =>
    Object.fromEntries(
      diff.groups.map(({ name, presence, differs, processes }) => [name, [presence, differs, processes.b.length]]),
    );
  const same = ["both", false, 1];
  expect(presencesOf(compare(a, withoutB(["refused"]), { by: "program" }))).toEqual({
    a: same,
    b: ["unread-b", false, 0],
  });
  expect(presencesOf(compare(a, withoutB([]), { by: "program" }))).toEqual({ a: same, b: ["only-a", true, 0] });
});

test("what a capture of chosen processes lacks beside one of the whole machine is unread, beside another it went", async () => {
  const [whole, other] = [await sideOf(machineMapping(2), NAMED), await sideOf(machineMapping(2), NAMED)];
  const choice = (side: CaptureSide): CaptureSide => ({ ...side, scope: { ...side.scope, wholeMachine: false } });
  const one = { ...choice(other), processes: other.processes.slice(0, 1) };
  const presences = ({ groups }: CaptureDiff): Set<string> =>
    new Set(groups.map(({ presence, differs }) => `${presence} ${differs}`));
  expect(presences(compare(whole, one))).toEqual(new Set(["both false", "unread-b false"]));
  expect(presences(compare(one, whole))).toEqual(new Set(["both false", "unread-a false"]));
  expect(presences(compare(choice(whole), one))).toEqual(new Set(["both false", "only-a true"]));
  expect(presences(compare(one, choice(whole)))).toEqual(new Set(["both false", "only-b true"]));
});

test("a change by exactly the percentage is within it, whatever its decimals, and a byte more is not", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9999 }),
      fc.integer({ min: 1, max: 1000 }),
      fc.boolean(),
      (cents, pages, grows) => {
        const from = figuresWith(pages * 10_000 * 4096);
        const change = cents * pages * 4096;
        const to = (more: number): MemoryFigures =>
          figuresWith(from.rssBytes + (grows ? change + more : -change - more));
        const tolerance = { percent: Number.parseFloat((cents / 100).toFixed(2)), bytes: 0 };
        expect(isBeyond(from, to(0), tolerance)).toBe(false);
        expect(isBeyond(from, to(1), tolerance)).toBe(true);
        expect(isBeyond(from, to(0), { percent: 0, bytes: change })).toBe(false);
        expect(isBeyond(from, to(0), { percent: 0, bytes: change - 1 })).toBe(true);
      },
    ),
  );
});

test("either end of a range may differ, and both tolerances have to be passed", () => {
  const ranged = (least: number, most: number): MemoryFigures => ({ ...NO_FIGURES, ussBytes: { least, most } });
  const exact = { percent: 0, bytes: 0 };
  expect(isBeyond(ranged(4096, 8192), ranged(4096, 8192), exact)).toBe(false);
  expect(isBeyond(ranged(4096, 8192), ranged(0, 8192), exact)).toBe(true);
  expect(isBeyond(ranged(4096, 8192), ranged(4096, 12_288), exact)).toBe(true);
  expect(isBeyond(ranged(100, 100), ranged(110, 110), { percent: 5, bytes: 10 })).toBe(false);
  expect(isBeyond(ranged(100, 100), ranged(110, 110), { percent: 10, bytes: 5 })).toBe(false);
  expect(isBeyond(ranged(100, 100), ranged(110, 110), { percent: 5, bytes: 5 })).toBe(true);
});

test("a change within either tolerance is no difference; what A did not have is beyond any percentage", async () => {
  const [a, b] = [await sideOf(machineMapping(2), NAMED), await sideOf(machineMapping(3), NAMED)];
  const differing = (percent: number, bytes: number): number =>
    compare(a, b, { tolerance: { percent, bytes } }).differing;
  expect(differing(0, 0)).toBe(2);
  expect(differing(0, 4096)).toBe(0);
  expect(differing(100, 0)).toBe(0);
  const [less, more] = [machineMapping(), machineMapping(4)];
  const [one, two] = [await sideOf(less, NAMED), await sideOf(more, NAMED)];
  const came = compare(one, two, { tolerance: { percent: 1000, bytes: 0 } });
  expect(came.groups.find(({ presence }) => presence === "only-b")?.differs).toBe(true);
});

test("two kernels that count alike are compared as they count, others page by page", async () => {
  const side = async (config: "page" | "nopage"): Promise<CaptureSide> =>
    sideOf(buildMachine(machineOf([{ order: 2 }], [mapPages(0, 3)], { config })), NAMED);
  const [page, nopage] = [await side("page"), await side("nopage")];
  expect([commonScheme(page, page), commonScheme(nopage, nopage)]).toEqual(["page", "mm-owner"]);
  expect([commonScheme(page, nopage), commonScheme(nopage, page)]).toEqual(["page", "page"]);
});

test("without a boot id pids mean nothing", async () => {
  const [a, b] = [await sideOf(machineMapping(2), NAMED), await sideOf(machineMapping(2), NAMED)];
  const matching = (one: string, other: string): string => compare(withBoot(a, one), withBoot(b, other)).matching;
  expect([matching("one", "one"), matching("one", "two"), matching("", ""), matching("", "one")]).toEqual([
    "pid",
    "command",
    "command",
    "command",
  ]);
});

test("within a boot addresses tell mappings apart, across boots they do not", async () => {
  const [a, b] = [await sideOf(machineMapping(2), NAMED), await sideOf(machineMapping(3), NAMED)];
  const moved = {
    ...b,
    vmas: b.vmas.map((vma) => ({ ...vma, startPage: vma.startPage + 4096, endPage: vma.endPage + 4096, name: "" })),
  };
  const unnamed = { ...a, vmas: a.vmas.map((vma) => ({ ...vma, name: "" })) };
  const pairs = (boot: string): number =>
    compare(unnamed, withBoot(moved, boot))
      .groups.flatMap(({ mappings }) => mappings)
      .filter((each) => each.a !== null && each.b !== null).length;
  expect(pairs("one")).toBe(0);
  expect(pairs("two")).toBeGreaterThan(0);
});

test("a process is looked at if it was asked for on either side, and then on both", async () => {
  const [a, b] = [await sideOf(machineMapping(2), NAMED), await sideOf(machineMapping(2), NAMED)];
  const moved = { ...b, processes: b.processes.map((process) => ({ ...process, cgroup: "/elsewhere" })) };
  const inA = compare(a, moved, { wanted: ({ cgroup }) => cgroup === "/b" });
  const inB = compare(moved, a, { wanted: ({ cgroup }) => cgroup === "/b" });
  for (const { groups } of [inA, inB]) expect(groups.map(({ presence }) => presence)).toEqual(["both"]);
  // Taken together, only those that are in the group count.
  const together = compare(a, moved, { by: "program", wanted: ({ cgroup }) => cgroup === "/b" });
  expect(together.groups.map(({ presence }) => presence)).toEqual(["only-a"]);
});

test("only the processes asked for count, on both sides", async () => {
  const [a, b] = [await sideOf(machineMapping(2), NAMED), await sideOf(machineMapping(3), NAMED)];
  const bys: readonly GroupKey[] = ["process", "program"];
  for (const by of bys) {
    const { groups, totals } = compare(a, b, { by, wanted: ({ name }) => name === "b" });
    expect(groups).toHaveLength(1);
    expect(totals.b).toEqual(sumFigures(groups.map((group) => group.b ?? expect.fail())));
    expect(totals.b.rssBytes - totals.a.rssBytes).toBe(4096);
  }
});

/** What the text of a comparison says, and that it adds up, on made-up comparisons. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { CaptureDiff, DiffScope, GroupChange, MemoryFigures } from "../study/index.ts";
import { formatDiffText } from "./diff-text.ts";
import { type DiffSelection, selectDiff } from "./select-diff.ts";
import { PLAIN_STYLES } from "./styles.ts";

const ALL: DiffSelection = { sort: "change", top: Infinity, atLeastBytes: 0 };

const scope = (source: string, more: Partial<DiffScope["machine"]> = {}): DiffScope => ({
  source,
  scheme: "page",
  derived: false,
  wholeMachine: true,
  machine: {
    kernelRelease: "6.18.0",
    architecture: "x64",
    mapcountConfig: "page",
    pageSizeBytes: 4096,
    beganAtMs: 0,
    endedAtMs: 1000,
    bootId: "one",
    ...more,
  },
  coverage: {
    processesRead: 2,
    processesRefused: 0,
    processesEnded: 0,
    framesChecked: 0,
    everyFrameChecked: true,
    framesDifferAfterSecondLook: 0,
    framesCountedMoreByKernel: 0,
    checkRefusal: null,
  },
});

/** Figures of a process that maps so much anonymous memory of its own, in bytes. */
const figuresOf = (bytes: number, more: Partial<MemoryFigures> = {}): MemoryFigures => ({
  pssBytes: bytes,
  ussBytes: { least: bytes, most: bytes },
  rssBytes: bytes,
  rssAnonBytes: bytes,
  rssFileBytes: 0,
  rssShmemBytes: 0,
  swapBytes: 0,
  hugetlbBytes: 0,
  pmdMappedBytes: 0,
  ...more,
});

const groupOf = (pid: number, a: MemoryFigures | null, b: MemoryFigures | null, command = "cat"): GroupChange => {
  const process = { pid, name: "cat", command, user: "root", cgroup: "/" };
  return {
    name: `${pid} cat`,
    presence: a === null ? "only-b" : b === null ? "only-a" : "both",
    processes: { a: a === null ? [] : [process], b: b === null ? [] : [process] },
    a,
    b,
    differs: true,
    mappings: [],
  };
};

const NOTHING = figuresOf(0);

const diffOf = (groups: readonly GroupChange[], more: Partial<CaptureDiff> = {}): CaptureDiff => ({
  schema: "foliometer-diff",
  version: 1,
  by: "process",
  a: scope("old"),
  b: scope("new"),
  matching: "pid",
  tolerance: { percent: 0, bytes: 0 },
  differing: groups.length,
  groups,
  leftOut: { groups: 0, a: NOTHING, b: NOTHING },
  totals: { a: NOTHING, b: NOTHING },
  accounts: [],
  machine: [],
  folios: [],
  notes: [],
  ...more,
});

const textOf = async (diff: CaptureDiff, selection: Partial<DiffSelection> = {}, width = Infinity): Promise<string> =>
  formatDiffText(diff, { selection: { ...ALL, ...selection }, width, styles: PLAIN_STYLES });

/** Numbers of the table of groups: by line, those above the dashes and those below. */
function tableOf(text: string): { readonly rows: number[][]; readonly sums: number[][] } {
  const block = text.split("\n\n").find((each) => each.startsWith("What changed, by")) ?? expect.fail(text);
  const lines = block.split("\n").slice(3);
  const dashes = lines.findIndex((line) => /^-+$/.test(line));
  const numbers = (line: string): number[] =>
    (line.match(/[-+]?[0-9][0-9,]*\??(?=\s|$)/g) ?? []).map((word) => Number(word.replaceAll(/[,?]/g, ""))).slice(-9);
  return { rows: lines.slice(0, dashes).map(numbers), sums: lines.slice(dashes + 1).map(numbers) };
}

const changes = fc.array(fc.tuple(fc.nat(10_000_000), fc.nat(10_000_000)), { minLength: 1, maxLength: 12 });

test("whatever is listed, rows add up to sums, and A plus the change is B", async () => {
  await fc.assert(
    fc.asyncProperty(changes, fc.nat(5), fc.nat(3_000_000), async (pairs, top, atLeastBytes) => {
      const groups = pairs.map(([a, b], index) => groupOf(100 + index, figuresOf(a), figuresOf(b)));
      fc.pre(pairs.some(([a, b]) => a !== b && Math.abs(b - a) >= atLeastBytes) && top > 0);
      const { rows, sums } = tableOf(await textOf(diffOf(groups), { top, atLeastBytes }));
      for (const line of [...rows, ...sums]) {
        expect(line).toHaveLength(9);
        for (const at of [0, 3, 6]) expect(line[at] + line[at + 2]).toBe(line[at + 1]);
      }
      const total = sums.at(-1) ?? [];
      for (const [at, sum] of total.entries()) {
        expect([...rows, ...sums.slice(0, -1)].reduce((all, line) => all + line[at], 0)).toBe(sum);
      }
      const floors = pairs.reduce((all, [, b]) => all + Math.floor(b / 1024), 0);
      expect(total[1]).toBe(floors);
    }),
  );
});

test("what is left out of JSON is summed", () => {
  const groups = [groupOf(1, figuresOf(0), figuresOf(8192)), groupOf(2, figuresOf(4096), figuresOf(4096))];
  const { groups: listed, leftOut } = selectDiff(diffOf(groups), ALL);
  expect(listed).toEqual([groups[0]]);
  expect(leftOut).toEqual({ groups: 1, a: figuresOf(4096), b: figuresOf(4096) });
});

test("who came, who went and who could not be read is said", async () => {
  const unread: GroupChange = { ...groupOf(3, figuresOf(4096), null), presence: "unread-b", differs: false };
  const text = await textOf(diffOf([groupOf(1, null, figuresOf(4096)), groupOf(2, figuresOf(4096), null), unread]));
  expect(text).toMatch(/^came +1 {2}root/m);
  expect(text).toMatch(/^went +2 {2}root/m);
  expect(text).toMatch(/^unread B +3 {2}root/m);
  expect(text).toContain("unread: that side could not read the process");
});

test("nothing that changed is one sentence and no table", async () => {
  const same = groupOf(1, figuresOf(4096), figuresOf(4096));
  const text = await textOf(diffOf([same], { differing: 0, tolerance: { percent: 5, bytes: 2048 } }));
  expect(text).toContain("The same: none of 1 process differs by more than 5% and 2 kB.");
  expect(text).not.toContain("What changed");
});

test("kernels that count differently, other machines and other schemes are named", async () => {
  const groups = [groupOf(1, figuresOf(0), figuresOf(4096))];
  const other = scope("new", { mapcountConfig: "nopage", architecture: "arm64", beganAtMs: 7_200_000, bootId: "two" });
  const text = await textOf(diffOf(groups, { matching: "command", b: { ...other, derived: true } }));
  expect(text).toContain("Two boots or two machines, B is 120 min 0 s after A");
  expect(text).toContain("The two kernels count differently (A: page, B: nopage)");
  expect(text).toContain("of different architectures");
  expect(text).toMatch(/ 0 +~4 +\+4 /);
  expect(text).toContain("~ not what the captured kernel prints");
});

test("a figure that depends on history is marked, and its least end adds up", async () => {
  const ranged = figuresOf(8192, { ussBytes: { least: 4096, most: 8192 } });
  const text = await textOf(diffOf([groupOf(1, figuresOf(8192), ranged), groupOf(2, figuresOf(0), figuresOf(4096))]));
  expect(text).toMatch(/ 8 +4\? +-4\? /);
  expect(text).toContain("? depends on the past of folios");
  expect(tableOf(text).sums.at(-1)?.slice(3, 6)).toEqual([8, 8, 0]);
});

test("commands cannot move the cursor, and no line is wider than the terminal", async () => {
  const groups = [groupOf(1, figuresOf(0), figuresOf(123_456_789), "\u001b[2Jevil\u202e name ".repeat(9))];
  for (const width of [40, 80, 132]) {
    const text = await textOf(diffOf(groups), {}, width);
    for (const control of ["\u001b", "\u202e"]) expect(text).not.toContain(control);
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(width);
  }
});

test("accounts add up to MemTotal in whole kB on both sides", async () => {
  const exactly = (bytes: number) => ({ least: bytes, most: bytes });
  const account = (label: string, origin: "measured" | "derived" | "rest", a: number, b: number) => ({
    label,
    unit: "bytes" as const,
    origin,
    a: exactly(a),
    b: exactly(b),
  });
  const accounts = [
    account("processes", "derived", 5000, 9000),
    account("slab", "measured", 1500, 1500),
    account("rest", "rest", 102_400 - 6500, 102_400 - 10_500),
  ];
  const text = await textOf(diffOf([groupOf(1, figuresOf(5000), figuresOf(9000))], { accounts }));
  const block = text.split("\n\n").find((each) => each.startsWith("What memory is used for")) ?? expect.fail(text);
  const lines = block.split("\n").map((line) => line.match(/[-+]?[0-9]+/g)?.map(Number) ?? []);
  expect(lines.filter(({ length }) => length === 3)).toEqual([
    [4, 8, 4],
    [1, 1, 0],
    [95, 91, -4],
    [100, 100, 0],
  ]);
});

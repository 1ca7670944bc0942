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

test("mappings that changed by less than --at-least, or beyond --top, are counted and their change is in the sum", async () => {
  const mapping = (name: string, bytes: number): GroupChange["mappings"][number] => ({
    name,
    vmas: { a: 1, b: 1 },
    place: null,
    a: NOTHING,
    b: figuresOf(bytes),
  });
  const mappings = [mapping("/lib/x", 8192), mapping("/lib/y", 4096), mapping("/lib/z", 3072)];
  const group = { ...groupOf(1, figuresOf(4096), figuresOf(4096 + 15_360)), mappings };
  const text = await textOf(diffOf([group]), { atLeastBytes: 4096 });
  expect(text).toMatch(/^ +1 +1 +1 +\/lib\/x +0 +8 +\+8 /m);
  expect(text).toMatch(/^ +1 +1 +1 +\/lib\/y +0 +4 +\+4 /m);
  expect(text).not.toContain("/lib/z");
  expect(text).toMatch(/^ +unchanged, and others \(1\) +4 +7 +\+3 /m);
  expect(await textOf(diffOf([group]), { top: 1 })).toMatch(/^ +unchanged, and others \(2\) +4 +11 +\+7 /m);
  expect(await textOf(diffOf([group]))).toMatch(/^ +unchanged +4 +4 +0 /m);
});

test("a change of exactly --at-least is listed, a byte less is not; who came with nothing has come", () => {
  const mapping = (bytes: number): GroupChange["mappings"][number] => ({
    name: `/lib/${bytes}`,
    vmas: { a: 1, b: 1 },
    place: null,
    a: NOTHING,
    b: figuresOf(bytes),
  });
  const large = { ...groupOf(1, NOTHING, figuresOf(4096)), mappings: [mapping(4096), mapping(4095)] };
  const groups = [large, groupOf(2, NOTHING, figuresOf(4095)), groupOf(3, null, NOTHING)];
  const listed = (atLeastBytes: number): unknown =>
    selectDiff(diffOf(groups), { ...ALL, atLeastBytes }).groups.map(({ name, mappings }) => [name, mappings.length]);
  expect(listed(0)).toEqual([
    ["1 cat", 2],
    ["2 cat", 0],
    ["3 cat", 0],
  ]);
  expect(listed(4096)).toEqual([["1 cat", 1]]);
  expect(listed(4097)).toEqual([]);
});

test("who came, who went and who could not be read is said", async () => {
  const unread: GroupChange = { ...groupOf(3, figuresOf(4096), null), presence: "unread-b", differs: false };
  const text = await textOf(diffOf([groupOf(1, null, figuresOf(4096)), groupOf(2, figuresOf(4096), null), unread]));
  expect(text).toMatch(/^came +1 {2}root/m);
  expect(text).toMatch(/^went +2 {2}root/m);
  expect(text).toMatch(/^unread B +3 {2}root/m);
  expect(text).toContain("unread: that side could not or was not to read the process");
  expect(text).not.toContain("PMD");
});

test("one differs, two differ, and chosen processes beside a whole machine are named", async () => {
  const [one, two] = [groupOf(1, NOTHING, figuresOf(4096)), groupOf(2, NOTHING, figuresOf(4096))];
  expect(await textOf(diffOf([one]))).toContain("\n1 of 1 process differs.\n");
  expect(await textOf(diffOf([one, two]))).toContain("\n2 of 2 processes differ.\n");
  const chosen = { ...scope("new"), wholeMachine: false };
  expect(await textOf(diffOf([one], { b: chosen }))).toContain("B holds chosen processes only:");
  expect(await textOf(diffOf([one], { a: chosen }))).toContain("A holds chosen processes only:");
  expect(await textOf(diffOf([one], { a: chosen, b: chosen }))).not.toContain("holds chosen");
});

test("columns of what few have are there if it changed, with their legend", async () => {
  const huge = groupOf(1, figuresOf(4096), figuresOf(4096, { pmdMappedBytes: 2_097_152, swapBytes: 8192 }));
  const text = await textOf(diffOf([huge, groupOf(2, null, figuresOf(4096))]));
  expect(text).toMatch(/ Swap -+ .* PMD -+$/m);
  expect(text).not.toContain("hugetlb");
  expect(text).toContain("PMD: mapped by PMDs.");
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
  // What is there does not depend on how it is counted.
  expect(text).toMatch(/ 0 +~4 +\+4 +0 +~4 +\+4 +0 +4 +\+4$/m);
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

test("of the machine and its folios only what changed is printed, and what one side does not know is not", async () => {
  const figure = (label: string, a: number | null, b: number | null) => {
    const range = (value: number | null) => (value === null ? null : { least: value, most: value });
    return { label, unit: "count" as const, origin: "measured" as const, a: range(a), b: range(b) };
  };
  const folios = (count: number, partial: number) => ({
    order: 9,
    kind: "anon",
    folios: count,
    bytes: count * 2 ** 21,
    mappedBytes: count * 2 ** 21,
    mappedByOne: 1,
    mappedByTwo: count - 1,
    mappedByMore: 0,
    partiallyMapped: partial,
  });
  const text = await textOf(
    diffOf([groupOf(1, NOTHING, figuresOf(4096))], {
      machine: [figure("more", 3, 5), figure("same", 4, 4), figure("unknown", null, 4)],
      folios: [
        { order: 4, kind: "file", a: folios(7, 0), b: folios(7, 0) },
        { order: 9, kind: "anon", a: folios(2, 0), b: folios(2, 1) },
        { order: 9, kind: "shmem", a: null, b: folios(1, 0) },
      ],
    }),
  );
  expect(text).toMatch(/^more +3 +5 +\+2$/m);
  expect(text).not.toMatch(/^(?:same|unknown)/m);
  expect(text).toMatch(/^ +9 +2 MiB +anon +2 +2 +0 +1 +1 +0 +0 +1 +\+1$/m);
  expect(text).toMatch(/^ +9 +2 MiB +shmem +0 +1 +\+1 +0 +1 +\+1 +0 +0 +0$/m);
  expect(text).not.toContain("file");
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

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { madeUpProcess } from "../../test/report/made-up-report.ts";
import type { ProcessReport } from "./capture-report.ts";
import { FIGURE_GROUPS, type FigureGroup, type GroupedFigures, REST, groupFigures } from "./group-figures.ts";

const SCHEMES = ["page", "mm-owner"];

const anyProcess = fc
  .record({
    name: fc.constantFrom("postgres", "redis", "other", "", "a\u0001", "a\u0002", "b\nc"),
    user: fc.constantFrom("root", "other"),
    cgroup: fc.constantFrom("/", "/system.slice", "/system.slice/redis"),
    state: fc.constantFrom<ProcessReport["state"]>("complete", "complete", "complete", "refused", "ended", "shares-mm"),
    rss: fc.nat(9),
    swap: fc.nat(9),
    pss: fc.nat(9),
    uss: fc.nat(9),
  })
  .map(({ pss, uss, ...rest }) => ({ ...rest, page: [pss, { least: uss, most: uss + 1 }] as const }));
const anyProcesses = fc
  .array(anyProcess, { maxLength: 12 })
  .map((given) => given.map((each, index) => madeUpProcess({ ...each, pid: index + 1 })));

function allOf({ groups, rest }: GroupedFigures): readonly FigureGroup[] {
  return rest === undefined ? groups : [...groups, rest];
}

function sumOf(all: readonly FigureGroup[]): readonly number[] {
  const sum = (pick: (group: FigureGroup) => number): number => all.reduce((total, group) => total + pick(group), 0);
  return [
    sum(({ addressSpaces }) => addressSpaces),
    sum(({ figures }) => figures.rssBytes),
    sum(({ figures }) => figures.swapBytes),
    ...SCHEMES.flatMap((id) => [
      sum(({ figures }) => figures.schemes[id].pssBytes),
      sum(({ figures }) => figures.schemes[id].ussBytes.least),
      sum(({ figures }) => figures.schemes[id].ussBytes.most),
    ]),
  ];
}

test("however processes are taken together and however few are kept, the sums are the same", () => {
  fc.assert(
    fc.property(anyProcesses, fc.constantFrom(...FIGURE_GROUPS), fc.nat(5), (processes, by, top) => {
      const read = processes.filter(({ state }) => state === "complete");
      const each = read.map((figures): FigureGroup => ({ labels: {}, figures, addressSpaces: 1, stale: 0 }));
      const grouped = groupFigures({ processes, schemes: SCHEMES }, { by, top });
      expect(sumOf(allOf(grouped))).toEqual(sumOf(each));
      expect(grouped.groups.length).toBeLessThanOrEqual(top);
    }),
  );
});

test("no two groups are called alike, whatever processes call themselves", () => {
  fc.assert(
    fc.property(anyProcesses, fc.constantFrom(...FIGURE_GROUPS), fc.nat(5), (processes, by, top) => {
      const names = allOf(groupFigures({ processes, schemes: SCHEMES }, { by, top })).map(({ labels }) =>
        JSON.stringify(labels),
      );
      expect(new Set(names).size).toBe(names.length);
      for (const name of names) expect(name).not.toMatch(/\\u0001|\\n/);
    }),
  );
});

const THREE = [
  madeUpProcess({ pid: 1, name: "small", page: [10, 0], rss: 30 }),
  madeUpProcess({ pid: 2, name: "large", page: [99, 0], rss: 99 }),
  madeUpProcess({ pid: 3, name: "middle", page: [50, 0], rss: 60 }),
];

test("the largest by Pss are kept, the others are one", () => {
  const { groups, rest, folded } = groupFigures({ processes: THREE, schemes: SCHEMES }, { by: "program", top: 1 });
  expect(groups.map(({ labels }) => labels)).toEqual([{ program: "large" }]);
  expect(rest?.labels).toEqual({ program: REST });
  expect(rest?.figures.rssBytes).toBe(90 * 1024);
  expect(folded).toBe(2);
  expect(groupFigures({ processes: THREE, schemes: SCHEMES }, { by: "program", top: 3 }).rest).toBeUndefined();
});

test("a program called other is part of the rest, even where all are kept", () => {
  const processes = [...THREE, madeUpProcess({ pid: 4, name: REST, page: [200, 0], rss: 200 })];
  const all = groupFigures({ processes, schemes: SCHEMES }, { by: "program", top: Infinity });
  expect(all.groups).toHaveLength(3);
  expect(all.rest?.figures.rssBytes).toBe(200 * 1024);
  const single = groupFigures({ processes, schemes: SCHEMES }, { by: "process", top: Infinity });
  expect(single.rest).toBeUndefined();
  expect(single.groups[0].labels).toEqual({ pid: "4", name: REST, user: "root", cgroup: "/" });
});

test("a group knows how many of its processes are of an earlier reading", () => {
  const options = { by: "user", top: Infinity, stalePids: new Set([1, 3, 99]) } as const;
  const { groups } = groupFigures({ processes: THREE, schemes: SCHEMES }, options);
  expect(groups.map(({ addressSpaces, stale }) => [addressSpaces, stale])).toEqual([[3, 2]]);
});

import { expect, test } from "vitest";
import { madeUpReport } from "../../test/report/made-up-report.ts";
import { countedProcesses } from "./process-lines.ts";
import { SORT_KEYS, isInCgroup, selectProcesses, selectReport } from "./select-processes.ts";

const report = madeUpReport();
const pidsOf = (list: readonly { readonly pid: number }[]): number[] => list.map(({ pid }) => pid);

test("largest Pss first by default, and --reverse turns it", () => {
  expect(pidsOf(selectProcesses(report, {}).shown)).toEqual([4021, 12_345, 812, 900, 333]);
  expect(pidsOf(selectProcesses(report, { reverse: true }).shown)).toEqual([333, 900, 812, 12_345, 4021]);
});

test("numbers sort largest first, pids and texts smallest first, changes without their sign", () => {
  const first = Object.fromEntries(
    SORT_KEYS.map((sort) => [sort, selectProcesses(report, { sort, limit: 1 }).shown[0].pid]),
  );
  expect(first).toEqual({
    pid: 333,
    user: 812,
    name: 900,
    swap: 812,
    uss: 4021,
    pss: 4021,
    rss: 4021,
    dpss: 12_345,
    duss: 12_345,
  });
});

test("whatever is chosen, every counted process is in exactly one list", () => {
  const choices = [
    {},
    { limit: 2 },
    { users: ["redis"], limit: 1 },
    { program: /^redis/ },
    { cgroup: "/system.slice" },
    { pids: new Set([812, 900]) },
    { users: ["nobody"] },
  ];
  for (const choice of choices) {
    const { shown, others, filtered } = selectProcesses(report, choice);
    const all = pidsOf([...shown, ...others, ...filtered]).toSorted((a, b) => a - b);
    expect(all).toEqual(pidsOf(countedProcesses(report)).toSorted((a, b) => a - b));
  }
});

test("filters hold together: user or uid, name or command line, control group and below", () => {
  expect(pidsOf(selectProcesses(report, { users: ["redis"] }).shown)).toEqual([4021, 12_345]);
  expect(selectProcesses(report, { users: ["0"] }).shown).toHaveLength(5);
  expect(pidsOf(selectProcesses(report, { program: /idle in transaction/ }).shown)).toEqual([812]);
  expect(pidsOf(selectProcesses(report, { program: /rdb/, users: ["redis"] }).shown)).toEqual([12_345]);
});

test("a control group is a path, not a prefix of letters", () => {
  expect(isInCgroup("/system.slice/redis.service", "/system.slice")).toBe(true);
  expect(isInCgroup("/system.slice", "/system.slice/")).toBe(true);
  expect(isInCgroup("/system.slice-two", "/system.slice")).toBe(false);
  expect(isInCgroup("/anything", "/")).toBe(true);
});

test("a report of chosen processes keeps the machine's figures", () => {
  const chosen = selectReport(report, { users: ["redis"] });
  expect(pidsOf(chosen.processes)).toEqual([4021, 12_345]);
  expect(chosen.totals).toEqual(report.totals);
  expect(selectReport(report, {})).toBe(report);
});

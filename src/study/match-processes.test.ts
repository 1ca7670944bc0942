import { expect, test } from "vitest";
import type { CapturedProcess } from "../capture/index.ts";
import { type ProcessMatching, matchProcesses } from "./match-processes.ts";

function processOf(pid: number, name: string, command = name, cgroup = "/"): CapturedProcess {
  const none = undefined;
  return {
    pid,
    ppid: 1,
    uid: 0,
    userName: "root",
    name,
    command,
    cgroup,
    state: "complete",
    refusal: null,
    mm: 0,
    firstVma: 0,
    endVma: 0,
    status: { vmSizeBytes: none, vmRssBytes: none, vmSwapBytes: none, vmPteBytes: none, hugetlbBytes: none },
  };
}

const matched = (a: CapturedProcess[], b: CapturedProcess[], how: ProcessMatching): number[] => [
  ...matchProcesses(a, b, how).ofA,
];

test("within one boot a process keeps its pid, though it changes its command line or its name", () => {
  const a = [processOf(7, "postgres", "postgres: idle"), processOf(8, "old", "server -x")];
  const b = [processOf(7, "postgres", "postgres: SELECT"), processOf(8, "new", "server -x")];
  expect(matched(a, b, "pid")).toEqual([0, 1]);
});

test("a pid with another name and command line is another process, and so is an equal program with another pid", () => {
  expect(matched([processOf(7, "sh")], [processOf(7, "redis")], "pid")).toEqual([-1]);
  expect(matched([processOf(7, "sh")], [processOf(8, "sh")], "pid")).toEqual([-1]);
});

test("no command line says nothing: what has another name under the pid is another process", () => {
  expect(matched([processOf(7, "old", "")], [processOf(7, "new", "")], "pid")).toEqual([-1]);
  expect(matched([processOf(7, "same", "")], [processOf(7, "same", "")], "pid")).toEqual([0]);
});

test("across boots another user's process is another one", () => {
  const guest = (process: CapturedProcess): CapturedProcess => ({ ...process, uid: 1000 });
  const a = [processOf(3, "sh", "sh a"), guest(processOf(4, "sh", "sh a"))];
  expect(matched(a, [guest(processOf(1, "sh", "sh a")), processOf(2, "sh", "sh a")], "command")).toEqual([1, 0]);
  expect(matched(a, [guest(processOf(1, "sh", "sh b"))], "command")).toEqual([-1, 0]);
});

test("across boots command lines decide, then names, in the order of pids", () => {
  const a = [processOf(3, "sh", "sh a"), processOf(4, "sh", "sh b"), processOf(5, "sh", "sh c")];
  const b = [processOf(1, "sh", "sh d"), processOf(2, "sh", "sh b"), processOf(9, "sh", "sh a")];
  expect(matched(a, b, "command")).toEqual([2, 1, 0]);
});

test("across boots the control group tells equal command lines apart", () => {
  const a = [processOf(3, "sh", "sh", "/one"), processOf(4, "sh", "sh", "/two")];
  const b = [processOf(5, "sh", "sh", "/two"), processOf(6, "sh", "sh", "/one")];
  expect(matched(a, b, "command")).toEqual([1, 0]);
});

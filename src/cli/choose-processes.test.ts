/** Pids of the command line, and the processes that answers name in their place. */
import { expect, test } from "vitest";
import type { CapturedProcess } from "../capture/index.ts";
import { choosePids, pidsOfSpaces } from "./choose-processes.ts";

function process(pid: number, mm: number, state: CapturedProcess["state"] = "complete"): CapturedProcess {
  const words = { name: `p${pid}`, command: `p${pid}`, cgroup: "/", userName: "root" };
  const rows = { mm, firstVma: 0, endVma: 0, refusal: null, status: {} };
  return { pid, ppid: 1, uid: 0, ...words, ...rows, state } as CapturedProcess;
}

const CAPTURE = {
  processes: [
    process(10, 0),
    process(11, 1),
    process(12, 1, "shares-mm"),
    process(13, 1, "shares-mm"),
    process(14, -1, "ended"),
  ],
};

test("of processes that share an address space the one is named that it was read with, once", () => {
  const namesOf = (...pids: number[]): number[] => [...pidsOfSpaces(CAPTURE, new Set(pids))];
  expect(namesOf(12)).toEqual([11]);
  expect(namesOf(11, 12, 13, 10)).toEqual([10, 11]);
  expect(namesOf(10)).toEqual([10]);
  expect(namesOf()).toEqual([]);
});

test("a process is chosen by the name it has itself, also if it shares its address space", async () => {
  expect([...(await choosePids(CAPTURE, { program: /^p12$/ }))]).toEqual([12]);
  await expect(choosePids(CAPTURE, { pid: [14] })).rejects.toThrow("Process 14 ended while it was read.");
  await expect(choosePids(CAPTURE, { pid: [15] })).rejects.toThrow("There is no process 15");
  await expect(choosePids(CAPTURE, { pid: [10], program: /p11/ })).rejects.toThrow("None of these processes");
});

/** Processes found by a narrow search: their runs, however many, and those that share an address space once. */
import { openSync } from "node:fs";
import { expect, test } from "vitest";
import type { MapsVma } from "../kernel/index.ts";
import type { SystemCalls } from "./ioctl.ts";
import { NarrowHits } from "./narrow-hits.ts";
import type { OpenedProcess } from "./process-list.ts";
import { RUN_PRESENT } from "./run-layout.ts";
import type { SelectedRun } from "./selected-runs.ts";

function vma(startPage: number, pages: number): MapsVma {
  const rights = { read: true, write: true, exec: false, shared: false };
  const file = { offset: 0, offsetHex: "0", device: "00:00", inode: 0, name: "" };
  return { startPage, endPage: startPage + pages, ...rights, ...file };
}

function opened(pid: number, vmas: readonly MapsVma[]): OpenedProcess {
  const pagemapFd = openSync("/dev/null", "r");
  const status = { name: `p${pid}`, ppid: 1, uid: 0 } as OpenedProcess["status"];
  return { pid, status, command: "", cgroup: "/", vmas, pagemapFd, refusal: null };
}

function runsAt(...pages: readonly number[]): SelectedRun[] {
  return pages.map((page) => ({ vma: -1, page, frame: 2 * page, pages: 1, step: 0, bits: RUN_PRESENT }));
}

test("more runs than a call takes arguments are all kept, in the order of addresses", () => {
  const count = 300_000;
  const hits = new NarrowHits(undefined);
  hits.add(opened(10, [vma(0, count)]), runsAt(...Array.from({ length: 1000 }, (_, at) => count - 1 - at)));
  expect(hits.runs[0].page).toBe(count - 1000);
  const all: SelectedRun[] = [];
  for (let page = 0; page < count; page++) all.push(...runsAt(page));
  hits.add(opened(11, [vma(0, count)]), all);
  expect(hits.runs).toHaveLength(1000 + count);
  expect(hits.mmOfVma).toEqual([0, 1]);
  hits.close();
});

test("who shares an address space is named and adds nothing; who is only laid out alike is another", () => {
  const asked: string[] = [];
  const calls = {
    scan: () => 0,
    sharesAddressSpace: (a: number, b: number) => {
      asked.push(`${a} ${b}`);
      return a === 12 && b === 10;
    },
  } satisfies SystemCalls;
  const hits = new NarrowHits(calls);
  for (const pid of [10, 11, 12]) hits.add(opened(pid, [vma(5, 4)]), runsAt(6));
  hits.add(opened(13, [vma(5, 9)]), runsAt(6));
  expect(hits.processes.map(({ pid, mm, state }) => [pid, mm, state])).toEqual([
    [10, 0, "complete"],
    [11, 1, "complete"],
    [12, 0, "shares-mm"],
    [13, 2, "complete"],
  ]);
  expect(hits.runs.map(({ vma: row }) => row)).toEqual([0, 1, 2]);
  expect(asked).not.toContain("13 10");
  hits.close();
});

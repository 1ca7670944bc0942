/**
 * `foliometer timeline` and captures out of recordings, as their users ask for them: the answers, and one sentence for every
 * mistake. The recording is of the made-up capture, changed a little from one time to the next.
 */
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeTestDirectory } from "../../test/captured-child.ts";
import { AS_IT_IS, writeChanged } from "../../test/changed-captures.ts";
import { foliometer } from "../../test/foliometer-in-process.ts";
import { openRecorder } from "../capture/index.ts";
import type { CaptureReport, TimelineReport } from "../study/index.ts";

const home = makeTestDirectory();
const recording = join(home.path, "recording");
const empty = join(home.path, "empty");

/** Of the made-up capture: one process was refused, so every answer is incomplete. */
const INCOMPLETE = 3;
const THREADS = ["--threads", "1"];

beforeAll(async () => {
  await openRecorder(empty, { createdBy: "a test", append: false });
  const recorder = await openRecorder(recording, { createdBy: "a test", append: false });
  const when = { dueAtMs: 1_700_000_000_000, intervalMs: 5000, missedIntervals: 0 };
  for (const without of [[], [2], [2, 8]]) {
    await recorder.add(when, (path) => writeChanged(path, { ...AS_IT_IS, without }));
  }
});
afterAll(() => home.remove());

async function timeline(...args: readonly string[]): Promise<TimelineReport> {
  const { stdout, code } = await foliometer("timeline", recording, "--json", ...THREADS, ...args);
  expect(code).toBe(INCOMPLETE);
  return JSON.parse(stdout) as TimelineReport;
}

async function reportAt(...args: readonly string[]): Promise<CaptureReport> {
  const { stdout, code } = await foliometer("report", "--json", ...THREADS, ...args);
  expect(code).toBe(INCOMPLETE);
  return JSON.parse(stdout) as CaptureReport;
}

test("each point of the timeline is what the report says of that capture", async () => {
  const { points, processes, scheme, isKernelsOwn } = await timeline();
  expect({ scheme, isKernelsOwn, points: points.length }).toEqual({ scheme: "page", isKernelsOwn: true, points: 3 });
  for (const [index, { number, rssBytes, pssBytes }] of points.entries()) {
    const report = await reportAt(`${recording}@${number}`);
    const complete = report.processes.filter(({ state }) => state === "complete");
    expect(rssBytes).toBe(report.totals.rssBytes);
    expect(pssBytes).toBe(complete.reduce((sum, { schemes }) => sum + schemes["page"].pssBytes, 0));
    expect(processes.map(({ pid, figures }) => [pid, figures[index]?.rssBytes])).toEqual(
      complete.map((process) => [process.pid, process.rssBytes]),
    );
  }
  expect(points[1].rssBytes).toBe(points[0].rssBytes - 600 * 4096);
});

test("a scheme, processes and a stretch of the recording can be chosen", async () => {
  expect(await timeline("--scheme", "mm-owner")).toMatchObject({ scheme: "mm-owner", isKernelsOwn: false });
  const some = await timeline("--pid", "103", "--from", "1", "--to", "-1");
  expect(some.processes.map(({ pid }) => pid)).toEqual([103]);
  expect(some.points.map(({ number }) => number)).toEqual([1, 2]);
  const { stdout } = await foliometer("timeline", recording, ...THREADS, "--csv", "--cgroup", "/planted.slice");
  expect(stdout.split("\r\n")).toHaveLength(1 + 6 + 1);
});

test("a capture is named by number, from the end, or by time", async () => {
  const last = await reportAt(`${recording}@2`);
  expect(await reportAt(recording, "--at", "-1")).toEqual(last);
  expect(await reportAt(recording, "--at", "2023-11-15T00:00:00Z")).toEqual(last);
});

test.each([
  [
    "a recording without saying which capture",
    ["report", recording],
    "is a recording of 3 captures: name one, such as",
  ],
  ["a capture that it does not have", ["report", recording, "--at", "3"], "has no capture 3; it has 0 to 2."],
  ["a time before the first", ["report", recording, "--at", "2001-01-01"], "No capture of the recording"],
  ["neither number nor time", ["report", `${recording}@noon`], "noon is neither the number of a capture nor a time"],
  ["--at for the running machine", ["report", "--at", "1"], "it needs its DIR"],
  ["a timeline of a capture", ["timeline", join(recording, "000000")], "Not a recording"],
  ["a timeline of nothing", ["timeline", "/nowhere"], "Not a recording"],
  ["a stretch that ends before it begins", ["timeline", recording, "--from", "2", "--to", "1"], "before it"],
  ["a scheme that does not exist", ["timeline", recording, "--scheme", "nonsense"], "There is no scheme"],
  ["nobody", ["timeline", recording, "--program", "nobody", ...THREADS], "No process of this recording matches."],
  ["recording into a recording", ["record", "-o", recording], "holds a recording already"],
  ["--only without a command", ["record", "-o", "x", "--only"], "--only needs a command"],
  ["an interval of nothing", ["record", "-o", "x", "--interval", "0s"], "It needs a time such as"],
  ["a control group that is not there", ["record", "-o", "x", "--cgroup", "/no/such"], "is in control group /no/such."],
  ["one for a capture", ["capture", "-o", "x", "--cgroup", "/no/such"], "No process is in control group /no/such."],
  ["a process outside of it", ["record", "-o", "x", "--cgroup", "/no/such", "--pid", String(process.pid)], "/no/such."],
  ["a recording without a capture", ["report", empty], "has no capture yet."],
  ["a time in one without a capture", ["report", `${empty}@-1`], "has no capture yet."],
  ["a process that is not there", ["record", "-o", "x", "--pid", "4194304"], "There is no process 4194304."],
])("%s: one sentence, and wrong usage", async (_, args, sentence) => {
  const { stdout, stderr, code } = await foliometer(...args);
  expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
  expect(stderr).toContain(sentence);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});

test("a directory whose name looks like a capture of a recording is opened as what it is", async () => {
  const named = `${recording}@1`;
  mkdirSync(named);
  try {
    expect((await foliometer("report", named)).stderr).toContain("Not a capture");
  } finally {
    rmSync(named, { recursive: true });
  }
});

test("a damaged capture is left out of the timeline, with those that build on it, and told", async () => {
  const damaged = join(home.path, "damaged");
  cpSync(recording, damaged, { recursive: true });
  writeFileSync(join(damaged, "000001", "steps.parquet"), "");
  const { stdout, stderr, code } = await foliometer("timeline", damaged, "--json", ...THREADS);
  const { points, unread } = JSON.parse(stdout) as TimelineReport;
  expect(points.map(({ number }) => number)).toEqual([0]);
  expect(unread.map(({ number }) => number)).toEqual([1, 2]);
  expect(unread[0].reason).toContain("steps.parquet");
  expect(stderr).toContain("incomplete: 2 captures could not be read.");
  expect(code).toBe(INCOMPLETE);
});

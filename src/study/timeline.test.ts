import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { makeTestDirectory } from "../../test/captured-child.ts";
import { MADE_UP_RUNS, madeUpFacts, writeMadeUpCapture } from "../../test/made-up-capture.ts";
import { BadCapture, type Capture, openCapture } from "../capture/index.ts";
import { type Scheme, findScheme } from "../schemes/index.ts";
import { reportOnCapture } from "./report-on-capture.ts";
import { type TimelineReport, studyTimeline } from "./timeline.ts";

const home = makeTestDirectory();
let made = 0;

afterAll(() => home.remove());

function schemeOf(id: string): Scheme {
  const scheme = findScheme(id);
  if (scheme === undefined) throw new Error(`there is no scheme ${id}`);
  return scheme;
}

/** The made-up capture with these of its processes that live (100 and 103), after this boot. */
async function captureOf(pids: readonly number[], bootId = "one"): Promise<Capture> {
  const facts = madeUpFacts();
  const directory = join(home.path, String(made++));
  const state = (pid: number): { readonly state: "complete" | "ended" } => ({
    state: pids.includes(pid) ? "complete" : "ended",
  });
  writeMadeUpCapture(directory, MADE_UP_RUNS, {
    ...facts,
    machine: { ...facts.machine, bootId },
    processes: facts.processes
      .filter(({ pid }) => pid !== 101)
      .map((each) => (each.pid === 100 || each.pid === 103 ? { ...each, ...state(each.pid) } : each)),
  });
  return openCapture(directory, { threads: 1 });
}

async function follow(captures: readonly (() => Promise<Capture>)[], scheme = "page"): Promise<TimelineReport> {
  return studyTimeline(
    captures.map((open, number) => ({ number, intervalMs: 1000, missedIntervals: 0, open })),
    { schemeOf: () => schemeOf(scheme) },
  );
}

/** Which points a process is in. */
function presence({ processes }: TimelineReport): string[] {
  return processes.map(({ pid, figures }) => `${pid} ${figures.map((at) => (at === null ? "-" : "x")).join("")}`);
}

describe("who is who over time", () => {
  test("a process is its pid as long as it is in every capture", async () => {
    const report = await follow([() => captureOf([100]), () => captureOf([100, 103]), () => captureOf([100, 103])]);
    expect(presence(report)).toEqual(["100 xxx", "103 -xx"]);
  });

  test("a pid that was away and is back is another process", async () => {
    const report = await follow([() => captureOf([100, 103]), () => captureOf([103]), () => captureOf([100, 103])]);
    expect(presence(report)).toEqual(["100 x--", "103 xxx", "100 --x"]);
  });

  test("after a reboot everybody is another process", async () => {
    const report = await follow([() => captureOf([100]), () => captureOf([100], "two")]);
    expect(presence(report)).toEqual(["100 x-", "100 -x"]);
  });
});

test("the figures are those of the report under the same scheme, and a point is their sum", async () => {
  for (const scheme of ["page", "mm-owner", "total"]) {
    const capture = await captureOf([100, 103]);
    const wanted = (await reportOnCapture(capture, [schemeOf(scheme)])).processes.filter(
      ({ state }) => state === "complete",
    );
    await capture.close();
    const { points, processes } = await follow([() => captureOf([100, 103])], scheme);
    expect(processes.map(({ figures: [at] }) => at?.pssBytes)).toEqual(
      wanted.map(({ schemes }) => schemes[scheme].pssBytes),
    );
    expect(points[0].ussBytes.most).toBe(wanted.reduce((sum, { schemes }) => sum + schemes[scheme].ussBytes.most, 0));
  }
});

test("a capture that cannot be read is told, and the others stand", async () => {
  const bad = (): Promise<Capture> => Promise.reject(new BadCapture("damaged", "there", "is broken"));
  const report = await follow([() => captureOf([100]), bad, () => captureOf([100])]);
  expect(report.points.map(({ number }) => number)).toEqual([0, 2]);
  expect(report.unread).toEqual([{ number: 1, reason: expect.stringContaining("there is broken") as string }]);
  expect(presence(report)).toEqual(["100 xx"]);
});

test("an error that is no bad capture is not taken for a gap", async () => {
  await expect(follow([() => Promise.reject(new Error("a bug"))])).rejects.toThrow("a bug");
});

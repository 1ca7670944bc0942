import { expect, test } from "vitest";
import type { TimelineFigures, TimelineProcess, TimelineReport } from "../study/index.ts";
import { PLAIN_STYLES } from "./styles.ts";
import { formatTimelineCsv, formatTimelineText } from "./timeline-text.ts";

const KB = 1024;

/** Figures with so many kB of Pss. */
function figures(pss: number): TimelineFigures {
  return {
    rssBytes: pss * 2 * KB,
    pssBytes: pss * KB + 700,
    ussBytes: { least: pss * KB, most: pss * KB },
    swapBytes: 0,
  };
}

function processOf(pid: number, command: string, pss: readonly (number | null)[]): TimelineProcess {
  const all = pss.map((each) => (each === null ? null : figures(each)));
  return { pid, user: "root", name: "name", command, cgroup: "/", figures: all };
}

const PROCESSES = [
  processOf(1, "steady", [500, 500, 500]),
  processOf(2, 'grows, "quoted"', [100, 200, 300]),
  processOf(3, "came", [null, 40, 1000]),
  processOf(4, "peaks", [10, 900, 10]),
];

function reportOf(processes: readonly TimelineProcess[]): TimelineReport {
  const points = [0, 1, 2].map((index) => {
    const present = processes.flatMap((process) => process.figures[index] ?? []);
    const sum = (pick: (each: TimelineFigures) => number): number => present.reduce((all, each) => all + pick(each), 0);
    return {
      number: index,
      beganAtMs: 1_700_000_000_000 + index * 5000,
      endedAtMs: 1_700_000_000_300 + index * 5000,
      missedIntervals: 0,
      processes: present.length,
      processesRefused: 0,
      processesEnded: 0,
      rssBytes: sum(({ rssBytes }) => rssBytes),
      pssBytes: sum(({ pssBytes }) => pssBytes),
      ussBytes: { least: sum(({ ussBytes }) => ussBytes.least), most: sum(({ ussBytes }) => ussBytes.most) },
      swapBytes: 0,
    };
  });
  return {
    schema: "foliometer-timeline",
    version: 1,
    scheme: "page",
    isKernelsOwn: true,
    kernelRelease: "6.18.0",
    architecture: "x64",
    intervalMs: 5000,
    points,
    processes,
    unread: [],
  };
}

const OPTIONS = { width: Infinity, styles: PLAIN_STYLES, top: 20 };

test("processes stand in the order of how far their Pss moved, a peak in between and a coming counted", async () => {
  const text = await formatTimelineText(reportOf(PROCESSES), OPTIONS);
  const pids = text.split("\n").flatMap((line) => /^ +(?<pid>[1-4]) {2}root/.exec(line)?.groups?.pid ?? []);
  expect(pids).toEqual(["3", "4", "2", "1"]);
});

test("the movers, those left out and the totals add up to the printed sums", async () => {
  const text = await formatTimelineText(reportOf(PROCESSES), { ...OPTIONS, top: 2 });
  expect(text).toMatch(/^Pss +\S+ +610 +1,810 +\+1,200 +610 +1,810$/m);
  expect(text).toMatch(/\(2\) +others +600 +800 +\+200$/m);
  expect(text).toMatch(/^ +total +610 +1,810 +\+1,200$/m);
});

test("of uncertain figures the least is summed, as they are printed of each", async () => {
  const ranged = PROCESSES.map((process) => ({
    ...process,
    figures: process.figures.map((each) => each && { ...each, ussBytes: { least: 8 * KB, most: 4096 * KB } }),
  }));
  const text = await formatTimelineText(reportOf(ranged), OPTIONS);
  expect(text).toMatch(/^Uss\? +\S+ +24 +32 +\+8 +24 +32$/m);
});

test("one that was not there has a dash and no height", async () => {
  const text = await formatTimelineText(reportOf(PROCESSES), OPTIONS);
  expect(text).toMatch(/came +▁█ +- +1,000 +\+1,000 +1,000 +\+1,000 +\+2,000$/m);
  expect(text).toContain("-: not there in that capture");
});

test("what is uncertain, missed or unread is said, and only then", async () => {
  const report = reportOf(PROCESSES);
  const plain = await formatTimelineText(report, OPTIONS);
  for (const word of ["left out", "history", "not what this kernel"]) expect(plain).not.toContain(word);
  const [first, ...others] = report.points;
  const ranged = { ...first, missedIntervals: 3, ussBytes: { least: 1, most: 2 } };
  const text = await formatTimelineText(
    {
      ...report,
      isKernelsOwn: false,
      points: [ranged, ...others],
      unread: [{ number: 7, reason: "A damaged capture." }],
    },
    OPTIONS,
  );
  for (const line of [
    "3 intervals left out",
    "least that a history leaves",
    "~: not what",
    "Capture 7 is left out. A damaged",
  ])
    expect(text).toContain(line);
  expect(text).toContain("~Uss?");
});

test("a recording of which nothing could be read says so", async () => {
  const text = await formatTimelineText({ ...reportOf([]), points: [] }, OPTIONS);
  expect(text).toContain("No capture of this recording could be read.");
});

test("no line is wider than the terminal", async () => {
  for (const width of [40, 60, 80, 100]) {
    const text = await formatTimelineText(reportOf(PROCESSES), { ...OPTIONS, width });
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(width);
  }
});

test("CSV has a line for every figure and quotes what needs it", () => {
  const lines = formatTimelineCsv(reportOf(PROCESSES)).split("\r\n");
  expect(lines).toHaveLength(1 + 11 + 1);
  expect(lines[2]).toBe('0,2023-11-14T22:13:20.000Z,2,root,name,"grows, ""quoted""",/,204800,103100,102400,102400,0');
});
